//! Registry host names: which registry of Amazon ECR a request means, if it means one at all.
//!
//! The parser is total and reads the whole text; what is not one of the forms of the table in `partition.rs` is
//! refused before anything else happens. Substring tests and unanchored patterns in other tools have sent
//! credentials to look-alike hosts (GO-2026-6225, kubernetes/cloud-provider-aws issues 651 and 737).

mod address;
mod partition;

use std::fmt;

pub use self::address::{Address, AddressError, Scheme};
pub use self::partition::{AddedPartition, Partition, PartitionError, Partitions};

/// The host of ECR Public.
const PUBLIC_HOST: &str = "public.ecr.aws";

/// The host of ECR Public for IPv4 and IPv6
/// (<https://docs.aws.amazon.com/AmazonECR/latest/public/public-ecr-requests.html>).
const PUBLIC_DUAL_STACK_HOST: &str = "ecr-public.aws.com";

/// The region whose API hands out the tokens of ECR Public
/// (<https://docs.aws.amazon.com/general/latest/gr/ecr-public.html>).
const PUBLIC_REGION: &str = "us-east-1";

/// The account that nobody has.
const NOBODY: &str = "000000000000";

/// One registry of Amazon ECR, as its host name describes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Registry {
    kind: Kind,
    partition: Partition,
    region: String,
    fips: bool,
    dual_stack: bool,
}

/// Whose registry it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The private registry of an account in a region.
    Private {
        /// The account, 12 digits.
        account: String,
    },
    /// ECR Public.
    Public,
}

impl Registry {
    /// Reads a registry from what a caller wrote: a host name, optionally after `https://`, optionally with the
    /// port 443, optionally followed by a plain path, which is not kept.
    ///
    /// # Errors
    /// If the text is anything else; see [`RegistryError`].
    pub fn parse(text: &str) -> Result<Self, RegistryError> {
        Partitions::default().parse(text)
    }

    /// The registry that an address names.
    ///
    /// # Errors
    /// If it names none, or does so by plain HTTP or another port than 443.
    pub fn from_address(address: &Address) -> Result<Self, RegistryError> {
        Partitions::default().registry(address)
    }
}

impl Partitions {
    /// As [`Registry::parse`], among the registries of these partitions.
    ///
    /// # Errors
    /// As there.
    pub fn parse(&self, text: &str) -> Result<Registry, RegistryError> {
        self.registry(&Address::parse(text)?)
    }

    /// As [`Registry::from_address`], among the registries of these partitions.
    ///
    /// # Errors
    /// As there.
    pub fn registry(&self, address: &Address) -> Result<Registry, RegistryError> {
        let registry = self.registry_of_host(address.host())?;
        if address.scheme() == Some(Scheme::Http) {
            return Err(RegistryError::PlainHttp);
        }
        match address.port() {
            None => Ok(registry),
            Some(port) => Err(RegistryError::Port { port }),
        }
    }

    /// A private registry in this region, of nobody's account: for what depends on the region alone. `None` where no
    /// partition has the region.
    pub(crate) fn somewhere_in(&self, region: &str) -> Option<Registry> {
        let partition = self.with_region(region)?;
        let kind = Kind::Private { account: NOBODY.to_owned() };
        Some(Registry { kind, partition, region: region.to_owned(), fips: false, dual_stack: false })
    }

    /// Reads a lower-case host name.
    fn registry_of_host(&self, host: &str) -> Result<Registry, RegistryError> {
        if host == PUBLIC_HOST || host == PUBLIC_DUAL_STACK_HOST {
            return Ok(Registry::public(host == PUBLIC_DUAL_STACK_HOST));
        }
        let not_ecr = || RegistryError::NotEcr { host: host.to_owned() };
        let (account, service) = host.split_once('.').ok_or_else(not_ecr)?;
        let (marker, region_and_suffix) = Marker::split(service).ok_or_else(not_ecr)?;
        let (region, suffix) = region_and_suffix.split_once('.').ok_or_else(not_ecr)?;
        if !self.have_suffix(suffix, marker.dual_stack) {
            return Err(RegistryError::Suffix { host: host.to_owned() });
        }
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(RegistryError::Account { account: account.to_owned() });
        }
        let partition = self
            .of(region, suffix, marker.dual_stack)
            .ok_or_else(|| RegistryError::Region { region: region.to_owned(), suffix: suffix.to_owned() })?;
        Ok(Registry {
            kind: Kind::Private { account: account.to_owned() },
            partition,
            region: region.to_owned(),
            fips: marker.fips,
            dual_stack: marker.dual_stack,
        })
    }
}

