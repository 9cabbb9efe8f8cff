//! Patterns in which `*` stands for any characters, as rules of the configuration have them.

/// Whether the whole of `text` matches `pattern`.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let head = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    let Some(tail) = pieces.next_back() else { return rest.is_empty() };
    // The first place at which a piece stands leaves the most to those after it.
    for piece in pieces {
        match rest.find(piece) {
            Some(start) => rest = &rest[start + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, text) in
            [("", ""), ("*", ""), ("*", "a"), ("a*", "a"), ("a*c", "abc"), ("*b*", "abc"), ("a*b*c", "abbc")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("", "a"), ("a", ""), ("a*a", "a"), ("a*", "ba"), ("a*b*b", "ab"), ("a", "aa")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    /// The definition, which takes exponential time.
    fn by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], text) => text.is_empty(),
            ([b'*', pattern @ ..], text) => {
                (0..=text.len()).any(|skipped| by_definition(pattern, &text[skipped..]))
            }
            ([first, pattern @ ..], [other, text @ ..]) => first == other && by_definition(pattern, text),
            (_, []) => false,
        }
    }

    proptest! {
        #[test]
        fn the_definition_is_met(pattern in "[ab*]{0,7}", text in "[ab]{0,7}") {
            prop_assert_eq!(matches(&pattern, &text), by_definition(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
