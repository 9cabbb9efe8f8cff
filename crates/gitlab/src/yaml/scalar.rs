//! What a plain scalar means to GitLab, whose YAML library is Ruby's Psych.

use super::Scalar;

/// A scalar's type and value. Numbers are given as Ruby's `to_s` writes them, since that is what GitLab makes of
/// them where it wants a text: the variable `1.10` has the value `1.1`, and `010` the value `8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plain<'a> {
    Null,
    Bool(bool),
    Number(String),
    /// A Ruby symbol, written with a colon in front.
    Symbol(&'a str),
    Text(&'a str),
}

impl<'a> Plain<'a> {
    /// The rules of `Psych::ScalarScanner.tokenize` (psych 5). Dates and times stay texts here; GitLab refuses them.
    pub(super) fn of(scalar: &'a Scalar) -> Self {
        let text = &*scalar.text;
        if !scalar.is_plain {
            return Self::Text(text);
        }
        if let Some(word) = reserved_word(text) {
            return word;
        }
        if let Some(symbol) = text.strip_prefix(':').filter(|symbol| !symbol.is_empty()) {
            return Self::Symbol(symbol);
        }
        sexagesimal(text)
            .or_else(|| float(text))
            .or_else(|| integer(text))
            .map_or(Self::Text(text), Self::Number)
    }
}

fn reserved_word(text: &str) -> Option<Plain<'static>> {
    let is_one_of = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if text.is_empty() || text == "~" || is_one_of(&["null"]) {
        return Some(Plain::Null);
    }
    if is_one_of(&["yes", "true", "on"]) {
        return Some(Plain::Bool(true));
    }
    is_one_of(&["no", "false", "off"]).then_some(Plain::Bool(false))
}

fn split_sign(text: &str) -> (&str, &str) {
    text.split_at(usize::from(text.starts_with(['-', '+'])))
}

fn is_digits(text: &str, separators: &[char]) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.chars().all(|character| character.is_ascii_digit() || separators.contains(&character))
}

/// `1:30` is a number to base 60. Psych weighs the parts from the left, so that two parts are hours and minutes.
fn sexagesimal(text: &str) -> Option<String> {
    let (sign, digits) = split_sign(text);
    let parts: Vec<&str> = digits.split(':').collect();
    let (first, rest) = parts.split_first()?;
    let is_minute = |part: &&str| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
    if !is_digits(first, &['_']) || rest.is_empty() || rest.len() > 2 || !rest.iter().all(is_minute) {
        return None;
    }
    let total = parts.iter().zip([3600_i128, 60, 1]).try_fold(0_i128, |total, (part, weight)| {
        total.checked_add(part.replace('_', "").parse::<i128>().ok()?.checked_mul(weight)?)
    })?;
    // Only the first part carries the sign.
    let first = first.replace('_', "").parse::<i128>().ok()?.checked_mul(3600)?;
    Some(if sign == "-" { total - 2 * first } else { total }.to_string())
}

fn float(text: &str) -> Option<String> {
    match text.to_ascii_lowercase().as_str() {
        ".inf" | "+.inf" => return Some("Infinity".into()),
        "-.inf" => return Some("-Infinity".into()),
        ".nan" => return Some("NaN".into()),
        _ => {}
    }
    let (_, unsigned) = split_sign(text);
    let (whole, rest) = unsigned.split_once('.')?;
    let (fraction, exponent) = match rest.split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (rest, None),
    };
    let is_all_digits = |text: &str| text.chars().all(|character| character.is_ascii_digit());
    // The exponent needs its sign, and a lone point is a text.
    let has_form = (whole.is_empty() || is_digits(whole, &['_', ',']))
        && is_all_digits(fraction)
        && exponent.is_none_or(|exponent| {
            exponent.starts_with(['-', '+']) && exponent.len() > 1 && is_all_digits(split_sign(exponent).1)
        })
        && !(whole.is_empty() && fraction.is_empty());
    if !has_form {
        return None;
    }
    text.replace(['_', ','], "").parse().ok().map(ruby_float)
}

