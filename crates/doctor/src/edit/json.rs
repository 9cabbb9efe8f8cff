//! Members of a JSON document, with their places.

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
        Some(Value::Object(object)) => Ok(object),
        _ => Err(EditError::WrongType { name: "the document".to_owned(), expected: "an object" }),
    }
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
/// secret, or may be (headers, the addresses of proxies). Keys and numbers stay. `None` if it is not a JSON object.
pub(crate) fn masked(text: &str) -> Option<String> {
    let object = object(text).ok()?;
    let mut secrets = Vec::new();
    for property in &object.properties {
        let name = property.name.as_str();
        let is_helper = ["credsStore", "credHelpers"].iter().any(|known| known.eq_ignore_ascii_case(name));
        if !is_helper {
            collect_strings(&property.value, &mut secrets);
        }
    }
    Some(spliced(text, secrets.into_iter().map(|range| Splice::replace(range, MASK)).collect()))
}

fn collect_strings(value: &Value<'_>, found: &mut Vec<Range<usize>>) {
    match value {
        Value::StringLit(string) => found.push(string.range.start..string.range.end),
        Value::Object(object) => {
            object.properties.iter().for_each(|property| collect_strings(&property.value, found));
        }
        Value::Array(array) => array.elements.iter().for_each(|element| collect_strings(element, found)),
        Value::NumberLit(_) | Value::BooleanLit(_) | Value::NullKeyword(_) => {}
    }
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
