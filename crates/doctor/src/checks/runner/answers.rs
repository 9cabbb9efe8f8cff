//! What the helpers answered, and which credentials the runner would send because of it.

use std::path::Path;
use std::time::Duration;

use ecru_ecr::config::Config;
use ecru_gitlab::registry_auth::{
    Entry, HelperExit, HelperVerb, Origin, ResolutionError, ResolvedCredential, SourceState, StdoutClass,
    Verdict,
};

use super::dropped::{dropped_source, fix_of_dropped};
use super::pullers::why_nothing_is_sent;
use super::settings::is_for_ecr;
use super::{Facts, Resolved, ResolvedSources};
use crate::files::read_end;
use crate::helper_runs::{HELPER_DEADLINE, HelperRun, Question, quoted};
use crate::report::{Check, Context, Definition, Fix, Station, Weight};
use crate::surroundings::{METADATA_DISABLED, Puller};

/// A helper that takes longer holds up every pull of every job.
const SLOW: Duration = Duration::from_secs(5);

/// Where amazon-ecr-credential-helper tells what went wrong (its README, "Troubleshooting"), and how much of it is read.
const PEER_LOG: &str = ".ecr/log/ecr-login.log";
const PEER_LOG_BYTES: usize = 64 * 1024;

pub(super) static IN_TIME: Definition = Definition {
    id: "runner.helper.in-time",
    context: Context::Runner,
    station: Station::Helper,
    weight: Weight::Error,
    title: "the helper starts, and answers in time",
    why: "The runner waits for a helper without end, asks it anew for every key at every pull, and remembers nothing.",
};

pub(super) static LISTED: Definition = Definition {
    id: "runner.store.lists",
    context: Context::Runner,
    station: Station::Helper,
    weight: Weight::Error,
    title: "the credsStore lists the registries that jobs pull from",
    why: "Of a credsStore the runner asks only for what its `list` names, never for the image's registry.",
};

pub(super) static KEPT: Definition = Definition {
    id: "runner.sources.kept",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "no helper's failure drops a source",
    why: "When a helper fails with anything but the sentence for \"not found\", the runner drops the whole source, other \
          registries and written-down passwords included.",
};

pub(super) static CREDENTIALS: Definition = Definition {
    id: "runner.registry.credentials",
    context: Context::Runner,
    station: Station::Registry,
    weight: Weight::Error,
    title: "the runner has credentials for the registry",
    why: "Without them the pull is anonymous, and all that the job log says is `no basic auth credentials`.",
};

pub(super) static SHADOWED: Definition = Definition {
    id: "runner.registry.written-down",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Risk,
    title: "no password for ECR is written down",
    why: "A password of ECR ends after 12 hours; one that is written down works until then, and can stand before a \
          helper's or be erased by it.",
};

pub(super) fn checks(facts: &Facts<'_>, resolved: &Resolved) -> Vec<Check> {
    let mut checks = in_time(facts, resolved);
    for sources in &resolved.sources {
        checks.extend(listed(facts, sources));
        checks.extend(kept(facts, sources, resolved));
    }
    checks.extend(credentials(facts, resolved));
    checks
}

fn in_time(facts: &Facts<'_>, resolved: &Resolved) -> Vec<Check> {
    let mut suffixes: Vec<&str> =
        resolved.helpers.runs().iter().map(|(question, _)| question.suffix.as_str()).collect();
    suffixes.sort_unstable();
    suffixes.dedup();
    if suffixes.is_empty() {
        let reason = match facts.surroundings.asked.starts_programs {
            true => "no source names a helper",
            false => "no helper is started",
        };
        return vec![Check::skipped(&IN_TIME, reason)];
    }
    let of_suffix = |suffix: &str| {
        let runs = resolved.helpers.runs().iter().filter(|(question, _)| question.suffix == suffix);
        in_time_of(suffix, &runs.collect::<Vec<_>>(), facts)
    };
    suffixes.into_iter().map(of_suffix).collect()
}

