//! What a run came to, in words that both programs can be compared by.
//!
//! `credential` is a JSON object with user and password of AWS and the server as it was written; `not found` the
//! line that makes callers go on, with exit code 1. What AWS was asked stands after it.

use std::process::Output;

use serde_json::Value;

use crate::stage::NOT_FOUND;
use crate::stage::aws::PASSWORD;
use crate::stage::responder::Request;

/// How much of a text that neither program's protocol has is compared.
const LONGEST_TEXT: usize = 80;

/// The outcome of a run that read `request` and made `calls`.
pub(crate) fn of_run(output: Option<&Output>, request: &[u8], calls: &[Request]) -> String {
    let answer = output.map_or_else(|| "no end".to_owned(), |output| of_answer(output, request));
    format!("{answer}, {}", of_calls(calls))
}

fn of_answer(output: &Output, request: &[u8]) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) if stdout.is_empty() => "silence".to_owned(),
        Some(0) => of_success(&stdout, request),
        Some(1) if stdout == NOT_FOUND => "not found".to_owned(),
        Some(code) if stdout.starts_with("Usage: ") => format!("usage, exit {code}"),
        Some(2) if String::from_utf8_lossy(&output.stderr).contains("goroutine ") => "panic".to_owned(),
        Some(code) => format!("exit {code}: {}", first_line(&stdout)),
        None => "killed".to_owned(),
    }
}

fn of_success(stdout: &str, request: &[u8]) -> String {
    let Ok(Value::Object(answer)) = serde_json::from_str::<Value>(stdout) else {
        return format!("text: {}", first_line(stdout));
    };
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let (Some(server), Some(user), Some(secret)) = (text("ServerURL"), text("Username"), text("Secret"))
    else {
        let servers: Vec<&str> = answer.keys().map(String::as_str).collect();
        return if servers.is_empty() {
            "list of nothing".to_owned()
        } else {
            format!("list of {}", servers.join(" "))
        };
    };
    let mut words = "credential".to_owned();
    if secret != PASSWORD {
        words = format!("credential with the password {secret:?}");
    }
    if user != "AWS" {
        words = format!("{words} of {user:?}");
    }
    let asked = String::from_utf8_lossy(request);
    if server != asked.trim_end_matches(['\r', '\n']) {
        words = format!("{words} for {server:?}");
    }
    words
}

/// The first line of a text; versions differ from build to build.
fn first_line(text: &str) -> String {
    let line: String = text.lines().next().unwrap_or_default().chars().take(LONGEST_TEXT).collect();
    line.replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

/// What AWS was asked, and how often.
fn of_calls(calls: &[Request]) -> String {
    let Some(first) = calls.first() else { return "no call".to_owned() };
    let (region, service) = first.scope();
    let times = if calls.len() == 1 { "1 call".to_owned() } else { format!("{} calls", calls.len()) };
    format!("{times} to {service} in {region}")
}

/// Whose key has signed the last call.
pub(crate) fn signer_of(calls: &[Request]) -> String {
    let authorization = calls.last().map(|call| call.header("authorization")).unwrap_or_default();
    let Some((_, credential)) = authorization.split_once("Credential=") else { return String::new() };
    format!(" signed by {}", credential.split('/').next().unwrap_or_default())
}
