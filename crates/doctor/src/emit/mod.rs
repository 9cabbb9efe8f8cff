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
use quoting::toml_literal;

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
    format!(
        "# In the [[runners]] whose jobs use these registries, beside its other settings.\n[[runners]]\n  {}\n",
        environment_line(wanted, creds_store)
    )
}

fn environment_line(wanted: &[Wanted], creds_store: bool) -> String {
    let value = format!("DOCKER_AUTH_CONFIG={}", docker_auth_config(wanted, creds_store));
    format!("environment = [{}]", toml_literal(&value))
}
