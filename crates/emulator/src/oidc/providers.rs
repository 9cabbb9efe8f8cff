//! The identity providers of accounts: issuers whose tokens STS takes.

use std::collections::HashSet;
use std::sync::Arc;

use time::OffsetDateTime;

use super::gitlab::GitLab;
use super::public_key::{PublicKey, keys_of_set};
use super::token::{TokenRefusal, UnverifiedToken};
use crate::accounts::AccountId;

/// An issuer of OpenID Connect tokens that an account trusts: what `CreateOpenIDConnectProvider` of IAM makes.
///
/// AWS fetches the keys of an issuer; the emulator asks nobody, and is given them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentityProvider {
    /// The account that it is in.
    pub account: AccountId,
    /// The claim `iss` of its tokens, such as `https://gitlab.example.com`.
    pub issuer: String,
    /// The values of the claim `aud` that it takes, in IAM the client IDs. None stands for all.
    pub audiences: Vec<String>,
    /// Its public keys: the text of a JSON Web Key Set.
    pub keys: String,
}

impl IdentityProvider {
    /// What is wrong with it by itself.
    pub(crate) fn fault(&self) -> Option<ProviderError> {
        understood(self).err()
    }
}

/// An identity provider that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// The issuer is no URL with a host.
    #[error("`{0}` is not an issuer")]
    InvalidIssuer(String),
    /// One account has it twice, or it is the emulated GitLab.
    #[error("the issuer `{0}` is known already")]
    Duplicate(String),
    /// There is no key to verify with.
    #[error("the key set of the issuer `{issuer}` cannot be used: {reason}")]
    Keys {
        /// Whose keys these are.
        issuer: String,
        /// What is wrong with them.
        reason: String,
    },
}

/// Somebody for whom an issuer vouches, once the token's signature, times and audience are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebIdentity {
    pub(crate) account: AccountId,
    /// The issuer without its scheme, as it stands in ARNs and before the names of condition keys.
    pub(crate) provider: String,
    pub(crate) subject: String,
    pub(crate) audience: String,
}

impl WebIdentity {
    pub(crate) fn provider_arn(&self) -> String {
        format!("arn:aws:iam::{}:oidc-provider/{}", self.account, self.provider)
    }
}

/// All identity providers. The emulated GitLab is one in every account.
pub(crate) struct Providers {
    configured: Vec<Provider>,
    pub(crate) gitlab: GitLab,
}

struct Provider {
    account: AccountId,
    name: String,
    audiences: Vec<String>,
    keys: Arc<[PublicKey]>,
}

impl Providers {
    pub(crate) fn new(configured: &[IdentityProvider], gitlab: GitLab) -> Result<Self, ProviderError> {
        let configured = configured.iter().map(understood).collect::<Result<Vec<_>, _>>()?;
        let mut known = HashSet::new();
        for Provider { account, name, .. } in &configured {
            if name == gitlab.name() || !known.insert((*account, name.clone())) {
                return Err(ProviderError::Duplicate(name.clone()));
            }
        }
        Ok(Self { configured, gitlab })
    }

    /// Whom a token stands for, if `account` trusts its issuer.
    pub(crate) fn verify(
        &self,
        account: AccountId,
        token: &str,
        now: OffsetDateTime,
    ) -> Result<WebIdentity, TokenRefusal> {
        let token = UnverifiedToken::parse(token)?;
        let issuer = token.claims.issuer()?;
        let no_provider = || TokenRefusal::NoProvider(issuer.into());
        let name = name_of_issuer(issuer).ok_or_else(no_provider)?;
        let configured =
            self.configured.iter().find(|provider| provider.account == account && provider.name == name);
        let (audiences, keys) = match configured {
            Some(provider) => (provider.audiences.as_slice(), provider.keys.clone()),
            None if name == self.gitlab.name() => (self.gitlab.audiences(), self.gitlab.public_keys().into()),
            None => return Err(no_provider()),
        };
        token.verify(&keys)?;
        token.claims.check(now)?;
        let audience = token.claims.audiences()?.iter();
        let audience = audience.into_iter().find(|one| audiences.is_empty() || audiences.contains(one));
        Ok(WebIdentity {
            account,
            provider: name.into(),
            subject: token.claims.subject()?.into(),
            audience: audience.ok_or(TokenRefusal::Audience)?.clone(),
        })
    }
}

fn understood(provider: &IdentityProvider) -> Result<Provider, ProviderError> {
    let issuer = &provider.issuer;
    let name = name_of_issuer(issuer).ok_or_else(|| ProviderError::InvalidIssuer(issuer.clone()))?;
    let keys = keys_of_set(&provider.keys)
        .map_err(|reason| ProviderError::Keys { issuer: issuer.clone(), reason })?;
    Ok(Provider {
        account: provider.account,
        name: name.into(),
        audiences: provider.audiences.clone(),
        keys: keys.into(),
    })
}

/// An issuer's URL without scheme and final slash. AWS takes `https` only; without it, tests need no certificates.
pub(crate) fn name_of_issuer(issuer: &str) -> Option<&str> {
    let name = issuer.strip_prefix("https://").or_else(|| issuer.strip_prefix("http://"))?;
    let name = name.strip_suffix('/').unwrap_or(name);
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"?#\"<>".contains(&byte);
    (!name.is_empty() && !name.starts_with('/') && name.bytes().all(is_plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_issuer_is_called_by_host_and_path() {
        assert_eq!(name_of_issuer("https://gitlab.example.com"), Some("gitlab.example.com"));
        assert_eq!(name_of_issuer("http://127.0.0.1:5000/gitlab/"), Some("127.0.0.1:5000/gitlab"));
        for text in ["gitlab.example.com", "https://", "https:///x", "ftp://x", "https://a b", ""] {
            assert_eq!(name_of_issuer(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_issuer_or_none(text in any::<String>()) {
            let _ = name_of_issuer(&text);
        }
    }
}
