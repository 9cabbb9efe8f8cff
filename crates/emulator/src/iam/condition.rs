//! The `Condition` element: string comparisons with what is known of the principal and the resource.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::pattern::{Pattern, Syntax};
use super::policy::PolicyError;
use crate::oidc::WebIdentity;

/// Tags of a principal, a session or a repository.
pub(crate) type Tags = BTreeMap<String, String>;

/// What a request's condition keys are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context<'a> {
    /// Not known of somebody who has no AWS identity yet; the same holds for the account.
    pub(crate) principal_arn: Option<&'a str>,
    pub(crate) principal_account: Option<&'a str>,
    pub(crate) principal_tags: Tags,
    pub(crate) resource_tags: Tags,
    pub(crate) web_identity: Option<&'a WebIdentity>,
}

impl Context<'_> {
    pub(super) fn value(&self, key: &Key) -> Option<&str> {
        match key {
            Key::PrincipalTag(name) => tagged(&self.principal_tags, name),
            Key::ResourceTag(name) => tagged(&self.resource_tags, name),
            Key::PrincipalArn => self.principal_arn,
            Key::PrincipalAccount => self.principal_account,
            Key::TokenSubject(provider) => {
                self.vouched_by(provider).map(|identity| identity.subject.as_str())
            }
            Key::TokenAudience(provider) => {
                self.vouched_by(provider).map(|identity| identity.audience.as_str())
            }
        }
    }

    fn vouched_by(&self, provider: &str) -> Option<&WebIdentity> {
        self.web_identity.filter(|identity| identity.provider.eq_ignore_ascii_case(provider))
    }
}

/// The value of a tag; its key's case does not matter ("IAM JSON policy elements: Condition", IAM user guide).
fn tagged<'a>(tags: &'a Tags, name: &str) -> Option<&'a str> {
    tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A condition key that the emulator has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    PrincipalTag(String),
    ResourceTag(String),
    PrincipalArn,
    PrincipalAccount,
    /// `<provider>:sub`, where the provider is the issuer without its scheme ("Available keys for AWS OIDC
    /// federation", IAM user guide). STS knows no more claims of GitLab's.
    TokenSubject(String),
    /// `<provider>:aud`.
    TokenAudience(String),
}

impl Key {
    /// Whether only the trust policy of a role can ask for it.
    pub(super) fn is_of_token(&self) -> bool {
        matches!(self, Self::TokenSubject(_) | Self::TokenAudience(_))
    }
}

impl FromStr for Key {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let unsupported = || PolicyError::Unsupported(format!("condition key {text}"));
        if let Some((provider, claim)) = text.rsplit_once(':')
            && !matches!(provider.split(':').next(), Some("aws" | "ecr"))
        {
            return match claim.to_ascii_lowercase().as_str() {
                "sub" => Ok(Self::TokenSubject(provider.into())),
                "aud" => Ok(Self::TokenAudience(provider.into())),
                _ => Err(unsupported()),
            };
        }
        let (name, tag) = text.split_once('/').map_or((text, None), |(name, tag)| (name, Some(tag)));
        match (name.to_ascii_lowercase().as_str(), tag) {
            ("aws:principaltag", Some(tag)) => Ok(Self::PrincipalTag(tag.into())),
            // The older name is ECR's own ("Using tag-based access control", Amazon ECR user guide).
            ("aws:resourcetag" | "ecr:resourcetag", Some(tag)) => Ok(Self::ResourceTag(tag.into())),
            ("aws:principalarn", None) => Ok(Self::PrincipalArn),
            ("aws:principalaccount", None) => Ok(Self::PrincipalAccount),
            _ => Err(unsupported()),
        }
    }
}

/// One key of one operator, with the values of which any may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) key: Key,
    values: Vec<Pattern>,
    /// `StringNotEquals` and `StringNotLike`: none of the values may hold.
    negated: bool,
}

impl Condition {
    pub(super) fn parse(
        operator: &str,
        key: &str,
        values: &[String],
        variables: bool,
    ) -> Result<Self, PolicyError> {
        let (wildcards, negated) = match operator {
            "StringEquals" => (false, false),
            "StringNotEquals" => (false, true),
            "StringLike" => (true, false),
            "StringNotLike" => (true, true),
            _ => return Err(PolicyError::Unsupported(format!("condition operator {operator}"))),
        };
        let pattern = |value: &String| Pattern::parse(value, Syntax { wildcards, variables });
        let values = values.iter().map(pattern).collect::<Result<_, _>>()?;
        Ok(Self { key: key.parse()?, values, negated })
    }

    /// A key that the request does not have fulfils only the negated operators.
    pub(super) fn holds(&self, context: &Context) -> bool {
        let value = context.value(&self.key);
        let fits =
            value.is_some_and(|value| self.values.iter().any(|pattern| pattern.matches(value, context)));
        fits != self.negated
    }
}
