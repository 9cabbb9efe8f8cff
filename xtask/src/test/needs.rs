//! The programs that tests need besides Rust, and how Debian gives them.

use std::path::Path;

use anyhow::{Result, ensure};

use super::children::Children;
use crate::outside;
use crate::static_program::is_static;

/// A program, and the Debian packages that may hold it: the first one that the machine's sources know is installed.
#[derive(Debug)]
struct Need {
    program: &'static str,
    packages: &'static [&'static str],
    besides: Besides,
    what_for: &'static str,
}

/// What else a program must be or have.
#[derive(Debug)]
enum Besides {
    Nothing,
    /// It links no libraries.
    Static,
    /// This Python has a module, which Debian's has only with a package more.
    Module(&'static str),
}

const NEEDS: &[Need] = &[
    Need::new("dockerd", &["docker.io"], "tests with a Docker engine"),
    // Debian 13 has a package of its own for the client; in Debian 12 it is part of docker.io.
    Need::new("docker", &["docker-cli", "docker.io"], "tests with a Docker engine"),
    Need::new("iptables", &["iptables"], "the engine's name service for containers"),
    Need {
        besides: Besides::Static,
        ..Need::new("busybox", &["busybox-static"], "the images that tests make")
    },
    Need::new("skopeo", &["skopeo"], "tests with a second, independent registry client"),
    Need::new("aws", &["awscli"], "tests with the AWS CLI, an independent client of the emulator"),
    Need {
        besides: Besides::Module("ensurepip"),
        ..Need::new("python3", &["python3-venv"], "tests with boto3 and the AWS CLI of version 1")
    },
    Need::new("musl-gcc", &["musl-tools"], "programs without glibc"),
    Need::new("strace", &["strace"], "tests in which system calls fail"),
    Need::new("chromium", &["chromium"], "tests with a browser"),
    Need::new("nft", &["nftables"], "the firewall of job hosts"),
    Need::new("ip", &["iproute2"], "the firewall of job hosts"),
    Need::new("shellcheck", &["shellcheck"], "checks of scripts that are emitted"),
    Need::new("unshare", &["util-linux"], "tests with real host names, in namespaces of their own"),
];

impl Need {
    const fn new(program: &'static str, packages: &'static [&'static str], what_for: &'static str) -> Self {
        Self { program, packages, besides: Besides::Nothing, what_for }
    }

    fn is_met(&self) -> bool {
        outside::program(self.program).is_some_and(|file| match self.besides {
            Besides::Nothing => true,
            Besides::Static => is_static(&file),
            Besides::Module(name) => has_module(&file, name),
        })
    }
}

/// Installs what is missing, where it may, and says what it installs or why it does not. Whether a test can run is
/// decided later, by what is there then.
pub(super) fn install_missing(children: &Children, may_install: bool) -> Result<()> {
    let missing: Vec<_> = NEEDS.iter().filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let obstacle = match (may_install, outside::is_debian(), outside::is_root()) {
        (false, _, _) => Some("--no-install was given"),
        (true, false, _) => Some("this is not Debian"),
        (true, true, false) => Some("only root may"),
        (true, true, true) => None,
    };
    if let Some(obstacle) = obstacle {
        for need in missing {
            let Need { program, packages, what_for, .. } = need;
            println!(
                "test: `{program}` is not installed ({obstacle}); Debian has it in {}",
                packages.join(" or ")
            );
            println!("test:   it is for {what_for}");
        }
        return Ok(());
    }
    let installed = install(children, &missing);
    if let Err(error) = &installed {
        println!("test: going on without: {error:#}");
    }
    if children.stopped() { installed } else { Ok(()) }
}

fn install(children: &Children, missing: &[&Need]) -> Result<()> {
    let mut update = apt_get();
    update.args(["-qq", "update"]);
    ensure!(children.run(update, |_| ())?, "`apt-get update` failed");

    let mut packages: Vec<_> = missing.iter().filter_map(|need| known_package(need)).collect();
    packages.sort_unstable();
    packages.dedup();
    println!("test: installing {}", packages.join(", "));
    let mut install = apt_get();
    install.args(["-qq", "install", "--yes", "--no-install-recommends"]).args(&packages);
    ensure!(children.run(install, |_| ())?, "`apt-get install` failed");
    Ok(())
}

fn apt_get() -> std::process::Command {
    let mut command = outside::command("apt-get");
    // Another package tool may be at work on a machine that has just started.
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.args(["-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0"]);
    command
}

fn known_package(need: &Need) -> Option<&'static str> {
    let is_known = |package: &&&str| {
        let show =
            outside::command("apt-cache").args(["--quiet=0", "show", "--no-all-versions", package]).output();
        show.is_ok_and(|output| output.status.success() && !output.stdout.is_empty())
    };
    need.packages.iter().find(is_known).copied()
}

/// Whether a Python can import a module.
pub(super) fn has_module(python: &Path, name: &str) -> bool {
    let import = outside::command(python).arg("-c").arg(format!("import {name}")).output();
    import.is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_python_has_no_modules() {
        assert!(!has_module(Path::new("/bin/sh"), "sys"));
        assert!(!has_module(Path::new("/nonexistent"), "sys"));
    }
}
