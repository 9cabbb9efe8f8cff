//! A Python with boto3 and the AWS CLI of version 1, in a virtual environment of our own.
//!
//! Only wheels of pinned versions get in, so that no package's own code runs while it is installed. Nothing on the
//! system is installed or replaced.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::children::Children;
use super::needs::has_module;
use crate::{outside, workspace};

const REQUIREMENTS: &str = "crates/emulator/tests/python/requirements.txt";
const MODULES: [&str; 2] = ["boto3", "awscli"];
/// How long pip waits for an answer, in seconds, and how often it tries again: a machine without a way to the packages
/// shall say so soon.
const PIP_PATIENCE: [&str; 4] = ["--timeout", "15", "--retries", "1"];

/// The Python's path: `ECRU_TEST_PYTHON` if it is set, else the one of an environment below `target/`, which is made
/// where it is missing or the requirements have changed.
///
/// # Errors
/// Says why there is none.
pub(super) fn with_clients(children: &Children) -> Result<PathBuf> {
    if let Some(given) = outside::variable("ECRU_TEST_PYTHON").map(PathBuf::from) {
        return checked(given);
    }
    checked(environment(children, &workspace::root().join("target/python-clients"), REQUIREMENTS)?)
}

/// The Python of a virtual environment in `folder` with the packages of `requirements`, which is made where it is missing
/// or the requirements have changed.
pub(super) fn environment(children: &Children, folder: &Path, requirements: &str) -> Result<PathBuf> {
    let requirements = workspace::root().join(requirements);
    if !is_made_of(folder, &requirements)? {
        make(children, folder, &requirements)?;
    }
    Ok(folder.join("bin/python"))
}

fn checked(python: PathBuf) -> Result<PathBuf> {
    let missing = MODULES.into_iter().find(|module| !has_module(&python, module));
    ensure!(missing.is_none(), "{} has no {}", python.display(), missing.unwrap_or_default());
    Ok(python)
}

/// What an environment was made of is written there at the end, so that half of one is none.
fn record(folder: &Path) -> PathBuf {
    folder.join("made-of.txt")
}

fn is_made_of(folder: &Path, requirements: &Path) -> Result<bool> {
    let wanted = fs::read(requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    Ok(fs::read(record(folder)).is_ok_and(|made_of| made_of == wanted))
}

fn make(children: &Children, folder: &Path, requirements: &Path) -> Result<()> {
    println!("test: making an environment of {} in {}", requirements.display(), folder.display());
    let python = outside::program("python3").context("`python3` is not installed")?;
    let mut venv = outside::command(python);
    venv.args(["-m", "venv", "--clear"]).arg(folder);
    ensure!(children.run(venv, |_| ())?, "`python3 -m venv` failed");

    let mut pip = outside::command(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    pip.args(["--no-deps", "--only-binary", ":all:"]).args(PIP_PATIENCE);
    pip.arg("--requirement").arg(requirements);
    ensure!(children.run(pip, |_| ())?, "`pip install` failed");
    fs::copy(requirements, record(folder)).context("cannot write in the environment")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_of_its_requirements_only() {
        let folder = tempfile::tempdir().unwrap();
        let requirements = folder.path().join("requirements.txt");
        assert!(is_made_of(folder.path(), &requirements).is_err());
        fs::write(&requirements, "one==1\n").unwrap();
        assert!(!is_made_of(folder.path(), &requirements).unwrap());
        fs::copy(&requirements, record(folder.path())).unwrap();
        assert!(is_made_of(folder.path(), &requirements).unwrap());
        fs::write(&requirements, "one==2\n").unwrap();
        assert!(!is_made_of(folder.path(), &requirements).unwrap());
    }

    #[test]
    fn every_requirement_is_pinned() {
        let text = fs::read_to_string(workspace::root().join(REQUIREMENTS)).unwrap();
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(MODULES.iter().all(|name| lines.iter().any(|line| line.starts_with(&format!("{name}==")))));
        assert!(
            lines.iter().all(|line| line.split_once("==").is_some_and(|(_, version)| !version.is_empty()))
        );
    }
}
