//! The explanation for people: the answer first, then how it came about, source by source.

use std::fmt::Write as _;

use ecru_doctor::helper_runs::HelperRun;
use ecru_gitlab::kubelet::SecretLine;
use ecru_gitlab::registry_auth::{
    Entry, HelperCall, HelperExit, ResolvedCredential, Source, SourceState, SourceTrace,
    Verdict as EntryVerdict,
};
use secrecy::ExposeSecret as _;

use super::decision::{Explanation, Verdict};
use super::wording;
use crate::args::PullContext;

/// The whole page, ending in a line feed.
pub(super) fn page(explanation: &Explanation, reveal: bool) -> String {
    let mut page = Page::default();
    page.line(&headline(&explanation.verdict));
    if let (Verdict::Found(credential), true) = (&explanation.verdict, reveal) {
        page.secrets(credential);
    }
    page.line("");
    page.line(&format!("  image      {}", explanation.image));
    page.line(&format!("  looked up  {}", looked_up(explanation)));
    page.line(&format!("  rules of   {}", explanation.rules));
    page.section("sources, in the order in which they are read", sources(explanation));
    let title = match is_withheld(explanation) {
        true => "Secret that the runner makes, and that the pod does not get",
        false => "pod's Secret, in the order in which the kubelet tries it",
    };
    page.section(title, secret(explanation));
    page.section("helpers that were called", helpers(explanation));
    page.section(place_of_warnings(explanation.context), job_log(explanation));
    page.section("swallowed by the runner, in no log", explanation.trace.swallowed.clone());
    page.section("not known", explanation.trace.unknown.clone());
    page.prefixed("note", &explanation.notes);
    page.prefixed("hint", &explanation.hints);
    page.0
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, text: &str) {
        self.0.push_str(text.trim_end());
        self.0.push('\n');
    }

    fn section(&mut self, title: &str, lines: Vec<String>) {
        if lines.is_empty() {
            return;
        }
        let _ = write!(self.0, "\n{title}:\n");
        for line in lines {
            self.line(&format!("  {line}"));
        }
    }

    fn prefixed(&mut self, prefix: &str, lines: &[String]) {
        if !lines.is_empty() {
            self.0.push('\n');
        }
        for line in lines {
            self.line(&format!("{prefix}: {line}"));
        }
    }

    fn secrets(&mut self, credential: &ResolvedCredential) {
        let secrets = [
            ("password", &credential.password),
            ("identity token", &credential.identity_token),
            ("registry token", &credential.registry_token),
        ];
        for (name, secret) in secrets.map(|(name, secret)| (name, secret.expose_secret())) {
            if !secret.is_empty() {
                self.line(&format!("{name}: {secret}"));
            }
        }
    }
}

fn headline(verdict: &Verdict) -> String {
    let credential = match verdict {
        Verdict::Anonymous => return "NO CREDENTIALS: the pull is anonymous".to_owned(),
        Verdict::Aborted(error) => return format!("ABORTED before the pull: {error}"),
        Verdict::NoPull { executor } => {
            return format!("NO PULL: the executor `{executor}` pulls no image and looks for no credentials");
        }
        Verdict::Found(credential) => credential,
    };
    let from = format!("`{}` in {}", credential.server_address, credential.source);
    if credential.is_assumed {
        return format!("CREDENTIALS are for a helper to give, which was not run: {from}");
    }
    if credential.is_empty() {
        return format!("EMPTY CREDENTIALS, as good as none: {from}");
    }
    match credential.username.as_str() {
        "" => format!("CREDENTIALS FOUND: a token from {from}"),
        username => format!("CREDENTIALS FOUND: user {username} from {from}"),
    }
}

fn looked_up(explanation: &Explanation) -> String {
    match explanation.context {
        _ if matches!(explanation.verdict, Verdict::NoPull { .. }) => "nothing".to_owned(),
        PullContext::Runner if explanation.path.contains('/') => {
            format!("{}, then each parent; the longest wins", explanation.path)
        }
        PullContext::Kubernetes => format!("{}, by the kubelet's rules", explanation.path),
        _ => explanation.path.clone(),
    }
}

fn sources(explanation: &Explanation) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, source) in explanation.trace.sources.iter().enumerate() {
        lines.push(format!("{}. {}: {}", number + 1, source.source, state(source)));
        let entries = explanation.trace.entries.iter().filter(|entry| entry.source == source.source);
        lines.extend(entries.map(entry));
    }
    lines
}

