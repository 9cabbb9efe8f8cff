//! Identities by OpenID Connect: the issuers that accounts trust, the tokens that these sign, and an emulated GitLab
//! that is such an issuer.
//!
//! Signatures are checked and made by *ring*, which TLS links already. What is left of a JSON Web Token then (RFC 7515
//! and 7519) is three pieces of base64, and rules whose refusals are AWS's own.

mod discovery;
pub(crate) mod fuzzing;
mod gitlab;
mod gitlab_claims;
mod providers;
mod public_key;
mod signing_key;
mod token;

pub(crate) use discovery::{answer, operation};
pub(crate) use gitlab::GitLab;
pub use gitlab::{GitLabError, GitLabIssuer};
pub use gitlab_claims::{GitLabClaims, SigningAlgorithm};
pub use providers::{IdentityProvider, ProviderError};
pub(crate) use providers::{Providers, WebIdentity, name_of_issuer};
pub(crate) use token::{MAX_TOKEN, TokenRefusal};
