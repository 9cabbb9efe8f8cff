//! Members of a JSON document, with their places.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::{EditError, Splice, line_end, malformed, spliced};

/// Stands in a diff for what may be secret.
const MASK: &str = "\"…\"";

/// JSON as RFC 8259 has it, and Go's decoder: none of the parser's extensions.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The object that is the whole of `text`.
pub(super) fn object(text: &str) -> Result<Object<'_>, EditError> {
    // serde_json has a limit for nested values, so that the other parser, which calls itself, cannot run out of stack.
    if let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
        return Err(EditError::Malformed {
            format: "JSON",
            line: error.line(),
            column: error.column(),
            reason,
        });
    }
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT)
        .map_err(|error| malformed("JSON", text, error.range().start, "unexpected character"))?;
    match parsed.value {
        Some(Value::Object(object)) => {
            refuse_duplicates(&object)?;
            Ok(object)
        }
        _ => Err(EditError::WrongType { name: "the document".to_owned(), expected: "an object" }),
    }
}

/// Go's decoder takes members whose names differ in case for one, and puts those of one name together; others take the
/// last. The keys of registries are told apart to the letter.
fn refuse_duplicates(object: &Object<'_>) -> Result<(), EditError> {
    let mut seen = BTreeSet::new();
    for property in &object.properties {
        let name = property.name.as_str();
        if !seen.insert(name.to_ascii_lowercase()) {
            return Err(EditError::Duplicate { name: without_password(name).into_owned() });
        }
        if let Value::Object(entries) = &property.value
            && ["auths", "credHelpers"].iter().any(|known| known.eq_ignore_ascii_case(name))
        {
            let mut seen = BTreeSet::new();
            let mut names = entries.properties.iter().map(|entry| entry.name.as_str());
            if let Some(name) = names.find(|name| !seen.insert(*name)) {
                return Err(EditError::Duplicate { name: without_password(name).into_owned() });
            }
        }
    }
    Ok(())
}

/// The member that Go's decoder takes for `name`: it does not mind the case.
pub(super) fn member<'o, 't>(
    object: &'o Object<'t>,
    name: &str,
) -> Result<Option<&'o ObjectProp<'t>>, EditError> {
    only_one(object, name, |other| other.eq_ignore_ascii_case(name))
}

/// The member with exactly this key.
pub(super) fn entry<'o, 't>(
    object: &'o Object<'t>,
    key: &str,
) -> Result<Option<&'o ObjectProp<'t>>, EditError> {
    only_one(object, key, |other| other == key)
}

fn only_one<'o, 't>(
    object: &'o Object<'t>,
    name: &str,
    is_it: impl Fn(&str) -> bool,
) -> Result<Option<&'o ObjectProp<'t>>, EditError> {
    let mut found = object.properties.iter().filter(|property| is_it(property.name.as_str()));
    match (found.next(), found.next()) {
        (found, None) => Ok(found),
        _ => Err(EditError::Duplicate { name: name.to_owned() }),
    }
}

/// `value` in quotes.
pub(super) fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// Adds members, each a key and its value as JSON, behind the last one of `object`, in the style of the text.
pub(super) fn added(text: &str, object: &Object<'_>, members: &[(String, String)]) -> Splice {
    let Some(last) = object.properties.last() else {
        return Splice::replace(object.range.start..object.range.end, filled(text, object, members));
    };
    let colon = &text[last.name.range().end..last.value.range().start];
    let before_last = &text[..last.range.start];
    let space_before_last = &before_last[before_last.trim_end().len()..];
    let is_first_of_line = object.properties.len() == 1 && !space_before_last.contains('\n');
    let gap = if is_first_of_line { colon.trim_start_matches(':') } else { space_before_last };
    let members: String =
        members.iter().map(|(key, value)| format!(",{gap}{}{colon}{value}", quoted(key))).collect();
    Splice::insert(last.range.end, members)
}

/// An object with `members` in place of one without: on lines where it is the whole document, else on one line.
fn filled(text: &str, object: &Object<'_>, members: &[(String, String)]) -> String {
    let is_document = text.trim().len() == object.range.end - object.range.start;
    let members = members.iter().map(|(key, value)| format!("{}: {value}", quoted(key)));
    if is_document {
        let end = line_end(text);
        let lines: Vec<String> = members.map(|member| format!("\t{member}")).collect();
        format!("{{{end}{}{end}}}", lines.join(&format!(",{end}")))
    } else {
        format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
    }
}

