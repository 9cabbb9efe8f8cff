//! `fuzz-rustc RUSTC ARGUMENT…` compiles a crate of a fuzz target as it is told, but what no input decides about without
//! libFuzzer's counters: a part of `cargo xtask fuzz`, set as `RUSTC_WRAPPER`.
//!
//! cargo-fuzz has all crates instrumented, and libFuzzer goes through every counter after every input. For the targets
//! that go through the AWS SDK, that is more than a third of their time, and none of it tells about an answer.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

/// Crates that carry requests and answers but never look into them, by the beginning of their name. What parses is not
/// among them: `aws_config`, `aws_smithy_json`, `aws_smithy_xml`, the services' own crates, `http`, `serde_json`.
const PLUMBING: [&str; 12] = [
    "aws_runtime",
    "aws_sdk_sso",
    "aws_smithy_async",
    "aws_smithy_http_client",
    "aws_smithy_observability",
    "aws_smithy_runtime",
    "aws_types",
    "hyper",
    "ring",
    "rustls",
    "tokio",
    "tracing",
];

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let rustc = arguments.next().context("usage: fuzz-rustc RUSTC ARGUMENT...")?;
    let arguments: Vec<_> = arguments.collect();
    let name = arguments.iter().skip_while(|argument| *argument != "--crate-name").nth(1);
    let is_plumbing = name.is_some_and(|name| is_plumbing(name));
    let kept = arguments.iter().filter(|argument| !(is_plumbing && is_instrumentation(argument)));
    Err(Command::new(rustc).args(kept).exec()).context("cannot run rustc")
}

fn is_plumbing(name: &OsStr) -> bool {
    PLUMBING.iter().any(|plumbing| name.to_string_lossy().starts_with(plumbing))
}

/// Whether it is one of the flags by which cargo-fuzz asks for counters.
fn is_instrumentation(argument: &OsStr) -> bool {
    let argument = argument.to_string_lossy();
    argument == "-Cpasses=sancov-module" || argument.starts_with("-Cllvm-args=-sanitizer-coverage-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_carries_is_told_from_what_parses() {
        let plumbing = ["tokio", "aws_smithy_runtime_api", "aws_sdk_ssooidc", "rustls_webpki"];
        assert!(plumbing.iter().all(|name| is_plumbing(OsStr::new(name))));
        let parsers =
            ["aws_config", "aws_smithy_json", "aws_smithy_types", "aws_sdk_ecr", "ecru_ecr", "http"];
        assert!(!parsers.iter().any(|name| is_plumbing(OsStr::new(name))));
    }

    #[test]
    fn the_flags_of_the_counters_are_known_and_no_others() {
        let flags = ["-Cpasses=sancov-module", "-Cllvm-args=-sanitizer-coverage-trace-compares"];
        assert!(flags.iter().all(|flag| is_instrumentation(OsStr::new(flag))));
        assert!(!is_instrumentation(OsStr::new("-Cdebug-assertions")));
    }
}
