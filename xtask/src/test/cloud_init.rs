//! cloud-init's own check of what is emitted for it, without installing cloud-init.
//!
//! Debian's package would start services that look for a data source at the next boot. So its files are unpacked below
//! `target/`, beside a virtual environment with the modules that they import, and nothing but `cloud-init schema` is run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::children::Children;
use super::python;
use crate::{outside, workspace};

const PACKAGE: &str = "cloud-init";
const REQUIREMENTS: &str = "crates/doctor/tests/linters/requirements.txt";

/// The program's path: `ECRU_CLOUD_INIT` if it is set, else the one that is unpacked below `target/`.
///
/// # Errors
/// Says why there is none.
pub(super) fn program(children: &Children) -> Result<PathBuf> {
    if let Some(given) = outside::variable("ECRU_CLOUD_INIT") {
        return Ok(given.into());
    }
    let folder = workspace::root().join("target/cloud-init");
    let python = python::environment(children, &folder.join("python"), REQUIREMENTS)?;
    let modules = folder.join("files/usr/lib/python3/dist-packages");
    if !modules.join("cloudinit").is_dir() {
        unpack(children, &folder)?;
    }
    let program = folder.join(PACKAGE);
    let text = format!(
        "#!/bin/sh\nPYTHONPATH='{}' exec '{}' -m cloudinit.cmd.main \"$@\"\n",
        modules.display(),
        python.display()
    );
    fs::write(&program, text).context("cannot write the program")?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(program)
}

fn unpack(children: &Children, folder: &Path) -> Result<()> {
    ensure!(outside::is_debian(), "this is not Debian, whose package is unpacked");
    println!("test: unpacking {PACKAGE} in {}", folder.display());
    let fetched = folder.join("package");
    let _ = fs::remove_dir_all(&fetched);
    fs::create_dir_all(&fetched)?;
    let mut download = outside::command("apt-get");
    download.args(["-qq", "-o", "APT::Sandbox::User=root", "download", PACKAGE]).current_dir(&fetched);
    ensure!(children.run(download, |_| ())?, "`apt-get download {PACKAGE}` failed");
    let package = fs::read_dir(&fetched)?.next().context("nothing was fetched")??.path();
    let mut unpack = outside::command("dpkg");
    unpack.arg("-x").arg(package).arg(folder.join("files"));
    ensure!(children.run(unpack, |_| ())?, "`dpkg -x` failed");
    Ok(())
}
