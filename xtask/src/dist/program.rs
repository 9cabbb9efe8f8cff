//! The programs that are shipped, and what is promised of them.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use cargo_metadata::MetadataCommand;
use sha2::{Digest as _, Sha256};

use super::platform::Platform;
use crate::static_program::is_static;
use crate::workspace;

/// The credential helper. It is copied into images and mounted into job containers, so it must stay small: the limit
/// is half of what amazon-ecr-credential-helper needs.
pub(crate) const HELPER: Program = Program {
    package: "ecru-helper",
    name: "docker-credential-ecr-login",
    profile: "slim",
    flags: &[
        // Seventy pages of function tables need no correction at each start, which takes longer than all else of a warm
        // `get`. The price is that its own code, not its stack, heap or libraries' (it has none), lies at a known
        // address, as that of amazon-ecr-credential-helper does.
        "-Crelocation-model=static",
        // A `get` has some twenty blocks to digest. To find out whether the processor has instructions for that takes
        // longer: in a virtual machine each CPUID asks the hypervisor, 7 µs a time.
        "--cfg=sha2_backend=\"soft\"",
        // What would be made read-only after the start has pages of its own, which cost a mapping and a page fault; and
        // nothing makes them so in a static program of musl.
        "-Crelro-level=off",
    ],
    most_bytes: Some(5_000_000),
};
/// The face of the house.
pub(crate) const ECRU: Program =
    Program { package: "ecru-cli", name: "ecru", profile: "dist", flags: &[], most_bytes: None };

/// What measures the memory of the others; it is not shipped.
pub(crate) const METER: Program =
    Program { package: "xtask", name: "peak-memory", profile: "dist", flags: &[], most_bytes: None };

/// A program that is shipped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    package: &'static str,
    pub(super) name: &'static str,
    profile: &'static str,
    /// Flags of the compiler for it and all that it links.
    flags: &'static [&'static str],
    /// The most that it may be long.
    pub(crate) most_bytes: Option<u64>,
}

impl Program {
    /// Builds it, and returns where it is.
    ///
    /// # Errors
    /// Fails when it does not build.
    pub(crate) fn build(&self, platform: &Platform) -> Result<PathBuf> {
        self.build_with(platform, &[])
    }

    /// The same with more arguments of the compiler for the program itself.
    ///
    /// # Errors
    /// Fails when it does not build.
    pub(super) fn build_with(&self, platform: &Platform, arguments: &[&str]) -> Result<PathBuf> {
        let Self { package, name, profile, flags, .. } = self;
        println!("dist: building {name} for {}", platform.target);
        let mut cargo = platform.cargo("rustc", flags)?;
        cargo.args(["--profile", profile, "-p", package, "--bin", name]);
        let built = cargo.arg("--").args(platform.link_arguments()?).args(arguments).status()?;
        ensure!(built.success(), "`{name}` does not build for {}", platform.target);
        let manifest = workspace::root().join("Cargo.toml");
        let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec()?;
        Ok(metadata.target_directory.into_std_path_buf().join(&platform.target).join(profile).join(name))
    }
}

/// A file that is as it shall be.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) bytes: u64,
    pub(super) digest: String,
}

impl Checked {
    /// Looks at a built program.
    ///
    /// # Errors
    /// Fails when it needs a loader, or is longer than it may be.
    pub(super) fn of(program: &Program, file: &Path) -> Result<Self> {
        let name = program.name;
        ensure!(is_static(file), "`{name}` is not static: it names a loader");
        let content = std::fs::read(file)?;
        let bytes = content.len() as u64;
        if let Some(most) = program.most_bytes {
            ensure!(bytes <= most, "`{name}` has {bytes} bytes; at most {most} are allowed");
        }
        Ok(Self { bytes, digest: hex::encode(Sha256::digest(&content)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(most_bytes: u64) -> Program {
        Program { most_bytes: Some(most_bytes), ..HELPER }
    }

    #[test]
    fn a_static_file_within_its_limit_is_good() {
        // This workspace links its programs statically.
        let this = std::env::current_exe().unwrap();
        let bytes = this.metadata().unwrap().len();
        let checked = Checked::of(&program(bytes), &this).unwrap();
        assert_eq!((checked.bytes, checked.digest.len()), (bytes, 64));
        let error = Checked::of(&program(bytes - 1), &this).unwrap_err();
        assert!(error.to_string().contains("at most"), "{error}");
    }

    #[test]
    fn a_file_that_needs_a_loader_is_refused() {
        let error = Checked::of(&program(u64::MAX), Path::new("/bin/sh")).unwrap_err();
        assert!(error.to_string().contains("not static"), "{error}");
    }
}
