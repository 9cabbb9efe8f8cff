//! A seed file as it is written. Every table refuses keys that it does not know.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use toml::{Spanned, Value};

/// The tables of a file, by their names in the singular, as `[[user]]` reads.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    #[serde(default)]
    pub(super) account: Vec<Account>,
    #[serde(default)]
    pub(super) user: Vec<Identity>,
    #[serde(default)]
    pub(super) role: Vec<Identity>,
    #[serde(default)]
    pub(super) identity_provider: Vec<IdentityProvider>,
    pub(super) gitlab: Option<GitLab>,
    pub(super) public_registry: Option<PublicRegistry>,
    #[serde(default)]
    pub(super) registry: Vec<Registry>,
    #[serde(default)]
    pub(super) repository: Vec<Repository>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    pub(super) id: Spanned<String>,
    pub(super) public_alias: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    pub(super) account: Option<Spanned<String>>,
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) policies: Vec<Spanned<Value>>,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    /// Of roles only.
    pub(super) trust_policy: Option<Spanned<Value>>,
}

/// An issuer of tokens, with the key set that AWS would fetch from it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityProvider {
    pub(super) account: Option<Spanned<String>>,
    pub(super) issuer: Spanned<String>,
    #[serde(default)]
    pub(super) audiences: Vec<String>,
    pub(super) keys: Spanned<Value>,
}

/// The emulated GitLab.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GitLab {
    pub(super) issuer: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) audiences: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublicRegistry {
    pub(super) port: u16,
}

/// An account and a region, and what their registry is set to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Registry {
    pub(super) account: Spanned<String>,
    pub(super) region: Spanned<String>,
    pub(super) port: Option<u16>,
    #[serde(default)]
    pub(super) blob_mounting: bool,
    #[serde(default)]
    pub(super) template: Vec<Template>,
    #[serde(default)]
    pub(super) cache_rule: Vec<CacheRule>,
}

/// A pull-through cache rule.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CacheRule {
    pub(super) prefix: Spanned<String>,
    pub(super) upstream: Spanned<String>,
    pub(super) upstream_prefix: Option<Spanned<String>>,
}

/// A repository creation template for pushes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Template {
    pub(super) prefix: Spanned<String>,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) mutability: Mutability,
    #[serde(default)]
    pub(super) mutability_exclusions: Vec<Spanned<String>>,
    pub(super) policy: Option<Spanned<Value>>,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Repository {
    pub(super) account: Option<Spanned<String>>,
    pub(super) region: Option<Spanned<String>>,
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) public: bool,
    #[serde(default)]
    pub(super) mutability: Mutability,
    #[serde(default)]
    pub(super) mutability_exclusions: Vec<Spanned<String>>,
    pub(super) policy: Option<Spanned<Value>>,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) image: Vec<Image>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Image {
    pub(super) from: PathBuf,
    pub(super) reference: Option<String>,
    #[serde(default)]
    pub(super) tags: Vec<Spanned<String>>,
}

/// As ECR's API writes it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Mutability {
    #[default]
    Mutable,
    Immutable,
}
