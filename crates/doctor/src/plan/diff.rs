//! What of a change may be seen.
//!
//! A diff shows lines around the change that ecru did not write, and they hold passwords and tokens. So it does not
//! look for secrets: it shows what is known to be none, and masks all other values. Both sides are masked before they
//! are compared; edits never touch what is masked.

use similar::TextDiff;

use super::{Change, Content};
use crate::edit::{drop_in, ecru_config, masked_json, masked_toml, runner_config};

/// Stands for a text of which nothing can be shown.
const HIDDEN: &str = "…\n";

impl Change {
    /// The change as a unified diff, in which masks stand for what may be secret.
    #[must_use]
    pub fn diff(&self) -> String {
        let path = self.path.display();
        if self.content == Content::Program {
            let was = match &self.before {
                Some(before) => format!("program of {} bytes", before.len()),
                None => "nothing".to_owned(),
            };
            return format!("--- {path}\n+++ {path}\n-{was}\n+program of {} bytes\n", self.after.len());
        }
        let before = self.before.as_deref().map(|content| self.visible(content)).unwrap_or_default();
        let after = self.visible(&self.after);
        let old = if self.before.is_some() { path.to_string() } else { "/dev/null".to_owned() };
        TextDiff::from_lines(&before, &after).unified_diff().header(&old, &path.to_string()).to_string()
    }

    fn visible(&self, content: &[u8]) -> String {
        let Ok(text) = std::str::from_utf8(content) else { return HIDDEN.to_owned() };
        if text.trim().is_empty() {
            return text.to_owned();
        }
        let masked = match &self.content {
            Content::DockerConfig => masked_json(text),
            Content::RunnerConfig => masked_toml(text, &runner_config::visible),
            Content::EcruConfig => masked_toml(text, &ecru_config::visible),
            Content::DropIn(variables) => Some(drop_in::masked(text, variables)),
            Content::Program => None,
        };
        masked.unwrap_or_else(|| HIDDEN.to_owned())
    }
}
