//! Words of a setting in a unit file, as systemd.syntax(7) has them: quotes around them or inside, and C's escapes.

/// The words of `value`. An unclosed quote ends with the line, as if it were closed there.
pub(super) fn words(value: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', _) => {
                let word = word.get_or_insert_default();
                match characters.next() {
                    Some('n') => word.push('\n'),
                    Some('t') => word.push('\t'),
                    Some('s') => word.push(' '),
                    Some(other) => word.push(other),
                    None => word.push('\\'),
                }
            }
            (_, Some(open)) if character == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (_, None) if character.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_escapes_are_taken_away() {
        assert_eq!(
            words(r#" A=1 "B=2 3" 'C=4 "' D="5 6"\"  "" "#),
            ["A=1", "B=2 3", "C=4 \"", "D=5 6\"", ""]
        );
        assert_eq!(words("a\\sb 'open"), ["a b", "open"]);
        assert!(words("  ").is_empty());
    }
}
