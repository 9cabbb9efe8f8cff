//! What helpers and their callers say to each other.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{SerializeStruct, Serializer};

/// What a helper prints on stdout, with exit code 1, when it has nothing for a server.
///
/// Callers compare the trimmed output with this very text (docker-credential-helpers v0.9.8,
/// `credentials/error.go`); gitlab-runner treats any other failure as a failure of the whole source, so that
/// credentials of other registries are lost with it (GitLab Runner v19.3.0, `helpers/docker/auth/auth.go`).
pub const NOT_FOUND: &str = "credentials not found in native keychain";

/// What the name of every helper program starts with; the rest is the suffix that `credsStore` and `credHelpers`
/// name.
pub const PROGRAM_PREFIX: &str = "docker-credential-";

/// The accounts that a helper offers: server to user name, in the order of the servers.
pub type ServerList = BTreeMap<String, String>;

/// What a helper is asked to do: its first and only argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Print the credential of the server on stdin.
    Get,
    /// Keep the credential on stdin.
    Store,
    /// Forget the credential of the server on stdin.
    Erase,
    /// Print the known servers with their user names.
    List,
    /// Print name and version of the helper.
    Version,
}

impl Verb {
    /// All verbs, in the order of docker-credential-helpers' usage line.
    pub const ALL: [Self; 5] = [Self::Store, Self::Get, Self::Erase, Self::List, Self::Version];

    /// The verb as it is written on a command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Store => "store",
            Self::Erase => "erase",
            Self::List => "list",
            Self::Version => "version",
        }
    }

    /// Reads a verb; `None` if `text` is none. `-v` and `--version` are `version`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if matches!(text, "-v" | "--version") {
            return Some(Self::Version);
        }
        Self::ALL.into_iter().find(|verb| verb.as_str() == text)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One server's credential: the answer to `get` and the request of `store`.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The server as the caller wrote it.
    pub server_url: String,
    /// The user name; `<token>` says that the secret is an identity token.
    pub username: String,
    /// The password or identity token.
    pub secret: SecretString,
}

impl Credential {
    /// Reads a credential as Docker's own client does: member names in any case, unknown members and whatever
    /// follows the object ignored, absent members and `null` read as empty.
    ///
    /// # Errors
    /// If `json` does not start with a JSON object, or a member that matters is not a string.
    pub fn from_json(json: &[u8]) -> Result<Self, MessageError> {
        first_value(json)
    }

    /// Writes the credential as the one line that `get` answers, without its line end.
    ///
    /// # Errors
    /// Never in practice: strings can always be written as JSON.
    pub fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, MessageError> {
        // Room for everything at once: a buffer that grows would leave copies of the secret behind.
        let room = 64 + 6 * (self.server_url.len() + self.username.len() + self.secret.expose_secret().len());
        let mut json = Zeroizing::new(Vec::with_capacity(room));
        let mut writer = serde_json::Serializer::new(&mut *json);
        let mut object = writer.serialize_struct("Credential", 3)?;
        object.serialize_field("ServerURL", &self.server_url)?;
        object.serialize_field("Username", &self.username)?;
        object.serialize_field("Secret", self.secret.expose_secret())?;
        object.end()?;
        Ok(json)
    }
}

/// Reads the answer to `list`, as forgiving as [`Credential::from_json`].
///
/// # Errors
/// If `json` does not start with a JSON object of strings or `null`.
pub fn server_list_from_json(json: &[u8]) -> Result<ServerList, MessageError> {
    let list: Option<BTreeMap<String, Option<String>>> = first_value(json)?;
    Ok(list
        .unwrap_or_default()
        .into_iter()
        .map(|(server, user)| (server, user.unwrap_or_default()))
        .collect())
}

/// Writes the one line that `list` answers, without its line end.
///
/// # Errors
/// Never in practice: strings can always be written as JSON.
pub fn server_list_to_json(list: &ServerList) -> Result<Vec<u8>, MessageError> {
    Ok(serde_json::to_vec(list)?)
}

/// Why a message could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// There was nothing to read.
    #[error("the message is empty")]
    Empty,
    /// It was not the JSON that the protocol wants. The position is told, never the content.
    #[error("the message is not the expected JSON at line {line}, column {column}")]
    Json {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, in bytes from 1; 0 if it lies before the first one.
        column: usize,
    },
}

