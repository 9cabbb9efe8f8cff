//! The one error that commands return: what happened, why, and what to type next.

use std::fmt::Write as _;

use crate::terminal::printable;

/// A command that failed.
#[derive(Debug)]
pub struct CommandError {
    exit_code: u8,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
}

impl CommandError {
    /// A failure that exits with `exit_code` (one of [`crate::exit_code`]) and says `message`: a lower-case
    /// fragment without a full stop.
    pub fn new(exit_code: u8, message: impl Into<String>) -> Self {
        Self { exit_code, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// The failure `error`, with its chain of sources as causes.
    pub fn from_error(exit_code: u8, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut failure = Self::new(exit_code, error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            failure = failure.because(cause.to_string());
            source = cause.source();
        }
        failure
    }

    /// Adds what lies behind the failure. A cause that the message already tells is dropped.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        let cause = cause.into();
        let told = self.message.contains(&cause) || self.causes.contains(&cause);
        if !told {
            self.causes.push(cause);
        }
        self
    }

    /// Adds what the reader can type next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
        self
    }

    /// Adds a hint where there is one.
    #[must_use]
    pub fn maybe_hint(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// What the process exits with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// The text for standard error, ending in a line feed: one sentence, its causes, its hints. Names in it may come from
    /// elsewhere, and cannot steer a terminal.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = format!("error: {}\n", self.message);
        for cause in &self.causes {
            let _ = writeln!(text, "  caused by: {cause}");
        }
        for hint in &self.hints {
            let _ = writeln!(text, "hint: {hint}");
        }
        printable(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_why_and_what_next() {
        let error =
            CommandError::new(80, "no job `x`").because("the file has two jobs").hint("ecru run build");
        assert_eq!(
            error.report(),
            "error: no job `x`\n  caused by: the file has two jobs\nhint: ecru run build\n"
        );
    }

    #[test]
    fn names_from_elsewhere_cannot_steer_a_terminal() {
        let error = CommandError::new(80, "no job `a\u{1b}[31m`").because("\r").hint("\u{202e}");
        assert_eq!(error.report(), "error: no job `a\\u{1b}[31m`\n  caused by: \\r\nhint: \\u{202e}\n");
    }

    #[test]
    fn a_cause_that_the_message_tells_is_not_told_twice() {
        let error = CommandError::new(80, "cannot read a.yml: no such file").because("no such file");
        assert_eq!(error.report(), "error: cannot read a.yml: no such file\n");
    }
}