fn in_time_of(suffix: &str, runs: &[&(Question, HelperRun)], facts: &Facts<'_>) -> Check {
    let program = format!("docker-credential-{suffix}");
    if runs.iter().any(|(_, run)| run.is_missing) {
        return Check::skipped(&IN_TIME, "it was not found, or may not be executed").about(program);
    }
    let failed = runs.iter().find(|(_, run)| run.problem.is_some());
    if let Some((_, run)) = failed {
        let problem = run.problem.clone().unwrap_or_default();
        let reason = match run.was_stopped {
            true => format!("{problem}; the runner would wait on"),
            false => problem,
        };
        let check = Check::fail(&IN_TIME, reason).about(program);
        return match &run.hint {
            Some(hint) => check.fix(facts.fix_of_hint(hint)),
            None if is_for_ecr(suffix) => check.fix(facts.setup_command()),
            None => check,
        };
    }
    let slowest = runs.iter().filter_map(|(_, run)| run.duration).max().unwrap_or_default();
    let line = format!("{} questions, the slowest answer after {} ms", runs.len(), slowest.as_millis());
    if slowest > SLOW {
        let reason = format!("it takes {} s, more than {}", slowest.as_secs(), SLOW.as_secs());
        let command = format!("ECRU_LOG=debug {program} list < /dev/null");
        return Check::fail(&IN_TIME, reason)
            .about(program)
            .seen(line)
            .seen(format!("a helper is stopped here after {} s", HELPER_DEADLINE.as_secs()))
            .fix(Fix::command(command));
    }
    Check::pass(&IN_TIME).about(program).seen(line)
}

/// What a store lists, where it is one for ECR and its `list` works.
fn listed(facts: &Facts<'_>, sources: &ResolvedSources) -> Vec<Check> {
    let calls = sources.all.trace.helper_calls.iter();
    let mut lists = calls.filter(|call| call.verb == HelperVerb::List && is_for_ecr(&call.suffix));
    let Some(call) = lists.next() else {
        return vec![Check::not_applicable(&LISTED, "no credsStore is for ECR")];
    };
    if call.stdout != StdoutClass::List {
        return vec![Check::skipped(&LISTED, "its `list` gave no list")];
    }
    let keys: Vec<&Entry> = sources
        .all
        .trace
        .entries
        .iter()
        .filter(|entry| matches!(&entry.origin, Origin::Store { suffix } if *suffix == call.suffix))
        .collect();
    let is_listed = |registry: &String| keys.iter().any(|entry| host_of(&entry.path) == registry.as_str());
    let runners = facts.runners_called(&sources.runners);
    let named = facts.named_by(&runners);
    let wanted = facts.registries_met_by(&runners, &Config::default());
    let missing: Vec<&String> =
        wanted.iter().filter(|registry| !is_listed(registry) && !named.contains(registry)).collect();
    let reason = match (missing.as_slice(), keys.is_empty() && named.is_empty()) {
        ([], false) => None,
        ([], true) => Some("its `list` names no registry, so the runner has credentials for none".to_owned()),
        (missing, _) => {
            let missing: Vec<&str> = missing.iter().map(|registry| registry.as_str()).collect();
            Some(format!("its `list` leaves out {}", missing.join(", ")))
        }
    };
    let check = match reason {
        None => Check::pass(&LISTED),
        Some(reason) => Check::fail(&LISTED, reason).fix(facts.setup_command()),
    };
    let check = check.about(format!("docker-credential-{}", call.suffix));
    vec![keys.iter().map(|entry| format!("listed: {}", entry.key)).fold(check, Check::seen)]
}

