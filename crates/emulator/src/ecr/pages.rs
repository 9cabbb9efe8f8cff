//! Long lists in pages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::Value;

use crate::aws_json::JsonError;

/// How many entries one answer lists unless asked otherwise, and at most (Amazon ECR API reference).
const DEFAULT_PAGE: usize = 100;
const MAX_PAGE: usize = 1000;

/// Which page a request asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page {
    max_results: Option<usize>,
    next_token: Option<String>,
}

impl Page {
    /// The page's part of `entries`, which are ordered by their names, and the token for the next page: the last name
    /// of this one, encoded.
    pub(crate) fn of(
        &self,
        entries: impl IntoIterator<Item = (String, Value)>,
    ) -> Result<(Vec<Value>, Option<String>), JsonError> {
        let size = self.max_results.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&size) {
            return Err(JsonError::invalid_parameter("maxResults", "1 to 1000"));
        }
        let start = self.start()?;
        let mut rest = entries.into_iter().filter(|(name, _)| *name > start).peekable();
        let (mut page, mut last) = (Vec::new(), String::new());
        while page.len() < size
            && let Some((name, entry)) = rest.next()
        {
            page.push(entry);
            last = name;
        }
        Ok((page, rest.peek().map(|_| BASE64.encode(last))))
    }

    /// The name after which the page starts.
    fn start(&self) -> Result<String, JsonError> {
        let Some(token) = &self.next_token else { return Ok(String::new()) };
        let name = BASE64.decode(token).ok().and_then(|name| String::from_utf8(name).ok());
        name.ok_or_else(|| JsonError::invalid_parameter("nextToken", "a token of the emulator"))
    }
}
