//! Docker's `config.json`, which is also what `DOCKER_AUTH_CONFIG` holds.
//!
//! The rules and the error texts are those of docker/cli v29 (`cli/config/configfile/file.go`, `LoadFromReader`),
//! because GitLab Runner and the Docker command line both read through it and print what it says.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use secrecy::SecretString;

use crate::go_json::{self, Shape, StructShape, SyntaxError, TypeMismatch, Value};

/// What a configuration says about credentials. Settings that have nothing to do with them are not kept.
#[derive(Debug, Clone, Default)]
pub struct ConfigFile {
    /// `auths`: the static credentials by the key under which they stand.
    pub auths: BTreeMap<String, StaticAuth>,
    /// `credsStore`: the suffix of the helper that stores everything; an empty one counts as none.
    pub credentials_store: Option<String>,
    /// `credHelpers`: helper suffixes by key. Unlike for the store, an empty suffix is kept.
    pub credential_helpers: BTreeMap<String, String>,
}

/// One entry of `auths`, with `auth` taken apart. Every field may be empty, and so may all of them.
#[derive(Clone, Default)]
pub struct StaticAuth {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: SecretString,
    /// A token with which the registry's token service is asked, in place of user and password.
    pub identity_token: SecretString,
    /// A bearer token that is sent to the registry as it is.
    pub registry_token: SecretString,
}

impl fmt::Debug for StaticAuth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StaticAuth").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Why a configuration is refused as a whole. Except for size limits the texts are those of docker/cli.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigFileError {
    /// The text is not JSON.
    #[error(transparent)]
    Syntax(SyntaxError),
    /// A member has the wrong type.
    #[error(transparent)]
    Type(TypeMismatch),
    /// The `auth` of an entry is not base64.
    #[error("illegal base64 data at input byte {offset}")]
    AuthNotBase64 {
        /// The key of the entry in `auths`.
        key: String,
        /// The offset at which decoding stopped, in bytes.
        offset: usize,
    },
    /// The `auth` of an entry is not `user:password`, or the user is empty.
    #[error("Invalid auth configuration file")]
    AuthNotUserAndPassword {
        /// The key of the entry in `auths`.
        key: String,
    },
}

impl ConfigFileError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let of_auth = |key: &str| {
            Some(format!("set `auth` of `{key}` to what `printf '%s' USER:PASSWORD | base64 -w0` prints"))
        };
        match self {
            Self::Syntax(SyntaxError::InvalidCharacter { byte, context }) => {
                of_character(*byte, context).map(str::to_owned)
            }
            Self::Type(mismatch) if mismatch.is_in_field("credHelpers") => Some(
                "`credHelpers` maps each registry to a helper: `{\"credHelpers\":{\"REGISTRY\":\"ecr-login\"}}`"
                    .to_owned(),
            ),
            Self::AuthNotBase64 { key, .. } | Self::AuthNotUserAndPassword { key } => of_auth(key),
            Self::Syntax(_) | Self::Type(_) => None,
        }
    }
}

/// What a person did who wrote this character where Go looks for something else.
fn of_character(byte: u8, context: &str) -> Option<&'static str> {
    /// With what typographic quotes begin in UTF-8.
    const TYPOGRAPHIC: u8 = 0xe2;
    match (byte, context) {
        (b'\'', go_json::KEY) => Some("JSON has double quotes only: use them in place of the single ones"),
        (b'\'', _) => Some(
            "the value must start with `{`: take away the quotes around it, and use double quotes inside",
        ),
        (b'}', go_json::KEY) => Some("take away the comma behind the last member: JSON does not allow it"),
        (b'\\', go_json::KEY | go_json::VALUE) => Some("take away the backslashes before the quotes"),
        (TYPOGRAPHIC, go_json::KEY | go_json::VALUE) => {
            Some("use plain double quotes in place of the typographic ones")
        }
        (byte, go_json::KEY) if byte.is_ascii_alphanumeric() => {
            Some("put double quotes around each name and each text: a shell may have taken them away")
        }
        _ => None,
    }
}