impl From<serde_json::Error> for MessageError {
    /// Drops serde's own words: for a wrong type they quote the value, which may be the secret.
    fn from(error: serde_json::Error) -> Self {
        Self::Json { line: error.line(), column: error.column() }
    }
}

/// Reads the first JSON value and ignores the rest, as Go's `json.Decoder` does.
fn first_value<'json, T: Deserialize<'json>>(json: &'json [u8]) -> Result<T, MessageError> {
    let mut values = serde_json::Deserializer::from_slice(json).into_iter();
    values.next().ok_or(MessageError::Empty)?.map_err(Into::into)
}

impl<'de> Deserialize<'de> for Credential {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CredentialVisitor)
    }
}

struct CredentialVisitor;

impl<'de> Visitor<'de> for CredentialVisitor {
    type Value = Credential;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a credential")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Credential, A::Error> {
        let mut credential = Credential {
            server_url: String::new(),
            username: String::new(),
            secret: SecretString::default(),
        };
        while let Some(name) = members.next_key::<String>()? {
            if name.eq_ignore_ascii_case("ServerURL") {
                credential.server_url = members.next_value::<Option<String>>()?.unwrap_or_default();
            } else if name.eq_ignore_ascii_case("Username") {
                credential.username = members.next_value::<Option<String>>()?.unwrap_or_default();
            } else if name.eq_ignore_ascii_case("Secret") {
                credential.secret = members.next_value::<Option<String>>()?.unwrap_or_default().into();
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(credential)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn credential(secret: &str) -> Credential {
        Credential { server_url: "example.com".into(), username: "AWS".into(), secret: secret.into() }
    }

    #[test]
    fn a_credential_is_written_as_docker_expects_it() {
        let json = credential("p\"w").to_json().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&json),
            r#"{"ServerURL":"example.com","Username":"AWS","Secret":"p\"w"}"#
        );
    }

    #[test]
    fn a_credential_is_read_with_go_rules() {
        let json =
            br#" {"serverurl":"a","USERNAME":"b","extra":[1,{}],"secret":"c","Username":null} trailing"#;
        let credential = Credential::from_json(json).unwrap();
        assert_eq!(credential.server_url, "a");
        assert_eq!(credential.username, "");
        assert_eq!(credential.secret.expose_secret(), "c");
    }

    #[test]
    fn faults_name_the_place_and_never_the_content() {
        let error = Credential::from_json(br#"{"Secret": 7e9, "#).unwrap_err();
        assert_eq!(error.to_string(), "the message is not the expected JSON at line 1, column 14");
        let error = Credential::from_json(br#"["hunter2"]"#).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(matches!(Credential::from_json(b" \n"), Err(MessageError::Empty)));
    }

    #[test]
    fn a_list_is_read_and_written() {
        let list = server_list_from_json(br#"{"https://b":"AWS","https://a":null}"#).unwrap();
        assert_eq!(server_list_to_json(&list).unwrap(), br#"{"https://a":"","https://b":"AWS"}"#);
        assert_eq!(server_list_from_json(b"null").unwrap(), ServerList::new());
        assert!(server_list_from_json(br#"{"a":1}"#).is_err());
    }

    #[test]
    fn verbs_are_read_as_they_are_written() {
        for verb in Verb::ALL {
            assert_eq!(Verb::parse(verb.as_str()), Some(verb));
        }
        assert_eq!(Verb::parse("--version"), Some(Verb::Version));
        assert_eq!(Verb::parse("GET"), None);
    }

    #[test]
    fn debug_output_hides_the_secret() {
        assert!(!format!("{:?}", credential("hunter2")).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Credential::from_json(&bytes);
            let _ = server_list_from_json(&bytes);
        }

        #[test]
        fn what_is_written_is_read_again(server: String, user: String, secret: String) {
            let written = Credential { server_url: server, username: user, secret: secret.into() };
            let read = Credential::from_json(&written.to_json().unwrap()).unwrap();
            prop_assert_eq!(read.server_url, written.server_url);
            prop_assert_eq!(read.username, written.username);
            prop_assert_eq!(read.secret.expose_secret(), written.secret.expose_secret());
        }
    }
}
