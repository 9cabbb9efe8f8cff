//! Who may assume a role by an ID token of GitLab: the role's trust policy.
//!
//! AWS compares two claims of GitLab's tokens: `aud`, for whom the token is, and `sub`, which says project and ref
//! ("Available keys for AWS OIDC federation", IAM user guide; "Configure OpenID Connect in AWS to retrieve temporary
//! credentials", GitLab). It does not see whether a ref is protected.

use serde_json::{Value, json};

use super::is_role_arn;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct TrustPolicy<'a> {
    /// The role, whose account has GitLab as an identity provider.
    pub role_arn: &'a str,
    /// GitLab's address, as its tokens name it (`iss`).
    pub gitlab_url: &'a str,
    /// The projects, with their groups; `*` stands for any text, but not in the top-level group.
    pub projects: &'a [String],
    /// Whether the refs are branches or tags.
    pub ref_type: RefType,
    /// The refs; `*` stands for any text.
    pub refs: &'a [String],
    /// For whom the token has to be (`aud`).
    pub audience: &'a str,
}

/// What jobs run for, in the words of the claim `ref_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefType {
    /// A branch, or a merge request from it.
    Branch,
    /// A tag.
    Tag,
}

/// Why there is no trust policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustPolicyError {
    /// The role is none.
    #[error("`{}` is no ARN of a role", .0.escape_debug())]
    Role(String),
    /// GitLab's address is none that IAM takes.
    #[error("`{}` is no address of an identity provider", .0.escape_debug())]
    GitLabUrl(String),
    /// A project is none.
    #[error("`{}` is no project with its groups", .0.escape_debug())]
    Project(String),
    /// A pattern of projects that lets groups of others in.
    #[error("`{0}` lets projects of other groups in")]
    AnyGroup(String),
    /// A ref is none.
    #[error("`{}` is no branch or tag", .0.escape_debug())]
    Ref(String),
    /// The audience cannot be compared.
    #[error("`{}` is no audience", .0.escape_debug())]
    Audience(String),
}

impl TrustPolicyError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Role(_) => "--role-arn arn:aws:iam::111122223333:role/NAME".to_owned(),
            Self::GitLabUrl(_) => "--gitlab-url https://gitlab.example.com".to_owned(),
            Self::Project(_) => "--project GROUP/PROJECT, or --project 'GROUP/*'".to_owned(),
            Self::AnyGroup(_) => "name the top-level group: --project 'GROUP/*'".to_owned(),
            Self::Ref(_) => "--ref main, or --ref 'release-*'".to_owned(),
            Self::Audience(_) => format!("--audience {}", super::DEFAULT_AUDIENCE),
        })
    }
}

impl TrustPolicy<'_> {
    /// The trust policy.
    ///
    /// # Errors
    /// If something that is asked for cannot be said in a policy, or would let in more than it names.
    pub fn document(&self) -> Result<Value, TrustPolicyError> {
        let [_, partition, _, _, account, _] = self.role_parts()?;
        let provider = provider_name(self.gitlab_url)
            .ok_or_else(|| TrustPolicyError::GitLabUrl(self.gitlab_url.to_owned()))?;
        if !is_audience(self.audience) {
            return Err(TrustPolicyError::Audience(self.audience.to_owned()));
        }
        let subjects = self.subjects()?;
        let (audience, subject) = (format!("{provider}:aud"), format!("{provider}:sub"));
        let condition = if subjects.iter().any(|subject| subject.contains('*')) {
            json!({ "StringEquals": { audience: self.audience }, "StringLike": { subject: subjects } })
        } else {
            json!({ "StringEquals": { audience: self.audience, subject: subjects } })
        };
        let statement = json!({
            "Sid": "GitLab",
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": { "Federated": format!("arn:{partition}:iam::{account}:oidc-provider/{provider}") },
            "Condition": condition,
        });
        Ok(json!({ "Version": "2012-10-17", "Statement": [statement] }))
    }

    fn role_parts(&self) -> Result<[&str; 6], TrustPolicyError> {
        let parts: Vec<&str> = self.role_arn.splitn(6, ':').collect();
        let parts = parts.try_into().ok().filter(|_| is_role_arn(self.role_arn));
        parts.ok_or_else(|| TrustPolicyError::Role(self.role_arn.to_owned()))
    }

    /// The claim `sub` of each project and ref.
    fn subjects(&self) -> Result<Vec<String>, TrustPolicyError> {
        let ref_type = match self.ref_type {
            RefType::Branch => "branch",
            RefType::Tag => "tag",
        };
        let mut subjects = Vec::new();
        for project in self.projects {
            if !is_project_pattern(project) {
                return Err(TrustPolicyError::Project(project.clone()));
            }
            if project.split('/').next().is_some_and(|group| group.contains('*')) {
                return Err(TrustPolicyError::AnyGroup(project.clone()));
            }
            for git_ref in self.refs {
                if !is_ref_pattern(git_ref) {
                    return Err(TrustPolicyError::Ref(git_ref.clone()));
                }
                subjects.push(format!("project_path:{project}:ref_type:{ref_type}:ref:{git_ref}"));
            }
        }
        Ok(subjects)
    }
}

