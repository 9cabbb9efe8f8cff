//! From text to [`Value`], with the error texts of Go's scanner.

use super::Value;

/// The longest text that is read, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The deepest nesting that is read. Go stops at 10,000; no real document comes near either.
pub const MAX_DEPTH: usize = 128;

/// Why a text holds no JSON value. The texts are those of Go's `encoding/json`, except for our own limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntaxError {
    /// The text is blank.
    #[error("EOF")]
    Blank,
    /// The text ends inside a value.
    #[error("unexpected EOF")]
    UnexpectedEnd,
    /// A byte that does not belong where it stands.
    #[error("invalid character {} {context}", quoted(*.byte))]
    InvalidCharacter {
        /// The offending byte.
        byte: u8,
        /// What was being read, in Go's words.
        context: &'static str,
    },
    /// The text is longer than [`MAX_BYTES`].
    #[error("the JSON text has {length} bytes, more than the {MAX_BYTES} that are read")]
    TooLong {
        /// The length of the text in bytes.
        length: usize,
    },
    /// The value is nested deeper than [`MAX_DEPTH`].
    #[error("the JSON text is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// Reads the first JSON value of `text` and ignores what follows it, as Go's `json.Decoder.Decode` does.
pub fn decode_first(text: &str) -> Result<Value, SyntaxError> {
    decode_first_with_rest(text).map(|(value, _)| value)
}

/// Reads the first JSON value of `text`, and gives what follows it too.
pub fn decode_first_with_rest(text: &str) -> Result<(Value, &str), SyntaxError> {
    if text.len() > MAX_BYTES {
        return Err(SyntaxError::TooLong { length: text.len() });
    }
    let mut scanner = Scanner { text, position: 0, depth: 0 };
    scanner.skip_space();
    if scanner.peek().is_none() {
        return Err(SyntaxError::Blank);
    }
    let value = scanner.value()?;
    Ok((value, text.get(scanner.position..).unwrap_or_default()))
}

/// Where a value begins.
pub const VALUE: &str = "looking for beginning of value";
/// Where the name of a member begins.
pub const KEY: &str = "looking for beginning of object key string";

struct Scanner<'a> {
    text: &'a str,
    position: usize,
    depth: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.position += 1;
        }
    }

    /// The next byte, which must exist.
    fn next(&mut self) -> Result<u8, SyntaxError> {
        let byte = self.peek().ok_or(SyntaxError::UnexpectedEnd)?;
        self.position += 1;
        Ok(byte)
    }

    fn next_after_space(&mut self) -> Result<u8, SyntaxError> {
        self.skip_space();
        self.next()
    }

    fn value(&mut self) -> Result<Value, SyntaxError> {
        match self.next_after_space()? {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::array),
            b'"' => self.string().map(Value::String),
            b't' => self.literal("true", Value::Bool(true)),
            b'f' => self.literal("false", Value::Bool(false)),
            b'n' => self.literal("null", Value::Null),
            first @ (b'-' | b'0'..=b'9') => self.number(first),
            byte => Err(SyntaxError::InvalidCharacter { byte, context: VALUE }),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, SyntaxError>) -> Result<Value, SyntaxError> {
        if self.depth == MAX_DEPTH {
            return Err(SyntaxError::TooDeep);
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Result<Value, SyntaxError> {
        let mut members = Vec::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.position += 1;
            return Ok(Value::Object(members));
        }
        loop {
            self.expect(b'"', KEY)?;
            let name = self.string()?;
            self.expect(b':', "after object key")?;
            members.push((name, self.value()?));
            match self.next_after_space()? {
                b',' => {}
                b'}' => return Ok(Value::Object(members)),
                byte => {
                    return Err(SyntaxError::InvalidCharacter {
                        byte,
                        context: "after object key:value pair",
                    });
                }
            }
        }
    }

    fn array(&mut self) -> Result<Value, SyntaxError> {
        let mut elements = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.position += 1;
            return Ok(Value::Array(elements));
        }
        loop {
            elements.push(self.value()?);
            match self.next_after_space()? {
                b',' => {}
                b']' => return Ok(Value::Array(elements)),
                byte => return Err(SyntaxError::InvalidCharacter { byte, context: "after array element" }),
            }
        }
    }

    fn expect(&mut self, wanted: u8, context: &'static str) -> Result<(), SyntaxError> {
        match self.next_after_space()? {
            byte if byte == wanted => Ok(()),
            byte => Err(SyntaxError::InvalidCharacter { byte, context }),
        }
    }

    fn literal(&mut self, word: &'static str, value: Value) -> Result<Value, SyntaxError> {
        for (index, wanted) in word.bytes().enumerate().skip(1) {
            let byte = self.next()?;
            if byte != wanted {
                return Err(SyntaxError::InvalidCharacter { byte, context: literal_context(word, index) });
            }
        }
        Ok(value)
    }

    /// The rest of a string whose opening quote was read.
    fn string(&mut self) -> Result<String, SyntaxError> {
        let mut content = String::new();
        loop {
            let start = self.position;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.position += 1;
            }
            content.push_str(self.text.get(start..self.position).unwrap_or_default());
            match self.next()? {
                b'"' => return Ok(content),
                b'\\' => content.push(self.escape()?),
                byte => return Err(SyntaxError::InvalidCharacter { byte, context: "in string literal" }),
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        Ok(match self.next()? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            byte @ (b'"' | b'\\' | b'/') => byte.into(),
            b'u' => return self.unicode_escape(),
            byte => return Err(SyntaxError::InvalidCharacter { byte, context: "in string escape code" }),
        })
    }

    /// Go turns half a surrogate pair into U+FFFD and goes on (`unquoteBytes` in `decode.go`).
    fn unicode_escape(&mut self) -> Result<char, SyntaxError> {
        let unit = self.hex_unit()?;
        if let Some(character) = char::from_u32(unit) {
            return Ok(character);
        }
        let after_first = self.position;
        if self.text.as_bytes().get(after_first..after_first + 2) == Some(br"\u") {
            self.position += 2;
            let second = self.hex_unit()?;
            if let Some(Ok(character)) = char::decode_utf16([unit, second].map(|unit| unit as u16)).next() {
                return Ok(character);
            }
            self.position = after_first;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex_unit(&mut self) -> Result<u32, SyntaxError> {
        let mut unit = 0;
        for _ in 0..4 {
            let byte = self.next()?;
            let digit = char::from(byte).to_digit(16).ok_or(SyntaxError::InvalidCharacter {
                byte,
                context: "in \\u hexadecimal character escape",
            })?;
            unit = unit * 16 + digit;
        }
        Ok(unit)
    }

    fn number(&mut self, first: u8) -> Result<Value, SyntaxError> {
        let start = self.position - 1;
        let leading = match first {
            b'-' => self.digit("in numeric literal")?,
            digit => digit,
        };
        if leading != b'0' {
            self.skip_digits();
        }
        if self.peek() == Some(b'.') {
            self.position += 1;
            self.digit("after decimal point in numeric literal")?;
            self.skip_digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.position += 1;
            }
            self.digit("in exponent of numeric literal")?;
            self.skip_digits();
        }
        Ok(Value::Number(self.text.get(start..self.position).unwrap_or_default().to_owned()))
    }

    fn digit(&mut self, context: &'static str) -> Result<u8, SyntaxError> {
        match self.next()? {
            byte if byte.is_ascii_digit() => Ok(byte),
            byte => Err(SyntaxError::InvalidCharacter { byte, context }),
        }
    }

    fn skip_digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.position += 1;
        }
    }
}

