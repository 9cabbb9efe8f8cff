//! Which registries a rule is for.

use crate::glob;
use crate::registry::{Partition, Partitions, Registry};

/// `ACCOUNT.dkr.ecr.REGION.DOMAIN[/PATH]` with `*` in account, region and path; `public.ecr.aws[/PATH]`; or `*`.
///
/// A rule is about account and region, however they are reached: FIPS and dual-stack hosts match as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    hosts: Hosts,
    path: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    All,
    Public,
    Private { account: String, region: String, partitions: Vec<Partition> },
}

/// What a pattern must look like.
pub(super) const EXPECTED: &str = "ACCOUNT.dkr.ecr.REGION.DOMAIN or public.ecr.aws, with `*` in account, region and the path behind, or `*`";

impl Pattern {
    /// Reads a pattern; `None` if the text is none.
    pub(super) fn parse(text: &str, partitions: &Partitions) -> Option<Self> {
        let (host, path) = match text.split_once('/') {
            Some((host, path)) => (host, Some(path.to_owned())),
            None => (text, None),
        };
        let is_path = |path: &String| {
            !path.is_empty()
                && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*._-/:".contains(&byte))
        };
        if path.as_ref().is_some_and(|path| !is_path(path)) {
            return None;
        }
        let hosts = Hosts::parse(host, partitions)?;
        Some(Self { text: text.to_owned(), hosts, path })
    }

    /// Whether the rule is for `registry` when it is asked for with `path` behind it.
    #[must_use]
    pub fn matches(&self, registry: &Registry, path: &str) -> bool {
        self.hosts.have(registry) && self.path.as_ref().is_none_or(|pattern| glob::matches(pattern, path))
    }

    /// The server that it names, if it names exactly one.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        (!self.text.contains('*')).then_some(&self.text)
    }

    /// The pattern as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Hosts {
    fn parse(host: &str, partitions: &Partitions) -> Option<Self> {
        if host == "*" {
            return Some(Self::All);
        }
        // A host with letters and digits in the place of the stars tells whether the rest is right.
        if partitions.parse(host).is_ok_and(|registry| registry.is_public()) {
            return Some(Self::Public);
        }
        let (account, rest) = host.split_once('.')?;
        let is_account = |byte: u8| byte.is_ascii_digit() || byte == b'*';
        let has_length = if account.contains('*') { account.len() <= 12 } else { account.len() == 12 };
        if account.is_empty() || !has_length || !account.bytes().all(is_account) {
            return None;
        }
        let markers = ["dkr.ecr.", "dkr.ecr-fips.", "dkr-ecr.", "dkr-ecr-fips."];
        let (region, suffix) =
            markers.into_iter().find_map(|marker| rest.strip_prefix(marker))?.split_once('.')?;
        let is_region =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-*".contains(&byte);
        if region.is_empty() || !region.bytes().all(is_region) {
            return None;
        }
        let partitions: Vec<_> = partitions.with_domain(suffix).collect();
        (!partitions.is_empty()).then(|| Self::Private {
            account: account.to_owned(),
            region: region.to_owned(),
            partitions,
        })
    }

    fn have(&self, registry: &Registry) -> bool {
        match self {
            Self::All => true,
            Self::Public => registry.is_public(),
            Self::Private { account, region, partitions } => {
                registry.account().is_some_and(|own| glob::matches(account, own))
                    && glob::matches(region, registry.region())
                    && partitions.contains(registry.partition())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        let address = crate::registry::Address::parse(text).unwrap();
        let registry = Registry::from_address(&address).unwrap();
        Pattern::parse(pattern, &Partitions::default()).expect(pattern).matches(&registry, address.path())
    }

    #[test]
    fn account_region_and_path_may_have_stars() {
        let host = "000000000001.dkr.ecr.eu-west-1.amazonaws.com";
        for pattern in [
            host,
            "000000000001.dkr.ecr.*.amazonaws.com",
            "*.dkr.ecr.eu-*.amazonaws.com",
            "0000*.dkr.ecr.*.amazonaws.com/team/*",
            "*",
            "*/team/*",
        ] {
            assert!(matches(pattern, &format!("https://{host}/team/app")), "{pattern}");
        }
        for pattern in [
            "000000000002.dkr.ecr.*.amazonaws.com",
            "*.dkr.ecr.us-*.amazonaws.com",
            "*.dkr.ecr.*.amazonaws.com.cn",
            "*.dkr.ecr.*.amazonaws.com/other/*",
            "public.ecr.aws",
        ] {
            assert!(!matches(pattern, &format!("{host}/team/app")), "{pattern}");
        }
        assert!(!matches("*/team/*", host), "a path that is not asked for matches no pattern of one");
    }

    #[test]
    fn every_way_to_a_registry_is_meant() {
        let pattern = "000000000001.dkr.ecr.*.amazonaws.com";
        for host in [
            "000000000001.dkr.ecr-fips.us-east-1.amazonaws.com",
            "000000000001.dkr-ecr.us-east-1.on.aws",
            "000000000001.dkr.ecr.us-gov-west-1.amazonaws.com",
        ] {
            assert!(matches(pattern, host), "{host}");
        }
        assert!(matches("public.ecr.aws", "ecr-public.aws.com/a"));
    }

    #[test]
    fn what_can_match_nothing_is_no_pattern() {
        for text in [
            "",
            "docker.io",
            "1.dkr.ecr.*.amazonaws.com",
            "000000000001.dkr.ecr.amazonaws.com",
            "000000000001.dkr.ecr.*.example.com",
            "000000000001.dkr.*.*.amazonaws.com",
            "https://000000000001.dkr.ecr.*.amazonaws.com",
            "*.dkr.ecr.*.amazonaws.com/",
            "*.dkr.ecr.*.amazonaws.com/a b",
        ] {
            assert_eq!(Pattern::parse(text, &Partitions::default()), None, "{text}");
        }
    }
}
