//! The table of docs/ARCHITECTURE.md: who may use whom.

use std::fmt;

/// What one crate of the workspace may use.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The crate's name.
    pub(super) of: &'static str,
    /// The crates of the workspace that it may link.
    pub(super) may_use: &'static [&'static str],
    /// Those that its tests may use besides.
    pub(super) tests_may_use: &'static [&'static str],
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[&str]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        write!(f, "may use {}; its tests also {}", list(self.may_use), list(self.tests_may_use))
    }
}

const TEST_CRATES: &[&str] = &["ecru-testkit", "ecru-emulator"];

pub(super) const ROWS: &[Row] = &[
    Row { of: "ecru-ecr", may_use: &[], tests_may_use: TEST_CRATES },
    Row { of: "ecru-docker", may_use: &[], tests_may_use: TEST_CRATES },
    Row { of: "ecru-gitlab", may_use: &["ecru-docker"], tests_may_use: TEST_CRATES },
    Row { of: "ecru-helper", may_use: &["ecru-ecr", "ecru-docker"], tests_may_use: TEST_CRATES },
    Row {
        of: "ecru-executor",
        may_use: &["ecru-docker", "ecru-gitlab", "ecru-ecr"],
        tests_may_use: TEST_CRATES,
    },
    Row { of: "ecru-registry", may_use: &["ecru-docker"], tests_may_use: TEST_CRATES },
    Row {
        of: "ecru-doctor",
        may_use: &["ecru-ecr", "ecru-docker", "ecru-gitlab", "ecru-registry", "ecru-executor"],
        tests_may_use: TEST_CRATES,
    },
    // Not even its tests use our clients: a mistake that both sides share would hide itself.
    Row { of: "ecru-emulator", may_use: &[], tests_may_use: &["ecru-testkit"] },
    Row {
        of: "ecru-cli",
        may_use: &[
            "ecru-ecr",
            "ecru-docker",
            "ecru-doctor",
            "ecru-gitlab",
            "ecru-helper",
            "ecru-executor",
            "ecru-registry",
            "ecru-emulator",
        ],
        tests_may_use: TEST_CRATES,
    },
    Row { of: "ecru-testkit", may_use: &[], tests_may_use: &[] },
    Row { of: "xtask", may_use: &[], tests_may_use: &[] },
];

/// Foreign crates that only some crates may name as a dependency.
#[derive(Debug)]
pub(super) struct DirectFence {
    /// The foreign crates; a trailing `*` stands for any ending.
    pub(super) around: &'static [&'static str],
    /// Who may use them.
    pub(super) only: &'static [&'static str],
    /// The reason, for the message.
    pub(super) why: &'static str,
}

pub(super) const DIRECT_FENCES: &[DirectFence] = &[
    DirectFence {
        around: &["aws-*"],
        only: &["ecru-ecr"],
        why: "one crate speaks to AWS and holds its keys",
    },
    DirectFence {
        around: &["bollard"],
        only: &["ecru-executor"],
        why: "one crate talks to the Docker engine",
    },
    DirectFence {
        around: &["reqwest"],
        only: &["ecru-registry"],
        why: "one client asks registries, and decides where a password may go",
    },
    // hyper-util, whose proxy rules `ecr` reads the variables with, serves nothing without hyper.
    DirectFence {
        around: &["axum", "hyper"],
        only: &["ecru-emulator"],
        why: "nothing but the emulator listens",
    },
];

/// Foreign crates that must not be linked anywhere below a crate.
#[derive(Debug)]
pub(super) struct TreeFence {
    /// The crate of the workspace.
    pub(super) below: &'static str,
    /// The foreign crates; a trailing `*` stands for any ending.
    pub(super) forbidden: &'static [&'static str],
    /// The reason, for the message.
    pub(super) why: &'static str,
}

pub(super) const TREE_FENCES: &[TreeFence] = &[
    TreeFence {
        below: "ecru-gitlab",
        forbidden: &["aws-*", "bollard", "hyper", "reqwest", "tokio"],
        why: "the rules of the runner are pure: no network, no processes, no AWS",
    },
    TreeFence {
        below: "ecru-helper",
        forbidden: &["axum", "bollard", "clap", "oci-client"],
        why: "the helper is slim: no server, no engine client, no argument parser",
    },
];