fn state(source: &SourceTrace) -> String {
    match &source.state {
        SourceState::Absent => match source.source {
            Source::HomeFile(_) => "not there".to_owned(),
            _ => "not set".to_owned(),
        },
        SourceState::Read => "read".to_owned(),
        SourceState::NotRead => "not read".to_owned(),
        SourceState::Hidden { by } => format!("not read, because {by} is there"),
        SourceState::Dropped { error } => format!("DROPPED, with all its entries: {error}"),
    }
}

fn entry(entry: &Entry) -> String {
    let mark = match entry.verdict {
        EntryVerdict::Chosen => '>',
        EntryVerdict::Usable => '+',
        _ => '-',
    };
    format!("   {mark} {} ({}): {}", entry.key, entry.origin, wording::of_verdict(&entry.verdict))
}

fn secret(explanation: &Explanation) -> Vec<String> {
    let mut tried: Vec<(usize, &SecretLine)> =
        explanation.secret.iter().filter_map(|line| Some((line.place?, line))).collect();
    tried.sort_by_key(|(place, _)| *place);
    let tried = tried.into_iter().map(|(place, line)| {
        let beyond = match line.is_beyond_the_runner {
            true => ", which GitLab Runner's docker executors would not match",
            false => "",
        };
        format!("{}. {}: user {}{beyond}", place + 1, line.key, line.credential.username)
    });
    let other = match is_withheld(explanation) {
        true => |line: &SecretLine| format!("-  {}: user {}", line.key, line.credential.username),
        false => |line: &SecretLine| format!("-  {}: is not for this image", line.key),
    };
    let others = explanation.secret.iter().filter(|line| line.place.is_none());
    tried.chain(others.map(other)).collect()
}

fn is_withheld(explanation: &Explanation) -> bool {
    explanation.trace.entries.iter().any(|entry| entry.verdict == EntryVerdict::Withheld)
}

fn helpers(explanation: &Explanation) -> Vec<String> {
    explanation.helper_calls().flat_map(helper).collect()
}

fn helper((call, run): (&HelperCall, &HelperRun)) -> Vec<String> {
    let exit = match &call.exit {
        HelperExit::Code(code) => format!("exit {code}"),
        HelperExit::Signal(signal) => format!("ended by a signal: {signal}"),
        HelperExit::NotStarted => "no answer".to_owned(),
        HelperExit::NotRun => "not run (--no-exec)".to_owned(),
    };
    let duration = run.duration.map(|duration| format!(" in {} ms", duration.as_millis()));
    let answer = match call.exit {
        HelperExit::Code(_) | HelperExit::Signal(_) => format!(", {}", call.stdout),
        HelperExit::NotStarted | HelperExit::NotRun => String::new(),
    };
    let (program, verb) = (wording::program(call), call.verb.as_str());
    let mut lines =
        vec![format!("{program} {verb} <<< {}: {exit}{}{answer}", call.stdin, duration.unwrap_or_default())];
    lines.extend(run.problem.iter().map(|problem| format!("   | {problem}")));
    lines.extend(run.stderr.lines().map(|line| format!("   | {line}")));
    lines
}

fn place_of_warnings(context: PullContext) -> &'static str {
    match context {
        PullContext::Runner | PullContext::Kubernetes => "in the job log",
        PullContext::Job => "on standard error of docker",
    }
}

fn job_log(explanation: &Explanation) -> Vec<String> {
    let warning = |warning: &String| match explanation.context {
        PullContext::Job => warning.clone(),
        _ => format!("WARNING: {warning}"),
    };
    let mut lines: Vec<String> = explanation.trace.warnings.iter().map(warning).collect();
    if explanation.context == PullContext::Runner && !matches!(explanation.verdict, Verdict::NoPull { .. }) {
        lines.extend(explanation.job_log_line.clone());
        lines.push(match &explanation.verdict {
            Verdict::Aborted(error) => {
                format!("(the job fails in its preparation, after three tries: {error})")
            }
            _ => format!("Pulling docker image {} ...", explanation.image),
        });
    }
    let is_anonymous = match &explanation.verdict {
        Verdict::Found(credential) => credential.is_empty(),
        Verdict::Anonymous => true,
        Verdict::Aborted(_) | Verdict::NoPull { .. } => false,
    };
    if is_anonymous && wording::private_ecr_host(explanation).is_some() {
        lines.push("(then ECR's answer to a pull without credentials: no basic auth credentials)".to_owned());
    }
    lines
}
