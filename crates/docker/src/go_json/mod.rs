//! JSON as Go's `encoding/json` reads it.
//!
//! Docker's configuration and the answers of credential helpers are read by Go programs, whose reading differs
//! from that of a strict parser: member names match without regard to case, a repeated member is decoded again on
//! top of the first, whatever follows the first value is ignored, and `null` leaves a field as it was. Their error
//! texts reach people, in a job log for instance, so they must come out here word for word. That is why this
//! module scans by itself instead of asking `serde_json`, whose messages and limits are its own; the tests hold
//! the two against each other.
//!
//! Sources: `encoding/json` (`scanner.go`, `decode.go`, `stream.go`) and its documentation of `Unmarshal`.

mod scan;
mod shape;

use std::collections::BTreeMap;
use std::fmt;

pub use scan::{KEY, MAX_BYTES, MAX_DEPTH, SyntaxError, VALUE, decode_first, decode_first_with_rest};
pub use shape::{Shape, StrictMismatch, StructShape, TypeMismatch, check, check_strictly};

/// A JSON value whose objects keep every member, repeated names included, in the order of the text.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// A string, unescaped.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object, as its members in order.
    Object(Vec<(String, Value)>),
}

/// Shows only the kind of value: these documents hold passwords.
impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} [redacted]", self.kind())
    }
}

impl Value {
    /// What Go calls this kind of value in its error texts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// The values of all members that Go would decode into the struct field `name`, in the order of the text.
    pub fn members_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        let members = match self {
            Self::Object(members) => members.as_slice(),
            _ => &[],
        };
        members.iter().filter(move |(member, _)| folds_to_same_name(member, name)).map(|(_, value)| value)
    }

    /// What a Go `string` field called `name` holds after decoding: the last string, or `""` without one.
    pub fn string_member<'a>(&'a self, name: &'a str) -> &'a str {
        let strings = self.members_named(name).filter_map(|value| match value {
            Self::String(text) => Some(text.as_str()),
            _ => None,
        });
        strings.last().unwrap_or_default()
    }

    /// What a Go `map[string]T` field called `name` holds after decoding.
    ///
    /// A second member of that name adds to the map and replaces equal keys; `null` empties it.
    pub fn map_member<'a>(&'a self, name: &'a str) -> BTreeMap<&'a str, &'a Value> {
        let mut map = BTreeMap::new();
        for value in self.members_named(name) {
            match value {
                Self::Null => map.clear(),
                _ => map.extend(value.entries()),
            }
        }
        map
    }

    /// The members of an object as Go decodes them into a `map[string]T`: keys compared exactly, the last one wins.
    pub fn entries(&self) -> BTreeMap<&str, &Value> {
        match self {
            Self::Object(members) => members.iter().map(|(key, value)| (key.as_str(), value)).collect(),
            _ => BTreeMap::new(),
        }
    }
}

/// Go folds by Unicode, where two characters outside ASCII stand for ASCII letters (`foldName` in `fold.go`).
fn folds_to_same_name(member: &str, field: &str) -> bool {
    let folded = |character: char| match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    member.chars().map(folded).eq(field.chars().map(folded))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        decode_first(text).unwrap()
    }

    #[test]
    fn member_names_match_without_regard_to_case() {
        let document = value(r#"{"CREDSSTORE":"a"}"#);
        assert_eq!(document.string_member("credsStore"), "a");
        let long_s_and_kelvin = value("{\"cred\u{17f}Store\":\"b\"}");
        assert_eq!(long_s_and_kelvin.string_member("credsStore"), "b");
    }

    #[test]
    fn the_last_string_wins_and_null_changes_nothing() {
        let document = value(r#"{"credsStore":"a","CredsStore":"b","credsstore":null}"#);
        assert_eq!(document.string_member("credsStore"), "b");
    }

    #[test]
    fn repeated_maps_are_merged_and_null_empties() {
        let merged = value(r#"{"m":{"a":"1","b":"2"},"M":{"b":"3"}}"#);
        let (first, last) = (Value::String("1".into()), Value::String("3".into()));
        assert_eq!(merged.map_member("m"), [("a", &first), ("b", &last)].into());
        assert!(value(r#"{"m":{"a":"1"},"m":null}"#).map_member("m").is_empty());
    }

    #[test]
    fn map_keys_keep_their_case() {
        let document = value(r#"{"m":{"HOST":"1","host":"2"}}"#);
        assert_eq!(document.map_member("m").len(), 2);
    }

    #[test]
    fn debug_shows_no_content() {
        let shown = format!("{:?}", value(r#"{"auth":"c2VjcmV0"}"#));
        assert_eq!(shown, "object [redacted]");
    }
}
