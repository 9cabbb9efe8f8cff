//! Mistakes that people make when they write Docker's configuration into a variable or a TOML file, by name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ecru_docker::config_file::ConfigFile;
use jsonc_parser::ast::Value as Loose;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Map, Value};

/// The byte order mark.
const MARK: char = '\u{feff}';

/// Nested deeper than this, nothing is a configuration.
const MAX_DEPTH: usize = 16;

/// The longest text that is looked at, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The mark that editors of Windows put before UTF-8, which no editor shows.
    ByteOrderMark,
    /// Quotes around the whole value became part of it: `'{…}'`.
    OuterQuotes,
    /// Backslashes before the quotes became part of it: `{\"auths\":…}`.
    EscapedQuotes,
    /// A word processor's quotes: `{“auths”:…}`.
    CurlyQuotes,
    /// Single quotes, as Python prints: `{'auths':…}`.
    SingleQuotes,
    /// A shell took all quotes away: `{auths:…}`.
    LostQuotes,
    /// The names of members without quotes, as JavaScript has them: `{auths:{"h":…}}`.
    UnquotedNames,
    /// A comma behind the last member.
    TrailingComma,
    /// Base64, as Kubernetes has it in Secrets.
    Base64,
    /// `"credHelpers":"ecr-login"`: a helper without a registry.
    HelperWithoutRegistry,
}

impl Kind {
    /// What happened, in a few words.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::ByteOrderMark => "it begins with a byte order mark, which Docker does not understand",
            Self::OuterQuotes => "the quotes around the value are part of it",
            Self::EscapedQuotes => "the backslashes before the quotes are part of it",
            Self::CurlyQuotes => "its quotes are typographic ones",
            Self::SingleQuotes => "JSON has double quotes only, and these are single ones",
            Self::LostQuotes => "its quotes got lost, as happens when a shell reads it",
            Self::UnquotedNames => "the names of its members have no quotes",
            Self::TrailingComma => "there is a comma behind the last member, which JSON does not allow",
            Self::Base64 => "it is encoded in base64, and must be the JSON itself",
            Self::HelperWithoutRegistry => {
                "`credHelpers` names a helper without a registry: it maps each registry to its helper"
            }
        }
    }
}

/// A mistake, and what was meant.
#[derive(Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What somebody did.
    pub kind: Kind,
    /// The JSON that was meant, if it can be told and holds no password.
    pub meant: Option<String>,
}

/// What was meant may be near a password.
impl std::fmt::Debug for Mistake {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Mistake").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The mistake in a text that Docker refuses, if it is one of those that have a name. `registries` are those that are
/// meant where the text names none.
#[must_use]
pub fn mistake(text: &str, registries: &[String]) -> Option<Mistake> {
    let text = text.trim();
    if text.len() > MAX_BYTES || ConfigFile::parse(text).is_ok() {
        return None;
    }
    if let Some(rest) = text.strip_prefix(MARK).filter(|rest| ConfigFile::parse(rest).is_ok()) {
        return Some(Mistake { kind: Kind::ByteOrderMark, meant: without_passwords(rest.to_owned()) });
    }
    let candidates = [
        (Kind::OuterQuotes, without_outer_quotes(text)),
        (Kind::EscapedQuotes, Some(text.replace("\\\"", "\""))),
        (Kind::CurlyQuotes, Some(text.replace(['\u{201c}', '\u{201d}', '\u{201e}'], "\""))),
        (Kind::Base64, decoded(text)),
        (Kind::TrailingComma, loosely(text, false, false)),
        (Kind::UnquotedNames, loosely(text, true, false)),
        (Kind::SingleQuotes, loosely(text, true, true)),
        (Kind::HelperWithoutRegistry, with_registries(text, registries)),
    ];
    let found = candidates.into_iter().find_map(|(kind, candidate)| {
        let candidate = candidate?;
        let is_guessed = kind == Kind::HelperWithoutRegistry && registries.is_empty();
        let meant = |candidate| if is_guessed { None } else { without_passwords(candidate) };
        says_something(&candidate).then(|| Mistake { kind, meant: meant(candidate) })
    });
    found.or_else(|| lost_quotes(text, registries))
}

/// Whether Docker understands it, and it is not merely empty.
fn says_something(text: &str) -> bool {
    ConfigFile::parse(text).is_ok_and(|config| {
        config.credentials_store.is_some()
            || !config.credential_helpers.is_empty()
            || !config.auths.is_empty()
    })
}

fn without_passwords(text: String) -> Option<String> {
    let config = ConfigFile::parse(&text).ok()?;
    let compact: Value = serde_json::from_str(&text).ok()?;
    // Members that have nothing to do with credentials can hold anything.
    let is_known = |name: &String| ["credhelpers", "credsstore"].contains(&name.to_lowercase().as_str());
    let is_plain = config.auths.is_empty() && compact.as_object()?.keys().all(is_known);
    is_plain.then(|| compact.to_string())
}

fn without_outer_quotes(text: &str) -> Option<String> {
    let inner = ['\'', '"', '`']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)))?;
    Some(if says_something(inner) { inner.to_owned() } else { inner.replace("\\\"", "\"") })
}

fn decoded(text: &str) -> Option<String> {
    let symbols: String = text.split_whitespace().collect();
    String::from_utf8(STANDARD.decode(symbols).ok()?).ok()
}