/// `text` with a mask in place of every string but the suffixes of helpers: what Docker's file holds otherwise is a
/// secret, or may be (headers, the addresses of proxies). Numbers stay, and keys but for a user and password before an
/// address. `None` if it is not a JSON object.
pub(crate) fn masked(text: &str) -> Option<String> {
    let object = object(text).ok()?;
    let mut masks = Vec::new();
    for property in &object.properties {
        let name = property.name.as_str();
        let is_helper = ["credsStore", "credHelpers"].iter().any(|known| known.eq_ignore_ascii_case(name));
        mask_key(property, &mut masks);
        mask_value(&property.value, is_helper, &mut masks);
    }
    Some(spliced(text, masks))
}

fn mask_value(value: &Value<'_>, shows_strings: bool, masks: &mut Vec<Splice>) {
    match value {
        Value::StringLit(_) if shows_strings => {}
        Value::StringLit(string) => masks.push(Splice::replace(of(string.range), MASK)),
        Value::Object(object) => {
            for property in &object.properties {
                mask_key(property, masks);
                mask_value(&property.value, shows_strings, masks);
            }
        }
        Value::Array(array) => {
            array.elements.iter().for_each(|element| mask_value(element, shows_strings, masks));
        }
        Value::NumberLit(_) | Value::BooleanLit(_) | Value::NullKeyword(_) => {}
    }
}

fn mask_key(property: &ObjectProp<'_>, masks: &mut Vec<Splice>) {
    if let Cow::Owned(masked) = without_password(property.name.as_str()) {
        masks.push(Splice::replace(of(property.name.range()), quoted(&masked)));
    }
}

/// A key as it may be seen: some are addresses with a user and a password in them.
fn without_password(key: &str) -> Cow<'_, str> {
    let Some((_, behind)) = key.rsplit_once('@') else { return Cow::Borrowed(key) };
    let scheme = key.split_once("://").map_or("", |(scheme, _)| scheme);
    let scheme = if scheme.contains('@') { "" } else { scheme };
    let separator = if scheme.is_empty() { "" } else { "://" };
    Cow::Owned(format!("{scheme}{separator}…@{behind}"))
}

fn of(range: jsonc_parser::common::Range) -> Range<usize> {
    range.start..range.end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_helpers_are_shown() {
        let text = r#"{"auths": {"h": {"auth": "c2VjcmV0"}}, "HttpHeaders": {"X": ["s"]}, "CREDSSTORE": "a", "n": 1}"#;
        assert_eq!(
            masked(text).unwrap(),
            r#"{"auths": {"h": {"auth": "…"}}, "HttpHeaders": {"X": ["…"]}, "CREDSSTORE": "a", "n": 1}"#
        );
        assert_eq!(masked("{"), None);
    }

    #[test]
    fn passwords_in_keys_are_not_shown() {
        for (key, shown) in [
            ("https://u:hunter2@h/v1/", "https://…@h/v1/"),
            ("u:hunter2@h", "…@h"),
            ("u@x:hun://ter2@h", "…@h"),
            ("https://u:hun@ter2@h", "https://…@h"),
            ("h:5000", "h:5000"),
        ] {
            let text =
                |key: &str| format!(r#"{{"auths": {{"{key}": {{}}}}, "credHelpers": {{"{key}": "x"}}}}"#);
            assert_eq!(masked(&text(key)).unwrap(), text(shown));
        }
    }

    #[test]
    fn a_member_that_stands_twice_is_refused() {
        for text in [
            r#"{"auths":{},"auths":{}}"#,
            r#"{"auths":{},"Auths":{}}"#,
            r#"{"x":1,"x":1}"#,
            r#"{"auths":{"h":{},"h":{}}}"#,
            r#"{"credHelpers":{"h":"a","h":"b"}}"#,
        ] {
            assert!(matches!(object(text), Err(EditError::Duplicate { .. })), "{text}");
        }
        object(r#"{"auths":{"h":{},"H":{}}}"#).unwrap();
    }

    #[test]
    fn deep_nesting_is_refused_and_not_followed() {
        let deep = format!("{{\"a\":{}", "[".repeat(500_000));
        assert!(object(&deep).is_err());
    }

    #[test]
    fn extensions_of_json_are_refused() {
        for text in ["{} x", "{/**/}", "{a:1}", "{'a':1}", "{\"a\":1,}", "{\"a\":0x1}", "\u{feff}{}", "[]"] {
            assert!(object(text).is_err(), "{text:?}");
        }
    }
}