fn literal_context(word: &str, index: usize) -> &'static str {
    match (word, index) {
        ("true", 1) => "in literal true (expecting 'r')",
        ("true", 2) => "in literal true (expecting 'u')",
        ("true", _) => "in literal true (expecting 'e')",
        ("false", 1) => "in literal false (expecting 'a')",
        ("false", 2) => "in literal false (expecting 'l')",
        ("false", 3) => "in literal false (expecting 's')",
        ("false", _) => "in literal false (expecting 'e')",
        (_, 1) => "in literal null (expecting 'u')",
        _ => "in literal null (expecting 'l')",
    }
}

/// One byte in quotes as Go's `quoteChar` writes it: the byte becomes the character of that number.
fn quoted(byte: u8) -> String {
    let inner = match byte {
        b'\'' => r"\'".to_owned(),
        b'\\' => r"\\".to_owned(),
        0x07 => r"\a".to_owned(),
        0x08 => r"\b".to_owned(),
        0x0c => r"\f".to_owned(),
        b'\n' => r"\n".to_owned(),
        b'\r' => r"\r".to_owned(),
        b'\t' => r"\t".to_owned(),
        0x0b => r"\v".to_owned(),
        0x00..=0x1f | 0x7f => format!("\\x{byte:02x}"),
        0x80..=0xa0 | 0xad => format!("\\u{byte:04x}"),
        printable => char::from(printable).to_string(),
    };
    format!("'{inner}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        decode_first(text).unwrap_err().to_string()
    }

    #[test]
    fn error_texts_are_those_of_go() {
        let cases = [
            ("", "EOF"),
            (" \n", "EOF"),
            ("{", "unexpected EOF"),
            ("\"abc", "unexpected EOF"),
            ("-", "unexpected EOF"),
            ("{'auths':1}", "invalid character '\\'' looking for beginning of object key string"),
            ("'{}'", "invalid character '\\'' looking for beginning of value"),
            ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 \"b\":2}", "invalid character '\"' after object key:value pair"),
            ("[1 2]", "invalid character '2' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("\"a\nb\"", "invalid character '\\n' in string literal"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            ("\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"),
            ("-a", "invalid character 'a' in numeric literal"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("1e+x", "invalid character 'x' in exponent of numeric literal"),
            ("nul1", "invalid character '1' in literal null (expecting 'l')"),
            ("tree", "invalid character 'e' in literal true (expecting 'u')"),
            ("\u{e9}", "invalid character '\u{c3}' looking for beginning of value"),
            ("\u{feff}{}", "invalid character '\u{ef}' looking for beginning of value"),
        ];
        for (text, expected) in cases {
            assert_eq!(message(text), expected, "for {text:?}");
        }
    }

    #[test]
    fn what_follows_the_first_value_is_ignored() {
        for text in ["{} trailing", "{}{", "null x", "nullx", "1x", "\"a\"b", "[]]"] {
            assert!(decode_first(text).is_ok(), "for {text:?}");
        }
    }

    #[test]
    fn surrogates_become_characters_or_replacements() {
        let read = |text| decode_first(text).unwrap();
        assert_eq!(read(r#""\ud83d\ude00""#), Value::String("\u{1f600}".into()));
        assert_eq!(read(r#""\ud83dx""#), Value::String("\u{fffd}x".into()));
        assert_eq!(read(r#""\ud83d\u0041""#), Value::String("\u{fffd}A".into()));
        assert_eq!(read(r#""\ude00""#), Value::String("\u{fffd}".into()));
    }

    #[test]
    fn limits_are_errors() {
        assert_eq!(decode_first(&"[".repeat(MAX_DEPTH + 1)), Err(SyntaxError::TooDeep));
        let nested = format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert!(decode_first(&nested).is_ok());
        let length = MAX_BYTES + 1;
        assert_eq!(decode_first(&" ".repeat(length)), Err(SyntaxError::TooLong { length }));
    }
}
