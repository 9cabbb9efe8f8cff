//! The kinds of failures, by names that programs can rely on.

use serde::{Deserialize, Serialize};

/// The kind of a failure, as records and JSON name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FailureKind {
    /// No source of the chain had any credentials.
    NoIdentity,
    /// The same, and the instance's metadata service was asked and never answered: its answers travel fewer hops than
    /// there are to this process.
    HopLimit,
    /// A source should have credentials, and they cannot be had.
    BrokenIdentity,
    /// The credentials have expired.
    ExpiredIdentity,
    /// The login of IAM Identity Center that a profile uses has expired.
    ExpiredLogin,
    /// AWS knows the principal and does not let it do this.
    AccessDenied,
    /// AWS does not know the credentials.
    InvalidIdentity,
    /// The clock of this machine is wrong.
    ClockSkew,
    /// The region is not enabled, or another one was asked than is meant.
    WrongRegion,
    /// Too many requests were made.
    Throttled,
    /// AWS failed by itself.
    ServiceFailure,
    /// AWS refused for another reason.
    Refused,
    /// There was no answer in time.
    TimedOut,
    /// No connection came about.
    Unreachable,
    /// The other side could not prove to be AWS.
    Tls,
    /// An answer came that is none of AWS's.
    MalformedAnswer,
    /// A setting of this machine cannot be meant.
    Configuration,
    /// The policy of this machine forbids the registry.
    Policy,
}

impl FailureKind {
    /// One fixed sentence for it, without names, addresses or anything that AWS said.
    #[must_use]
    pub fn summary(self) -> &'static str {
        match self {
            Self::NoIdentity | Self::HopLimit => "no AWS identity was found",
            Self::BrokenIdentity => "the AWS identity cannot be used",
            Self::ExpiredIdentity => "the AWS identity has expired",
            Self::ExpiredLogin => "the AWS login has expired",
            Self::AccessDenied => "access denied by AWS",
            Self::InvalidIdentity => "AWS does not accept the credentials",
            Self::ClockSkew => "the clock differs from that of AWS",
            Self::WrongRegion => "AWS does not serve the request in this region",
            Self::Throttled => "AWS has throttled the request",
            Self::ServiceFailure => "AWS failed",
            Self::Refused => "AWS refused the request",
            Self::TimedOut => "AWS did not answer in time",
            Self::Unreachable => "AWS cannot be reached",
            Self::Tls => "the TLS connection to AWS failed",
            Self::MalformedAnswer => "the answer of AWS cannot be used",
            Self::Configuration => "the configuration cannot be used",
            Self::Policy => "the policy of this machine forbids it",
        }
    }

    /// Whether it may come from settings of one process that are no part of an identity: its way to the network, whom
    /// it trusts, and its limits.
    pub(crate) fn is_of_one_process(self) -> bool {
        matches!(
            self,
            Self::Unreachable | Self::Tls | Self::MalformedAnswer | Self::Configuration | Self::Policy
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_in_the_table_of_the_page() {
        let page = include_str!("../../../../docs/HELPER.md");
        let (_, table) = page.split_once("| kind | the sentence starts with |").unwrap();
        let (table, _) = table.split_once("\n\n").unwrap();
        let schema = schemars::schema_for!(FailureKind).to_value();
        let kinds = schema["oneOf"].as_array().unwrap();
        assert!(kinds.len() > 10);
        for kind in kinds {
            let name = kind["const"].as_str().unwrap();
            assert!(table.contains(&format!("`{name}`")), "docs/HELPER.md does not tell what `{name}` is");
        }
    }
}