/// Ruby writes exponents from 1e16 on and below 1e-4, and always a digit after the point.
fn ruby_float(value: f64) -> String {
    if value == 0.0 || (1e-4..1e16).contains(&value.abs()) {
        return format!("{value:?}");
    }
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}{point}e{sign}{digits:0>2}")
}

fn integer(text: &str) -> Option<String> {
    let (sign, unsigned) = split_sign(text);
    let in_base = |digits: &str, base: u32| {
        let digits = digits.replace(['_', ','], "");
        let value = u128::from_str_radix(&digits, base).ok()?;
        Some(if sign == "-" && value != 0 { format!("-{value}") } else { value.to_string() })
    };
    if let Some(digits) = unsigned.strip_prefix("0b") {
        return in_base(digits, 2);
    }
    if let Some(digits) = unsigned.strip_prefix("0x") {
        return in_base(digits, 16);
    }
    match unsigned.strip_prefix('0') {
        Some("") => Some("0".into()),
        Some(digits) => in_base(digits, 8),
        None if is_decimal(unsigned) => {
            let sign = if sign == "-" { "-" } else { "" };
            Some(format!("{sign}{}", unsigned.replace(['_', ','], "")))
        }
        None => None,
    }
}

/// Separators stand between digits.
fn is_decimal(text: &str) -> bool {
    is_digits(text, &['_', ','])
        && !text.ends_with(['_', ','])
        && !["__", ",,", "_,", ",_"].iter().any(|pair| text.contains(pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        let scalar = Scalar { text: text.into(), is_plain: true };
        format!("{:?}", Plain::of(&scalar))
    }

    #[test]
    fn words_are_those_of_yaml_1_1() {
        for (text, expected) in [
            ("", "Null"),
            ("~", "Null"),
            ("NULL", "Null"),
            ("yes", "Bool(true)"),
            ("On", "Bool(true)"),
            ("FALSE", "Bool(false)"),
            ("off", "Bool(false)"),
            ("y", "Text(\"y\")"),
            ("nullable", "Text(\"nullable\")"),
            (":latest", "Symbol(\"latest\")"),
            (":", "Text(\":\")"),
        ] {
            assert_eq!(plain(text), expected, "for {text:?}");
        }
    }

    #[test]
    fn numbers_are_written_as_ruby_writes_them() {
        for (text, expected) in [
            ("1.10", "1.1"),
            ("3.0", "3.0"),
            ("1.", "1.0"),
            (".5", "0.5"),
            ("1.0e+20", "1.0e+20"),
            ("0.00001", "1.0e-05"),
            ("12345678901234567.0", "1.2345678901234568e+16"),
            ("1_000.5", "1000.5"),
            (".inf", "Infinity"),
            ("010", "8"),
            ("0x1F", "31"),
            ("-0b11", "-3"),
            ("+1_000", "1000"),
            ("99999999999999999999999999999999999999999", "99999999999999999999999999999999999999999"),
            ("1:30", "5400"),
            ("1:30:01", "5401"),
            ("-1:30", "-1800"),
        ] {
            assert_eq!(plain(text), format!("Number({expected:?})"), "for {text:?}");
        }
    }

    #[test]
    fn what_only_looks_like_a_number_is_text() {
        for text in [
            "08",
            "1e3",
            "1.0e5",
            "1.2.3",
            "1__0",
            "80:80",
            "1:2:3:4",
            "+",
            ".",
            "-.",
            "0xg",
            "2024-01-01",
            "1 ",
        ] {
            assert_eq!(plain(text), format!("Text({text:?})"), "for {text:?}");
        }
        let quoted = Scalar { text: "yes".into(), is_plain: false };
        assert_eq!(Plain::of(&quoted), Plain::Text("yes"));
    }
}
