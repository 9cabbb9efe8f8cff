//! Who a registry belongs to: emulated accounts, regions and the registry host names made of them.

use std::fmt;
use std::str::FromStr;

/// An emulated AWS account, `000000000000` to `000000000099`.
///
/// The type cannot hold any other number, so nothing that the emulator says or serves can name a real account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(u8);

impl AccountId {
    const MAX: u8 = 99;

    /// The account with this number, or nothing above 99.
    pub const fn new(number: u8) -> Option<Self> {
        if number <= Self::MAX { Some(Self(number)) } else { None }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl FromStr for AccountId {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("0000000000")
            .filter(|digits| digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .and_then(Self::new)
            .ok_or_else(|| PlaceError::Account(text.into()))
    }
}

/// A region of the `aws` partition, such as `eu-west-1`.
///
/// Other partitions have other host names (`amazonaws.com.cn`, `amazonaws.eu`), which the emulator does not serve.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(String);

impl Region {
    const MAX_LENGTH: usize = 32;
    /// The first words of region names in the partition `aws` (and `us-gov`, which shares its suffix), after
    /// botocore's partitions.json.
    const FIRST_WORDS: [&str; 9] = ["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"];

    /// The name as AWS writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Region {
    fn default() -> Self {
        Self("us-east-1".into())
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Region {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = text.split('-').collect();
        let valid = text.len() <= Self::MAX_LENGTH
            && matches!(words.as_slice(), [first, middle @ .., last]
                if Self::FIRST_WORDS.contains(first)
                    && !middle.is_empty()
                    && middle.iter().all(|word| is_word(word, |byte| byte.is_ascii_lowercase()))
                    && is_word(last, |byte| byte.is_ascii_digit()));
        if valid { Ok(Self(text.into())) } else { Err(PlaceError::Region(text.into())) }
    }
}

fn is_word(text: &str, accepts: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(accepts)
}

/// A private registry: every account has one in every region.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RegistryId {
    /// The account that owns the registry.
    pub(crate) account: AccountId,
    /// The region that it is in.
    pub(crate) region: Region,
}

impl RegistryId {
    /// The registry's host name, `<account>.dkr.ecr.<region>.amazonaws.com`.
    pub(crate) fn host(&self) -> String {
        format!("{}.dkr.ecr.{}.amazonaws.com", self.account, self.region)
    }

    /// The registry that a host name (lower case, without a port) belongs to, if the emulator has it.
    pub(crate) fn of_host(host: &str) -> Option<Self> {
        let (account, region) = host.strip_suffix(".amazonaws.com")?.split_once(".dkr.ecr.")?;
        Some(Self { account: account.parse().ok()?, region: region.parse().ok()? })
    }

    pub(crate) fn repository_arn(&self, repository: impl fmt::Display) -> String {
        format!("arn:aws:ecr:{}:{}:repository/{repository}", self.region, self.account)
    }
}

/// A registry of either kind. Repositories belong to one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Registry {
    Private(RegistryId),
    /// Of ECR Public, which has one for each account and no regions.
    Public(AccountId),
}

impl Registry {
    pub(crate) const fn account(&self) -> AccountId {
        match self {
            Self::Private(registry) => registry.account,
            Self::Public(account) => *account,
        }
    }

    pub(crate) fn repository_arn(&self, repository: impl fmt::Display) -> String {
        match self {
            Self::Private(registry) => registry.repository_arn(repository),
            Self::Public(account) => format!("arn:aws:ecr-public::{account}:repository/{repository}"),
        }
    }
}

impl From<RegistryId> for Registry {
    fn from(registry: RegistryId) -> Self {
        Self::Private(registry)
    }
}

/// An account or a region that the emulator cannot play.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// Not one of the hundred emulated accounts.
    #[error("account `{0}` is not an emulated one")]
    Account(String),
    /// Not shaped like a region of the partition `aws`.
    #[error("`{0}` is not a region of the partition `aws`")]
    Region(String),
}

impl PlaceError {
    /// What to write instead.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Account(_) => "use an account from 000000000000 to 000000000099".into(),
            Self::Region(_) => "use a region such as us-east-1 or eu-west-1".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_a_hundred_accounts_exist() {
        assert_eq!("000000000042".parse::<AccountId>().unwrap().to_string(), "000000000042");
        for text in ["123456789012", "000000000100", "00000000004", "0000000000+1", "0000000000420", ""] {
            assert_eq!(text.parse::<AccountId>(), Err(PlaceError::Account(text.into())));
        }
        assert_eq!(AccountId::new(100), None);
    }

    #[test]
    fn regions_of_other_partitions_and_paths_are_refused() {
        for text in ["us-east-1", "ap-southeast-2", "us-gov-west-1"] {
            assert_eq!(text.parse::<Region>().unwrap().as_str(), text);
        }
        for text in
            ["cn-north-1", "eusc-de-east-1", "us-1", "us-east", "us--1", "us-../..-1", "US-EAST-1", ""]
        {
            assert!(text.parse::<Region>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_registry_is_known_by_its_whole_host_name() {
        let registry = RegistryId { account: AccountId(1), region: "eu-west-1".parse().unwrap() };
        assert_eq!(registry.host(), "000000000001.dkr.ecr.eu-west-1.amazonaws.com");
        assert_eq!(RegistryId::of_host(&registry.host()), Some(registry));
        for host in [
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "000000000001.dkr.ecr.eu-west-1.amazonaws.com.example",
            "x.000000000001.dkr.ecr.eu-west-1.amazonaws.com",
            "000000000001.dkr.ecr.cn-north-1.amazonaws.com",
        ] {
            assert_eq!(RegistryId::of_host(host), None, "{host}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_place_or_an_error(text in any::<String>()) {
            if let Ok(account) = text.parse::<AccountId>() {
                prop_assert_eq!(account.to_string(), text.clone());
            }
            if let Ok(region) = text.parse::<Region>() {
                prop_assert!(!region.as_str().contains(['/', '.']));
            }
            let _ = RegistryId::of_host(&text);
        }
    }
}
