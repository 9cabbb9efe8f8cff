//! The peer for comparisons: the newest `docker-credential-ecr-login` that Debian has.
//!
//! It is downloaded and unpacked below our cache folder by apt, which checks its signature; nothing on the system is
//! installed or replaced.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::outside;

const PACKAGE: &str = "amazon-ecr-credential-helper";
const PROGRAM: &str = "usr/bin/docker-credential-ecr-login";
/// Where packages are newest: stable Debian has the helper of its day.
const SUITE: &str = "sid";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// The time after which a download is given up, in seconds, for `timeout`(1).
const DEADLINE: &str = "300";

/// The peer's path: `ECRU_PEER` if it is set, else the one that is or can be downloaded.
///
/// # Errors
/// Says why there is none.
pub(crate) fn program() -> Result<PathBuf> {
    if let Some(given) = outside::variable("ECRU_PEER").map(PathBuf::from) {
        ensure!(given.is_file(), "ECRU_PEER names {}, which is no file", given.display());
        return Ok(given);
    }
    let cache = outside::cache_folder()?.join("peer");
    let program = cache.join("root").join(PROGRAM);
    if !program.is_file() {
        ensure!(outside::is_debian(), "this is not Debian, whose package it is; set ECRU_PEER to its path");
        download(&cache).context("cannot download it")?;
    }
    ensure!(program.is_file(), "the package {PACKAGE} has no {PROGRAM}");
    Ok(program)
}

/// What the peer calls itself, such as `0.12.0`.
pub(crate) fn version(program: &Path) -> Result<String> {
    let output = outside::command(program).arg("-v").output().context("cannot run the peer")?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(version_in(&text).unwrap_or("of unknown version").to_owned())
}

/// The first word of `text` that looks like a version.
fn version_in(text: &str) -> Option<&str> {
    text.split_whitespace()
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()) && word.contains('.'))
}

fn download(cache: &Path) -> Result<()> {
    for folder in ["lists/partial", "archives/partial", "root"] {
        std::fs::create_dir_all(cache.join(folder))?;
    }
    let mirror = mirror()?;
    let signed_by =
        if Path::new(KEYRING).exists() { format!("[signed-by={KEYRING}] ") } else { String::new() };
    std::fs::write(cache.join("sources.list"), format!("deb {signed_by}{mirror} {SUITE} main\n"))?;

    run(apt_get(cache).arg("update"))?;
    run(apt_get(cache).args(["download", PACKAGE]))?;
    let package = newest_package(cache)?;
    run(outside::command("dpkg").arg("-x").arg(package).arg(cache.join("root")))
}

/// An `apt-get` whose sources, lists and files are all below `cache`.
fn apt_get(cache: &Path) -> Command {
    let mut command = outside::command("timeout");
    command.args([DEADLINE, "apt-get", "-qq"]).current_dir(cache);
    let option = |name: &str, value: &Path| format!("{name}={}", value.display());
    for option in [
        option("Dir::Etc::sourcelist", &cache.join("sources.list")),
        option("Dir::Etc::sourceparts", Path::new("-")),
        option("Dir::State::Lists", &cache.join("lists")),
        option("Dir::Cache", cache),
        // apt's own user may not write into the home directory of another.
        "APT::Sandbox::User=root".to_owned(),
    ] {
        command.args(["-o", &option]);
    }
    command
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run `{name}`"))?;
    ensure!(
        output.status.success(),
        "{} failed: {}",
        command.get_args().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

fn newest_package(cache: &Path) -> Result<PathBuf> {
    let files = std::fs::read_dir(cache)?.filter_map(|entry| Some(entry.ok()?.path()));
    let packages = files.filter(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let age = |path: &PathBuf| path.metadata().and_then(|it| it.modified()).ok();
    packages.max_by_key(age).context("apt downloaded no package")
}

/// The mirror of Debian that this machine already uses.
fn mirror() -> Result<String> {
    let parts = std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten();
    let files =
        parts.filter_map(|entry| Some(entry.ok()?.path())).chain([PathBuf::from("/etc/apt/sources.list")]);
    for file in files {
        if let Some(mirror) = mirror_in(&std::fs::read_to_string(&file).unwrap_or_default()) {
            return Ok(mirror.to_owned());
        }
    }
    bail!("the sources of apt name no mirror of Debian")
}

/// The first address of a Debian archive in a list of sources, in either of its formats (sources.list(5)). Those of
/// other vendors and of the security archive have no suite sid.
fn mirror_in(sources: &str) -> Option<&str> {
    let lines = sources.lines().filter(|line| line.starts_with("deb ") || line.starts_with("URIs:"));
    lines
        .flat_map(str::split_whitespace)
        .find(|word| word.starts_with("http") && word.trim_end_matches('/').ends_with("/debian"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_found_in_both_formats() {
        let deb822 = "Types: deb\n# http://old.example/debian\nURIs: https://mirror.example/debian/\nSuites: bookworm\n";
        assert_eq!(mirror_in(deb822), Some("https://mirror.example/debian/"));
        let one_line =
            "# deb http://no.example/debian x main\ndeb [arch=amd64] http://m.example/debian bookworm main\n";
        assert_eq!(mirror_in(one_line), Some("http://m.example/debian"));
    }

    #[test]
    fn other_archives_are_no_mirror() {
        assert_eq!(mirror_in("deb https://m.example/debian-security bookworm-security main\n"), None);
        assert_eq!(mirror_in("deb-src http://m.example/debian bookworm main\n"), None);
        assert_eq!(mirror_in("deb https://vendor.example/apt stable main\n"), None);
        assert_eq!(mirror_in(""), None);
    }

    #[test]
    fn the_version_is_the_first_number_with_a_dot() {
        assert_eq!(version_in("amazon-ecr-credential-helper (https://x.example/) 0.12.0\n"), Some("0.12.0"));
        assert_eq!(version_in("development"), None);
    }
}
