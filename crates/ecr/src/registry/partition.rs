//! The partitions of AWS, and the domains below which their registries live.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::Deserialize;

use crate::glob;

/// A partition of AWS: a group of regions with its own accounts and domains.
#[derive(Clone)]
pub struct Partition(Which);

#[derive(Clone)]
enum Which {
    /// A row of the table below.
    Known(&'static Row),
    /// One that the configuration adds.
    Added(Arc<AddedPartition>),
}

/// What sets a partition of the table apart.
struct Row {
    name: &'static str,
    /// The domain of the hosts that answer by IPv4.
    suffix: &'static str,
    /// The domain of the hosts that answer by IPv4 and IPv6, where registries have such hosts.
    dual_stack_suffix: Option<&'static str>,
    regions: Regions,
}

/// How the regions of a partition are named: words joined by hyphens, the last one a number.
struct Regions {
    /// The words that every region of the partition starts with.
    head: &'static [&'static [u8]],
    /// How many words there are, the number included.
    words: usize,
}

/// A partition that is younger than this program, as the configuration describes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AddedPartition {
    /// The name that AWS gives it, as in ARNs.
    pub name: String,
    /// The domain of registry hosts that answer by IPv4.
    pub suffix: String,
    /// The domain of registry hosts that answer by IPv4 and IPv6.
    pub dual_stack_suffix: Option<String>,
    /// The domain of the API's endpoints that answer by IPv4.
    pub api_suffix: String,
    /// The domain of the API's endpoints that answer by IPv4 and IPv6.
    pub dual_stack_api_suffix: Option<String>,
    /// Patterns of region names, in which `*` stands for any characters.
    pub regions: Vec<String>,
}

/// The longest region name; today's longest has 14 bytes.
const MAX_REGION_BYTES: usize = 32;

/// Partitions, domains and the shapes of region names follow the SDK's own table (`partitions.json` of the AWS
/// SDKs); the registry hosts follow
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html> and
/// <https://docs.aws.amazon.com/general/latest/gr/ecr.html>. Dual-stack registry hosts of the isolated partitions
/// are documented nowhere, so that there are none here.
const ROWS: [Row; 8] = [
    Row {
        name: "aws",
        suffix: "amazonaws.com",
        dual_stack_suffix: Some("on.aws"),
        regions: Regions { head: &[], words: 3 },
    },
    Row {
        name: "aws-us-gov",
        suffix: "amazonaws.com",
        dual_stack_suffix: Some("on.aws"),
        regions: Regions { head: &[b"us", b"gov"], words: 4 },
    },
    Row {
        name: "aws-cn",
        suffix: "amazonaws.com.cn",
        dual_stack_suffix: Some("on.amazonwebservices.com.cn"),
        regions: Regions { head: &[b"cn"], words: 3 },
    },
    Row {
        name: "aws-eusc",
        suffix: "amazonaws.eu",
        dual_stack_suffix: Some("on.amazonwebservices.eu"),
        regions: Regions { head: &[b"eusc"], words: 4 },
    },
    Row {
        name: "aws-iso",
        suffix: "c2s.ic.gov",
        dual_stack_suffix: None,
        regions: Regions { head: &[b"us", b"iso"], words: 4 },
    },
    Row {
        name: "aws-iso-b",
        suffix: "sc2s.sgov.gov",
        dual_stack_suffix: None,
        regions: Regions { head: &[b"us", b"isob"], words: 4 },
    },
    Row {
        name: "aws-iso-e",
        suffix: "cloud.adc-e.uk",
        dual_stack_suffix: None,
        regions: Regions { head: &[b"eu", b"isoe"], words: 4 },
    },
    Row {
        name: "aws-iso-f",
        suffix: "csp.hci.ic.gov",
        dual_stack_suffix: None,
        regions: Regions { head: &[b"us", b"isof"], words: 4 },
    },
];

impl Partition {
    /// The commercial partition, `aws`.
    pub(super) const AWS: Self = Self(Which::Known(&ROWS[0]));

    /// All partitions of the table.
    fn known() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| Self(Which::Known(row)))
    }

    /// The name that AWS gives it, as in ARNs.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.0 {
            Which::Known(row) => row.name,
            Which::Added(added) => &added.name,
        }
    }

    /// The description of a partition that the configuration adds; the SDK does not know its endpoints.
    #[must_use]
    pub fn added(&self) -> Option<&AddedPartition> {
        match &self.0 {
            Which::Known(_) => None,
            Which::Added(added) => Some(added),
        }
    }

    /// The domain of its registries.
    pub(super) fn suffix(&self, dual_stack: bool) -> &str {
        self.suffix_of(dual_stack).or_else(|| self.suffix_of(false)).unwrap_or_default()
    }

    /// The domain of its registries of this kind, if it has any.
    pub(super) fn suffix_of(&self, dual_stack: bool) -> Option<&str> {
        match (&self.0, dual_stack) {
            (Which::Known(row), false) => Some(row.suffix),
            (Which::Known(row), true) => row.dual_stack_suffix,
            (Which::Added(added), false) => Some(&added.suffix),
            (Which::Added(added), true) => added.dual_stack_suffix.as_deref(),
        }
    }

    fn has_region(&self, region: &str) -> bool {
        match &self.0 {
            Which::Known(row) => row.regions.have(region),
            Which::Added(added) => {
                is_region(region) && added.regions.iter().any(|pattern| glob::matches(pattern, region))
            }
        }
    }

    fn sort_key(&self) -> (&str, Option<&AddedPartition>) {
        (self.name(), self.added())
    }
}

