//! What became of each entry, and what about the decision is not known.

use super::rules::{Lookup, Rules};
use super::trace::{Entry, Source, Trace, Verdict};
use super::version::RunnerVersion;
use super::{Inputs, ResolvedCredential, Runner};

/// Says of each usable entry whether it was chosen, and why not.
pub(super) fn judge(trace: &mut Trace, rules: &Rules, image_path: &str, winner: Option<&ResolvedCredential>) {
    for entry in trace.entries.iter_mut().filter(|entry| entry.verdict.is_usable()) {
        let is_winner =
            winner.is_some_and(|winner| winner.server_address == entry.key && winner.source == entry.source);
        let matches = rules.candidates(image_path).any(|path| path == entry.path);
        entry.verdict = match (is_winner, matches, winner) {
            (true, ..) => Verdict::Chosen,
            (false, true, Some(winner)) if winner.path == entry.path => Verdict::SamePathCameFirst {
                source: winner.source.clone(),
                key: winner.server_address.clone(),
            },
            (false, true, _) => Verdict::LongerPathWon,
            (false, false, _) => Verdict::OtherPath,
        };
    }
}

/// Notes what about all sources is not known of this version.
pub(super) fn note_unknown_rules(trace: &mut Trace, rules: &Rules, runner: &Runner, inputs: &Inputs<'_>) {
    if runner.version > RunnerVersion::NEWEST_IN_PART {
        trace.unknown.push(format!(
            "nothing is known of GitLab Runner {}: the rules of {} are applied",
            runner.version,
            RunnerVersion::NEWEST_IN_PART
        ));
    }
    note_allow_list(trace, rules, runner);
    let of_unknown_case = trace.entries.iter().find(|entry| !rules.knows_case_of(&entry.key));
    if let Some(entry) = of_unknown_case {
        trace.unknown.push(format!(
            "whether GitLab Runner {} compares `{}` without regard to case is not known: it is taken to",
            runner.version, entry.key
        ));
    }
    if rules.lookup == Lookup::SourceBySource && inputs.docker_auth_config.is_some() {
        trace.unknown.push(format!(
            "whether GitLab Runner {} prints where credentials come from is not known",
            runner.version
        ));
    }
}

/// The setting `allowed_docker_credential_helpers` is known by its name and its purpose only (merge request 7320).
fn note_allow_list(trace: &mut Trace, rules: &Rules, runner: &Runner) {
    let refused = trace.entries.iter().filter(|entry| entry.verdict == Verdict::NotPermitted);
    let keys: Vec<String> = refused.map(|entry| format!("`{}`", entry.key)).collect();
    if !rules.has_allow_list || keys.is_empty() {
        return;
    }
    trace.unknown.push(format!(
        "GitLab Runner {} runs a helper that the job's DOCKER_AUTH_CONFIG names only where \
         `allowed_docker_credential_helpers` permits it: for {} it is taken not to",
        runner.version,
        keys.join(", ")
    ));
    trace.unknown.push(
        "whether a DOCKER_AUTH_CONFIG from config.toml counts as the job's, and whether one refused helper drops the \
         rest of the value, is not known"
            .to_owned(),
    );
    trace.hints.push(
        "name the helper in `~/.docker/config.json` of the runner's process instead: there every version runs it"
            .to_owned(),
    );
}

/// Notes where the runner picks one of several entries at random, which versions before 18.3.0 do.
pub(super) fn note_random_choice(trace: &mut Trace, rules: &Rules, winner: Option<&ResolvedCredential>) {
    let Some(winner) = winner.filter(|_| !rules.has_stable_order) else { return };
    let competes = |entry: &&Entry| {
        let same_source = entry.source == winner.source || rules.lookup == Lookup::KeysByHost;
        let is_there = matches!(entry.verdict, Verdict::Chosen | Verdict::SamePathCameFirst { .. });
        is_there && same_source && entry.path == winner.path
    };
    let mut keys: Vec<&str> = trace.entries.iter().filter(competes).map(|entry| entry.key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.len() < 2 {
        return;
    }
    let keys: Vec<String> = keys.into_iter().map(|key| format!("`{key}`")).collect();
    let whose = match winner.source {
        _ if rules.lookup == Lookup::KeysByHost => "all sources".to_owned(),
        Source::JobPayload => "the job's payload".to_owned(),
        ref source => source.to_string(),
    };
    trace.unknown.push(format!(
        "this version picks one of {} in {whose} at random, anew for each pull",
        keys.join(", ")
    ));
}
