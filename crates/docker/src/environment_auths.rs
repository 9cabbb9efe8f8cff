//! `DOCKER_AUTH_CONFIG` as the Docker command line reads it, which since 28.3.0 it does.
//!
//! It reads the variable by other rules than its `config.json`: only `auths`, of each entry only `auth`, and nothing
//! unknown (docker/cli v29 `cli/config/configfile/file.go`, `parseEnvConfig`; docker/cli PR 6008). So a value that
//! GitLab Runner understands, such as one with `credHelpers`, is refused as a whole.

use std::collections::BTreeMap;

use crate::config_file::{ConfigFileError, StaticAuth, user_and_password};
use crate::go_json::{self, Shape, StrictMismatch, StructShape, SyntaxError, Value};

/// Why the whole value is refused. The texts are those of docker/cli.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentAuthsError {
    /// The value is not JSON.
    #[error(transparent)]
    Syntax(SyntaxError),
    /// A member has the wrong type, or is none that is known.
    #[error(transparent)]
    Member(StrictMismatch),
    /// More follows the first JSON value.
    #[error("DOCKER_AUTH_CONFIG does not support more than one JSON object")]
    SecondObject,
    /// An entry without `auth`.
    #[error("DOCKER_AUTH_CONFIG environment variable is missing key `auth` for {key}")]
    NoAuth {
        /// The key of the entry.
        key: String,
    },
    /// The `auth` of an entry cannot be decoded.
    #[error(transparent)]
    Auth(ConfigFileError),
}

impl EnvironmentAuthsError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Member(StrictMismatch::UnknownField { name }) => Some(format!(
                "`{name}` in DOCKER_AUTH_CONFIG is for GitLab Runner alone: put it into `~/.docker/config.json` \
                 where gitlab-runner runs, and unset the variable in jobs that call `docker`"
            )),
            Self::NoAuth { .. } => Some(
                "give each entry an `auth`: what `printf '%s' USER:PASSWORD | base64 -w0` prints".to_owned(),
            ),
            Self::Auth(error) => error.hint(),
            Self::Syntax(_) | Self::SecondObject | Self::Member(_) => None,
        }
    }
}

/// Reads the value; a blank one and `null` hold nothing.
pub fn parse(text: &str) -> Result<BTreeMap<String, StaticAuth>, EnvironmentAuthsError> {
    let (document, rest) = match go_json::decode_first_with_rest(text) {
        Ok(parts) => parts,
        Err(SyntaxError::Blank) => return Ok(BTreeMap::new()),
        Err(error) => return Err(EnvironmentAuthsError::Syntax(error)),
    };
    go_json::check_strictly(&document, &Shape::Struct(&ENVIRONMENT_CONFIG))
        .map_err(EnvironmentAuthsError::Member)?;
    if has_more(rest) {
        return Err(EnvironmentAuthsError::SecondObject);
    }
    document.map_member("auths").into_iter().map(|(key, entry)| static_auth(key, entry)).collect()
}

fn static_auth(key: &str, entry: &Value) -> Result<(String, StaticAuth), EnvironmentAuthsError> {
    let auth = entry.string_member("auth");
    if auth.is_empty() {
        return Err(EnvironmentAuthsError::NoAuth { key: key.to_owned() });
    }
    let (username, password) = user_and_password(key, auth).map_err(EnvironmentAuthsError::Auth)?;
    Ok((key.to_owned(), StaticAuth { username, password: password.into(), ..StaticAuth::default() }))
}

/// Go's `Decoder.More`, to which a closing bracket is no more.
fn has_more(rest: &str) -> bool {
    let next = rest.trim_start_matches([' ', '\t', '\r', '\n']).chars().next();
    next.is_some_and(|character| !matches!(character, ']' | '}'))
}

static ENVIRONMENT_AUTH: StructShape =
    StructShape { package: "configfile", name: "configEnvAuth", fields: &[("auth", Shape::String)] };

static ENVIRONMENT_CONFIG: StructShape = StructShape {
    package: "configfile",
    name: "configEnv",
    fields: &[("auths", Shape::Map(&Shape::Struct(&ENVIRONMENT_AUTH)))],
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn message(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn only_auth_of_auths_is_read() {
        let auths = parse(r#" {"auths":{"h":{"auth":"dTpw"}}} "#).unwrap();
        let auth = &auths["h"];
        assert_eq!((auth.username.as_str(), auth.password.expose_secret()), ("u", "p"));
        for blank in ["", " \n", "null", "{}", r#"{"auths":null}"#] {
            assert!(parse(blank).unwrap().is_empty(), "for {blank:?}");
        }
    }

    #[test]
    fn what_the_runner_understands_is_refused() {
        let helpers = r#"{"credHelpers":{"h":"ecr-login"}}"#;
        assert_eq!(message(helpers), r#"json: unknown field "credHelpers""#);
        assert!(parse(helpers).unwrap_err().hint().unwrap().contains("GitLab Runner alone"));
        assert_eq!(message(r#"{"auths":{"h":{"username":"u"}}}"#), r#"json: unknown field "username""#);
        let no_auth = "DOCKER_AUTH_CONFIG environment variable is missing key `auth` for h";
        assert_eq!(message(r#"{"auths":{"h":{}}}"#), no_auth);
        let second = "DOCKER_AUTH_CONFIG does not support more than one JSON object";
        assert_eq!(message(r#"{"auths":{}}{}"#), second);
        assert_eq!(message("'{}'"), "invalid character '\\'' looking for beginning of value");
        assert_eq!(message(r#"{"auths":{"h":{"auth":"!"}}}"#), "illegal base64 data at input byte 0");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = parse(&text).map_err(|error| error.hint());
        }
    }
}
