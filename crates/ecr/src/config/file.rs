//! One configuration file.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::Fault;
use crate::registry::{Address, Registry};

/// What the helper tells its caller when it cannot get credentials for a registry of Amazon ECR.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// That it has none, so that the caller tries without; the cause is told on stderr only.
    #[default]
    NotFound,
    /// The kind of the failure, which makes the caller fail as well.
    Report,
}

/// A file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    registries: Vec<Spanned<String>>,
    #[serde(default)]
    alias: BTreeMap<Spanned<String>, Spanned<String>>,
    on_error: Option<OnError>,
}

/// A file as it is meant.
#[derive(Debug)]
pub(super) struct File {
    pub(super) registries: Vec<Registry>,
    pub(super) aliases: BTreeMap<Address, Registry>,
    pub(super) on_error: Option<OnError>,
}

/// Reads a file.
///
/// # Errors
/// The first fault, with its place.
pub(super) fn parse(content: &[u8]) -> Result<File, Fault> {
    let text = std::str::from_utf8(content).map_err(|error| {
        let valid = String::from_utf8_lossy(&content[..error.valid_up_to()]).into_owned();
        fault(&valid, valid.len(), "a byte that is not UTF-8 text")
    })?;
    let written: Written = toml::from_str(text)
        .map_err(|error| fault(text, error.span().map_or(0, |span| span.start), error.message()))?;
    Meaning { text }.of(written)
}

/// Finds out what a file means, with its text at hand for the places of faults.
struct Meaning<'a> {
    text: &'a str,
}

impl Meaning<'_> {
    fn of(&self, written: Written) -> Result<File, Fault> {
        let registries =
            written.registries.iter().map(|host| self.registry(host)).collect::<Result<_, _>>()?;
        let aliases = written
            .alias
            .iter()
            .map(|(address, host)| Ok((self.alias(address)?, self.registry(host)?)))
            .collect::<Result<_, _>>()?;
        Ok(File { registries, aliases, on_error: written.on_error })
    }

    fn registry(&self, host: &Spanned<String>) -> Result<Registry, Fault> {
        Registry::parse(host.get_ref()).map_err(|error| self.fault(host.span(), &error.to_string()))
    }

    /// An address that stands for a registry. A registry's own name cannot stand for another one: what is asked for
    /// one account or region would be answered with the credentials of another.
    fn alias(&self, address: &Spanned<String>) -> Result<Address, Fault> {
        let parsed = Address::parse(address.get_ref())
            .map_err(|error| self.fault(address.span(), &error.to_string()))?;
        match Registry::from_address(&parsed) {
            Ok(registry) => {
                let message = format!("`{registry}` is a registry of Amazon ECR and cannot be an alias");
                Err(self.fault(address.span(), &message))
            }
            Err(_) => Ok(parsed),
        }
    }

    fn fault(&self, span: Range<usize>, message: &str) -> Fault {
        fault(self.text, span.start, message)
    }
}

fn fault(text: &str, offset: usize, message: &str) -> Fault {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Fault {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message: message.lines().next().unwrap_or_default().to_owned(),
    }
}
