//! Text from outside, made visible.

/// `text` with every character escaped that shows nothing or changes how others are shown, but for line feeds and tabs.
///
/// What a page shows is copied into a terminal: an escape sequence, or a command that reads in another order than it is
/// typed (Unicode Technical Report 36, "Bidirectional Text Spoofing"), must not hide in it.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn is_hidden(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        // The soft hyphen, the zero-width space and word joiner, the byte order mark.
        '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' => true,
        // The marks, embeddings, overrides and isolates of the bidirectional algorithm (UAX 9, section 2).
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        // Separators of lines and paragraphs, which no shell takes for such; tags.
        '\u{2028}' | '\u{2029}' | '\u{e0000}'..='\u{e007f}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["", "a\n\tb", "größer", "文", "🙂", "<b>&amp;\"'", "عربي"] {
            assert_eq!(visible(text), text);
        }
    }

    #[test]
    fn what_hides_is_shown() {
        assert_eq!(visible("a\u{1b}[31m\r\0b"), "a\\u{1b}[31m\\u{d}\\u{0}b");
        assert_eq!(visible("rm\u{202e}x\u{200b}"), "rm\\u{202e}x\\u{200b}");
    }
}