/// What IAM calls the provider: its address without the scheme, which has to be https, and without a port
/// ("CreateOpenIDConnectProvider", IAM API reference).
fn provider_name(url: &str) -> Option<&str> {
    let name = url.strip_prefix("https://")?.trim_end_matches('/');
    let (host, path) = name.split_once('/').unwrap_or((name, "x"));
    let in_host = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let in_path = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    let is_name = !host.is_empty() && host.bytes().all(in_host) && path.bytes().all(in_path);
    (is_name && !path.split('/').any(str::is_empty)).then_some(name)
}

/// Names of groups and projects ("Limitations on project and group names", GitLab): a colon in one could pretend to be
/// the end of the claim.
fn is_project_pattern(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-*".contains(&byte);
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(is_allowed);
    text.contains('/') && text.split('/').all(is_name)
}

/// What git-check-ref-format(1) allows of printable ASCII, and IAM takes as it stands: in a policy `$` may begin a
/// variable.
fn is_ref_pattern(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && !b"~^:?[\\$".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

fn is_audience(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'$')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROLE: &str = "arn:aws-us-gov:iam::111122223333:role/ci/gitlab";

    fn document(url: &str, projects: &[&str], refs: &[&str]) -> Result<Value, TrustPolicyError> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        TrustPolicy {
            role_arn: ROLE,
            gitlab_url: url,
            projects: &owned(projects),
            ref_type: RefType::Branch,
            refs: &owned(refs),
            audience: "sts.amazonaws.com",
        }
        .document()
    }

    #[test]
    fn what_is_named_is_compared_and_patterns_are_matched() {
        let exact = document("https://gitlab.example/git/", &["team/app"], &["main"]).unwrap();
        assert_eq!(
            exact["Statement"][0]["Condition"],
            json!({ "StringEquals": {
                "gitlab.example/git:aud": "sts.amazonaws.com",
                "gitlab.example/git:sub": ["project_path:team/app:ref_type:branch:ref:main"],
            } })
        );
        assert_eq!(
            exact["Statement"][0]["Principal"]["Federated"],
            "arn:aws-us-gov:iam::111122223333:oidc-provider/gitlab.example/git"
        );
        let like = document("https://gitlab.com", &["team/app", "team/*"], &["main"]).unwrap();
        assert_eq!(
            like["Statement"][0]["Condition"],
            json!({
                "StringEquals": { "gitlab.com:aud": "sts.amazonaws.com" },
                "StringLike": { "gitlab.com:sub": [
                    "project_path:team/app:ref_type:branch:ref:main",
                    "project_path:team/*:ref_type:branch:ref:main",
                ] },
            })
        );
    }

    #[test]
    fn what_would_let_others_in_is_refused() {
        let url = "https://gitlab.com";
        for project in ["*/app", "te*m/app", "*/*"] {
            let error = document(url, &[project], &["main"]).unwrap_err();
            assert_eq!(error, TrustPolicyError::AnyGroup(project.to_owned()));
        }
        for project in ["app", "*", "team/", "team//app", "team/app:ref_type:branch", "team/${x}", "team/?"] {
            assert!(document(url, &[project], &["main"]).is_err(), "{project}");
        }
        for git_ref in ["", "a b", "main:x", "${aws:username}", "m?in", "a\"\u{e9}"] {
            assert!(document(url, &["team/app"], &[git_ref]).is_err(), "{git_ref}");
        }
        for url in
            ["http://gitlab.com", "https://gitlab.com:8443", "https://", "https://a b", "https://a//b", "x"]
        {
            assert!(document(url, &["team/app"], &["main"]).is_err(), "{url}");
        }
    }

    proptest! {
        #[test]
        fn no_text_gets_out_of_its_claim(project in ".{0,20}", git_ref in ".{0,20}") {
            if let Ok(document) = document("https://gitlab.com", &[&project], &[&git_ref]) {
                let condition = &document["Statement"][0]["Condition"];
                let operator = if (project.clone() + &git_ref).contains('*') { "StringLike" } else { "StringEquals" };
                let subject = condition[operator]["gitlab.com:sub"][0].as_str().unwrap();
                prop_assert_eq!(subject.matches(':').count(), 5);
                prop_assert!(!subject.contains('$'));
            }
        }
    }
}
