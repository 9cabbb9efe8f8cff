//! Patterns of actions, resources and condition values: `*`, `?` and policy variables ("IAM JSON policy elements:
//! Variables and tags", IAM user guide).

use super::condition::{Context, Key};
use super::policy::PolicyError;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Exactly(char),
    /// `?`: any one character.
    One,
    /// `*`: any characters, or none.
    Many,
    /// `${aws:PrincipalTag/team}` and the like. What it stands for is taken literally, `*` included.
    Variable(Key),
}

/// A text with wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

/// Which characters of a pattern mean more than themselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Syntax {
    pub(super) wildcards: bool,
    /// Policies of version 2008-10-17 have none.
    pub(super) variables: bool,
}

impl Pattern {
    pub(super) fn parse(text: &str, syntax: Syntax) -> Result<Self, PolicyError> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some(character) = rest.chars().next() {
            if syntax.variables
                && let Some(after) = rest.strip_prefix("${")
            {
                let (name, after) = after.split_once('}').ok_or(PolicyError::Syntax)?;
                pieces.push(variable(name)?);
                rest = after;
                continue;
            }
            pieces.push(match character {
                '*' if syntax.wildcards => Piece::Many,
                '?' if syntax.wildcards => Piece::One,
                other => Piece::Exactly(other),
            });
            rest = rest.split_at(character.len_utf8()).1;
        }
        Ok(Self(pieces))
    }

    /// Whether all of `text` fits. A variable without a value fits nothing.
    pub(super) fn matches(&self, text: &str, context: &Context) -> bool {
        let mut pieces = Vec::with_capacity(self.0.len());
        for piece in &self.0 {
            match piece {
                Piece::Variable(key) => match context.value(key) {
                    Some(value) => pieces.extend(value.chars().map(Piece::Exactly)),
                    None => return false,
                },
                other => pieces.push(other.clone()),
            }
        }
        fits(&pieces, &text.chars().collect::<Vec<_>>())
    }
}

/// `${*}`, `${?}` and `${$}` are the characters themselves.
fn variable(name: &str) -> Result<Piece, PolicyError> {
    let mut characters = name.chars();
    match (characters.next(), characters.next()) {
        (Some(character @ ('*' | '?' | '$')), None) => Ok(Piece::Exactly(character)),
        _ => name.parse().map(Piece::Variable),
    }
}

/// Matches without recursion, going back only to the last `*`, so that no pattern takes exponential time.
fn fits(pieces: &[Piece], text: &[char]) -> bool {
    let (mut piece, mut at) = (0, 0);
    let mut last_many = None;
    while at < text.len() {
        match (pieces.get(piece), text.get(at)) {
            (Some(Piece::Many), _) => {
                last_many = Some((piece, at));
                piece += 1;
            }
            (Some(Piece::One), _) => (piece, at) = (piece + 1, at + 1),
            (Some(Piece::Exactly(expected)), Some(found)) if expected == found => {
                (piece, at) = (piece + 1, at + 1);
            }
            _ => match last_many {
                None => return false,
                Some((many, taken)) => {
                    last_many = Some((many, taken + 1));
                    (piece, at) = (many + 1, taken + 1);
                }
            },
        }
    }
    pieces.iter().skip(piece).all(|piece| *piece == Piece::Many)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const GLOB: Syntax = Syntax { wildcards: true, variables: true };

    fn context() -> Context<'static> {
        let tags = BTreeMap::from([("team".to_owned(), "a*".to_owned())]);
        Context { principal_tags: tags, ..Context::default() }
    }

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::parse(pattern, GLOB).unwrap().matches(text, &context())
    }

    #[test]
    fn wildcards_match_whole_texts() {
        assert!(matches("arn:*:repository/team/*", "arn:aws:ecr:us-east-1:0:repository/team/a/b"));
        assert!(!matches("team/*", "other/team/a"));
        assert!(matches("a?c*", "abc"));
        assert!(!matches("a?c", "ac"));
        assert!(matches("", ""));
        assert!(!matches("", "a"));
    }

    #[test]
    fn variables_stand_for_their_value_literally() {
        assert!(matches("repository/${aws:PrincipalTag/team}/?", "repository/a*/b"));
        assert!(!matches("repository/${aws:PrincipalTag/team}/?", "repository/ax/b"));
        assert!(!matches("${aws:PrincipalTag/other}*", "x"));
        assert!(matches("${*}${?}${$}", "*?$"));
        assert!(Pattern::parse("${aws:CurrentTime}", GLOB).is_err());
        assert!(Pattern::parse("${aws:PrincipalTag/team", GLOB).is_err());
        let plain = Pattern::parse("${*}", Syntax { wildcards: true, variables: false }).unwrap();
        assert!(plain.matches("${x}", &context()));
    }

    /// The definition of a glob, as slow as it likes to be.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, rest) => rest.is_none(),
            (Some(('*', pattern)), None) => naive(pattern, &[]),
            (Some(('*', after)), Some((_, shorter))) => naive(after, text) || naive(pattern, shorter),
            (Some(('?', pattern)), Some((_, text))) => naive(pattern, text),
            (Some((expected, pattern)), Some((found, text))) => expected == found && naive(pattern, text),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn globs_match_as_defined(pattern in "[ab*?]{0,8}", text in "[abc*?]{0,10}") {
            let (letters, of_text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(matches(&pattern, &text), naive(&letters, &of_text));
        }

        #[test]
        fn any_text_is_a_pattern_or_an_error(pattern in any::<String>(), text in any::<String>()) {
            if let Ok(pattern) = Pattern::parse(&pattern, GLOB) {
                let _ = pattern.matches(&text, &context());
            }
        }
    }
}