fn kept(facts: &Facts<'_>, sources: &ResolvedSources, resolved: &Resolved) -> Vec<Check> {
    if let Err(error) = &sources.all.outcome {
        let ResolutionError::PathTraversal { suffix, .. } = error else {
            return vec![Check::fail(&KEPT, error.to_string())];
        };
        let reason = format!(
            "the runner ends before it pulls: the helper `{suffix}` is named by a path, or by nothing"
        );
        return vec![Check::fail(&KEPT, reason).fix(facts.setup_command())];
    }
    let trace = &sources.all.trace;
    let dropped = trace.sources.iter().filter_map(|source| match &source.state {
        SourceState::Dropped { error } => Some((&source.source, error)),
        _ => None,
    });
    let checks: Vec<Check> = dropped
        .map(|(source, error)| {
            let entries = trace.entries.iter().filter(|entry| entry.source == *source);
            let lost: Vec<String> =
                entries.map(|entry| format!("lost: {} ({})", entry.key, entry.origin)).collect();
            let check = Check::fail(&KEPT, quoted(error)).about(source.to_string());
            let check = lost.into_iter().fold(check, Check::seen);
            let said = resolved.helpers.runs().iter().flat_map(|(_, run)| run.stderr.lines()).take(3);
            said.map(quoted).fold(check, Check::seen).fix(fix_of_dropped(facts, sources, source))
        })
        .collect();
    let was_run = trace.helper_calls.iter().all(|call| call.exit != HelperExit::NotRun);
    match (checks.is_empty(), was_run) {
        (true, true) => vec![Check::pass(&KEPT)],
        (true, false) => vec![Check::skipped(&KEPT, "no helper is started")],
        (false, _) => checks,
    }
}

fn credentials(facts: &Facts<'_>, resolved: &Resolved) -> Vec<Check> {
    let mut registries = facts.puller().map(|puller| puller.registries.clone()).unwrap_or_default();
    for wanted in facts.wanted_registries() {
        if !registries.contains(&wanted) {
            registries.push(wanted);
        }
    }
    if registries.is_empty() {
        return vec![Check::skipped(&CREDENTIALS, "no registry of ECR is named; `--image IMAGE` names one")];
    }
    let several = resolved.sources.len() > 1;
    let mut checks = Vec::new();
    for registry in &registries {
        for sources in &resolved.sources {
            if !facts.is_met_by(&facts.runners_called(&sources.runners), registry) {
                continue;
            }
            let subject = match several {
                true => format!("{registry} ({})", sources.runners.join(", ")),
                false => registry.clone(),
            };
            checks.push(of_registry(facts, resolved, sources, registry).about(subject));
        }
    }
    checks
}

fn of_registry(facts: &Facts<'_>, resolved: &Resolved, sources: &ResolvedSources, registry: &str) -> Check {
    let known: &[ResolvedCredential] = sources.all.outcome.as_deref().unwrap_or_default();
    let Some(found) = known.iter().find(|credential| host_of(&credential.path) == registry) else {
        return without_credentials(facts, resolved, sources, registry);
    };
    let from = format!("from {}, for `{}`", found.source, found.server_address);
    if found.is_assumed {
        return Check::skipped(&CREDENTIALS, "its helper was not run").seen(from);
    }
    if found.is_empty() {
        return Check::fail(&CREDENTIALS, "an entry without a password is sent, and hides all others")
            .seen(from)
            .fix(facts.setup_command());
    }
    Check::pass(&CREDENTIALS).seen(format!("{from}, user {}", found.username))
}

