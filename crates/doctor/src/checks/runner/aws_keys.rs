//! AWS keys among the variables of jobs.

use super::Facts;
use super::answers::registries_with_credentials;
use crate::report::{Check, Context, Definition, Fix, Station, Weight};

pub(super) static REACH_HELPER: Definition = Definition {
    id: "runner.environment.aws-keys",
    context: Context::Runner,
    station: Station::Identity,
    weight: Weight::Error,
    title: "the AWS identity is the service's, and not a variable of jobs",
    why: "Helpers run with the environment of the runner's process: CI/CD variables and `environment` of config.toml do \
          not reach them.",
};

/// Variables that carry an identity.
const KEYS: [&str; 5] =
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ROLE_ARN"];

pub(super) async fn reach_helper(facts: &Facts<'_>) -> Check {
    let variables = facts.runners.iter().flat_map(|runner| &runner.environment);
    let mut names: Vec<&str> =
        variables.map(|variable| variable.key.as_str()).filter(|name| KEYS.contains(name)).collect();
    names.dedup();
    if names.is_empty() {
        return Check::not_applicable(
            &REACH_HELPER,
            "config.toml gives jobs no AWS keys; those among GitLab's CI/CD variables would not reach the helper either",
        );
    }
    if !facts.surroundings.asked.starts_programs {
        return Check::skipped(&REACH_HELPER, "no helper is started");
    }
    if !registries_with_credentials(facts.resolved().await).is_empty() {
        return Check::pass(&REACH_HELPER).seen("the service has an identity of its own");
    }
    let reason = format!(
        "{} stand in `environment` of config.toml, which jobs get and the helper does not, and the service has no \
         identity of its own that works",
        names.join(", ")
    );
    let home = facts.service.as_ref().map(|service| service.home.clone()).unwrap_or_default();
    let place = facts.place(home.join(".aws/credentials"));
    Check::fail(&REACH_HELPER, reason)
        .fix(Fix::Lines {
            place,
            lines: "[default]\naws_access_key_id = KEY\naws_secret_access_key = SECRET".to_owned(),
        })
        .fix(Fix::advice(
            "better than keys: give the instance, task or pod that gitlab-runner runs on an IAM role with the policy that \
             `ecru setup runner` prints",
        ))
}
