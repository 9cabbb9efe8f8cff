//! The partitions of AWS, and the domains below which their registries live.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A partition of AWS: a group of regions with its own accounts and domains.
#[derive(Clone, Copy)]
pub struct Partition(&'static Row);

/// What sets a partition apart.
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
    head: &'static [&'static str],
    /// How many words there are, the number included.
    words: usize,
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
        regions: Regions { head: &["us", "gov"], words: 4 },
    },
    Row {
        name: "aws-cn",
        suffix: "amazonaws.com.cn",
        dual_stack_suffix: Some("on.amazonwebservices.com.cn"),
        regions: Regions { head: &["cn"], words: 3 },
    },
    Row {
        name: "aws-eusc",
        suffix: "amazonaws.eu",
        dual_stack_suffix: Some("on.amazonwebservices.eu"),
        regions: Regions { head: &["eusc"], words: 4 },
    },
    Row {
        name: "aws-iso",
        suffix: "c2s.ic.gov",
        dual_stack_suffix: None,
        regions: Regions { head: &["us", "iso"], words: 4 },
    },
    Row {
        name: "aws-iso-b",
        suffix: "sc2s.sgov.gov",
        dual_stack_suffix: None,
        regions: Regions { head: &["us", "isob"], words: 4 },
    },
    Row {
        name: "aws-iso-e",
        suffix: "cloud.adc-e.uk",
        dual_stack_suffix: None,
        regions: Regions { head: &["eu", "isoe"], words: 4 },
    },
    Row {
        name: "aws-iso-f",
        suffix: "csp.hci.ic.gov",
        dual_stack_suffix: None,
        regions: Regions { head: &["us", "isof"], words: 4 },
    },
];

impl Partition {
    /// The commercial partition, `aws`.
    pub(super) const AWS: Self = Self(&ROWS[0]);

    /// The name that AWS gives it, as in ARNs.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// The partition whose registries have this domain and in which the region can lie.
    pub(super) fn of(region: &str, suffix: &str, dual_stack: bool) -> Option<Self> {
        ROWS.iter().find(|row| row.suffix(dual_stack) == Some(suffix) && row.regions.have(region)).map(Self)
    }

    /// Whether registries of any partition have this domain.
    pub(super) fn has_suffix(suffix: &str, dual_stack: bool) -> bool {
        ROWS.iter().any(|row| row.suffix(dual_stack) == Some(suffix))
    }

    /// The domain of its registries.
    pub(super) fn suffix(self, dual_stack: bool) -> &'static str {
        self.0.suffix(dual_stack).unwrap_or(self.0.suffix)
    }
}

impl Row {
    fn suffix(&self, dual_stack: bool) -> Option<&'static str> {
        if dual_stack { self.dual_stack_suffix } else { Some(self.suffix) }
    }
}

impl Regions {
    /// Whether `region` can be one of them. New regions of known partitions pass, since only their shape is known.
    fn have(&self, region: &str) -> bool {
        if region.len() > MAX_REGION_BYTES {
            return false;
        }
        let words: Vec<&str> = region.split('-').collect();
        let [place @ .., number] = words.as_slice() else { return false };
        words.len() == self.words
            && place.iter().all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
            && matches!(number.len(), 1 | 2)
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && if self.head.is_empty() { is_commercial(place) } else { place.starts_with(self.head) }
    }
}

/// Commercial regions start with two letters of a continent or country; China's are not among them.
fn is_commercial(place: &[&str]) -> bool {
    place.first().is_some_and(|first| first.len() == 2 && *first != "cn")
}

impl PartialEq for Partition {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
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
        self.name().cmp(other.name())
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
