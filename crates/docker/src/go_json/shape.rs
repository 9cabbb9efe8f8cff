//! Whether a value fits a Go type, and Go's words where it does not.

use std::fmt;

use super::{Value, folds_to_same_name};

/// A Go type as far as Docker's documents need it.
#[derive(Debug)]
pub enum Shape {
    /// `string`.
    String,
    /// A slice.
    List(&'static Shape),
    /// A map with string keys.
    Map(&'static Shape),
    /// A struct.
    Struct(&'static StructShape),
}

/// A Go struct with the JSON names of its fields.
#[derive(Debug)]
pub struct StructShape {
    /// The package, as it stands before the dot in error texts.
    pub package: &'static str,
    /// The type's name.
    pub name: &'static str,
    /// The JSON name and the type of each field.
    pub fields: &'static [(&'static str, Shape)],
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => formatter.write_str("string"),
            Self::List(element) => write!(formatter, "[]{element}"),
            Self::Map(element) => write!(formatter, "map[string]{element}"),
            Self::Struct(shape) => write!(formatter, "{}.{}", shape.package, shape.name),
        }
    }
}

/// A value of the wrong type, in the words of Go's `UnmarshalTypeError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("json: cannot unmarshal {found} into Go {target} of type {expected}")]
pub struct TypeMismatch {
    found: &'static str,
    target: String,
    expected: String,
}

impl TypeMismatch {
    /// Whether the mismatch is in the field `name`, or in something below it.
    pub fn is_in_field(&self, name: &str) -> bool {
        self.target.split('.').skip(1).any(|field| field == name)
    }
}

/// Checks that Go could decode `value` into `shape`; the error is the first mismatch in the order of the text.
///
/// `null` fits everything, and members without a field are skipped.
pub fn check(value: &Value, shape: &Shape) -> Result<(), TypeMismatch> {
    check_at(value, shape, &Place { parent: None, structure: None, field: None })
}

/// Where in the Go type the check stands; the texts name the innermost struct and all fields on the way to it.
struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    structure: Option<&'static str>,
    field: Option<&'static str>,
}

impl Place<'_> {
    fn describe(&self) -> String {
        let Some(structure) = self.structure else { return "value".to_owned() };
        let mut fields = Vec::new();
        let mut place = Some(self);
        while let Some(current) = place {
            fields.extend(current.field);
            place = current.parent;
        }
        fields.reverse();
        format!("struct field {structure}.{}", fields.join("."))
    }
}

fn check_at(value: &Value, shape: &Shape, place: &Place<'_>) -> Result<(), TypeMismatch> {
    match (shape, value) {
        (_, Value::Null) | (Shape::String, Value::String(_)) => Ok(()),
        (Shape::List(element), Value::Array(values)) => {
            values.iter().try_for_each(|value| check_at(value, element, place))
        }
        (Shape::Map(element), Value::Object(members)) => {
            members.iter().try_for_each(|(_, value)| check_at(value, element, place))
        }
        (Shape::Struct(structure), Value::Object(members)) => {
            members.iter().try_for_each(|(name, value)| check_field(name, value, structure, place))
        }
        _ => Err(TypeMismatch { found: value.kind(), target: place.describe(), expected: shape.to_string() }),
    }
}

fn check_field(
    name: &str,
    value: &Value,
    structure: &'static StructShape,
    place: &Place<'_>,
) -> Result<(), TypeMismatch> {
    let field = structure.fields.iter().find(|(field, _)| folds_to_same_name(name, field));
    let Some((field, shape)) = field else { return Ok(()) };
    check_at(
        value,
        shape,
        &Place { parent: Some(place), structure: Some(structure.name), field: Some(field) },
    )
}

#[cfg(test)]
mod tests {
    use super::super::decode_first;
    use super::*;

    static INNER: StructShape =
        StructShape { package: "types", name: "AuthConfig", fields: &[("auth", Shape::String)] };
    static OUTER: StructShape = StructShape {
        package: "configfile",
        name: "ConfigFile",
        fields: &[
            ("auths", Shape::Map(&Shape::Struct(&INNER))),
            ("credHelpers", Shape::Map(&Shape::String)),
            ("pruneFilters", Shape::List(&Shape::String)),
        ],
    };

    fn message(text: &str) -> Option<String> {
        let value = decode_first(text).unwrap();
        check(&value, &Shape::Struct(&OUTER)).err().map(|mismatch| mismatch.to_string())
    }

    #[test]
    fn error_texts_are_those_of_go() {
        let cases = [
            ("[]", "json: cannot unmarshal array into Go value of type configfile.ConfigFile"),
            (
                r#"{"credHelpers":"ecr-login"}"#,
                "json: cannot unmarshal string into Go struct field ConfigFile.credHelpers of type map[string]string",
            ),
            (
                r#"{"credHelpers":{"h":1}}"#,
                "json: cannot unmarshal number into Go struct field ConfigFile.credHelpers of type string",
            ),
            (
                r#"{"auths":{"h":"x"}}"#,
                "json: cannot unmarshal string into Go struct field ConfigFile.auths of type types.AuthConfig",
            ),
            (
                r#"{"auths":{"h":{"AUTH":true}}}"#,
                "json: cannot unmarshal bool into Go struct field AuthConfig.auths.auth of type string",
            ),
            (
                r#"{"pruneFilters":{}}"#,
                "json: cannot unmarshal object into Go struct field ConfigFile.pruneFilters of type []string",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(message(text).as_deref(), Some(expected), "for {text}");
        }
    }

    #[test]
    fn null_and_unknown_members_fit() {
        assert_eq!(message(r#"{"auths":{"h":null},"credHelpers":null,"other":[1,{}]}"#), None);
        assert_eq!(message("null"), None);
    }
}
