//! Texts as strings of other languages.

use std::fmt::Write as _;

/// A double-quoted string of YAML 1.2 or a basic string of TOML: both know all escapes of JSON's strings that are
/// written here.
pub(super) fn double_quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let mut quoted = String::with_capacity(json.len());
    for character in json.chars() {
        // JSON leaves these as they are. TOML refuses the first, and YAML counts nearly all as not printable.
        match character {
            '\u{7f}'..='\u{9f}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            other => quoted.push(other),
        }
    }
    quoted
}

/// A string of HCL's native syntax, in which `${` and `%{` begin a template unless they are doubled (HCL, "Templates").
pub(super) fn hcl_string(text: &str) -> String {
    let mut quoted = String::from('"');
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '$' | '%' if characters.peek() == Some(&'{') => {
                quoted.push(character);
                quoted.push(character);
            }
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// `text` with `spaces` before each line that is not empty.
pub(super) fn indented(text: &str, spaces: usize) -> String {
    let mut indented = String::with_capacity(text.len() + 64);
    for line in text.lines() {
        if !line.is_empty() {
            indented.push_str(&" ".repeat(spaces));
        }
        indented.push_str(line);
        indented.push('\n');
    }
    indented
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use saphyr::LoadableYamlNode as _;

    use super::*;
    use crate::edit::toml_string;

    proptest! {
        #[test]
        fn strings_of_toml_mean_what_they_were(text in any::<String>()) {
            for quoted in [double_quoted(&text), toml_string(&text)] {
                let document: toml::Table = format!("a = {quoted}").parse().unwrap();
                prop_assert_eq!(document["a"].as_str(), Some(text.as_str()));
            }
        }

        #[test]
        fn strings_of_yaml_mean_what_they_were(text in "[a-z:#'\"\\\\\n\t\u{1}\u{7f}\u{80}-\u{a0}\u{2028}é ]{0,20}") {
            let quoted = double_quoted(&text);
            prop_assert!(!quoted.chars().any(char::is_control), "{quoted:?}");
            let documents = saphyr::Yaml::load_from_str(&format!("a: {quoted}\n")).unwrap();
            prop_assert_eq!(documents[0]["a"].as_str(), Some(text.as_str()));
        }

        #[test]
        fn strings_of_hcl_mean_what_they_were(text in "[a-z$%{}\"\\\\\n\t\r\u{1}é ]{0,20}") {
            let body: hcl::Body = hcl::parse(&format!("a = {}\n", hcl_string(&text))).unwrap();
            let context = hcl::eval::Context::new();
            let value = hcl::eval::Evaluate::evaluate(&body, &context).unwrap();
            let expression = value.attributes().next().unwrap().expr().clone();
            prop_assert_eq!(expression, hcl::Expression::from(text));
        }
    }
}
