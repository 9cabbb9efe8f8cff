//! Docker's `config.json`: who is asked for which registry.

use ecru_docker::config_file::ConfigFile;
use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged as _;

use super::json::{added, entry, member, object, quoted};
use super::{EditError, Splice, spliced, text_of};

/// Which helper is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Helpers {
    /// `credHelpers`: the helper for each of these registries.
    ForRegistries(Vec<String>),
    /// `credsStore`: one helper for everything.
    Store,
}

impl Helpers {
    /// A whole `config.json` that says nothing else, on one line: also the value of `DOCKER_AUTH_CONFIG`.
    #[must_use]
    pub fn document(&self, suffix: &str) -> String {
        match self {
            Self::Store => serde_json::json!({ "credsStore": suffix }),
            Self::ForRegistries(registries) => {
                let entries = registries.iter().map(|registry| (registry.clone(), suffix.into()));
                serde_json::json!({ "credHelpers": entries.collect::<serde_json::Map<_, _>>() })
            }
        }
        .to_string()
    }
}

/// The `config.json` in `content` with `suffix` (of `docker-credential-suffix`) as helper; `None` means there is no
/// file yet. All other members stay to the byte.
///
/// # Errors
/// If the text is one that Docker would refuse, or one in which it is not clear what counts.
pub fn with_helpers(content: Option<&[u8]>, helpers: &Helpers, suffix: &str) -> Result<String, EditError> {
    let text = text_of(content.unwrap_or_default())?;
    // Docker takes a blank file for an empty one.
    let text = if text.trim().is_empty() { "{}\n" } else { text };
    let before = config(text)?;
    let document = object(text)?;
    let splices = match helpers {
        Helpers::ForRegistries(registries) => for_registries(text, &document, registries, suffix)?,
        Helpers::Store => store(text, &document, suffix)?.into_iter().collect(),
    };
    let result = spliced(text, splices);
    let after = config(&result)?;
    if !is_as_meant(&before, &after, helpers, suffix) {
        return Err(EditError::Form { name: "credHelpers".to_owned() });
    }
    Ok(result)
}

fn config(text: &str) -> Result<ConfigFile, EditError> {
    // The error of an `auth` names its key only.
    ConfigFile::parse(text).map_err(|error| EditError::Refused { tool: "docker", reason: error.to_string() })
}

fn for_registries(
    text: &str,
    document: &Object<'_>,
    registries: &[String],
    suffix: &str,
) -> Result<Vec<Splice>, EditError> {
    let members = |registries: &[&String]| -> Vec<(String, String)> {
        registries.iter().map(|registry| ((*registry).clone(), quoted(suffix))).collect()
    };
    let property = member(document, "credHelpers")?;
    let existing = match property.map(|property| &property.value) {
        Some(Value::Object(existing)) => existing,
        Some(null @ Value::NullKeyword(_)) => {
            let all: Vec<&String> = registries.iter().collect();
            let range = null.range();
            return Ok(vec![Splice::replace(range.start..range.end, table(&members(&all), "\n", ""))]);
        }
        Some(_) => {
            return Err(EditError::WrongType { name: "credHelpers".to_owned(), expected: "an object" });
        }
        None => {
            let all: Vec<&String> = registries.iter().collect();
            let is_inline = !document.properties.is_empty() && !text.trim_end().contains('\n');
            let value = if is_inline {
                inline_table(&members(&all))
            } else {
                let end = super::line_end(text);
                let indent = document
                    .properties
                    .last()
                    .map_or("\t", |last| super::indentation(text, last.range.start));
                table(&members(&all), end, indent)
            };
            return Ok(vec![added(text, document, &[("credHelpers".to_owned(), value)])]);
        }
    };
    let mut splices = Vec::new();
    let mut missing = Vec::new();
    for registry in registries {
        match entry(existing, registry)?.map(|property| &property.value) {
            Some(Value::StringLit(value)) if value.value == suffix => {}
            Some(value) => {
                let range = value.range();
                splices.push(Splice::replace(range.start..range.end, quoted(suffix)));
            }
            None => missing.push(registry),
        }
    }
    if !missing.is_empty() {
        splices.push(added(text, existing, &members(&missing)));
    }
    Ok(splices)
}

/// An object on lines of its own, as Docker writes them.
fn table(members: &[(String, String)], end: &str, indent: &str) -> String {
    let step = if indent.is_empty() { "\t" } else { indent };
    let lines: Vec<String> =
        members.iter().map(|(key, value)| format!("{indent}{step}{}: {value}", quoted(key))).collect();
    format!("{{{end}{}{end}{indent}}}", lines.join(&format!(",{end}")))
}

fn inline_table(members: &[(String, String)]) -> String {
    let members: Vec<String> =
        members.iter().map(|(key, value)| format!("{}:{value}", quoted(key))).collect();
    format!("{{{}}}", members.join(","))
}

