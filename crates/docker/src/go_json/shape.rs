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

/// Why a value is refused by a decoder that knows all fields (`Decoder.DisallowUnknownFields`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StrictMismatch {
    /// A value has the wrong type.
    #[error(transparent)]
    Type(TypeMismatch),
    /// A member that the Go struct has no field for. Go quotes the name with `%q`.
    #[error("json: unknown field {name:?}")]
    UnknownField {
        /// The member's name.
        name: String,
    },
}

/// Checks that Go could decode `value` into `shape`; the error is the first mismatch in the order of the text.
///
/// `null` fits everything, and members without a field are skipped.
pub fn check(value: &Value, shape: &Shape) -> Result<(), TypeMismatch> {
    match (Check { knows_all_fields: false }).value(value, shape, &Place::TOP) {
        Err(StrictMismatch::Type(mismatch)) => Err(mismatch),
        _ => Ok(()),
    }
}

/// The same for a decoder that refuses members without a field.
pub fn check_strictly(value: &Value, shape: &Shape) -> Result<(), StrictMismatch> {
    Check { knows_all_fields: true }.value(value, shape, &Place::TOP)
}

/// Where in the Go type the check stands; the texts name the innermost struct and all fields on the way to it.
struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    structure: Option<&'static str>,
    field: Option<&'static str>,
}

impl Place<'_> {
    const TOP: Self = Self { parent: None, structure: None, field: None };

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

/// How strict the decoder is.
struct Check {
    knows_all_fields: bool,
}

impl Check {
    fn value(&self, value: &Value, shape: &Shape, place: &Place<'_>) -> Result<(), StrictMismatch> {
        match (shape, value) {
            (_, Value::Null) | (Shape::String, Value::String(_)) => Ok(()),
            (Shape::List(element), Value::Array(values)) => {
                values.iter().try_for_each(|value| self.value(value, element, place))
            }
            (Shape::Map(element), Value::Object(members)) => {
                members.iter().try_for_each(|(_, value)| self.value(value, element, place))
            }
            (Shape::Struct(structure), Value::Object(members)) => {
                members.iter().try_for_each(|(name, value)| self.field(name, value, structure, place))
            }
            _ => Err(StrictMismatch::Type(TypeMismatch {
                found: value.kind(),
                target: place.describe(),
                expected: shape.to_string(),
            })),
        }
    }

    fn field(
        &self,
        name: &str,
        value: &Value,
        structure: &'static StructShape,
        place: &Place<'_>,
    ) -> Result<(), StrictMismatch> {
        let field = structure.fields.iter().find(|(field, _)| folds_to_same_name(name, field));
        let Some((field, shape)) = field else {
            return match self.knows_all_fields {
                true => Err(StrictMismatch::UnknownField { name: name.to_owned() }),
                false => Ok(()),
            };
        };
        let place = Place { parent: Some(place), structure: Some(structure.name), field: Some(field) };
        self.value(value, shape, &place)
    }
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
    fn a_strict_decoder_refuses_the_first_unknown_field() {
        let strict = |text: &str| {
            let value = decode_first(text).unwrap();
            check_strictly(&value, &Shape::Struct(&OUTER)).map_err(|mismatch| mismatch.to_string())
        };
        assert_eq!(strict(r#"{"AUTHS":{"h":{"Auth":"x"}}}"#), Ok(()));
        assert_eq!(
            strict(r#"{"auths":{"h":{"email":1}}}"#),
            Err(r#"json: unknown field "email""#.to_owned())
        );
        let both = strict(r#"{"auths":{"h":{"auth":1}},"other":2}"#).unwrap_err();
        assert!(both.starts_with("json: cannot unmarshal number"), "{both}");
    }

    #[test]
    fn null_and_unknown_members_fit() {
        assert_eq!(message(r#"{"auths":{"h":null},"credHelpers":null,"other":[1,{}]}"#), None);
        assert_eq!(message("null"), None);
    }
}
