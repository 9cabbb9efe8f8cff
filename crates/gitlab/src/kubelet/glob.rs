//! Globs as Go's `filepath.Match` reads them, within one label of a host name.

/// Whether `pattern` matches all of `text`. A malformed pattern matches nothing.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut read) = (0, 0);
    // Where the last star stands, and how far into the text it reaches so far.
    let mut star: Option<(usize, usize)> = None;
    loop {
        if pattern.get(at) == Some(&'*') {
            star = Some((at, read));
            at += 1;
            continue;
        }
        if at == pattern.len() && read == text.len() {
            return true;
        }
        let step = match (pattern.get(at..).filter(|rest| !rest.is_empty()), text.get(read)) {
            (Some(rest), Some(character)) => one(rest, *character),
            _ => None,
        };
        if let Some(length) = step {
            at += length;
            read += 1;
            continue;
        }
        match star {
            Some((place, reach)) if reach < text.len() => {
                star = Some((place, reach + 1));
                (at, read) = (place + 1, reach + 1);
            }
            _ => return false,
        }
    }
}

/// How much of `pattern` matches the one character, if any does.
fn one(pattern: &[char], character: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['\\', literal, ..] => (*literal == character).then_some(2),
        ['\\'] => None,
        ['[', class @ ..] => in_class(class, character).map(|length| length + 1),
        [literal, ..] => (*literal == character).then_some(1),
        [] => None,
    }
}

/// How much of `class`, which follows a `[`, is the class, if it holds the character.
fn in_class(class: &[char], character: char) -> Option<usize> {
    let is_negated = class.first() == Some(&'^');
    let mut at = usize::from(is_negated);
    let mut holds = false;
    let mut ranges = 0;
    while class.get(at) != Some(&']') || ranges == 0 {
        let (low, after) = bound(class, at)?;
        let (high, after) = match class.get(after) {
            Some('-') => bound(class, after + 1)?,
            _ => (low, after),
        };
        holds |= (low..=high).contains(&character);
        at = after;
        ranges += 1;
    }
    (holds != is_negated).then_some(at + 1)
}

/// One end of a range, and where it ends itself (`getEsc`).
fn bound(class: &[char], at: usize) -> Option<(char, usize)> {
    match (class.get(at)?, class.get(at + 1)) {
        ('-' | ']', _) => None,
        ('\\', next) => next.map(|next| (*next, at + 2)),
        (character, _) => Some((*character, at + 1)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_are_read_as_go_reads_them() {
        for (pattern, text) in [
            ("abc", "abc"),
            ("*", ""),
            ("*", "abc"),
            ("a*", "a"),
            ("*c", "abc"),
            ("a*b*c", "axxbyyc"),
            ("a?c", "abc"),
            ("[0-9]*", "111122223333"),
            ("[^a]", "b"),
            ("eu-*-[12]", "eu-west-1"),
            (r"a\*", "a*"),
            (r"[\]]", "]"),
        ] {
            assert!(matches(pattern, text), "{pattern} and {text}");
        }
        for (pattern, text) in [
            ("abc", "abcd"),
            ("abc", ""),
            ("", "a"),
            ("a?c", "ac"),
            ("[0-9]", "a"),
            ("[^a]", "a"),
            ("[a", "a"),
            ("[]a]", "a"),
            ("[a-]", "a"),
            (r"a\", "a"),
        ] {
            assert!(!matches(pattern, text), "{pattern} and {text}");
        }
    }

    proptest! {
        #[test]
        fn any_pattern_is_read(pattern in "[a-c*?\\[\\]^\\\\-]{0,12}", text in "[a-c]{0,12}") {
            matches(&pattern, &text);
        }

        #[test]
        fn a_text_matches_itself_and_a_star(text in "[a-z0-9-]{0,12}") {
            prop_assert!(matches(&text, &text));
            prop_assert!(matches("*", &text));
            let ends = format!("*{text}");
            prop_assert!(matches(&ends, &text));
        }
    }
}