fn without_credentials(
    facts: &Facts<'_>,
    resolved: &Resolved,
    sources: &ResolvedSources,
    registry: &str,
) -> Check {
    let entries = sources.all.trace.entries.iter().filter(|entry| host_of(&entry.path) == registry);
    let entries: Vec<&Entry> = entries.collect();
    let why_not = why_nothing_is_sent(&facts.runners_called(&sources.runners));
    if let Some(reason) =
        why_not.filter(|_| entries.is_empty() && dropped_source(facts, sources, registry).is_none())
    {
        return Check::not_applicable(&CREDENTIALS, reason);
    }
    let runs = resolved.helpers.runs().iter();
    let runs = runs.filter(|(question, _)| entries.iter().any(|entry| entry.key == question.stdin));
    let said: Vec<String> = runs.flat_map(|(_, run)| run.stderr.lines().map(quoted)).collect();
    let (hints, causes): (Vec<String>, Vec<String>) =
        said.into_iter().partition(|line| line.contains("hint: "));
    let log = peer_log(facts);
    let dropped =
        entries.first().map(|entry| &entry.source).or_else(|| dropped_source(facts, sources, registry));
    let reason = match entries.first().map(|entry| (&entry.verdict, &entry.origin)) {
        None => match dropped {
            Some(source) => format!("{source} names it, and was dropped"),
            None => "no source names it".to_owned(),
        },
        Some((Verdict::NotFound, origin)) => match causes.first().or(log.as_ref()) {
            Some(cause) => format!("{origin} says that it has none: {cause}"),
            None => format!("{origin} says that it has none, and not why"),
        },
        Some((Verdict::NotPermitted, origin)) => format!("this version may not run {origin}"),
        Some((_, origin)) => format!("the source with {origin} was dropped"),
    };
    let has_hidden_instance = facts.puller().is_some_and(Puller::is_instance_unknown);
    if has_hidden_instance && causes.iter().any(|cause| cause.contains(METADATA_DISABLED)) {
        let reason = "its helper has an identity only if the instance has one, whose metadata are not asked with --root";
        return causes.into_iter().fold(Check::skipped(&CREDENTIALS, reason), Check::seen);
    }
    let check = Check::fail(&CREDENTIALS, reason);
    let check = causes.into_iter().chain(log).fold(check, Check::seen);
    match (hints.first().and_then(|line| line.split_once("hint: ")), dropped) {
        (Some((_, hint)), _) => check.fix(facts.fix_of_hint(hint)),
        (None, Some(source)) => check.fix(fix_of_dropped(facts, sources, source)),
        (None, None) => check.fix(facts.setup_command()),
    }
}

/// The last error in the log of amazon-ecr-credential-helper, which tells its causes nowhere else.
fn peer_log(facts: &Facts<'_>) -> Option<String> {
    let home = &facts.service.as_ref().ok()?.home;
    let path = facts.surroundings.place_of(&home.join(Path::new(PEER_LOG)));
    let text = String::from_utf8_lossy(&read_end(&path, PEER_LOG_BYTES).ok()??).into_owned();
    let line = text.lines().rev().find(|line| line.contains("level=error"))?;
    Some(format!("~/{PEER_LOG}: {}", quoted(line)))
}

pub(super) fn host_of(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

/// The keys for which a helper for ECR gave credentials.
pub(super) fn registries_with_credentials(resolved: &Resolved) -> Vec<String> {
    let calls = resolved.sources.iter().flat_map(|sources| &sources.all.trace.helper_calls);
    calls
        .filter(|call| is_for_ecr(&call.suffix) && call.stdout == StdoutClass::Credentials)
        .map(|call| call.stdin.clone())
        .collect()
}

pub(super) fn shadowed(facts: &Facts<'_>, resolved: &Resolved) -> Vec<Check> {
    let Some(puller) = facts.puller() else { return Vec::new() };
    let entries = resolved.sources.iter().flat_map(|sources| &sources.all.trace.entries);
    let mut seen: Vec<(String, String, String)> = Vec::new();
    for entry in entries.filter(|entry| entry.origin == Origin::Static) {
        let host = host_of(&entry.path);
        if puller.config.registry(host).is_err() {
            continue;
        }
        let what = match &entry.verdict {
            Verdict::Replaced { by } => format!("{by} takes its place, also where that has none"),
            Verdict::Usable => "it is sent".to_owned(),
            Verdict::Withheld => "the pod does not get it".to_owned(),
            Verdict::SamePathCameFirst { source, .. } => format!("{source} comes before it"),
            _ => "its source was dropped".to_owned(),
        };
        let found = (entry.source.to_string(), entry.key.clone(), what);
        if !seen.contains(&found) {
            seen.push(found);
        }
    }
    if seen.is_empty() {
        return vec![Check::pass(&SHADOWED)];
    }
    let of_one = |(source, key, what): (String, String, String)| {
        Check::fail(&SHADOWED, format!("`auths` has a password for it: {what}"))
            .about(key.clone())
            .seen(format!("in {source}"))
            .fix(Fix::advice(format!("remove `{key}` from `auths` of {source}")))
    };
    seen.into_iter().map(of_one).collect()
}
