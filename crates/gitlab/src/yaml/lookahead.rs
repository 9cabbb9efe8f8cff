//! A limit on how far the parser may read ahead of what it tells.
//!
//! `saphyr-parser` keeps all tokens of a collection in brackets until the bracket closes, because the whole of it
//! could still turn out to be a key (`[a, b]: c`): two megabytes of `[a,a,a,…` cost it four hundred. No limit on
//! events ends that, since there is none before the end. Characters are counted here, on their way in.

use std::cell::Cell;
use std::rc::Rc;
use std::str::Chars;

/// How many characters that can begin a token may stand between one event and the next. Each is at most two tokens
/// of about 100 bytes. A pipeline written as JSON has some 10,000 members before it comes here; what is written with
/// indentation, comments and scripts included, never does.
pub(super) const MAX_INDICATORS: usize = 64 * 1024;

/// The characters of a text, which ends early where the parser reads too far ahead.
pub(super) struct Guarded<'a> {
    characters: Chars<'a>,
    seen: Lookahead,
}

/// How far the parser has read since its last event.
#[derive(Clone, Default)]
pub(super) struct Lookahead(Rc<Cell<usize>>);

impl Lookahead {
    /// The characters of `text`, counted here.
    pub(super) fn guard<'a>(&self, text: &'a str) -> Guarded<'a> {
        Guarded { characters: text.chars(), seen: self.clone() }
    }

    /// Begins to count anew, because an event came.
    pub(super) fn reset(&self) {
        self.0.set(0);
    }

    /// Whether the text was cut off. What the parser says then is about the cut, not about the text.
    pub(super) fn is_exceeded(&self) -> bool {
        self.0.get() > MAX_INDICATORS
    }
}

impl Iterator for Guarded<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        if self.seen.is_exceeded() {
            return None;
        }
        let character = self.characters.next()?;
        if matches!(character, '[' | ']' | '{' | '}' | ',' | ':' | '?' | '&' | '*' | '!' | '\'' | '"') {
            self.seen.0.set(self.seen.0.get() + 1);
        }
        (!self.seen.is_exceeded()).then_some(character)
    }
}
