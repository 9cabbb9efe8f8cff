//! The programs that tests need besides Rust, and how Debian gives them.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use object::FileKind;
use object::read::elf::{FileHeader as _, ProgramHeader as _};

use super::children::Children;
use crate::outside;

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

/// Whether a program needs no loader, and so runs in a container without libraries.
fn is_static(program: &Path) -> bool {
    names_interpreter(program).is_ok_and(|names| !names)
}

fn names_interpreter(program: &Path) -> Result<bool> {
    /// The headers are at the beginning of every file that a linker makes.
    const HEADERS: u64 = 64 * 1024;
    let mut start = Vec::new();
    File::open(program)?.take(HEADERS).read_to_end(&mut start)?;
    ensure!(FileKind::parse(&*start)? == FileKind::Elf64, "not a 64-bit ELF file");
    let header = object::elf::FileHeader64::<object::Endianness>::parse(&*start)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, &*start).context("no program headers")?;
    Ok(segments.iter().any(|segment| segment.p_type(endian) == object::elf::PT_INTERP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_not_a_static_program() {
        let script = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        assert!(!is_static(script.path()));
        assert!(!is_static(Path::new("/nonexistent")));
    }

    #[test]
    fn what_is_no_python_has_no_modules() {
        assert!(!has_module(Path::new("/bin/sh"), "sys"));
        assert!(!has_module(Path::new("/nonexistent"), "sys"));
    }

    #[test]
    fn linked_programs_are_told_from_static_ones() {
        // Debian links its shell, and this workspace links its own programs statically.
        assert!(!is_static(Path::new("/bin/sh")));
        assert!(is_static(&std::env::current_exe().unwrap()));
    }
}
