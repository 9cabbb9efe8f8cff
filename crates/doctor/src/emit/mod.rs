//! Texts for what ecru does not edit in place: other machines, infrastructure as code, pipelines.
//!
//! Each is a pure function of what is asked for, so that the same question always has the same answer, and the answer
//! can be kept under version control. What comes from outside is quoted for the language that it goes into.

pub mod cloud_init;
mod gitlab_ci;
mod helm;
mod quoting;
mod registry_rules;
mod role_arn;
mod terraform;
mod trust_policy;
pub mod user_data;

use crate::edit::docker_config::Helpers;
use crate::edit::ecru_config::Wanted;
use crate::edit::toml_string;

pub use gitlab_ci::{DEFAULT_AUDIENCE, GitLabCi, GitLabCiError, ID_TOKEN};
pub use helm::Helm;
pub use role_arn::is_role_arn;
pub use terraform::{Module, Terraform};
pub use trust_policy::{RefType, TrustPolicy, TrustPolicyError};

/// The suffix by which Docker's files name the helper.
const SUFFIX: &str = "ecr-login";

/// The program of that suffix.
const HELPER: &str = "docker-credential-ecr-login";

/// The value of `DOCKER_AUTH_CONFIG`, which is also a whole `config.json` of Docker's.
#[must_use]
pub fn docker_auth_config(wanted: &[Wanted], creds_store: bool) -> String {
    let helpers = if creds_store {
        Helpers::Store
    } else {
        Helpers::ForRegistries(wanted.iter().map(|one| one.registry.host()).collect())
    };
    helpers.document(SUFFIX)
}

/// The lines of a runner's `config.toml`.
#[must_use]
pub fn config_toml(wanted: &[Wanted], creds_store: bool) -> String {
    let value = format!("DOCKER_AUTH_CONFIG={}", docker_auth_config(wanted, creds_store));
    let note: String = HELPERS_OF_VARIABLES.lines().map(|line| format!("# {line}\n")).collect();
    format!(
        "# In the [[runners]] whose jobs use these registries, beside its other settings.\n{note}[[runners]]\n  \
         environment = [{}]\n",
        toml_string(&value)
    )
}

/// What is known of versions that run fewer helpers (GitLab Runner, merge request 7320), for people.
pub const HELPERS_OF_VARIABLES: &str = "\
GitLab Runner 19.4, 19.3.2, 19.2.4 and 19.1.3 run no helper that a job's DOCKER_AUTH_CONFIG names, unless the setting
allowed_docker_credential_helpers permits it; whether that holds for a value in config.toml too is not known. A helper
that ~/.docker/config.json of the runner's user names runs in every version.";