/// The text read as JavaScript's relatives of JSON are, as JSON.
fn loosely(text: &str, bare_names: bool, single_quotes: bool) -> Option<String> {
    if depth(text) > MAX_DEPTH {
        return None;
    }
    let options = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: bare_names,
        allow_trailing_commas: true,
        allow_missing_commas: false,
        allow_single_quoted_strings: single_quotes,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let tree = parse_to_ast(text, &CollectOptions::default(), &options).ok()?.value?;
    Some(strict(&tree)?.to_string())
}

/// How deep brackets are nested at most: the parser calls itself.
fn depth(text: &str) -> usize {
    let mut depth: usize = 0;
    let mut deepest = 0;
    for byte in text.bytes() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn strict(value: &Loose<'_>) -> Option<Value> {
    Some(match value {
        Loose::StringLit(text) => Value::String(text.value.to_string()),
        Loose::BooleanLit(flag) => Value::Bool(flag.value),
        Loose::NullKeyword(_) => Value::Null,
        Loose::NumberLit(number) => serde_json::from_str(number.value).ok()?,
        Loose::Array(array) => Value::Array(array.elements.iter().map(strict).collect::<Option<_>>()?),
        Loose::Object(object) => {
            let members = object.properties.iter();
            let members =
                members.map(|member| Some((member.name.as_str().to_owned(), strict(&member.value)?)));
            Value::Object(members.collect::<Option<Map<_, _>>>()?)
        }
    })
}

/// `"credHelpers":"NAME"` for the registries that are meant.
fn with_registries(text: &str, registries: &[String]) -> Option<String> {
    let mut document: Value = serde_json::from_str(text).ok()?;
    let members = document.as_object_mut()?;
    let helper = members.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("credHelpers"))?.1;
    let suffix = helper.as_str()?.to_owned();
    let registries = registries.iter().map(|registry| (registry.clone(), suffix.clone().into()));
    *helper = Value::Object(registries.collect());
    if helper.as_object().is_some_and(Map::is_empty) {
        // Without a registry it is not known what was meant, but that it was this mistake.
        return Some(r#"{"credsStore":"unknown"}"#.to_owned());
    }
    Some(document.to_string())
}

/// Braces and the names of Docker's settings, but no quote at all.
fn lost_quotes(text: &str, registries: &[String]) -> Option<Mistake> {
    let has_names = ["credHelpers", "credsStore", "auths"].iter().any(|name| text.contains(name));
    if !text.starts_with('{') || text.contains(['"', '\'']) || !has_names {
        return None;
    }
    let helpers = text.contains("credHelpers") && text.contains("ecr-login") && !registries.is_empty();
    let meant = helpers.then(|| {
        let entries = registries.iter().map(|registry| (registry.clone(), "ecr-login".into()));
        serde_json::json!({ "credHelpers": entries.collect::<Map<_, _>>() }).to_string()
    });
    Some(Mistake { kind: Kind::LostQuotes, meant })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOST: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";

    fn found(text: &str) -> (Option<Kind>, Option<String>) {
        let found = mistake(text, &[HOST.to_owned()]);
        (found.as_ref().map(|found| found.kind), found.and_then(|found| found.meant))
    }

    #[test]
    fn each_mistake_has_its_name_and_what_was_meant() {
        let right = format!(r#"{{"credHelpers":{{"{HOST}":"ecr-login"}}}}"#);
        for (text, kind) in [
            (format!("\u{feff}{right}"), Kind::ByteOrderMark),
            (format!("'{right}'"), Kind::OuterQuotes),
            (format!("\"{}\"", right.replace('"', "\\\"")), Kind::OuterQuotes),
            (right.replace('"', "\\\""), Kind::EscapedQuotes),
            (right.replace('"', "\u{201d}"), Kind::CurlyQuotes),
            (right.replace('"', "'"), Kind::SingleQuotes),
            (right.replace('"', ""), Kind::LostQuotes),
            (right.replace("\"credHelpers\"", "credHelpers"), Kind::UnquotedNames),
            (right.replace("\"}}", "\",}}"), Kind::TrailingComma),
            (STANDARD.encode(&right), Kind::Base64),
            (r#"{"credHelpers":"ecr-login"}"#.to_owned(), Kind::HelperWithoutRegistry),
        ] {
            assert_eq!(found(&text), (Some(kind), Some(right.clone())), "{text}");
        }
    }

    #[test]
    fn what_docker_reads_is_no_mistake_and_passwords_are_not_told() {
        for right in ["", "{}", "null", r#"{"credsStore":"x"}"#] {
            assert_eq!(found(right), (None, None), "{right}");
        }
        let (kind, meant) = found(r#"'{"auths":{"h":{"auth":"dTpw"}}}'"#);
        assert_eq!((kind, meant), (Some(Kind::OuterQuotes), None));
        let marked = "\u{feff}{\"auths\":{\"h\":{\"auth\":\"dTpw\"}}}";
        assert_eq!(found(marked), (Some(Kind::ByteOrderMark), None));
        assert_eq!(
            found("\u{feff}{}").0,
            Some(Kind::ByteOrderMark),
            "it is a mistake where nothing else stands"
        );
        assert_eq!(found("{\"auths\": "), (None, None));
        let unknown = mistake(r#"{"credHelpers":"ecr-login"}"#, &[]).map(|found| found.kind);
        assert_eq!(unknown, Some(Kind::HelperWithoutRegistry));
    }

    proptest! {
        #[test]
        fn any_text_is_looked_at(text in "[\\PC\\[\\]{}'\",:\\\\]{0,200}") {
            let _ = mistake(&text, &[HOST.to_owned()]);
        }
    }
}
