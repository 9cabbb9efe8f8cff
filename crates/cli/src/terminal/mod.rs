//! What people see while `ecru` works: lines, and progress bars for pulls where there is a terminal.

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use ecru_docker::credential_helper::serve::steers_a_terminal;
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};

use crate::error::CommandError;
use crate::exit_code;
use crate::outside::Outside;

/// The columns of a terminal that nobody knows.
const USUAL_WIDTH: usize = 80;

/// With fewer columns than these, the indented lines would have none.
const LEAST_WIDTH: usize = 40;

/// The terminal: results on standard output, notes and progress bars on standard error.
pub(crate) struct Screen {
    bars: Option<MultiProgress>,
    silent: bool,
}

impl Screen {
    /// Bars are drawn unless `plain` is asked for or standard error is no terminal.
    pub(crate) fn on_stderr(plain: bool) -> Self {
        let bars = (!plain && std::io::stderr().is_terminal()).then(MultiProgress::new);
        Self { bars, silent: false }
    }

    /// A screen that shows nothing, for a command that tells in its own words what another one does.
    pub(crate) fn silent() -> Self {
        Self { bars: None, silent: true }
    }

    /// Prints one line on standard output.
    pub(crate) fn print(&self, text: &str) {
        if self.silent {
            return;
        }
        let text = printable(text);
        self.without_bars(|| {
            let _ = writeln!(std::io::stdout(), "{text}");
        });
    }

    /// Prints one line on standard error, without control characters that `text` may have brought from outside.
    pub(crate) fn line(&self, text: &str) {
        let text = printable(text);
        match &self.bars {
            _ if self.silent => {}
            Some(bars) => {
                let _ = bars.println(&text);
            }
            None => {
                let _ = writeln!(std::io::stderr(), "{text}");
            }
        }
    }

    /// Runs `write` while no bar is on the screen.
    pub(crate) fn without_bars<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    /// Shows that `image` is being pulled until the answer is finished or dropped.
    pub(crate) fn pull(&self, image: &str) -> Pull {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new(0).with_style(pull_style()).with_message(image.to_owned()));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Pull { image: image.to_owned(), bar, started: Instant::now(), bytes: 0 }
    }
}

impl Screen {
    /// A bar that counts to `total` until it is dropped; none where no bars are drawn.
    pub(crate) fn counter(&self, what: &str, total: usize) -> Counter {
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        let bar = self.bars.as_ref().map(|bars| {
            let bar = ProgressBar::new(total).with_style(counter_style()).with_message(what.to_owned());
            let bar = bars.add(bar);
            // It is seen from the beginning, and not only when the first of many is done.
            bar.tick();
            bar
        });
        Counter { bar }
    }
}

/// Something that is counted on the screen.
pub(crate) struct Counter {
    bar: Option<ProgressBar>,
}

impl Counter {
    /// One more is done.
    pub(crate) fn advance(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn counter_style() -> ProgressStyle {
    ProgressStyle::with_template("  {msg} {bar:30} {pos}/{len}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A pull on the screen.
pub(crate) struct Pull {
    image: String,
    bar: Option<ProgressBar>,
    started: Instant,
    bytes: u64,
}

impl Pull {
    /// `done` of the `total` bytes known so far.
    pub(crate) fn progress(&mut self, done: u64, total: u64) {
        self.bytes = total;
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    /// The line that says what was pulled, how much and how fast; the bar is gone.
    pub(crate) fn finished_line(&self) -> String {
        let duration = self.started.elapsed().as_millis();
        match self.bytes {
            0 => format!("pulled {} in {duration} ms", self.image),
            bytes => format!("pulled {} ({}) in {duration} ms", self.image, HumanBytes(bytes)),
        }
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn pull_style() -> ProgressStyle {
    ProgressStyle::with_template("  pulling {msg} {bar:30} {bytes}/{total_bytes}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// How many columns the terminal at standard output has, if it is one.
pub(crate) fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    // A terminal that nobody has measured has none.
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// How many columns a text for people has: those of the terminal on standard output; where there is none, as many as the
/// variable COLUMNS says, else 80.
pub(crate) fn width(outside: &Outside) -> usize {
    let stated = || outside.text("COLUMNS")?.parse().ok();
    columns().or_else(stated).unwrap_or(USUAL_WIDTH).max(LEAST_WIDTH)
}

/// `text` in lines of at most `width` columns, the first behind `first`, the others behind `rest`. What is no word of a
/// language, such as a path, is never cut in two.
pub(crate) fn wrapped(first: &str, rest: &str, text: &str, width: usize) -> String {
    let options = textwrap::Options::new(width)
        .initial_indent(first)
        .subsequent_indent(rest)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(text, options)
}

/// Writes what a command was asked for to standard output.
///
/// # Errors
/// [`exit_code::NOT_WRITTEN`], where not all of it can be written. A reader that went away has seen what it wanted.
pub(crate) fn hand_out(text: impl AsRef<[u8]>) -> Result<(), CommandError> {
    let mut stdout = std::io::stdout();
    match stdout.write_all(text.as_ref()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CommandError::new(exit_code::NOT_WRITTEN, format!("cannot write the answer: {error}")))
        }
        _ => Ok(()),
    }
}

/// `text` with control characters escaped: image names and engine messages come from elsewhere.
pub(crate) fn printable(text: &str) -> String {
    escaped(text, |character| character.escape_default().to_string())
}

/// The same of a JSON document, which stays one: what is escaped stands in its texts.
pub(crate) fn printable_json(document: &str) -> String {
    escaped(document, |character| format!("\\u{:04x}", u32::from(character)))
}

/// The same of an XML document.
pub(crate) fn printable_xml(document: &str) -> String {
    escaped(document, |character| format!("&#x{:x};", u32::from(character)))
}

fn escaped(text: &str, escape: impl Fn(char) -> String) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => printable.push(character),
            other if steers_a_terminal(other) => printable.push_str(&escape(other)),
            other => printable.push(other),
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_between_words_only() {
        let path = "/a/path-that/is-longer/than-the-line";
        let text = format!("one two three {path} four");
        assert_eq!(wrapped("- ", "  ", &text, 12), format!("- one two\n  three\n  {path}\n  four"));
        assert_eq!(wrapped("- ", "  ", "a\nb", 12), "- a\n  b");
    }

    #[test]
    fn without_a_terminal_the_width_is_what_columns_says() {
        let of = |stated: &str| width(&Outside::default().with("COLUMNS", stated));
        for (stated, expected) in [("120", 120), ("1", LEAST_WIDTH), ("wide", USUAL_WIDTH)] {
            // Under a terminal it is the terminal's.
            assert_eq!(of(stated), super::columns().map_or(expected, |known| known.max(LEAST_WIDTH)));
        }
    }

    #[test]
    fn control_characters_from_outside_are_shown_not_obeyed() {
        assert_eq!(printable("a\u{1b}[31mb\rc\td"), "a\\u{1b}[31mb\\rc\td");
        assert_eq!(printable("a\u{202e}b\u{2066}c\u{e9}"), "a\\u{202e}b\\u{2066}c\u{e9}");
    }

    #[test]
    fn documents_stay_what_they_are() {
        let text = "a\u{202e}b\u{85}c\u{7f}\u{e9}";
        let json = printable_json(&serde_json::json!({ "name": text }).to_string());
        assert_eq!(json, "{\"name\":\"a\\u202eb\\u0085c\\u007f\u{e9}\"}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["name"], text);
        assert_eq!(printable_xml("<a>\n\u{202e}</a>"), "<a>\n&#x202e;</a>");
    }
}