impl ConfigFile {
    /// Reads a configuration. A blank text and `null` are an empty configuration.
    pub fn parse(text: &str) -> Result<Self, ConfigFileError> {
        let document = match go_json::decode_first(text) {
            Ok(document) => document,
            Err(SyntaxError::Blank) => return Ok(Self::default()),
            Err(error) => return Err(ConfigFileError::Syntax(error)),
        };
        go_json::check(&document, &Shape::Struct(&CONFIG_FILE)).map_err(ConfigFileError::Type)?;

        let auths = document.map_member("auths");
        let auths = auths.into_iter().map(|(key, entry)| Ok((key.to_owned(), static_auth(key, entry)?)));
        let credential_helpers = document.map_member("credHelpers").into_iter();
        Ok(Self {
            auths: auths.collect::<Result<_, _>>()?,
            credentials_store: Some(document.string_member("credsStore").to_owned())
                .filter(|suffix| !suffix.is_empty()),
            credential_helpers: credential_helpers
                .map(|(key, suffix)| (key.to_owned(), text_or_empty(suffix)))
                .collect(),
        })
    }
}

impl ConfigFile {
    /// The entry of `auths` that docker/cli takes for `server`: the one under that very key, else one whose key is
    /// a URL or a path of that host (`cli/config/credentials/file_store.go`, `fileStore.Get`).
    ///
    /// Of several such keys docker/cli takes any; here it is the first in their order.
    pub fn stored_auth(&self, server: &str) -> Option<(&str, &StaticAuth)> {
        let exact = self.auths.get_key_value(server);
        exact
            .or_else(|| self.auths.iter().find(|(key, _)| hostname_of_key(key) == server))
            .map(|(key, auth)| (key.as_str(), auth))
    }
}

/// The host and port that a key of `auths` names (`ConvertToHostname` in `file_store.go`).
pub fn hostname_of_key(key: &str) -> &str {
    let without_scheme = key.split_once("://").map_or(key, |(_, rest)| rest);
    without_scheme.split_once('/').map_or(without_scheme, |(host, _)| host)
}

/// In a Go `map[string]string`, `null` becomes the empty string.
fn text_or_empty(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        _ => String::new(),
    }
}

fn static_auth(key: &str, entry: &Value) -> Result<StaticAuth, ConfigFileError> {
    let auth = entry.string_member("auth");
    let (username, password) = if auth.is_empty() {
        (entry.string_member("username").to_owned(), entry.string_member("password").to_owned())
    } else {
        user_and_password(key, auth)?
    };
    Ok(StaticAuth {
        username,
        password: password.into(),
        identity_token: entry.string_member("identitytoken").into(),
        registry_token: entry.string_member("registrytoken").into(),
    })
}

/// Go's `base64.StdEncoding` skips line ends, wants padding and does not mind set bits behind the last byte.
const GO_STANDARD: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The user name and the password in an entry's `auth` (`decodeAuth`).
pub(crate) fn user_and_password(key: &str, auth: &str) -> Result<(String, String), ConfigFileError> {
    let (positions, symbols): (Vec<usize>, Vec<u8>) =
        auth.bytes().enumerate().filter(|(_, byte)| !matches!(byte, b'\r' | b'\n')).unzip();
    let decoded = GO_STANDARD.decode(&symbols).map_err(|error| {
        let symbol = match error {
            base64::DecodeError::InvalidByte(symbol, _) => symbol,
            _ => symbols.len() / 4 * 4,
        };
        let offset = positions.get(symbol).copied().unwrap_or(auth.len());
        ConfigFileError::AuthNotBase64 { key: key.to_owned(), offset }
    })?;
    match String::from_utf8_lossy(&decoded).split_once(':') {
        Some((username, password)) if !username.is_empty() => {
            Ok((username.to_owned(), password.trim_matches('\0').to_owned()))
        }
        _ => Err(ConfigFileError::AuthNotUserAndPassword { key: key.to_owned() }),
    }
}

