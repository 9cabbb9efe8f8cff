//! Pull-through cache rules: which upstream the repositories below a prefix are filled from.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{RepositoryPrefix, StoreError};
use crate::accounts::RegistryId;
use crate::registry::names::{InvalidName, RepositoryName};
use crate::registry::public;

/// The rules of one registry, by the prefix of the repositories that they fill.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct CacheRules(BTreeMap<RepositoryPrefix, CacheRule>);

impl CacheRules {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&RepositoryPrefix, &CacheRule)> {
        self.0.iter()
    }

    pub(crate) fn get(&self, prefix: &RepositoryPrefix) -> Option<&CacheRule> {
        self.0.get(prefix)
    }

    pub(crate) fn add(&mut self, prefix: RepositoryPrefix, rule: CacheRule) -> Result<(), StoreError> {
        if self.0.contains_key(&prefix) {
            return Err(StoreError::CacheRuleExists);
        }
        self.0.insert(prefix, rule);
        Ok(())
    }

    /// Adds a rule, or puts it in the place of the one for the same prefix.
    pub(crate) fn put(&mut self, prefix: RepositoryPrefix, rule: CacheRule) {
        self.0.insert(prefix, rule);
    }

    pub(crate) fn remove(&mut self, prefix: &RepositoryPrefix) -> Result<CacheRule, StoreError> {
        self.0.remove(prefix).ok_or(StoreError::NoCacheRule)
    }

    /// Where a repository is filled from: the upstream of the longest prefix that fits, and the name there.
    pub(crate) fn origin_of(&self, name: &RepositoryName) -> Option<(&Upstream, String)> {
        let fits = self.0.iter().filter_map(|(prefix, rule)| Some((prefix, rule, prefix.rest_of(name)?)));
        let (_, rule, rest) = fits.max_by_key(|(prefix, ..)| prefix.specificity())?;
        let name = match rule.upstream_prefix.as_ref().and_then(RepositoryPrefix::written) {
            Some(upstream_prefix) => format!("{upstream_prefix}/{rest}"),
            None => rest.to_owned(),
        };
        Some((&rule.upstream, name))
    }
}

/// What is pulled through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CacheRule {
    pub(crate) upstream: Upstream,
    /// What the names of upstream's repositories begin with, in place of the rule's own prefix.
    pub(crate) upstream_prefix: Option<RepositoryPrefix>,
    /// In seconds since 1970.
    pub(crate) created: i64,
}

/// A registry that the emulator holds as well: it asks nobody outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Upstream {
    EcrPublic,
    Ecr(RegistryId),
}

impl Upstream {
    /// What ECR calls it (Amazon ECR API reference, `upstreamRegistry`).
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::EcrPublic => "ecr-public",
            Self::Ecr(_) => "ecr",
        }
    }

    /// Whether a rule of `registry` can name it. Another account's registry would need a role by which ECR reads there
    /// ("Setting up permissions for cross-account ECR to ECR PTC", Amazon ECR user guide), which is not imitated.
    pub(crate) fn is_open_to(&self, registry: &RegistryId) -> bool {
        match self {
            Self::EcrPublic => true,
            Self::Ecr(upstream) => upstream.account == registry.account && upstream != registry,
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EcrPublic => f.write_str(public::HOST),
            Self::Ecr(registry) => f.write_str(&registry.host()),
        }
    }
}

impl FromStr for Upstream {
    type Err = InvalidName;

    fn from_str(host: &str) -> Result<Self, InvalidName> {
        if host == public::HOST {
            return Ok(Self::EcrPublic);
        }
        RegistryId::of_host(host).map(Self::Ecr).ok_or(InvalidName("upstream registry"))
    }
}

impl TryFrom<String> for Upstream {
    type Error = InvalidName;

    fn try_from(host: String) -> Result<Self, InvalidName> {
        host.parse()
    }
}

impl From<Upstream> for String {
    fn from(upstream: Upstream) -> Self {
        upstream.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_says_where_a_repository_is_filled_from() {
        let mut rules = CacheRules::default();
        let ecr = "000000000000.dkr.ecr.eu-west-1.amazonaws.com";
        for (prefix, upstream, upstream_prefix) in [
            ("ROOT", "public.ecr.aws", None),
            ("hub", "public.ecr.aws", Some("docker")),
            ("hub/own/", ecr, Some("ROOT")),
        ] {
            let upstream_prefix = upstream_prefix.map(|prefix| prefix.parse().unwrap());
            let rule = CacheRule { upstream: upstream.parse().unwrap(), upstream_prefix, created: 0 };
            rules.add(prefix.parse().unwrap(), rule).unwrap();
        }
        let origin = |name: &str| {
            let name = name.parse().unwrap();
            rules.origin_of(&name).map(|(upstream, name)| (upstream.to_string(), name)).unwrap()
        };
        assert_eq!(origin("hub/library/alpine"), ("public.ecr.aws".into(), "docker/library/alpine".into()));
        assert_eq!(origin("hub/own/app"), (ecr.into(), "app".into()));
        assert_eq!(origin("hubs/app"), ("public.ecr.aws".into(), "hubs/app".into()));
        assert_eq!(CacheRules::default().origin_of(&"hub/app".parse().unwrap()), None);
    }

    #[test]
    fn an_upstream_is_one_that_the_emulator_holds() {
        for host in ["public.ecr.aws", "000000000099.dkr.ecr.us-east-1.amazonaws.com"] {
            assert_eq!(host.parse::<Upstream>().unwrap().to_string(), host);
        }
        for host in [
            "",
            "quay.io",
            "registry-1.docker.io",
            "111122223333.dkr.ecr.us-east-1.amazonaws.com",
            "localhost",
        ] {
            assert!(host.parse::<Upstream>().is_err(), "{host}");
        }
    }
}
