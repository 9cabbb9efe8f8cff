//! What narrows or marks a session: the parameters `Policy`, `PolicyArns` and `Tags`.

use axum::http::StatusCode;

use super::violation;
use crate::aws_query::{Parameters, QueryError};
use crate::iam::condition::Tags;
use crate::iam::managed;
use crate::iam::policy::{Attached, Policy, PolicyError};

/// How long a policy may be, in characters (AWS STS API reference, AssumeRole).
const MAX_POLICY: usize = 2048;
/// How many managed policies a session may have (same place).
const MAX_MANAGED: usize = 10;
/// How many tags a session may have, and how long their keys and values may be (same place).
const MAX_TAGS: usize = 50;
const MAX_TAG_KEY: usize = 128;
const MAX_TAG_VALUE: usize = 256;
/// How many bytes policy and tags may have together. AWS packs both and tells neither how nor into what space, so
/// this number is the emulator's own; that there is such a limit is AWS's (same place, `PackedPolicyTooLarge`).
const PACKED_SPACE: usize = 2 * MAX_POLICY;

/// The policies that a session is opened with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SessionPolicies {
    /// The one of the parameter `Policy`.
    inline: Option<Policy>,
    /// Those that `PolicyArns` names.
    managed: Vec<Policy>,
    /// How long the names are, which take space too.
    names: usize,
}

impl SessionPolicies {
    pub(super) fn all(self) -> Vec<Policy> {
        self.inline.into_iter().chain(self.managed).collect()
    }
}

pub(super) fn policies(parameters: &Parameters) -> Result<SessionPolicies, QueryError> {
    let inline = inline_policy(parameters)?;
    let is_arn = |name: &str| {
        name.strip_prefix("PolicyArns.member.")
            .is_some_and(|rest| rest.to_ascii_lowercase().ends_with(".arn"))
    };
    let arns: Vec<&String> = parameters.iter().filter(|(name, _)| is_arn(name)).map(|(_, arn)| arn).collect();
    if arns.len() > MAX_MANAGED {
        let limit = format!("Member must have length less than or equal to {MAX_MANAGED}");
        return Err(violation("PolicyArns", "…", &limit));
    }
    let managed = arns.iter().map(|arn| managed_policy(arn)).collect::<Result<_, _>>()?;
    Ok(SessionPolicies { inline, managed, names: arns.iter().map(|arn| arn.len()).sum() })
}

fn managed_policy(arn: &str) -> Result<Policy, QueryError> {
    managed::policy(arn).map_err(unusable)?.ok_or_else(|| {
        let message = format!("ecru-emulator does not have the managed policy `{arn}`");
        QueryError::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
    })
}

fn inline_policy(parameters: &Parameters) -> Result<Option<Policy>, QueryError> {
    let Some(text) = parameters.get("Policy") else { return Ok(None) };
    if text.is_empty() {
        return Err(violation("Policy", text, "Member must have length greater than or equal to 1"));
    }
    if text.chars().count() > MAX_POLICY {
        let limit = format!("Member must have length less than or equal to {MAX_POLICY}");
        return Err(violation("Policy", text, &limit));
    }
    Policy::attached(text, Attached::Identity).map(Some).map_err(unusable)
}

