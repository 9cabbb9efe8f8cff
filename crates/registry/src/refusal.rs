//! What a registry says when it refuses, in its own words and in ours.

use serde::Deserialize;

use crate::error::LookupError;

/// The permission that a principal lacks, as ECR names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingPermission {
    /// The action, such as `ecr:BatchGetImage`.
    pub action: String,
    /// Who lacks it: the ARN of a user or of a role's session.
    pub principal: Option<String>,
    /// On what: the ARN of a repository.
    pub resource: Option<String>,
}

impl MissingPermission {
    /// Reads IAM's sentence (IAM user guide, "Troubleshoot access denied error messages").
    pub(crate) fn parse(message: &str) -> Option<Self> {
        let (before, rest) = message.split_once("is not authorized to perform: ")?;
        let word = |text: &str| text.split_whitespace().next().map(str::to_owned);
        let after = |marker: &str| rest.split_once(marker).map(|(_, after)| after);
        let action = word(rest)?;
        let is_action = action.split_once(':').is_some_and(|(service, name)| {
            !name.is_empty() && service.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        });
        is_action.then(|| Self {
            action,
            principal: before.split_once("User: ").and_then(|(_, principal)| word(principal)),
            resource: after("on resource: ").and_then(word),
        })
    }
}

/// The longest text of a registry that is repeated, in characters.
const MAX_REPEATED: usize = 600;

/// What a registry answered instead of what it was asked for.
#[derive(Debug)]
pub(crate) struct Refusal<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
    /// Whether a password was sent.
    pub(crate) with_login: bool,
    /// Whether a manifest was asked for, not a blob.
    pub(crate) of_manifest: bool,
}

#[derive(Deserialize, Default)]
struct Errors {
    #[serde(default)]
    errors: Vec<OneError>,
}

#[derive(Deserialize, Default)]
struct OneError {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Refusal<'_> {
    /// The codes are those of the OCI distribution specification; ECR's own ways are told in `docs/CHECK.md`.
    pub(crate) fn error(&self) -> LookupError {
        let OneError { code, message } = self.first_error();
        if message.contains("authorization token has expired") {
            return LookupError::PasswordExpired { message };
        }
        match (self.status, code.as_str()) {
            (_, "NAME_UNKNOWN") => LookupError::NoRepository { message },
            (404, _) if self.of_manifest => LookupError::NoImage { message },
            (_, "MANIFEST_UNKNOWN") => LookupError::NoImage { message },
            (401, _) if self.with_login => LookupError::LoginRefused { message },
            (401, _) => LookupError::LoginMissing,
            (403, _) | (_, "DENIED") => {
                LookupError::Denied { missing: MissingPermission::parse(&message).map(Box::new), message }
            }
            (429, _) | (_, "TOOMANYREQUESTS") => LookupError::TooManyRequests { message },
            (status, _) => LookupError::Status { status, message },
        }
    }

    /// The first of the errors in a body; the body itself where it is not JSON, as some of ECR's are.
    fn first_error(&self) -> OneError {
        let parsed: Option<Errors> = serde_json::from_slice(self.body).ok();
        let first = parsed.and_then(|errors| errors.errors.into_iter().next());
        let OneError { code, message } = first.unwrap_or_else(|| OneError {
            code: String::new(),
            message: String::from_utf8_lossy(self.body).trim().to_owned(),
        });
        OneError { code, message: message.chars().take(MAX_REPEATED).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DENIED: &str = "User: arn:aws:sts::000000000000:assumed-role/Ci/job is not authorized to perform: \
                          ecr:BatchGetImage on resource: arn:aws:ecr:us-east-1:000000000000:repository/team/app \
                          because no identity-based policy allows the ecr:BatchGetImage action";

    fn refused(status: u16, body: &str) -> LookupError {
        Refusal { status, body: body.as_bytes(), with_login: true, of_manifest: true }.error()
    }

    fn json(code: &str, message: &str) -> String {
        serde_json::json!({ "errors": [{ "code": code, "message": message }] }).to_string()
    }

    #[test]
    fn the_missing_permission_is_taken_out_of_iam_s_sentence() {
        let LookupError::Denied { missing: Some(missing), .. } = refused(403, &json("DENIED", DENIED)) else {
            panic!("it is a refusal with a permission");
        };
        assert_eq!(missing.action, "ecr:BatchGetImage");
        assert_eq!(missing.principal.as_deref(), Some("arn:aws:sts::000000000000:assumed-role/Ci/job"));
        assert_eq!(
            missing.resource.as_deref(),
            Some("arn:aws:ecr:us-east-1:000000000000:repository/team/app")
        );
    }

    #[test]
    fn refusals_have_a_cause() {
        let expired = "Your authorization token has expired. Reauthenticate and try again.";
        for (status, body, kind) in [
            (404, json("NAME_UNKNOWN", "x"), "repository_missing"),
            (404, json("MANIFEST_UNKNOWN", "x"), "image_missing"),
            (404, String::new(), "image_missing"),
            (403, json("DENIED", expired), "expired"),
            (403, expired.to_owned(), "expired"),
            (403, json("DENIED", "no"), "denied"),
            (401, "Not Authorized\n".to_owned(), "login_refused"),
            (429, String::new(), "too_many_requests"),
            (500, "<html>".to_owned(), "unexpected_answer"),
        ] {
            assert_eq!(refused(status, &body).kind(), kind, "{status} {body}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_has_a_cause(status: u16, body: Vec<u8>, message: String) {
            let _ = Refusal { status, body: &body, with_login: false, of_manifest: false }.error().to_string();
            let _ = MissingPermission::parse(&format!("User: {message} is not authorized to perform: {message}"));
        }
    }
}
