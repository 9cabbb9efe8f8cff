//! What an explanation says in words: reasons, notes, and what to do.

use ecru_docker::credential_helper::message::PROGRAM_PREFIX;
use ecru_doctor::helper_runs::{HELPER_DEADLINE, HelperRun};
use ecru_ecr::registry::Registry;
use ecru_gitlab::registry_auth::{
    Entry, HelperCall, HelperExit, HelperVerb, Origin, SourceState, StdoutClass, Verdict as EntryVerdict,
    registry_path,
};

use super::decision::{Explanation, Verdict, is_home_file};
use crate::args::PullContext;
use crate::job::credentials::note_of_allow_list;

/// The name of the program that was called.
pub(super) fn program(call: &HelperCall) -> String {
    format!("{PROGRAM_PREFIX}{}", call.suffix)
}

/// Why an entry was chosen, or was not.
pub(super) fn of_verdict(verdict: &EntryVerdict) -> String {
    match verdict {
        EntryVerdict::Chosen => "chosen".to_owned(),
        EntryVerdict::Usable => "matches too: the kubelet tries all that match".to_owned(),
        EntryVerdict::Withheld => "in a Secret that the pod does not get".to_owned(),
        EntryVerdict::OtherPath => "is not for this image".to_owned(),
        EntryVerdict::LongerPathWon => "matches, but a longer path won".to_owned(),
        EntryVerdict::SamePathCameFirst { source, key } => {
            format!("the same path came first, as `{key}` in {source}")
        }
        EntryVerdict::Replaced { by } => format!("{by} under the same key took its place"),
        EntryVerdict::NotFound => "the helper has no credentials for it".to_owned(),
        EntryVerdict::NotPermitted => "its helper is not permitted to a job".to_owned(),
        EntryVerdict::SourceDropped => "lost, because its whole source was dropped".to_owned(),
        EntryVerdict::DroppedTheSource => {
            "its helper failed, which drops everything in this source".to_owned()
        }
    }
}

/// The registry of the image, if it is a private one of Amazon's.
pub(super) fn private_ecr_host(explanation: &Explanation) -> Option<&str> {
    let host = explanation.path.split('/').next()?;
    Registry::parse(host).ok().filter(|registry| !registry.is_public()).map(|_| host)
}

/// Adds what a person should know, and what to do.
pub(super) fn add_notes_and_hints(explanation: &mut Explanation) {
    forget_words_of_ours(explanation);
    let mut notes = notes(explanation);
    explanation.notes.append(&mut notes);
    let mut hints = hints(explanation);
    explanation.hints.append(&mut hints);
    let unknown: Vec<String> = explanation.helper_calls().filter_map(of_stopped_helper).collect();
    explanation.trace.unknown.extend(unknown);
    remove_repetitions(&mut explanation.hints);
    remove_repetitions(&mut explanation.trace.unknown);
}

/// A helper that was stopped here goes on where GitLab Runner runs it, which then prints nothing yet.
fn forget_words_of_ours(explanation: &mut Explanation) {
    let stopped = explanation.runs.iter().filter(|run| run.was_stopped);
    let words: Vec<String> = stopped.filter_map(|run| run.problem.clone()).collect();
    let is_of_runner = |text: &String| !words.iter().any(|words| text.contains(words));
    explanation.trace.warnings.retain(is_of_runner);
    explanation.trace.swallowed.retain(is_of_runner);
}

fn remove_repetitions(lines: &mut Vec<String>) {
    let mut told = std::collections::HashSet::new();
    lines.retain(|line| told.insert(line.clone()));
}

fn of_stopped_helper((call, run): (&HelperCall, &HelperRun)) -> Option<String> {
    run.was_stopped.then(|| {
        format!(
            "`{} {}` was stopped here after {} s or too much output; GitLab Runner waits without end",
            program(call),
            call.verb.as_str(),
            HELPER_DEADLINE.as_secs()
        )
    })
}

fn notes(explanation: &Explanation) -> Vec<String> {
    let by_digest = explanation.path.ends_with("@sha256").then(|| {
        "the image is named by digest alone, so a key for exactly this repository does not match it"
            .to_owned()
    });
    let wildcard = match explanation.context {
        PullContext::Kubernetes => None,
        _ => explanation.trace.entries.iter().find(|entry| entry.key.contains('*')),
    };
    let allow_list = match explanation.context {
        PullContext::Job => None,
        _ => note_of_allow_list(&explanation.trace),
    };
    let wildcard = wildcard.map(|entry| format!("`{}` is no pattern: keys have no wildcards", entry.key));
    let notes = [by_digest, wildcard, note_of_empty(explanation), allow_list];
    notes.into_iter().flatten().chain(notes_of_pod(explanation)).collect()
}

fn note_of_empty(explanation: &Explanation) -> Option<String> {
    let Verdict::Found(credential) = &explanation.verdict else { return None };
    let hides_others = explanation.context != PullContext::Kubernetes;
    (credential.is_empty() && hides_others).then(|| {
        format!(
            "the entry `{}` in {} is chosen but has nothing in it: the pull is anonymous, and lower sources are hidden",
            credential.server_address, credential.source
        )
    })
}

