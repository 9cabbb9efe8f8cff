//! What an ID token of GitLab says ("OpenID Connect (OIDC) authentication using ID tokens", GitLab documentation).

use std::time::Duration;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

/// How many seconds before its issue a token begins to hold (`NOT_BEFORE_TIME` in `lib/gitlab/ci/jwt.rb` of GitLab).
const BEGINS_BEFORE_ISSUE: i64 = 5;

/// How a token is signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// RSA of 2048 bits and SHA-256, as GitLab signs.
    #[default]
    Rs256,
    /// ECDSA on P-256 and SHA-256, which STS takes from other issuers.
    Es256,
}

/// The job that a token is for. The default is a pipeline of a push to the protected branch `main`.
#[derive(Debug, Clone, PartialEq)]
pub struct GitLabClaims {
    /// `aud`: what the job's `id_tokens` asks for.
    pub audience: String,
    /// `project_path`, of which `namespace_path` and `sub` are made.
    pub project_path: String,
    /// `project_id`.
    pub project_id: u64,
    /// `ref`: the branch or tag.
    pub git_ref: String,
    /// `ref_type`: `branch` or `tag`.
    pub ref_type: String,
    /// `ref_protected`.
    pub ref_protected: bool,
    /// `user_login`, of which `user_email` is made.
    pub user_login: String,
    /// `pipeline_source`, such as `push` or `merge_request_event`.
    pub pipeline_source: String,
    /// `job_id`.
    pub job_id: u64,
    /// `environment`, if the job has one.
    pub environment: Option<String>,
    /// How long the token holds: for GitLab the time limit of the job, or five minutes without one
    /// (`lib/gitlab/ci/jwt.rb`).
    pub lifetime: Duration,
    /// How it is signed.
    pub algorithm: SigningAlgorithm,
    /// Claims that are added, or replaced, or with `null` left out.
    pub overrides: Map<String, Value>,
}

impl Default for GitLabClaims {
    fn default() -> Self {
        Self {
            audience: "sts.amazonaws.com".into(),
            project_path: "team/app".into(),
            project_id: 20,
            git_ref: "main".into(),
            ref_type: "branch".into(),
            ref_protected: true,
            user_login: "developer".into(),
            pipeline_source: "push".into(),
            job_id: 400,
            environment: None,
            lifetime: Duration::from_secs(3600),
            algorithm: SigningAlgorithm::default(),
            overrides: Map::new(),
        }
    }
}

impl GitLabClaims {
    /// The claim `sub`, by which the trust policies of roles choose.
    pub fn subject(&self) -> String {
        let Self { project_path, ref_type, git_ref, .. } = self;
        format!("project_path:{project_path}:ref_type:{ref_type}:ref:{git_ref}")
    }

    /// All claims. GitLab writes identifiers as strings, except the runner's.
    pub(super) fn to_json(&self, issuer: &str, host: &str, id: &str, now: OffsetDateTime) -> Value {
        let namespace = self.project_path.rsplit_once('/').map_or("", |(namespace, _)| namespace);
        let folder = if self.ref_type == "tag" { "tags" } else { "heads" };
        let ref_path = format!("refs/{folder}/{}", self.git_ref);
        let issued = now.unix_timestamp();
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let sha = "0".repeat(40);
        let mut claims = json!({
            "iss": issuer,
            "sub": self.subject(),
            "aud": self.audience,
            "jti": id,
            "iat": issued,
            "nbf": issued - BEGINS_BEFORE_ISSUE,
            "exp": issued.saturating_add(lifetime),
            "namespace_id": "10",
            "namespace_path": namespace,
            "project_id": self.project_id.to_string(),
            "project_path": self.project_path,
            "project_visibility": "private",
            "user_id": "1",
            "user_login": self.user_login,
            "user_email": format!("{}@example.com", self.user_login),
            "user_access_level": "developer",
            "pipeline_id": "300",
            "pipeline_source": self.pipeline_source,
            "job_id": self.job_id.to_string(),
            "job_namespace_id": "10",
            "job_namespace_path": namespace,
            "job_project_id": self.project_id.to_string(),
            "job_project_path": self.project_path,
            "ref": self.git_ref,
            "ref_type": self.ref_type,
            "ref_path": ref_path,
            "ref_protected": self.ref_protected.to_string(),
            "groups_direct": [],
            "runner_id": 1,
            "runner_environment": "self-hosted",
            "sha": sha,
            "ci_config_ref_uri": format!("{host}/{}//.gitlab-ci.yml@{ref_path}", self.project_path),
            "ci_config_sha": sha,
        });
        if let Some(environment) = &self.environment {
            claims["environment"] = environment.as_str().into();
            claims["environment_protected"] = "false".into();
            claims["deployment_tier"] = "production".into();
            claims["environment_action"] = "start".into();
        }
        if let Some(claims) = claims.as_object_mut() {
            claims.extend(self.overrides.clone());
            claims.retain(|_, value| !value.is_null());
        }
        claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_have_gitlabs_names_and_types() {
        let claims = GitLabClaims {
            ref_type: "tag".into(),
            git_ref: "v1".into(),
            environment: Some("production".into()),
            overrides: Map::from_iter([("user_email".into(), Value::Null), ("sub".into(), "other".into())]),
            ..GitLabClaims::default()
        };
        assert_eq!(claims.subject(), "project_path:team/app:ref_type:tag:ref:v1");
        let json = claims.to_json("https://g.example", "g.example", "id", OffsetDateTime::UNIX_EPOCH);
        assert_eq!((&json["iat"], &json["nbf"], &json["exp"]), (&json!(0), &json!(-5), &json!(3600)));
        assert_eq!((&json["project_id"], &json["runner_id"]), (&json!("20"), &json!(1)));
        assert_eq!((&json["ref_path"], &json["ref_protected"]), (&json!("refs/tags/v1"), &json!("true")));
        assert_eq!(json["ci_config_ref_uri"], "g.example/team/app//.gitlab-ci.yml@refs/tags/v1");
        assert_eq!((&json["namespace_path"], &json["environment"]), (&json!("team"), &json!("production")));
        assert_eq!((json.get("user_email"), &json["sub"]), (None, &json!("other")));
    }
}