/// The partitions whose registries are recognised: those of the table, and those that the configuration adds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partitions {
    added: Vec<Partition>,
}

impl Partitions {
    /// Adds a partition; an earlier one of its name goes.
    ///
    /// # Errors
    /// If the table has one of its name or with one of its domains, or a name, domain or pattern is not one.
    pub fn add(&mut self, partition: AddedPartition) -> Result<(), PartitionError> {
        check(&partition)?;
        self.added.retain(|other| other.name() != partition.name);
        self.added.push(Partition(Which::Added(Arc::new(partition))));
        Ok(())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Partition> {
        Partition::known().chain(self.added.iter().cloned())
    }

    /// The partition whose registries have this domain and in which the region can lie.
    pub(super) fn of(&self, region: &str, suffix: &str, dual_stack: bool) -> Option<Partition> {
        self.iter()
            .find(|partition| partition.suffix_of(dual_stack) == Some(suffix) && partition.has_region(region))
    }

    /// The partition in which the region can lie.
    pub(super) fn with_region(&self, region: &str) -> Option<Partition> {
        self.iter().find(|partition| partition.has_region(region))
    }

    /// The partitions with registries below this domain, of whatever kind.
    pub(crate) fn with_domain(&self, suffix: &str) -> impl Iterator<Item = Partition> {
        self.iter().filter(move |partition| {
            [false, true].iter().any(|kind| partition.suffix_of(*kind) == Some(suffix))
        })
    }

    /// Whether registries of any partition have this domain.
    pub(super) fn have_suffix(&self, suffix: &str, dual_stack: bool) -> bool {
        self.iter().any(|partition| partition.suffix_of(dual_stack) == Some(suffix))
    }
}

/// Why a partition cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartitionError {
    /// The table has it.
    #[error("the partition `{name}` is known and cannot be changed")]
    Known {
        /// Its name.
        name: String,
    },
    /// The domain belongs to a partition of the table.
    #[error("the domain `{domain}` belongs to the partition `{name}`")]
    Taken {
        /// The domain.
        domain: String,
        /// The partition that has it.
        name: String,
    },
    /// It is not the name of a partition.
    #[error("`{name}` is not the name of a partition: it has lower-case letters, digits and hyphens")]
    Name {
        /// What stands in the name's place.
        name: String,
    },
    /// It is not a domain.
    #[error("`{domain}` is not a domain of at least two lower-case parts")]
    Domain {
        /// What stands in the domain's place.
        domain: String,
    },
    /// It is not a pattern of region names.
    #[error("`{pattern}` is not a pattern of regions: it has lower-case letters, digits, hyphens and `*`")]
    Region {
        /// What stands in the pattern's place.
        pattern: String,
    },
}

fn check(partition: &AddedPartition) -> Result<(), PartitionError> {
    let name = || partition.name.clone();
    if !is_label(&partition.name) {
        return Err(PartitionError::Name { name: name() });
    }
    if Partition::known().any(|known| known.name() == partition.name) {
        return Err(PartitionError::Known { name: name() });
    }
    let registries = [Some(&partition.suffix), partition.dual_stack_suffix.as_ref()];
    for domain in registries.into_iter().flatten() {
        let has = |known: &Partition| [false, true].iter().any(|kind| known.suffix_of(*kind) == Some(domain));
        if let Some(known) = Partition::known().find(has) {
            return Err(PartitionError::Taken { domain: domain.clone(), name: known.name().to_owned() });
        }
    }
    let apis = [Some(&partition.api_suffix), partition.dual_stack_api_suffix.as_ref()];
    if let Some(domain) = registries.into_iter().chain(apis).flatten().find(|domain| !is_domain(domain)) {
        return Err(PartitionError::Domain { domain: domain.clone() });
    }
    match partition.regions.iter().find(|pattern| !is_region(&pattern.replace('*', ""))) {
        Some(pattern) => Err(PartitionError::Region { pattern: pattern.clone() }),
        None => Ok(()),
    }
}

fn is_domain(text: &str) -> bool {
    text.contains('.') && text.len() < 200 && text.split('.').all(is_label)
}

fn is_label(text: &str) -> bool {
    is_region(text) && !text.is_empty() && !text.starts_with('-') && !text.ends_with('-')
}

/// Whether `text` has no other characters than regions have. What else makes a region is up to the patterns.
fn is_region(text: &str) -> bool {
    text.len() <= MAX_REGION_BYTES
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

impl Regions {
    /// Whether `region` can be one of them. New regions of known partitions pass, since only their shape is known.
    fn have(&self, region: &str) -> bool {
        let Some((place, number)) = region.rsplit_once('-') else { return false };
        let words = || place.as_bytes().split(|byte| *byte == b'-');
        region.len() <= MAX_REGION_BYTES
            && words().count() + 1 == self.words
            && words().all(|word| !word.is_empty() && word.iter().all(u8::is_ascii_lowercase))
            && matches!(number.len(), 1 | 2)
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && match self.head {
                [] => words().next().is_some_and(is_commercial),
                head => words().zip(head).all(|(word, expected)| word == *expected),
            }
    }
}

/// Whether commercial regions start with this word, of a continent or country: it has two letters, and China's
/// regions are a partition of their own.
fn is_commercial(word: &[u8]) -> bool {
    word.len() == 2 && word != b"cn"
}

impl PartialEq for Partition {
    fn eq(&self, other: &Self) -> bool {
        self.sort_key() == other.sort_key()
    }
}

impl Eq for Partition {}

impl PartialOrd for Partition {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Partition {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sort_key().cmp(&other.sort_key())
    }
}

impl Hash for Partition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
