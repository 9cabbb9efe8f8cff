//! The one source that a selection leaves, in the words for who finds nothing there.

use std::fmt;

use super::selection::{IdentitySource, Selection};
use crate::environment::Environment;

/// The one source that a selection leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoleSource {
    source: IdentitySource,
    /// The profile of the SDK's files, where the source is one.
    profile: Option<String>,
}

impl SoleSource {
    /// Whether the SDK calls it so.
    pub(crate) fn is(&self, sdk_name: &str) -> bool {
        self.source.sdk_name() == sdk_name
    }

    /// What the user can do where it has nothing.
    pub(crate) fn hint(&self) -> String {
        let give = match (self.source, &self.profile) {
            (_, Some(profile)) => {
                format!(
                    "give the profile `{profile}` credentials in the AWS files of the user of this process"
                )
            }
            (IdentitySource::Container, _) => "give this process's task or pod a role".to_owned(),
            (IdentitySource::Instance, _) => "attach an instance profile with a role".to_owned(),
            (IdentitySource::WebIdentity, _) => {
                "set AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN for this process".to_owned()
            }
            (IdentitySource::Environment | IdentitySource::Profile, _) => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for this process".to_owned()
            }
        };
        format!("{give}, or change `profile` or `source` of the rule, or ECRU_PROFILE or ECRU_SOURCE")
    }
}

impl fmt::Display for SoleSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.source.words())?;
        self.profile.as_ref().map_or(Ok(()), |profile| write!(formatter, " `{profile}`"))
    }
}

impl Selection {
    /// The one source that may be used, for who finds nothing there.
    pub(crate) fn sole_source(&self, environment: &Environment) -> Option<SoleSource> {
        let profile = || environment.get("AWS_PROFILE").unwrap_or("default").to_owned();
        let source = self.source()?;
        Some(SoleSource { source, profile: (source == IdentitySource::Profile).then(profile) })
    }
}

impl IdentitySource {
    /// Its name in the SDK's default chain, in which it is tried (aws-config, `default_provider/credentials.rs`).
    fn sdk_name(self) -> &'static str {
        match self {
            Self::Environment => "Environment",
            Self::Profile => "Profile",
            Self::WebIdentity => "WebIdentityToken",
            Self::Container => "EcsContainer",
            Self::Instance => "Ec2InstanceMetadata",
        }
    }
}
