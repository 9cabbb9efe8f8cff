//! What narrows or marks a session: the parameters `Policy` and `Tags` of AssumeRole.

use axum::http::StatusCode;

use super::violation;
use crate::aws_query::{Parameters, QueryError};
use crate::iam::condition::Tags;
use crate::iam::policy::{Attached, Policy, PolicyError};

/// How long a policy may be, in characters (AWS STS API reference, AssumeRole).
const MAX_POLICY: usize = 2048;
/// How many tags a session may have, and how long their keys and values may be (same place).
const MAX_TAGS: usize = 50;
const MAX_TAG_KEY: usize = 128;
const MAX_TAG_VALUE: usize = 256;
/// How many bytes policy and tags may have together. AWS packs both and tells neither how nor into what space, so
/// this number is the emulator's own; that there is such a limit is AWS's (same place, `PackedPolicyTooLarge`).
const PACKED_SPACE: usize = 2 * MAX_POLICY;

pub(super) fn policy(parameters: &Parameters) -> Result<Option<Policy>, QueryError> {
    let Some(text) = parameters.get("Policy") else { return Ok(None) };
    if text.is_empty() {
        return Err(violation("Policy", text, "Member must have length greater than or equal to 1"));
    }
    if text.chars().count() > MAX_POLICY {
        let limit = format!("Member must have length less than or equal to {MAX_POLICY}");
        return Err(violation("Policy", text, &limit));
    }
    Policy::attached(text, Attached::Identity).map(Some).map_err(|error| match error {
        PolicyError::Unsupported(_) => {
            QueryError::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", error.to_string())
        }
        _ => QueryError::new(StatusCode::BAD_REQUEST, "MalformedPolicyDocument", error.to_string()),
    })
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
pub(super) fn packed_size(policy: Option<&Policy>, tags: &Tags) -> Result<Option<usize>, QueryError> {
    let of_tags: usize = tags.iter().map(|(key, value)| key.len() + value.len()).sum();
    let used = policy.map_or(0, |policy| policy.text().len()) + of_tags;
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
        assert_eq!(packed_size(None, &Tags::new()), Ok(None));
        assert_eq!(packed_size(None, &tag(8)), Ok(Some(1)));
        assert_eq!(packed_size(None, &tag(PACKED_SPACE)), Ok(Some(100)));
        assert!(packed_size(None, &tag(PACKED_SPACE + 1)).is_err());
    }

    #[test]
    fn a_policy_has_at_most_2048_characters() {
        let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
        let padded = |length: usize| parameters(&[("Policy", &format!("{text:length$}"))]);
        assert!(policy(&padded(2048)).unwrap().is_some());
        assert!(policy(&padded(2049)).is_err());
        assert!(policy(&parameters(&[("Policy", "")])).is_err());
        assert!(policy(&parameters(&[("Policy", "{}")])).is_err());
        assert!(policy(&Parameters::new()).unwrap().is_none());
    }

    proptest! {
        #[test]
        fn any_parameters_have_tags_or_an_error(name in "Tags\\.[a-z0-9.]{0,9}(Key|Value)", value in any::<String>()) {
            let given = parameters(&[(&name, &value), ("Policy", &value)]);
            let _ = (tags(&given), policy(&given));
        }
    }
}