fn store(text: &str, document: &Object<'_>, suffix: &str) -> Result<Option<Splice>, EditError> {
    let Some(property) = member(document, "credsStore")? else {
        return Ok(Some(added(text, document, &[("credsStore".to_owned(), quoted(suffix))])));
    };
    let range = property.value.range();
    match &property.value {
        Value::StringLit(value) if value.value == suffix => Ok(None),
        Value::StringLit(value) if !value.value.is_empty() => {
            Err(EditError::Occupied { name: "credsStore".to_owned() })
        }
        _ => Ok(Some(Splice::replace(range.start..range.end, quoted(suffix)))),
    }
}

fn is_as_meant(before: &ConfigFile, after: &ConfigFile, helpers: &Helpers, suffix: &str) -> bool {
    let mut expected = before.credential_helpers.clone();
    let mut store = before.credentials_store.clone();
    match helpers {
        Helpers::ForRegistries(registries) => {
            expected.extend(registries.iter().map(|registry| (registry.clone(), suffix.to_owned())));
        }
        Helpers::Store => store = Some(suffix.to_owned()),
    }
    after.credential_helpers == expected
        && after.credentials_store == store
        && after.auths.keys().eq(before.auths.keys())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";

    fn edited(text: &str) -> String {
        let helpers = Helpers::ForRegistries(vec![HOST.to_owned(), "public.ecr.aws".to_owned()]);
        let once = with_helpers(Some(text.as_bytes()), &helpers, "ecr-login").unwrap();
        let twice = with_helpers(Some(once.as_bytes()), &helpers, "ecr-login").unwrap();
        assert_eq!(once, twice, "the second run changes nothing");
        once
    }

    #[test]
    fn a_new_file_looks_like_docker_s_own() {
        let expected = format!(
            "{{\n\t\"credHelpers\": {{\n\t\t\"{HOST}\": \"ecr-login\",\n\t\t\"public.ecr.aws\": \"ecr-login\"\n\t}}\n}}\n"
        );
        assert_eq!(edited(""), expected);
        assert_eq!(edited(" \n"), expected);
        let helpers = Helpers::ForRegistries(vec![HOST.to_owned(), "public.ecr.aws".to_owned()]);
        assert_eq!(with_helpers(None, &helpers, "ecr-login").unwrap(), expected);
    }

    #[test]
    fn everything_else_stays() {
        let text = "{\r\n  \"auths\" : { \"h\":{\"auth\":\"dTpw\"} },\r\n  \"psFormat\": \"a\\u0062\"\r\n}";
        assert_eq!(
            edited(text),
            format!(
                "{{\r\n  \"auths\" : {{ \"h\":{{\"auth\":\"dTpw\"}} }},\r\n  \"psFormat\": \"a\\u0062\",\r\n  \"credHelpers\": \
                 {{\r\n    \"{HOST}\": \"ecr-login\",\r\n    \"public.ecr.aws\": \"ecr-login\"\r\n  }}\r\n}}"
            )
        );
    }

    #[test]
    fn helpers_join_those_that_are_there() {
        assert_eq!(
            edited(r#"{"credhelpers":{"gcr.io":"gcloud"},"x":1}"#),
            format!(
                r#"{{"credhelpers":{{"gcr.io":"gcloud","{HOST}":"ecr-login","public.ecr.aws":"ecr-login"}},"x":1}}"#
            )
        );
        assert_eq!(
            edited(&format!("{{\n \"credHelpers\": {{\n  \"{HOST}\": \"other\"\n }}\n}}\n")),
            format!(
                "{{\n \"credHelpers\": {{\n  \"{HOST}\": \"ecr-login\",\n  \"public.ecr.aws\": \"ecr-login\"\n }}\n}}\n"
            )
        );
        edited(r#"{"credHelpers":null}"#);
        edited(r#"{"credHelpers":{}}"#);
        edited("{\n\t\"credHelpers\": {}\n}\n");
    }

    #[test]
    fn a_store_is_not_taken_away() {
        let with_store = |text: &str| with_helpers(Some(text.as_bytes()), &Helpers::Store, "ecr-login");
        assert_eq!(with_store(r#"{"auths":{}}"#).unwrap(), r#"{"auths":{},"credsStore":"ecr-login"}"#);
        assert_eq!(with_store(r#"{"credsStore":""}"#).unwrap(), r#"{"credsStore":"ecr-login"}"#);
        assert_eq!(
            with_store(r#"{"credsStore":"pass"}"#),
            Err(EditError::Occupied { name: "credsStore".to_owned() })
        );
    }

    #[test]
    fn what_is_not_clear_is_refused() {
        let helpers = Helpers::ForRegistries(vec![HOST.to_owned()]);
        for text in [
            "{\"credHelpers\":{},\"CredHelpers\":{}}",
            "{\"credHelpers\":\"ecr-login\"}",
            "{} trailing",
            "// comment\n{}",
            "\u{feff}{}",
            "{\"auths\":{\"h\":{\"auth\":\"!\"}}}",
            "null",
        ] {
            assert!(with_helpers(Some(text.as_bytes()), &helpers, "ecr-login").is_err(), "{text}");
        }
        assert_eq!(with_helpers(Some(b"\xff"), &helpers, "x"), Err(EditError::NotUtf8));
        let long = " ".repeat(super::super::MAX_INPUT_BYTES + 1);
        assert_eq!(with_helpers(Some(long.as_bytes()), &helpers, "x"), Err(EditError::TooLong));
    }
}
