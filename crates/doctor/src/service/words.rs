//! Words of a setting in a unit file, as systemd.syntax(7) has them: quotes around them or inside, and C's escapes.

use std::str::Chars;

/// The words of `value`. An unclosed quote ends with the line, as if it were closed there.
pub(super) fn words(value: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', _) => {
                word.get_or_insert_default().push(escaped(&mut characters));
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

/// The character that the escape behind a backslash stands for (systemd.syntax(7), "Quoting").
fn escaped(characters: &mut Chars<'_>) -> char {
    let Some(kind) = characters.next() else { return '\\' };
    let (radix, digits) = match kind {
        'a' => return '\u{7}',
        'b' => return '\u{8}',
        'f' => return '\u{c}',
        'n' => return '\n',
        'r' => return '\r',
        't' => return '\t',
        'v' => return '\u{b}',
        's' => return ' ',
        'x' => (16, 2),
        'u' => (16, 4),
        'U' => (16, 8),
        '0'..='7' => (8, 3),
        other => return other,
    };
    let rest = characters.as_str();
    let rest = if radix == 8 { format!("{kind}{rest}") } else { rest.to_owned() };
    let number = rest.get(..digits).and_then(|digits| u32::from_str_radix(digits, radix).ok());
    let Some(character) = number.and_then(char::from_u32) else { return kind };
    let beyond_kind = if radix == 8 { digits - 1 } else { digits };
    for _ in 0..beyond_kind {
        characters.next();
    }
    character
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

    #[test]
    fn escapes_are_those_of_the_manual_and_broken_ones_lose_their_backslash() {
        assert_eq!(
            words(r"\x41\101\u00e9\U0001F600\a\b\f\n\r\t\v\s\q\\x"),
            ["AA\u{e9}\u{1f600}\u{7}\u{8}\u{c}\n\r\t\u{b} q\\x"]
        );
        assert_eq!(words(r"\xg1 \u12 \09 \xé"), ["xg1", "u12", "09", "xé"]);
    }
}
