//! A job of a `.gitlab-ci.yml` that pulls and pushes with its own ID token: no AWS CLI, no keys.
//!
//! GitLab puts the token into a variable, and the helper exchanges it by AssumeRoleWithWebIdentity for a session of the
//! role. The role has to trust the token ("Configure OpenID Connect in AWS to retrieve temporary credentials", GitLab).

use super::quoting::{double_quoted, indented};
use super::registry_rules::registry_rules;
use super::{HELPER, docker_auth_config};
use crate::edit::ecru_config::Wanted;

/// The variable in which the job has its ID token; the helper knows it.
pub const ID_TOKEN: &str = "ECRU_IDENTITY_TOKEN";

/// For whom a token is, where nothing else is asked for: what AWS calls itself in examples of its own.
pub const DEFAULT_AUDIENCE: &str = "sts.amazonaws.com";

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct GitLabCi<'a> {
    /// The registries, each with its role.
    pub wanted: &'a [Wanted],
    /// For whom the token is (`aud`).
    pub audience: &'a str,
}

/// Why there is no job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GitLabCiError {
    /// A registry has no role, and a job has no identity but its token.
    #[error("no role is named for {registry}")]
    NoRole {
        /// The registry.
        registry: String,
    },
    /// There is no private registry to push to.
    #[error("none of the registries is a private one")]
    NoPrivateRegistry,
}

impl GitLabCiError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoRole { registry } => {
                Some(format!("--role-arn {registry}=arn:aws:iam::111122223333:role/gitlab"))
            }
            Self::NoPrivateRegistry => {
                Some("--registry 111122223333.dkr.ecr.eu-west-1.amazonaws.com".to_owned())
            }
        }
    }
}

impl GitLabCi<'_> {
    /// The text of a `.gitlab-ci.yml`.
    ///
    /// # Errors
    /// If a registry has no role.
    pub fn text(&self) -> Result<String, GitLabCiError> {
        if let Some(one) = self.wanted.iter().find(|one| one.role_arn.is_none()) {
            return Err(GitLabCiError::NoRole { registry: one.registry.host() });
        }
        let host = self
            .wanted
            .iter()
            .find(|one| !one.registry.is_public())
            .map(|one| one.registry.host())
            .ok_or(GitLabCiError::NoPrivateRegistry)?;
        Ok(format!(
            "# The job's own ID token is exchanged for a session of the role; the role has to trust it:\n\
             # `ecru emit trust-policy`, https://docs.gitlab.com/ci/cloud_services/aws/\n\
             .ecru:\n  id_tokens:\n    {ID_TOKEN}:\n      aud: {}\n{}  before_script:\n    - |\n{}\n\
             push-image:\n  extends: .ecru\n  # Has to have docker and {HELPER}: the helper comes with the image, or from \
             the\n  # runner (`ecru setup job`).\n  image: docker:28\n  script:\n    \
             - docker build --tag \"{host}/$CI_PROJECT_PATH_SLUG:$CI_COMMIT_SHORT_SHA\" .\n    \
             - docker push \"{host}/$CI_PROJECT_PATH_SLUG:$CI_COMMIT_SHORT_SHA\"\n",
            double_quoted(self.audience),
            self.variables(),
            indented(&self.before_script(), 6)
        ))
    }

    /// The role, if it is one for all registries.
    fn only_role(&self) -> Option<&str> {
        let mut roles = self.wanted.iter().filter_map(|one| one.role_arn.as_deref());
        let first = roles.next()?;
        roles.all(|role| role == first).then_some(first)
    }

    fn variables(&self) -> String {
        let Some(role) = self.only_role() else { return String::new() };
        format!("  variables:\n    ECRU_ROLE_ARN: {}\n", double_quoted(role))
    }

    /// A folder of its own, because a `config.json` that is there may be read-only or somebody else's.
    fn before_script(&self) -> String {
        let mut script = format!(
            "command -v {HELPER} >/dev/null || {{\n  echo '{HELPER} is not in the PATH of this job' >&2\n  exit 1\n}}\n\
             DOCKER_CONFIG=$(mktemp -d)\nexport DOCKER_CONFIG\n\
             cat >\"$DOCKER_CONFIG/config.json\" <<'ECRU'\n{}\nECRU\n",
            docker_auth_config(self.wanted, false)
        );
        if self.only_role().is_none() {
            script.push_str(&format!(
                "ECRU_CONFIG=$DOCKER_CONFIG/ecru.toml\nexport ECRU_CONFIG\ncat >\"$ECRU_CONFIG\" <<'ECRU'\n{}ECRU\n",
                registry_rules(self.wanted, Some(ID_TOKEN))
            ));
        }
        script
    }
}
