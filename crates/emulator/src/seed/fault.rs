//! Where in a text something is wrong.

use std::fmt::Display;
use std::ops::Range;
use std::path::Path;

use super::SeedError;

/// The text of a seed file, for the places of faults.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Text<'_> {
    /// A fault at the beginning of a span.
    pub(super) fn fault(&self, span: Range<usize>, message: impl Display) -> SeedError {
        self.fault_with_hint(span, message, None)
    }

    pub(super) fn fault_with_hint(
        &self,
        span: Range<usize>,
        message: impl Display,
        hint: Option<String>,
    ) -> SeedError {
        let before = &self.text[..self.text.floor_char_boundary(span.start)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        SeedError::Fault {
            path: self.path.to_path_buf(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            // Some messages of the TOML parser go on with lists of keys.
            message: message.to_string().lines().next().unwrap_or_default().to_owned(),
            hint,
        }
    }
}