static STRING_MAP: Shape = Shape::Map(&Shape::String);

static AUTH_CONFIG: StructShape = StructShape {
    package: "types",
    name: "AuthConfig",
    fields: &[
        ("username", Shape::String),
        ("password", Shape::String),
        ("auth", Shape::String),
        ("serveraddress", Shape::String),
        ("identitytoken", Shape::String),
        ("registrytoken", Shape::String),
    ],
};

static PROXY_CONFIG: StructShape = StructShape {
    package: "configfile",
    name: "ProxyConfig",
    fields: &[
        ("httpProxy", Shape::String),
        ("httpsProxy", Shape::String),
        ("noProxy", Shape::String),
        ("ftpProxy", Shape::String),
        ("allProxy", Shape::String),
    ],
};

/// All fields, because one of the wrong type makes docker/cli refuse the document, credentials included.
static CONFIG_FILE: StructShape = StructShape {
    package: "configfile",
    name: "ConfigFile",
    fields: &[
        ("auths", Shape::Map(&Shape::Struct(&AUTH_CONFIG))),
        ("HttpHeaders", Shape::Map(&Shape::String)),
        ("psFormat", Shape::String),
        ("imagesFormat", Shape::String),
        ("networksFormat", Shape::String),
        ("pluginsFormat", Shape::String),
        ("volumesFormat", Shape::String),
        ("statsFormat", Shape::String),
        ("detachKeys", Shape::String),
        ("credsStore", Shape::String),
        ("credHelpers", Shape::Map(&Shape::String)),
        ("serviceInspectFormat", Shape::String),
        ("servicesFormat", Shape::String),
        ("tasksFormat", Shape::String),
        ("secretFormat", Shape::String),
        ("configFormat", Shape::String),
        ("nodesFormat", Shape::String),
        ("pruneFilters", Shape::List(&Shape::String)),
        ("proxies", Shape::Map(&Shape::Struct(&PROXY_CONFIG))),
        ("currentContext", Shape::String),
        ("cliPluginsExtraDirs", Shape::List(&Shape::String)),
        ("plugins", Shape::Map(&STRING_MAP)),
        ("aliases", Shape::Map(&Shape::String)),
        ("features", Shape::Map(&Shape::String)),
    ],
};

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn auth(text: &str, key: &str) -> (String, String) {
        let entry = ConfigFile::parse(text).unwrap().auths.remove(key).unwrap();
        (entry.username, entry.password.expose_secret().to_owned())
    }

    fn message(text: &str) -> String {
        ConfigFile::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn blank_and_null_are_empty() {
        for text in ["", " \n", "null", "{}", "{} trailing"] {
            let config = ConfigFile::parse(text).unwrap();
            assert!(config.auths.is_empty() && config.credential_helpers.is_empty(), "for {text:?}");
            assert_eq!(config.credentials_store, None);
        }
    }

    #[test]
    fn auth_is_taken_apart_and_beats_the_other_members() {
        let text = r#"{"auths":{"h":{"auth":"dTpwOnE=","username":"x","password":"y"}}}"#;
        assert_eq!(auth(text, "h"), ("u".into(), "p:q".into()));
        assert_eq!(auth("{\"auths\":{\"h\":{\"auth\":\"dT\\r\\npw\"}}}", "h"), ("u".into(), "p".into()));
        let members = r#"{"auths":{"h":{"username":"x","password":"y"}}}"#;
        assert_eq!(auth(members, "h"), ("x".into(), "y".into()));
    }

    #[test]
    fn an_empty_entry_is_an_entry() {
        assert_eq!(auth(r#"{"auths":{"h":{},"n":null}}"#, "h"), (String::new(), String::new()));
        assert_eq!(auth(r#"{"auths":{"h":{},"n":null}}"#, "n"), (String::new(), String::new()));
    }

    #[test]
    fn tokens_are_kept_beside_the_password() {
        let text = r#"{"auths":{"h":{"identitytoken":"i","registrytoken":"r"}}}"#;
        let entry = ConfigFile::parse(text).unwrap().auths.remove("h").unwrap();
        assert_eq!(entry.identity_token.expose_secret(), "i");
        assert_eq!(entry.registry_token.expose_secret(), "r");
    }

    #[test]
    fn error_texts_are_those_of_docker() {
        let of_auth = |auth: &str| message(&format!(r#"{{"auths":{{"h":{{"auth":"{auth}"}}}}}}"#));
        assert_eq!(of_auth("!!!"), "illegal base64 data at input byte 0");
        assert_eq!(of_auth("dTpw!A=="), "illegal base64 data at input byte 4");
        assert_eq!(of_auth("dTpwcA"), "illegal base64 data at input byte 4");
        assert_eq!(of_auth("dXA="), "Invalid auth configuration file");
        assert_eq!(of_auth("OnA="), "Invalid auth configuration file");
        let wrong_type = message(r#"{"auths":{},"psFormat":1}"#);
        assert!(wrong_type.ends_with("number into Go struct field ConfigFile.psFormat of type string"));
    }

    #[test]
    fn hints_name_the_entry_and_the_common_mistakes() {
        let hint = |text| ConfigFile::parse(text).unwrap_err().hint().unwrap();
        assert!(hint(r#"{"auths":{"host.example":{"auth":"!"}}}"#).contains("`host.example`"));
        assert!(hint(r#"'{"auths":{}}'"#).contains("must start with `{`"));
        assert!(hint("{'credHelpers':{'h':'ecr-login'}}").contains("in place of the single ones"));
        assert!(hint(r#"{"credsStore":"ecr-login",}"#).contains("comma"));
        assert!(hint(r#"{credHelpers:{"h":"ecr-login"}}"#).contains("around each name"));
        assert!(hint(r#"{\"credsStore\":\"ecr-login\"}"#).contains("backslashes"));
        assert!(hint("{\u{201c}credsStore\u{201d}:1}").contains("typographic"));
        assert!(hint(r#"{"credHelpers":"ecr-login"}"#).contains("`credHelpers` maps"));
        assert_eq!(ConfigFile::parse(r#"{"psFormat":1}"#).unwrap_err().hint(), None);
    }

    #[test]
    fn an_entry_is_found_by_its_key_or_by_the_host_in_it() {
        let config = ConfigFile::parse(
            r#"{"auths":{"https://a.example/v1/":{},"a.example":{},"b.example:5000/team":{},"https://c.example":{}}}"#,
        )
        .unwrap();
        let key = |server| config.stored_auth(server).map(|(key, _)| key);
        assert_eq!(key("a.example"), Some("a.example"));
        assert_eq!(key("b.example:5000"), Some("b.example:5000/team"));
        assert_eq!(key("c.example"), Some("https://c.example"));
        assert_eq!(key("b.example"), None);
    }

    #[test]
    fn helpers_and_store_are_read() {
        let config =
            ConfigFile::parse(r#"{"credsStore":"a","credHelpers":{"h":"b","e":"","n":null}}"#).unwrap();
        assert_eq!(config.credentials_store.as_deref(), Some("a"));
        let expected = [("h", "b"), ("e", ""), ("n", "")].map(|(key, suffix)| (key.into(), suffix.into()));
        assert_eq!(config.credential_helpers, expected.into());
        assert_eq!(ConfigFile::parse(r#"{"credsStore":""}"#).unwrap().credentials_store, None);
    }

    #[test]
    fn debug_shows_no_secret() {
        let text =
            r#"{"auths":{"h":{"auth":"dTpzM2NyM3Q=","identitytoken":"t0k3n","registrytoken":"t0k3n"}}}"#;
        let shown = format!("{:?}", ConfigFile::parse(text).unwrap());
        assert!(shown.contains("\"u\"") && !shown.contains("s3cr3t") && !shown.contains("t0k3n"), "{shown}");
    }
}