fn unusable(error: PolicyError) -> QueryError {
    let (status, code) = match error {
        PolicyError::Unsupported(_) => (StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
        _ => (StatusCode::BAD_REQUEST, "MalformedPolicyDocument"),
    };
    QueryError::new(status, code, error.to_string())
}

/// The tags of `Tags.member.<number>.Key` and `….Value`.
pub(super) fn tags(parameters: &Parameters) -> Result<Tags, QueryError> {
    let mut tags = Tags::new();
    for (name, key) in parameters {
        let Some(member) = name.strip_prefix("Tags.").and_then(|rest| rest.strip_suffix(".Key")) else {
            continue;
        };
        let value = parameters.get(&format!("Tags.{member}.Value")).cloned().unwrap_or_default();
        let (key_length, value_length) = (key.chars().count(), value.chars().count());
        if !(1..=MAX_TAG_KEY).contains(&key_length) || value_length > MAX_TAG_VALUE {
            let limit = format!("Keys have at most {MAX_TAG_KEY} characters, values at most {MAX_TAG_VALUE}");
            return Err(violation("Tags", key, &limit));
        }
        if tags.keys().any(|other: &String| other.eq_ignore_ascii_case(key)) {
            let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(QueryError::new(StatusCode::BAD_REQUEST, "InvalidParameterValue", message));
        }
        tags.insert(key.clone(), value);
    }
    if tags.len() > MAX_TAGS {
        let limit = format!("Member must have length less than or equal to {MAX_TAGS}");
        return Err(violation("Tags", "…", &limit));
    }
    Ok(tags)
}

/// How much of the space for a session's policy and tags is used, in percent; nothing if there are none.
pub(super) fn packed_size(policies: &SessionPolicies, tags: &Tags) -> Result<Option<usize>, QueryError> {
    let of_tags: usize = tags.iter().map(|(key, value)| key.len() + value.len()).sum();
    let of_policy = policies.inline.as_ref().map_or(0, |policy| policy.text().len());
    let used = of_policy + policies.names + of_tags;
    let percent = (used * 100).div_ceil(PACKED_SPACE);
    if percent > 100 {
        let message =
            format!("Packed policy consumes {percent}% of allotted space, please use smaller policy.");
        return Err(QueryError::new(StatusCode::BAD_REQUEST, "PackedPolicyTooLarge", message));
    }
    Ok((used > 0).then_some(percent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PULL_ONLY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly";

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn tags_are_pairs() {
        let given = parameters(&[("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "blue")]);
        assert_eq!(tags(&given).unwrap(), Tags::from([("team".into(), "blue".into())]));
        let twice = parameters(&[("Tags.member.1.Key", "team"), ("Tags.member.2.Key", "TEAM")]);
        assert!(tags(&twice).is_err());
        assert!(tags(&parameters(&[("Tags.member.1.Key", "")])).is_err());
    }

    #[test]
    fn policy_and_tags_share_their_space() {
        let tag = |length: usize| Tags::from([("t".into(), "x".repeat(length - 1))]);
        let size = |tags: Tags| packed_size(&SessionPolicies::default(), &tags);
        assert_eq!(size(Tags::new()), Ok(None));
        assert_eq!(size(tag(8)), Ok(Some(1)));
        assert_eq!(size(tag(PACKED_SPACE)), Ok(Some(100)));
        assert!(size(tag(PACKED_SPACE + 1)).is_err());
        let named = policies(&parameters(&[("PolicyArns.member.1.arn", PULL_ONLY)])).unwrap();
        assert_eq!(packed_size(&named, &Tags::new()), Ok(Some(2)));
    }

    #[test]
    fn a_policy_has_at_most_2048_characters() {
        let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
        let padded = |length: usize| parameters(&[("Policy", &format!("{text:length$}"))]);
        assert_eq!(policies(&padded(2048)).unwrap().all().len(), 1);
        assert!(policies(&padded(2049)).is_err());
        assert!(policies(&parameters(&[("Policy", "")])).is_err());
        assert!(policies(&parameters(&[("Policy", "{}")])).is_err());
        assert!(policies(&Parameters::new()).unwrap().all().is_empty());
    }

    #[test]
    fn managed_policies_are_up_to_ten_that_are_known() {
        let names: Vec<String> = (1..=11).map(|member| format!("PolicyArns.member.{member}.arn")).collect();
        let named = |count: usize| {
            let pairs: Vec<_> = names[..count].iter().map(|name| (name.as_str(), PULL_ONLY)).collect();
            policies(&parameters(&pairs))
        };
        assert_eq!(named(10).unwrap().all().len(), 10);
        assert!(named(11).is_err());
        let own = "arn:aws:iam::000000000000:policy/own";
        assert!(policies(&parameters(&[("PolicyArns.member.1.arn", own)])).is_err());
    }

    proptest! {
        #[test]
        fn any_parameters_have_tags_or_an_error(name in "Tags\\.[a-z0-9.]{0,9}(Key|Value)", value in any::<String>()) {
            let given = parameters(&[(&name, &value), ("Policy", &value)]);
            let _ = (tags(&given), policies(&given));
        }
    }
}
