//! Requests that look like a registry of ECR and are none: none of them gets a credential, and AWS is asked for
//! none of them. Every true form gets one.
//!
//! All go through the library, which stands before everything else, and a sample through the program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says here what it saw")]

mod seeds;
#[allow(dead_code, reason = "the stage serves other targets, too")]
#[path = "../program/stage/mod.rs"]
mod stage;
mod true_forms;

use std::collections::BTreeSet;

use ecru_ecr::registry::Registry;

use crate::stage::aws::{self, PASSWORD};
use crate::stage::{NOT_FOUND, Stage};

/// Of how many hostile requests one goes through the program: a process for each would take minutes.
const SAMPLED: usize = 23;

/// What the program makes of a request before it parses the host: one line of text without control characters.
fn is_accepted(request: &[u8]) -> bool {
    let line = request.strip_suffix(b"\n").map_or(request, |line| line.strip_suffix(b"\r").unwrap_or(line));
    let Ok(server) = std::str::from_utf8(line) else { return false };
    !server.chars().any(char::is_control) && Registry::parse(server).is_ok()
}

fn hostile_requests() -> BTreeSet<Vec<u8>> {
    let hosts: Vec<String> = true_forms::hosts().into_iter().collect();
    let mut requests = BTreeSet::new();
    for seed in seeds::ALL {
        for host in hosts.iter().step_by(4) {
            requests.extend((seed.make)(host));
        }
    }
    requests
}

#[test]
fn hostile_hosts_are_refused_by_the_library() {
    let requests = hostile_requests();
    assert!(seeds::ALL.len() >= 24 && requests.len() >= 5000, "{} requests", requests.len());
    for request in &requests {
        assert!(!is_accepted(request), "accepted: {:?}", String::from_utf8_lossy(request));
    }
    println!("{} hostile requests from {} seeds: 0 accepted", requests.len(), seeds::ALL.len());
}

#[test]
fn every_seed_makes_requests_of_its_own() {
    let host = "000000000001.dkr.ecr.eu-central-1.amazonaws.com";
    let mut seen = BTreeSet::new();
    for seed in seeds::ALL {
        let made: Vec<_> = (seed.make)(host);
        assert!(!made.is_empty(), "{}", seed.name);
        assert!(made.into_iter().any(|request| seen.insert(request)), "{} makes nothing new", seed.name);
    }
}

#[test]
fn hostile_hosts_get_nothing_from_the_program() {
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    let requests: Vec<Vec<u8>> = hostile_requests().into_iter().step_by(SAMPLED).collect();
    assert!(requests.len() >= 200);
    let stage = &stage;
    std::thread::scope(|scope| {
        for chunk in requests.chunks(requests.len().div_ceil(4)) {
            scope.spawn(move || {
                for request in chunk {
                    for verb in ["get", "erase"] {
                        let run = stage.run(verb, request.clone());
                        assert_eq!(run.code, 1, "{verb} {:?}: {run:?}", String::from_utf8_lossy(request));
                        assert!(!run.stdout.contains(PASSWORD));
                        assert!(verb == "erase" || run.stdout == NOT_FOUND, "{run:?}");
                        assert!(!run.stderr.contains("panicked"), "{run:?}");
                    }
                }
            });
        }
    });
    assert_eq!(aws.count(), 0);
    assert!(!stage.path(".cache").exists(), "something was written");
    println!("{} of them through the program: 0 credentials, 0 calls", requests.len());
}

#[test]
fn true_forms_are_all_accepted() {
    let forms = true_forms::written();
    assert!(forms.len() >= 200, "{}", forms.len());
    for form in &forms {
        assert!(is_accepted(form.as_bytes()), "refused: {form:?}");
    }
    println!("{} true forms: all accepted", forms.len());
}

#[test]
fn true_forms_are_answered_by_the_program() {
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    // A region below a domain of its own needs answers that name it; those of `amazonaws.com` do here.
    let forms = true_forms::written().into_iter().filter(|form| form.contains(".eu-central-1.amazonaws.com"));
    let forms: Vec<String> = forms.collect();
    assert!(forms.len() >= 10);
    for form in &forms {
        let run = stage.get(form);
        assert_eq!(run.secret(), PASSWORD, "{form}");
        assert_eq!(run.credential()["ServerURL"], form.trim_end());
    }
    // `ecr` and `ecr-fips` hosts of the region have an entry each.
    assert!(aws.count() <= 2, "{}", aws.count());
}
