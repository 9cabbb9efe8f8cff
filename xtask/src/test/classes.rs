//! Test targets whose names say what they need.
//!
//! A test that needs more than Rust carries `#[ignore = "needs …"]` and lives in a target whose name begins with its
//! class, so that `cargo test` alone passes everywhere and this command can run the rest where it may.

use std::process::Stdio;

use crate::outside;

/// What the tests of a target need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// A Docker engine at `DOCKER_HOST`.
    Engine,
    /// Root in namespaces of its own, with an engine of its own and real host names.
    RootNamespaces,
    /// Root, and nothing else of it than that it can give files away.
    Root,
    /// The credential helper of others, at `ECRU_PEER`.
    Peer,
    /// The AWS CLI.
    AwsCli,
    /// A Python at `ECRU_TEST_PYTHON` that has boto3 and the AWS CLI of version 1.
    Python,
    /// skopeo.
    Skopeo,
    /// What checks texts that are emitted: shellcheck, and cloud-init's `schema` command at `ECRU_CLOUD_INIT`.
    Linters,
    /// strace(1), and the right to trace system calls.
    Strace,
    /// Chromium, and the right to make a network namespace for it.
    Chromium,
}

impl Class {
    pub(super) const ALL: [Self; 10] = [
        Self::Engine,
        Self::RootNamespaces,
        Self::Root,
        Self::Peer,
        Self::AwsCli,
        Self::Python,
        Self::Skopeo,
        Self::Linters,
        Self::Strace,
        Self::Chromium,
    ];

    /// The beginning of the names of its targets.
    fn prefix(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::RootNamespaces => "rootns",
            Self::Root => "root_",
            Self::Peer => "peer",
            Self::AwsCli => "awscli",
            Self::Python => "python",
            Self::Skopeo => "skopeo",
            Self::Linters => "linters",
            Self::Strace => "strace",
            Self::Chromium => "chromium",
        }
    }

    /// The pattern for `cargo test --test`.
    pub(super) fn pattern(self) -> String {
        format!("{}*", self.prefix())
    }

    /// The class of a test target.
    pub(super) fn of(target: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| target.starts_with(class.prefix()))
    }
}

/// Why tests in namespaces of their own cannot run here, if they cannot.
pub(super) fn obstacle_to_root_namespaces() -> Option<String> {
    const PROGRAMS: [&str; 8] =
        ["unshare", "iptables", "nft", "ip", "dockerd", "docker", "skopeo", "busybox"];
    if !outside::is_root() {
        return Some("only root can make the namespaces".to_owned());
    }
    if let Some(program) = PROGRAMS.into_iter().find(|name| outside::program(name).is_none()) {
        return Some(format!("`{program}` is not installed"));
    }
    // A container without the rights for it says so here.
    obstacle_to_namespaces(&["--mount", "--net", "--pid", "--fork", "--kill-child"])
}

/// Why tests with a browser that has no network cannot run here, if they cannot.
pub(super) fn obstacle_to_chromium() -> Option<String> {
    if outside::program("chromium").is_none() {
        return Some("`chromium` is not installed".to_owned());
    }
    obstacle_to_namespaces(&["--net"])
}

fn obstacle_to_namespaces(kinds: &[&str]) -> Option<String> {
    let try_out = outside::command("unshare").args(kinds).arg("true").stdin(Stdio::null()).output();
    match try_out {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("cannot run `unshare`: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_known_by_the_beginning_of_its_name() {
        assert_eq!(Class::of("engine"), Some(Class::Engine));
        assert_eq!(Class::of("engine_pull"), Some(Class::Engine));
        assert_eq!(Class::of("rootns"), Some(Class::RootNamespaces));
        assert_eq!(Class::of("rootns_static"), Some(Class::RootNamespaces));
        assert_eq!(Class::of("root_apply"), Some(Class::Root));
        assert_eq!(Class::of("peer_wire"), Some(Class::Peer));
        assert_eq!(Class::of("awscli"), Some(Class::AwsCli));
        assert_eq!(Class::of("python"), Some(Class::Python));
        assert_eq!(Class::of("skopeo"), Some(Class::Skopeo));
        assert_eq!(Class::of("linters"), Some(Class::Linters));
        assert_eq!(Class::of("strace_faults"), Some(Class::Strace));
        assert_eq!(Class::of("chromium_page"), Some(Class::Chromium));
        assert_eq!(Class::of("cli"), None);
        assert_eq!(Class::of("an_engine"), None);
    }
}
