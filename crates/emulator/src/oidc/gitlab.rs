//! An emulated GitLab, as far as it is an issuer of ID tokens for jobs.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use secrecy::SecretString;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::gitlab_claims::{GitLabClaims, SigningAlgorithm};
use super::providers::name_of_issuer;
use super::public_key::{PublicKey, keys_of_set};
use super::signing_key::{KeyError, SigningKey};
use crate::seal::Seal;

/// The path on the main listener below which the emulated GitLab is.
pub(crate) const PATH: &str = "/gitlab";

/// The emulated GitLab, which every account has as an identity provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GitLabIssuer {
    /// The claim `iss` of its tokens; `http://<main listener>/gitlab`, where its keys are served, if not given.
    pub issuer: Option<String>,
    /// The values of the claim `aud` that STS takes from it. None stands for all.
    pub audiences: Vec<String>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitLabError {
    /// The issuer is no URL with a host.
    #[error("`{0}` is not an issuer")]
    InvalidIssuer(String),
    /// The key cannot be made, or does not sign.
    #[error("{0}")]
    Key(String),
    /// The token cannot be written to a file for a client.
    #[error("cannot write the token to `{}`", path.display())]
    Write {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl From<KeyError> for GitLabError {
    fn from(error: KeyError) -> Self {
        Self::Key(error.to_string())
    }
}

pub(crate) struct GitLab {
    issuer: String,
    /// Where its keys are, which the issuer may not name.
    served_at: String,
    audiences: Vec<String>,
    p256: SigningKey,
    /// Made when it is needed first, because that takes long and most emulators never do.
    rsa: OnceLock<SigningKey>,
    making_rsa: Mutex<()>,
    seal: Arc<Seal>,
}

impl GitLab {
    /// The GitLab of an emulator whose main listener is at `main`.
    pub(crate) fn new(
        options: &GitLabIssuer,
        main: std::net::SocketAddr,
        seal: Arc<Seal>,
    ) -> Result<Self, GitLabError> {
        let served_at = format!("http://{main}{PATH}");
        let issuer = options.issuer.clone().unwrap_or_else(|| served_at.clone());
        if name_of_issuer(&issuer).is_none() {
            return Err(GitLabError::InvalidIssuer(issuer));
        }
        Ok(Self {
            issuer,
            served_at,
            audiences: options.audiences.clone(),
            p256: SigningKey::generate_p256(&seal)?,
            rsa: OnceLock::new(),
            making_rsa: Mutex::default(),
            seal,
        })
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn name(&self) -> &str {
        name_of_issuer(&self.issuer).unwrap_or_default()
    }

    pub(super) fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// A token as a job finds it in the variable that its `id_tokens` names.
    pub(crate) fn id_token(
        &self,
        claims: &GitLabClaims,
        now: OffsetDateTime,
    ) -> Result<SecretString, GitLabError> {
        let key = match claims.algorithm {
            SigningAlgorithm::Rs256 => self.rsa()?,
            SigningAlgorithm::Es256 => &self.p256,
        };
        let host = name_of_issuer(&self.issuer).unwrap_or_default();
        Ok(key.sign(&claims.to_json(&self.issuer, host, &self.seal.uuid(), now))?.into())
    }

    fn rsa(&self) -> Result<&SigningKey, KeyError> {
        if let Some(key) = self.rsa.get() {
            return Ok(key);
        }
        let _making = self.making_rsa.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = self.rsa.get() {
            return Ok(key);
        }
        let key = SigningKey::generate_rsa(&self.seal)?;
        Ok(self.rsa.get_or_init(|| key))
    }

    /// The keys that tokens can be signed with by now.
    pub(super) fn public_keys(&self) -> Vec<PublicKey> {
        let keys = [Some(&self.p256), self.rsa.get()].into_iter().flatten().map(SigningKey::jwk);
        let set = json!({ "keys": keys.collect::<Vec<_>>() }).to_string();
        keys_of_set(&set).unwrap_or_default()
    }

    /// What it serves at `/oauth/discovery/keys`. It waits for the RSA key to be made.
    pub(super) fn key_set(&self) -> Result<Value, KeyError> {
        Ok(json!({ "keys": [self.rsa()?.jwk(), self.p256.jwk()] }))
    }

    /// What it serves at `/.well-known/openid-configuration` (OpenID Connect Discovery 1.0, section 3).
    pub(super) fn configuration(&self) -> Value {
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": format!("{}/oauth/authorize", self.served_at),
            "jwks_uri": format!("{}/oauth/discovery/keys", self.served_at),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"],
        })
    }
}
