//! What puts a source right that the runner drops because a helper in it fails.

use ecru_docker::config_file::ConfigFile;
use ecru_ecr::config::Config;
use ecru_gitlab::registry_auth::{
    FileContent, HelperCall, HelperExit, HelperVerb, Source, SourceState, StdoutClass,
};
use secrecy::ExposeSecret as _;

use super::facts::named_in;
use super::settings::is_for_ecr;
use super::{Facts, ResolvedSources};
use crate::report::Fix;

/// The set-up replaces helpers for ECR only: one that fails beside them goes on dropping the source.
pub(super) fn fix_of_dropped(facts: &Facts<'_>, sources: &ResolvedSources, source: &Source) -> Fix {
    let document = document(facts, sources, source);
    let mut failed = sources.all.trace.helper_calls.iter().filter(|call| has_failed(call));
    let foreign = document.as_ref().and_then(|document| {
        let call = failed.find(|call| names(document, &call.suffix))?;
        (!is_for_ecr(&call.suffix)).then_some((document, call))
    });
    match foreign {
        Some((document, call)) => Fix::advice(advice(facts, source, document, call)),
        None => facts.setup_command(),
    }
}

/// The dropped source that names the registry: nothing of it is known to the trace where its store's `list` fails.
pub(super) fn dropped_source<'s>(
    facts: &Facts<'_>,
    sources: &'s ResolvedSources,
    registry: &str,
) -> Option<&'s Source> {
    let none = Config::default();
    let config = facts.puller().map_or(&none, |puller| &puller.config);
    let names_it = |source: &&Source| {
        let document = document(facts, sources, source);
        document.is_some_and(|document| named_in(&[document], config).iter().any(|name| name == registry))
    };
    let all = sources.all.trace.sources.iter();
    let dropped = all.filter(|source| matches!(source.state, SourceState::Dropped { .. }));
    dropped.map(|source| &source.source).find(names_it)
}

fn advice(facts: &Facts<'_>, source: &Source, document: &ConfigFile, call: &HelperCall) -> String {
    let HelperCall { suffix, verb, stdin, .. } = call;
    let place = match source {
        Source::HomeFile(path) => facts.place(path),
        _ => source.to_string(),
    };
    let entry = match document.credential_helpers.get(stdin) == Some(suffix) {
        true => format!("`{stdin}` from `credHelpers` of {place}"),
        false => format!("`credsStore: {suffix}` from {place}"),
    };
    let user = facts.service.as_ref().map(|service| service.user.clone()).unwrap_or_default();
    format!(
        "remove {entry}, or make `docker-credential-{suffix} {verb}` work as user {user}",
        verb = verb.as_str()
    )
}

/// Whether a helper failed with anything but the sentence for "not found".
fn has_failed(call: &HelperCall) -> bool {
    let is_good = match call.verb {
        HelperVerb::List => call.stdout == StdoutClass::List,
        _ => matches!(call.stdout, StdoutClass::Credentials | StdoutClass::NoSecret),
    };
    let has_run = call.exit != HelperExit::NotRun && call.stdout != StdoutClass::NotRun;
    has_run && call.stdout != StdoutClass::NotFound && !(is_good && call.exit == HelperExit::Code(0))
}

fn names(document: &ConfigFile, suffix: &String) -> bool {
    document.credentials_store.as_ref() == Some(suffix)
        || document.credential_helpers.values().any(|helper| helper == suffix)
}

fn document(facts: &Facts<'_>, sources: &ResolvedSources, source: &Source) -> Option<ConfigFile> {
    match source {
        Source::HomeFile(path) => {
            let file = facts.home_files.iter().find(|file| file.path == *path)?;
            let FileContent::Text(text) = &file.content else { return None };
            ConfigFile::parse(text.expose_secret()).ok()
        }
        _ => {
            let runner = *facts.runners_called(&sources.runners).first()?;
            ConfigFile::parse(Facts::docker_auth_config(runner)?.expose_secret()).ok()
        }
    }
}