fn notes_of_pod(explanation: &Explanation) -> Vec<String> {
    if explanation.context != PullContext::Kubernetes {
        return Vec::new();
    }
    let mut notes = vec![
        "pull secrets of the runner's `image_pull_secrets`, and the node's own credential provider, are not seen here"
            .to_owned(),
    ];
    let token_only = explanation
        .secret
        .iter()
        .find(|line| line.place == Some(0))
        .filter(|line| line.credential.username.is_empty() && !line.credential.is_empty());
    notes.extend(
        token_only.map(|line| {
            format!("`{}` has a token only, and a kubelet knows user and password only", line.key)
        }),
    );
    notes
}

fn hints(explanation: &Explanation) -> Vec<String> {
    // A helper that has nothing for another registry is not what this image lacks.
    let host = explanation.path.split('/').next();
    let concerns_image = |(call, _): &(&HelperCall, &HelperRun)| {
        call.stdout != StdoutClass::NotFound || registry_path(&call.stdin).split('/').next() == host
    };
    let of_calls = explanation.helper_calls().filter(concerns_image).filter_map(hint_of_call);
    let mut hints: Vec<String> = of_calls.collect();
    if matches!(explanation.verdict, Verdict::Found(ref credential) if !credential.is_empty()) {
        return hints;
    }
    hints.extend(hint_of_silent_helper(explanation));
    hints.extend(hint_of_incomplete_store(explanation).or_else(|| hint_of_nothing(explanation)));
    hints
}

fn hint_of_call((call, run): (&HelperCall, &HelperRun)) -> Option<String> {
    let own = run.stderr.lines().find_map(|line| line.split_once("hint: ").map(|(_, hint)| hint.to_owned()));
    if own.is_some() {
        return own;
    }
    match (&call.exit, call.stdout) {
        (HelperExit::NotStarted, _) => run.hint.as_ref().map(|hint| {
            format!("{hint}: where gitlab-runner runs, not on the machine that it starts and not in the job")
        }),
        (HelperExit::NotRun, _)
        | (_, StdoutClass::Credentials | StdoutClass::List | StdoutClass::NotFound) => None,
        _ => Some(format!(
            "run `printf %s '{}' | {} {}` as the user of this process, and see what it says",
            call.stdin.replace('\'', "'\\''"),
            program(call),
            call.verb.as_str()
        )),
    }
}

/// Amazon's own helper answers every failure with "not found", and keeps the cause to itself.
fn hint_of_silent_helper(explanation: &Explanation) -> Option<String> {
    let host = private_ecr_host(explanation)?;
    let (call, _) = explanation.helper_calls().find(|(call, run)| {
        let is_of_image = registry_path(&call.stdin).split('/').next() == Some(host);
        is_of_image && call.stdout == StdoutClass::NotFound && run.stderr.trim().is_empty()
    })?;
    Some(format!(
        "`{} get` says \"not found\" and no cause: if it is Amazon's helper, the cause is the last line of \
         `~/.ecr/log/ecr-login.log`",
        program(call)
    ))
}

/// A store is asked for what it lists, and for nothing else; where it fails to list, its whole source is lost.
fn hint_of_incomplete_store(explanation: &Explanation) -> Option<String> {
    if explanation.context == PullContext::Job {
        return None;
    }
    let host = explanation.path.split('/').next()?;
    let list = |call: &&HelperCall| call.verb == HelperVerb::List && call.exit != HelperExit::NotRun;
    let call = explanation.trace.helper_calls.iter().find(list)?;
    let origin = Origin::Store { suffix: call.suffix.clone() };
    let is_listed =
        |entry: &Entry| entry.origin == origin && registry_path(&entry.key).split('/').next() == Some(host);
    if explanation.trace.entries.iter().any(is_listed) {
        return None;
    }
    let why = match call.stdout {
        StdoutClass::List => {
            format!("does not name {host}, and a credsStore is asked only for what it lists")
        }
        _ => "gives no list, and a credsStore that gives none takes its whole source with it".to_owned(),
    };
    Some(format!(
        "`{} list` {why}: name the registry instead, {{\"credHelpers\":{{\"{host}\":\"{}\"}}}}",
        program(call),
        call.suffix
    ))
}

/// Nothing is there that could have matched.
fn hint_of_nothing(explanation: &Explanation) -> Option<String> {
    if !matches!(explanation.verdict, Verdict::Anonymous) || !explanation.trace.entries.is_empty() {
        return None;
    }
    let dropped =
        explanation.trace.sources.iter().any(|source| matches!(source.state, SourceState::Dropped { .. }));
    let host = private_ecr_host(explanation).filter(|_| !dropped)?;
    let file = explanation.trace.sources.iter().find(|source| is_home_file(&source.source));
    let file = file.map_or_else(|| "~/.docker/config.json".to_owned(), |file| file.source.to_string());
    Some(format!("write {{\"credHelpers\":{{\"{host}\":\"ecr-login\"}}}} into {file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_that_was_stopped_is_no_word_of_the_runner() {
        let call = HelperCall {
            suffix: "slow".to_owned(),
            verb: HelperVerb::Get,
            stdin: "host.example".to_owned(),
            exit: HelperExit::NotStarted,
            stdout: StdoutClass::Empty,
        };
        let stopped = HelperRun { was_stopped: true, ..HelperRun::default() };
        let told = of_stopped_helper((&call, &stopped)).unwrap();
        assert!(
            told.contains("`docker-credential-slow get`") && told.contains("waits without end"),
            "{told}"
        );
        assert_eq!(of_stopped_helper((&call, &HelperRun::default())), None);
    }
}
