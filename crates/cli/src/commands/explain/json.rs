//! The explanation for programs. Its form is a promise: see docs/EXPLAIN.md.

use ecru_doctor::helper_runs::HelperRun;
use ecru_gitlab::kubelet::SecretLine;
use ecru_gitlab::registry_auth::{
    Entry, HelperExit, Origin, ResolvedCredential, SourceState, SourceTrace, Verdict as EntryVerdict,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::decision::{Explanation, Verdict};
use super::wording;
use crate::args::PullContext;

/// What stands for a secret that is not shown.
const REDACTED: &str = "<redacted>";

pub(super) fn document(explanation: &Explanation, reveal: bool) -> Value {
    let (found, error) = match &explanation.verdict {
        Verdict::Found(found) => (credential(found, reveal), Value::Null),
        Verdict::Anonymous | Verdict::NoPull { .. } => (Value::Null, Value::Null),
        Verdict::Aborted(error) => (Value::Null, Value::from(error.as_str())),
    };
    let trace = &explanation.trace;
    json!({
        "image": explanation.image,
        "context": context(explanation.context),
        "rules": explanation.rules,
        "path": explanation.path,
        "credential": found,
        "error": error,
        "warnings": trace.warnings,
        "swallowed": trace.swallowed,
        "unknown": trace.unknown,
        "sources": trace.sources.iter().map(source).collect::<Vec<_>>(),
        "entries": trace.entries.iter().map(entry).collect::<Vec<_>>(),
        "helper_calls": helper_calls(explanation),
        "pod_secret": pod_secret(explanation, reveal),
        "notes": explanation.notes,
        "hints": explanation.hints,
    })
}

fn context(context: PullContext) -> &'static str {
    match context {
        PullContext::Runner => "runner",
        PullContext::Job => "job",
        PullContext::Kubernetes => "kubernetes",
    }
}

fn credential(credential: &ResolvedCredential, reveal: bool) -> Value {
    json!({
        "path": credential.path,
        "source": credential.source.to_string(),
        "server_address": credential.server_address,
        "username": credential.username,
        "secret": shown(&credential.password, reveal),
        "identity_token": shown(&credential.identity_token, reveal),
        "registry_token": shown(&credential.registry_token, reveal),
        "empty": credential.is_empty(),
        "assumed": credential.is_assumed,
    })
}

/// An empty secret is no secret.
fn shown(secret: &SecretString, reveal: bool) -> &str {
    match secret.expose_secret() {
        "" => "",
        secret if reveal => secret,
        _ => REDACTED,
    }
}

fn source(source: &SourceTrace) -> Value {
    let (state, detail) = match &source.state {
        SourceState::Absent => ("absent", None),
        SourceState::Read => ("read", None),
        SourceState::NotRead => ("not-read", None),
        SourceState::Hidden { by } => ("hidden", Some(by)),
        SourceState::Dropped { error } => ("dropped", Some(error)),
    };
    json!({ "source": source.source.to_string(), "state": state, "detail": detail })
}

fn entry(entry: &Entry) -> Value {
    let (origin, helper) = match &entry.origin {
        Origin::Static => ("static", None),
        Origin::Store { suffix } => ("credsStore", Some(suffix)),
        Origin::Helper { suffix } => ("credHelpers", Some(suffix)),
    };
    json!({
        "source": entry.source.to_string(),
        "key": entry.key,
        "path": entry.path,
        "origin": origin,
        "helper": helper,
        "verdict": verdict(&entry.verdict),
        "reason": wording::of_verdict(&entry.verdict),
    })
}

fn verdict(verdict: &EntryVerdict) -> &'static str {
    match verdict {
        EntryVerdict::Chosen => "chosen",
        EntryVerdict::Usable => "usable",
        EntryVerdict::Withheld => "withheld",
        EntryVerdict::OtherPath => "other-path",
        EntryVerdict::LongerPathWon => "longer-path-won",
        EntryVerdict::SamePathCameFirst { .. } => "same-path-came-first",
        EntryVerdict::Replaced { .. } => "replaced",
        EntryVerdict::NotFound => "not-found",
        EntryVerdict::NotPermitted => "not-permitted",
        EntryVerdict::SourceDropped => "source-dropped",
        EntryVerdict::DroppedTheSource => "dropped-the-source",
    }
}

fn helper_calls(explanation: &Explanation) -> Vec<Value> {
    let call = |(call, run): (&ecru_gitlab::registry_auth::HelperCall, &HelperRun)| {
        let exit = match &call.exit {
            HelperExit::Code(code) => Value::from(*code),
            HelperExit::Signal(signal) => Value::from(format!("signal: {signal}")),
            HelperExit::NotStarted | HelperExit::NotRun => Value::Null,
        };
        json!({
            "program": wording::program(call),
            "verb": call.verb.as_str(),
            "stdin": call.stdin,
            "exit": exit,
            "stdout_class": call.stdout.to_string(),
            "stderr": run.stderr,
            "duration_ms": run.duration.map(|duration| duration.as_millis()),
            "problem": run.problem,
        })
    };
    explanation.helper_calls().map(call).collect()
}

fn pod_secret(explanation: &Explanation, reveal: bool) -> Value {
    if explanation.context != PullContext::Kubernetes {
        return Value::Null;
    }
    let line = |line: &SecretLine| {
        json!({
            "key": line.key,
            "path": line.credential.path,
            "source": line.credential.source.to_string(),
            "server_address": line.credential.server_address,
            "username": line.credential.username,
            "secret": shown(&line.credential.password, reveal),
            "identity_token": shown(&line.credential.identity_token, reveal),
            "tried": line.place.map(|place| place + 1),
        })
    };
    explanation.secret.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use ecru_gitlab::registry_auth::{FileContent, HomeFile, Runner};
    use proptest::prelude::*;

    use super::super::decision::explain;
    use super::super::given::Given;
    use super::*;
    use crate::outside::Outside;

    proptest! {
        #[test]
        fn any_value_and_any_file_give_json(image: String, value: String, file: String, context in 0..3_usize) {
            let contexts = [PullContext::Runner, PullContext::Job, PullContext::Kubernetes];
            let given = Given {
                context: contexts[context],
                executor_without_images: None,
                runner: Runner::default(),
                docker_is_before_28_3: false,
                docker_auth_config: Some(value.into()),
                home_files: vec![HomeFile { path: "config.json".into(), content: FileContent::Text(file.into()) }],
                job_credentials: Vec::new(),
                runs_helpers: false,
                notes: Vec::new(),
            };
            let explanation = explain(&image, &given, &Outside::default());
            let written = document(&explanation, false).to_string();
            let read: Value = serde_json::from_str(&written).unwrap();
            prop_assert_eq!(read["image"].as_str(), Some(image.as_str()));
        }
    }
}
