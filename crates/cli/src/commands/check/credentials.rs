//! Which credentials the runner would send for each image.

use ecru_docker::credential_helper::message::PROGRAM_PREFIX;
use ecru_gitlab::config_toml::RunnerConfig;
use ecru_gitlab::registry_auth::{Origin, Outcome, Verdict};
use secrecy::{ExposeSecret, SecretString};

use super::report::{Chosen, Credentials, Report};
use crate::args::CheckArgs;
use crate::ecr_access::EcrAccess;
use crate::error::CommandError;
use crate::exit_code;
use crate::job::credentials::{Obstacle, Resolved, RunnerSources, home_of_runner, note_of_allow_list};
use crate::job::given::{job_credentials, runner_of};
use crate::job::helper_program::HELPER_NAME;
use crate::outside::Outside;
use crate::terminal::Screen;

/// Chooses credentials for all images. Images whose jobs have the same DOCKER_AUTH_CONFIG are resolved together.
pub(super) async fn choose(
    report: &mut Report,
    args: &CheckArgs,
    runner: &RunnerConfig,
    outside: &Outside,
    screen: &Screen,
) -> Result<(), CommandError> {
    let home = home_of_runner(args.home.as_deref(), outside);
    let of_version =
        runner_of(args.decision.runner_version.as_deref(), args.decision.helpers_allowed, runner)?;
    let of_job =
        args.decision.job_credentials.as_deref().map(job_credentials).transpose()?.unwrap_or_default();
    let folder = tempfile::TempDir::with_prefix("ecru-check-").map_err(|error| failure(&error))?;
    let groups = groups(report.images.iter().map(|image| image.docker_auth_config.as_ref()));
    // Where the configuration cannot be read, no helper of ecru's has an answer.
    let ecr = EcrAccess::new(outside).ok();
    let counter = screen.counter("choosing credentials", groups.len());
    let mut stood_in = false;
    for (number, (docker_auth_config, indices)) in groups.into_iter().enumerate() {
        let names: Vec<String> =
            indices.iter().filter_map(|index| Some(report.images.get(*index)?.name.clone())).collect();
        let mut sources = RunnerSources::new(docker_auth_config, home.as_deref(), outside)
            .of_runner(of_version, runner, &of_job);
        if args.stand_in {
            let programs = folder.path().join(number.to_string());
            std::fs::create_dir(&programs).map_err(|error| failure(&error))?;
            sources = sources.with_stand_in(&programs).map_err(|error| failure(&error))?;
        }
        let resolved = tokio::task::spawn_blocking(move || sources.resolve_all(&names))
            .await
            .map_err(|error| failure(&error))?;
        for (index, resolved) in indices.into_iter().zip(resolved) {
            stood_in |= resolved.stood_in;
            note_warnings(report, &resolved);
            if let Some(image) = report.images.get_mut(index) {
                image.credentials = credentials(&resolved, ecr.as_ref());
            }
        }
        counter.advance();
    }
    if stood_in {
        report.notes.push(format!(
            "note: {HELPER_NAME} is not on PATH, and ecru stands in for it; a runner goes without it"
        ));
    }
    Ok(())
}

/// The places at which each value stands, in the order of the first. There are few values: a secret is no key of a map,
/// and need not be one.
fn groups<'a>(
    values: impl Iterator<Item = Option<&'a SecretString>>,
) -> Vec<(Option<SecretString>, Vec<usize>)> {
    let mut groups: Vec<(Option<SecretString>, Vec<usize>)> = Vec::new();
    for (index, value) in values.enumerate() {
        let text = value.map(ExposeSecret::expose_secret);
        let same = |(other, _): &&mut (Option<SecretString>, _)| {
            other.as_ref().map(ExposeSecret::expose_secret) == text
        };
        match groups.iter_mut().find(same) {
            Some((_, indices)) => indices.push(index),
            None => groups.push((value.cloned(), vec![index])),
        }
    }
    groups
}

fn failure(error: &(dyn std::error::Error + 'static)) -> CommandError {
    CommandError::from_error(exit_code::ENGINE_FAILED, error)
}

fn note_warnings(report: &mut Report, resolved: &Resolved) {
    let trace = &resolved.resolution.trace;
    let printed = trace.warnings.iter().map(|warning| format!("WARNING: {warning}"));
    let hidden = trace.swallowed.iter().map(|swallowed| format!("hidden by the runner: {swallowed}"));
    let allow_list = note_of_allow_list(trace).map(|note| format!("note: {note}"));
    let unknown = trace.unknown.iter().map(|unknown| format!("not known: {unknown}"));
    for note in printed.chain(hidden).chain(unknown).chain(allow_list) {
        if !report.notes.contains(&note) {
            report.notes.push(note);
        }
    }
}

fn credentials(resolved: &Resolved, ecr: Option<&EcrAccess>) -> Credentials {
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
            let identity = match origin {
                Some(Origin::Store { suffix } | Origin::Helper { suffix }) => {
                    identity_of_helper(ecr, suffix, &credential.server_address)
                }
                _ => None,
            };
            Credentials::Chosen(Chosen {
                source: credential.source.to_string(),
                origin: origin.map(ToString::to_string).unwrap_or_default(),
                server_address: credential.server_address.clone(),
                username: credential.username.clone(),
                password: credential.password.clone(),
                registry_token: credential.registry_token.clone(),
                is_identity_token: !credential.identity_token.expose_secret().is_empty(),
                identity,
            })
        }
    }
}

/// Where the AWS identity for a registry comes from, if ecru's helper, as `suffix` names it, is asked for its token.
fn identity_of_helper(ecr: Option<&EcrAccess>, suffix: &str, server: &str) -> Option<String> {
    let program = format!("{PROGRAM_PREFIX}{suffix}");
    let profile = ecru_helper::profile_of(program.as_ref());
    let is_ours = program == ecru_helper::NAME || profile.is_some();
    ecr.filter(|_| is_ours)?.configured_identity(server, profile.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_with_the_same_docker_auth_config_are_one_group() {
        let [one, two] = ["one", "two"].map(SecretString::from);
        let same = SecretString::from("one");
        let groups = groups([Some(&one), None, Some(&two), Some(&same), None].into_iter());
        let texts = groups.iter().map(|(value, _)| value.as_ref().map(ExposeSecret::expose_secret));
        assert_eq!(texts.collect::<Vec<_>>(), [Some("one"), None, Some("two")]);
        let indices = groups.into_iter().map(|(_, indices)| indices);
        assert_eq!(indices.collect::<Vec<_>>(), [vec![0, 3], vec![1, 4], vec![2]]);
    }
}
