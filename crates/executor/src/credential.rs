//! Registry credentials, and how they travel to the engine.

use std::future::Future;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bollard::BollardRequest;
use secrecy::{ExposeSecret, SecretString};

/// The header in which the engine takes a registry password (Docker API, "Authentication").
const AUTH_HEADER: &str = "x-registry-auth";

/// The user name that marks a password as an identity token (docker/cli, credential helpers' `<token>` convention).
const IDENTITY_TOKEN_USER: &str = "<token>";

/// A user name and password for one registry.
#[derive(Debug, Clone)]
pub struct RegistryCredential {
    /// The user name; `<token>` marks `password` as an identity token.
    pub username: String,
    /// The password.
    pub password: SecretString,
    /// The registry that the credential is for, as the credential source names it.
    pub server_address: String,
}

/// Why no decision about an image's credentials could be made. Its text is shown to the user: it must hold no secret.
pub type LookupError = Box<dyn std::error::Error + Send + Sync>;

/// The future of [`CredentialLookup::credential_for`].
pub type LookupFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Option<RegistryCredential>, LookupError>> + Send + 'a>>;

/// Finds the credential for an image, as GitLab Runner does: right before each pull, and only if there is one.
pub trait CredentialLookup: Sync {
    /// Returns the credential to pull `image` with, or `None` for an anonymous pull.
    ///
    /// `image` is the image as the job names it. Implementations that run programs or do blocking work must do so
    /// off the calling thread; they have [`crate::Limits::credential_lookup`] in all.
    fn credential_for<'a>(&'a self, image: &'a str) -> LookupFuture<'a>;
}

/// The value of the header that carries a credential.
#[derive(Debug, Clone)]
pub(crate) struct AuthHeader(SecretString);

impl AuthHeader {
    pub(crate) fn new(credential: &RegistryCredential) -> Self {
        let password = credential.password.expose_secret();
        let json = if credential.username == IDENTITY_TOKEN_USER {
            serde_json::json!({ "identitytoken": password, "serveraddress": credential.server_address })
        } else {
            serde_json::json!({
                "username": credential.username,
                "password": password,
                "serveraddress": credential.server_address,
            })
        };
        Self(SecretString::from(URL_SAFE.encode(json.to_string())))
    }

    /// Returns the header of an anonymous request. Old engines refuse to push without one.
    pub(crate) fn anonymous() -> Self {
        Self(SecretString::from(URL_SAFE.encode("{}")))
    }

    /// Returns `request` with this header instead of any that it had.
    pub(crate) fn insert_into(&self, mut request: BollardRequest) -> BollardRequest {
        let headers = request.headers_mut();
        headers.remove(AUTH_HEADER);
        // Base64 is always a valid header value.
        if let Ok(value) = self.0.expose_secret().parse() {
            headers.insert(AUTH_HEADER, value);
        }
        if let Some(value) = headers.get_mut(AUTH_HEADER) {
            value.set_sensitive(true);
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(username: &str, password: &str) -> RegistryCredential {
        RegistryCredential {
            username: username.to_owned(),
            password: SecretString::from(password),
            server_address: "000000000000.dkr.ecr.eu-west-1.amazonaws.com".to_owned(),
        }
    }

    fn decoded(header: &AuthHeader) -> serde_json::Value {
        let json = URL_SAFE.decode(header.0.expose_secret()).unwrap();
        serde_json::from_slice(&json).unwrap()
    }

    #[test]
    fn a_password_travels_with_its_user_and_server() {
        let header = AuthHeader::new(&credential("AWS", "ecru-emulator-secret"));
        assert_eq!(
            decoded(&header),
            serde_json::json!({
                "username": "AWS",
                "password": "ecru-emulator-secret",
                "serveraddress": "000000000000.dkr.ecr.eu-west-1.amazonaws.com",
            })
        );
    }

    #[test]
    fn an_identity_token_is_no_password() {
        let header = AuthHeader::new(&credential("<token>", "abc"));
        assert_eq!(
            decoded(&header),
            serde_json::json!({
                "identitytoken": "abc",
                "serveraddress": "000000000000.dkr.ecr.eu-west-1.amazonaws.com",
            })
        );
    }

    #[test]
    fn the_alphabet_is_the_url_safe_one() {
        // Runs of `?` and `~` give `/` and `+` in the standard alphabet, wherever they start.
        let header = AuthHeader::new(&credential("user", "~~~~~~?????? ÿÿÿ"));
        let text = header.0.expose_secret();
        assert!(!text.contains(['+', '/']), "{text}");
        assert!(text.contains(['-', '_']), "{text}");
        assert_eq!(decoded(&header)["password"], "~~~~~~?????? ÿÿÿ");
    }

    #[test]
    fn the_header_replaces_the_one_of_the_client() {
        let mut request = BollardRequest::new(bollard::body_full(bytes::Bytes::new()));
        request.headers_mut().append(AUTH_HEADER, "first".parse().unwrap());
        request.headers_mut().append(AUTH_HEADER, "second".parse().unwrap());

        let request = AuthHeader::anonymous().insert_into(request);

        let values: Vec<_> = request.headers().get_all(AUTH_HEADER).iter().collect();
        assert_eq!(values, ["e30="]);
        assert!(values[0].is_sensitive());
        assert!(!format!("{:?}", request.headers()).contains("e30"));
    }

    #[test]
    fn debug_texts_hold_no_password() {
        let credential = credential("AWS", "ecru-emulator-secret");
        let header = AuthHeader::new(&credential);
        let encoded = header.0.expose_secret().to_owned();
        let text = format!("{credential:?} {header:?}");
        assert!(!text.contains("ecru-emulator-secret"), "{text}");
        assert!(!text.contains(&encoded), "{text}");
    }
}
