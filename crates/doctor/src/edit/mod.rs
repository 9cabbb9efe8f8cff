//! Edits of texts that others wrote.
//!
//! An edit is a `Splice`: a range of bytes and what shall stand there. A parser that knows positions finds the range,
//! and everything outside it is copied, so that order, spaces, comments and line ends stay because nobody touches them.
//! A library that writes a document from its tree, such as `toml_edit`, has to be trusted with that for every document.
//! Each edit reads its result again and refuses to hand out one that says anything else than was meant.

pub mod docker_config;
pub mod drop_in;
pub mod ecru_config;
pub mod job_containers;
pub mod job_hosts;
mod json;
pub mod runner_config;
mod toml_text;

pub(crate) use json::masked as masked_json;
pub(crate) use toml_text::{masked as masked_toml, quoted as toml_string};

use std::ops::Range;

/// The longest file that is edited, in bytes.
pub const MAX_INPUT_BYTES: usize = 1024 * 1024;

/// Why a text is left as it is. No variant tells a value of the text, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// It is longer than any file of its kind.
    #[error("it is longer than {MAX_INPUT_BYTES} bytes")]
    TooLong,
    /// It is not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// It does not follow its format.
    #[error("it is not {format} at line {line}, column {column}: {reason}")]
    Malformed {
        /// The name of the format.
        format: &'static str,
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The tool that reads it would refuse it.
    #[error("{tool} refuses it: {reason}")]
    Refused {
        /// The tool.
        tool: &'static str,
        /// Its reason.
        reason: String,
    },
    /// A member stands in it twice, and which one counts differs between tools.
    #[error("`{name}` stands in it twice")]
    Duplicate {
        /// The member.
        name: String,
    },
    /// A setting has another type than its tool knows.
    #[error("`{name}` is not {expected}")]
    WrongType {
        /// The setting.
        name: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A setting has a value that the edit would take away.
    #[error("`{name}` has another value already")]
    Occupied {
        /// The setting.
        name: String,
    },
    /// A volume of the host's files can be written in containers.
    #[error("jobs can write to `{name}` of the host")]
    Writable {
        /// The place in containers.
        name: String,
        /// The volume as it should be.
        volume: String,
    },
    /// It lacks a table that the edit adds to.
    #[error("it has no `{name}`")]
    Missing {
        /// The header of the table.
        name: String,
    },
    /// There is no such runner, or several.
    #[error("{0}")]
    Runner(#[from] ecru_gitlab::config_toml::SelectionError),
    /// The edit cannot be written in this text's style.
    #[error("`{name}` is written in a form that cannot be edited")]
    Form {
        /// The setting.
        name: String,
    },
}

impl EditError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Duplicate { name } => Some(format!("remove one `{name}`")),
            Self::Occupied { name } => Some(format!("remove `{name}` if it is not needed any more")),
            Self::Writable { volume, .. } => Some(format!("write the volume as `{volume}`")),
            Self::Missing { name } => Some(format!("write `{name}` with its settings below this runner")),
            Self::Runner(error) => error.hint(),
            Self::Form { name } => Some(format!("write `{name}` on lines of its own")),
            _ => None,
        }
    }
}

/// Bytes of a text, and what shall stand in their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Splice {
    pub(crate) range: Range<usize>,
    pub(crate) text: String,
}

impl Splice {
    pub(crate) fn insert(at: usize, text: impl Into<String>) -> Self {
        Self { range: at..at, text: text.into() }
    }

    pub(crate) fn replace(range: Range<usize>, text: impl Into<String>) -> Self {
        Self { range, text: text.into() }
    }
}

/// `text` with `splices`, which must not overlap. Of several at one place the order stays.
pub(crate) fn spliced(text: &str, mut splices: Vec<Splice>) -> String {
    splices.sort_by_key(|splice| splice.range.start);
    let mut result = String::with_capacity(text.len() + 256);
    let mut copied = 0;
    for splice in splices {
        result.push_str(text.get(copied..splice.range.start).unwrap_or_default());
        result.push_str(&splice.text);
        copied = splice.range.end;
    }
    result.push_str(text.get(copied..).unwrap_or_default());
    result
}

/// The text in `content`, if it is one that is edited.
pub(crate) fn text_of(content: &[u8]) -> Result<&str, EditError> {
    if content.len() > MAX_INPUT_BYTES {
        return Err(EditError::TooLong);
    }
    std::str::from_utf8(content).map_err(|_| EditError::NotUtf8)
}

/// How the lines of `text` end.
pub(crate) fn line_end(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// The spaces and tabs before the first thing on the line that holds the byte `at`.
pub(crate) fn indentation(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = &text[start..];
    let end = line.find(|character| character != ' ' && character != '\t').unwrap_or(line.len());
    &line[..end]
}

pub(crate) fn malformed(format: &'static str, text: &str, at: usize, reason: &str) -> EditError {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    EditError::Malformed {
        format,
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splices_leave_everything_else() {
        let text = spliced("0123456", vec![Splice::replace(4..6, "x"), Splice::insert(1, "a")]);
        assert_eq!(text, "0a123x6");
    }

    #[test]
    fn a_place_is_told_in_lines_and_characters() {
        let error = malformed("JSON", "{\n \u{e9}x", 5, "odd");
        assert_eq!(error.to_string(), "it is not JSON at line 2, column 3: odd");
    }

    #[test]
    fn the_style_of_a_text_is_seen() {
        assert_eq!((line_end("a\r\nb\n"), line_end("a\nb\r\n"), line_end("a")), ("\r\n", "\n", "\n"));
        assert_eq!(indentation("a\n \tb = 1", 6), " \t");
        assert_eq!(indentation("b", 0), "");
    }
}