impl Registry {
    fn public(dual_stack: bool) -> Self {
        Self {
            kind: Kind::Public,
            partition: Partition::AWS,
            region: PUBLIC_REGION.to_owned(),
            fips: false,
            dual_stack,
        }
    }

    /// Whose registry it is.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether it is ECR Public.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.kind == Kind::Public
    }

    /// The 12 digits of the account; `None` for ECR Public.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        match &self.kind {
            Kind::Private { account } => Some(account),
            Kind::Public => None,
        }
    }

    /// The partition that region and suffix belong to.
    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The region whose API hands out tokens for this registry.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Whether the host asks for FIPS endpoints; the API is then called by its FIPS endpoint as well.
    #[must_use]
    pub fn fips(&self) -> bool {
        self.fips
    }

    /// Whether the host answers by IPv4 and IPv6; the API is then called by its dual-stack endpoint as well.
    #[must_use]
    pub fn dual_stack(&self) -> bool {
        self.dual_stack
    }

    /// The host name in its canonical form.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.kind {
            Kind::Public if self.dual_stack => PUBLIC_DUAL_STACK_HOST.to_owned(),
            Kind::Public => PUBLIC_HOST.to_owned(),
            Kind::Private { account } => {
                let marker = Marker { fips: self.fips, dual_stack: self.dual_stack };
                let suffix = self.partition.suffix(self.dual_stack);
                format!("{account}.{}.{}.{suffix}", marker.text(), self.region)
            }
        }
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.host())
    }
}

/// The part of a private registry's host between account and region. Dual-stack hosts join `dkr` and `ecr` by a
/// hyphen (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html>).
#[derive(Clone, Copy)]
struct Marker {
    fips: bool,
    dual_stack: bool,
}

impl Marker {
    const ALL: [Self; 4] = [
        Self { fips: false, dual_stack: false },
        Self { fips: true, dual_stack: false },
        Self { fips: false, dual_stack: true },
        Self { fips: true, dual_stack: true },
    ];

    fn text(self) -> &'static str {
        match (self.fips, self.dual_stack) {
            (false, false) => "dkr.ecr",
            (true, false) => "dkr.ecr-fips",
            (false, true) => "dkr-ecr",
            (true, true) => "dkr-ecr-fips",
        }
    }

    /// Splits the marker off the front of `service`, with the dot after it.
    fn split(service: &str) -> Option<(Self, &str)> {
        Self::ALL.into_iter().find_map(|marker| {
            let rest = service.strip_prefix(marker.text())?.strip_prefix('.')?;
            Some((marker, rest))
        })
    }
}

/// Why a text names no registry of Amazon ECR.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// It is not a plain address at all.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// It is the address of something else.
    #[error("`{host}` is not a registry of Amazon ECR")]
    NotEcr {
        /// The host in lower case.
        host: String,
    },
    /// It is built like a registry's name, but below a domain that is not Amazon's.
    #[error("`{host}` looks like a registry of Amazon ECR, but its domain is not one of Amazon's")]
    Suffix {
        /// The host in lower case.
        host: String,
    },
    /// The account is not 12 digits.
    #[error("`{account}` is not an AWS account: 12 digits are")]
    Account {
        /// What stands in its place.
        account: String,
    },
    /// The region does not belong to the domain.
    #[error("`{region}` is not an AWS region with registries below `{suffix}`")]
    Region {
        /// What stands in the region's place.
        region: String,
        /// The domain after it.
        suffix: String,
    },
    /// Registries of Amazon ECR are only reached by HTTPS.
    #[error("registries of Amazon ECR are not reached by plain HTTP")]
    PlainHttp,
    /// Registries of Amazon ECR only listen on port 443.
    #[error("registries of Amazon ECR do not listen on port {port}")]
    Port {
        /// The port that was named.
        port: u16,
    },
}

impl RegistryError {
    /// Whether the text is the address of some other host, as any caller of a credential store may ask for: no
    /// reason to warn anybody.
    #[must_use]
    pub fn is_another_host(&self) -> bool {
        matches!(self, Self::NotEcr { .. })
    }
}

#[cfg(test)]
mod tests;
