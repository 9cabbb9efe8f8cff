//! Which credentials the runner would send for each image.

use std::collections::BTreeMap;

use ecru_ecr::environment::Environment;
use ecru_gitlab::registry_auth::{Origin, Outcome, Verdict};
use secrecy::{ExposeSecret as _, SecretString};

use super::report::{Chosen, Credentials, Report};
use crate::args::CheckArgs;
use crate::error::CommandError;
use crate::exit_code;
use crate::job::credentials::{Obstacle, Resolved, RunnerSources};
use crate::job::helper_program::HELPER_NAME;
use crate::outside::Outside;
use crate::terminal::Screen;

/// The suffix under which Docker's settings name ecru's helper.
const OUR_SUFFIX: &str = "ecr-login";

/// Chooses credentials for all images. Images whose jobs have the same DOCKER_AUTH_CONFIG are resolved together.
pub(super) async fn choose(
    report: &mut Report,
    args: &CheckArgs,
    outside: &Outside,
    screen: &Screen,
) -> Result<(), CommandError> {
    let home = args.home.clone().or_else(|| outside.home());
    let folder = tempfile::TempDir::with_prefix("ecru-check-").map_err(|error| failure(&error))?;
    let mut groups: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
    for (index, image) in report.images.iter().enumerate() {
        let key = image.docker_auth_config.as_ref().map(|config| config.expose_secret().to_owned());
        groups.entry(key).or_default().push(index);
    }
    let identity = configured_identity(&outside.environment());
    let counter = screen.counter("choosing credentials", groups.len());
    let mut stood_in = false;
    for (number, (docker_auth_config, indices)) in groups.into_iter().enumerate() {
        let names: Vec<String> =
            indices.iter().filter_map(|index| Some(report.images.get(*index)?.name.clone())).collect();
        let programs = folder.path().join(number.to_string());
        std::fs::create_dir(&programs).map_err(|error| failure(&error))?;
        let sources =
            RunnerSources::new(docker_auth_config.map(SecretString::from), home.as_deref(), outside)
                .with_stand_in(&programs)
                .map_err(|error| failure(&error))?;
        let resolved = tokio::task::spawn_blocking(move || sources.resolve_all(&names))
            .await
            .map_err(|error| failure(&error))?;
        for (index, resolved) in indices.into_iter().zip(resolved) {
            stood_in |= resolved.stood_in;
            note_warnings(report, &resolved);
            if let Some(image) = report.images.get_mut(index) {
                image.credentials = credentials(&resolved, &identity);
            }
        }
        counter.advance();
    }
    if stood_in {
        report.notes.push(format!(
            "note: {HELPER_NAME} is not on PATH, so ecru stands in for it; a real runner would go without it"
        ));
    }
    Ok(())
}

fn failure(error: &(dyn std::error::Error + 'static)) -> CommandError {
    CommandError::from_error(exit_code::ENGINE_FAILED, error)
}

fn note_warnings(report: &mut Report, resolved: &Resolved) {
    let trace = &resolved.resolution.trace;
    let printed = trace.warnings.iter().map(|warning| format!("WARNING: {warning}"));
    let hidden = trace.swallowed.iter().map(|swallowed| format!("hidden by the runner: {swallowed}"));
    for note in printed.chain(hidden) {
        if !report.notes.contains(&note) {
            report.notes.push(note);
        }
    }
}

fn credentials(resolved: &Resolved, identity: &str) -> Credentials {
    let resolution = &resolved.resolution;
    match &resolution.outcome {
        Outcome::Aborted(error) => Credentials::Aborted { message: error.to_string(), hint: error.hint() },
        Outcome::Anonymous => {
            let (mut obstacles, mut hints) = (Vec::new(), Vec::new());
            for obstacle in resolved.obstacles() {
                let (list, text) = match obstacle {
                    Obstacle::Cause(text) => (&mut obstacles, text),
                    Obstacle::Hint(text) => (&mut hints, text),
                };
                if !list.contains(&text) {
                    list.push(text);
                }
            }
            Credentials::None { obstacles, hints }
        }
        Outcome::Credential(credential) => {
            let entry = resolution.trace.entries.iter().find(|entry| entry.verdict == Verdict::Chosen);
            let origin = entry.map(|entry| &entry.origin);
            let is_ours = origin.is_some_and(|origin| {
                matches!(origin, Origin::Store { suffix } | Origin::Helper { suffix } if suffix == OUR_SUFFIX)
            });
            Credentials::Chosen(Chosen {
                source: credential.source.to_string(),
                origin: origin.map(ToString::to_string).unwrap_or_default(),
                server_address: credential.server_address.clone(),
                username: credential.username.clone(),
                password: credential.password.clone(),
                is_identity_token: !credential.identity_token.expose_secret().is_empty(),
                identity: is_ours.then(|| identity.to_owned()),
            })
        }
    }
}

/// How the AWS identity is configured in this process's environment, in the order in which the SDK's default chain
/// looks (<https://docs.rs/aws-config>, `default_provider::credentials`). No key is told.
fn configured_identity(environment: &Environment) -> String {
    let set = |name: &str| environment.get(name);
    if environment.secret("AWS_ACCESS_KEY_ID").is_some()
        && environment.secret("AWS_SECRET_ACCESS_KEY").is_some()
    {
        return "keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned();
    }
    if let Some(profile) = set("AWS_PROFILE") {
        return format!("profile `{profile}`");
    }
    if let (Some(role), Some(_)) = (set("AWS_ROLE_ARN"), set("AWS_WEB_IDENTITY_TOKEN_FILE")) {
        return format!("web identity as `{role}`");
    }
    if set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").or(set("AWS_CONTAINER_CREDENTIALS_FULL_URI")).is_some() {
        return "role of the container".to_owned();
    }
    "profile `default`, else the role of the instance".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_told_without_keys() {
        let of = |variables: &[(&str, &str)]| configured_identity(&Environment::from_map(variables.to_vec()));
        let keys = [("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "s3cr3t")];
        assert_eq!(of(&keys), "keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
        assert_eq!(of(&[("AWS_PROFILE", "ci")]), "profile `ci`");
        let web =
            [("AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/ci"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")];
        assert_eq!(of(&web), "web identity as `arn:aws:iam::000000000000:role/ci`");
        assert_eq!(of(&[]), "profile `default`, else the role of the instance");
    }
}
