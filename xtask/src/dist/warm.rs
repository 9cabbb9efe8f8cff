//! Which functions answer from the cache, so that the linker can lay them side by side.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use super::{HELPER, Platform};
use crate::bench::{self, EmulatedAws};
use crate::{outside, workspace};

/// The linker's script, without the functions.
const SCRIPT: &str = "xtask/src/dist/sections.ld";
/// The line of the script in whose place they come.
const PLACE: &str = "WARM_FUNCTIONS";
/// One a line.
const LIST: &str = "xtask/src/dist/warm_functions.txt";

/// What most configurations have.
const USUAL: &str = r#"# A comment.
registries = ["000000000000.dkr.ecr.us-east-1.amazonaws.com", "000000000000.dkr.ecr.eu-west-1.amazonaws.com"]
"#;

/// What the configuration of a runner may have, a bit of everything.
const EVERYTHING: &str = r#"# A comment.
registries = ["000000000000.dkr.ecr.us-east-1.amazonaws.com", "000000000000.dkr.ecr.eu-west-1.amazonaws.com"]
[alias]
"localhost:5000" = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
"localhost:5001" = "000000000001.dkr.ecr.us-east-1.amazonaws.com"
[profile.team]
source = "environment"
[[registry]]
match = "000000000002.dkr.ecr.us-east-1.amazonaws.com"
role_arn = "arn:aws:iam::000000000002:role/puller"
chain = [{ role_arn = "arn:aws:iam::000000000003:role/puller", session_name = "ecru" }]
[[registry]]
match = "000000000001.dkr.ecr.*.amazonaws.com/team/*"
source = "environment"
"#;
const REGISTRY: &[u8] = b"000000000000.dkr.ecr.us-east-1.amazonaws.com";

/// Writes the linker's script with the functions in it, and returns where it is.
///
/// # Errors
/// Fails when one of its parts cannot be read, or it cannot be written.
pub(super) fn linker_script() -> Result<PathBuf> {
    let read = |part: &str| {
        std::fs::read_to_string(workspace::root().join(part)).with_context(|| format!("cannot read {part}"))
    };
    let script = read(SCRIPT)?.replacen(PLACE, &sections(&read(LIST)?), 1);
    // Another script has another name, or cargo would not link anew.
    let digest = hex::encode(&Sha256::digest(&script)[..8]);
    let folder = workspace::root().join("target");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(format!("sections-{digest}.ld"));
    std::fs::write(&file, script)?;
    Ok(file)
}

/// Looks with valgrind at what runs when a token is in the cache, writes the list anew, and returns how many functions
/// are in it. What every `get` needs comes before what some do, and that before what only `list` does.
///
/// # Errors
/// Fails when there is no valgrind, or the helper does not build or answer.
pub(super) fn write_list() -> Result<usize> {
    let valgrind =
        outside::program("valgrind").context("there is no `valgrind`; Debian has it in valgrind")?;
    let platform = Platform::of_this_machine(true)?;
    let helper = HELPER.build_with(&platform, &["-Cstrip=none"])?;
    let [ecru] = bench::built("dev", &workspace::host_triple()?, [("ecru-cli", "ecru")])?;
    let aws = EmulatedAws::start(&ecru)?;
    let folder = tempfile::Builder::new().prefix("ecru-warm-").tempdir()?;
    let config = folder.path().join("config.toml");
    let with_environment = |program: &Path| {
        let mut command = Command::new(program);
        command.env_clear().envs(aws.environment.iter().cloned());
        command
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("HOME", folder.path())
            .env("ECRU_CONFIG", &config);
        command
    };

    std::fs::write(&config, USUAL)?;
    run(with_environment(&helper).arg("get")).context("the cache cannot be filled")?;
    let mut functions = Vec::new();
    for (verb, configuration) in [("get", USUAL), ("get", EVERYTHING), ("list", EVERYTHING)] {
        std::fs::write(&config, configuration)?;
        let profile = folder.path().join("profile");
        let mut command = with_environment(&valgrind);
        command.args(["--quiet", "--tool=callgrind", "--demangle=no"]);
        command.arg(format!("--callgrind-out-file={}", profile.display())).arg(&helper).arg(verb);
        run(&mut command).with_context(|| format!("`{verb}`"))?;
        let called: BTreeSet<String> =
            called(&std::fs::read_to_string(&profile)?).map(without_hashes).collect();
        let new: Vec<String> = called.into_iter().filter(|name| !functions.contains(name)).collect();
        functions.extend(new);
    }
    ensure!(
        functions.iter().any(|name| name.contains("ecru_ecr5cache")),
        "valgrind saw no names of functions"
    );
    let list: String = functions.iter().flat_map(|name| [name.as_str(), "\n"]).collect();
    std::fs::write(workspace::root().join(LIST), list)?;
    Ok(functions.len())
}

/// Runs a helper, which has to answer.
fn run(command: &mut Command) -> Result<()> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    // `list` does not read it, and may be gone.
    let _ = child.stdin.take().context("no stdin")?.write_all(REGISTRY);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stdout).trim());
    Ok(())
}

/// The functions that a profile names: `fn=(1) name` where it has the first of a function's lines, `cfn=` where its
/// caller comes first ("Callgrind Format Specification" of valgrind's manual).
fn called(profile: &str) -> impl Iterator<Item = &str> {
    profile.lines().filter_map(|line| {
        let named = line.strip_prefix("fn=(").or_else(|| line.strip_prefix("cfn=("))?;
        // A recursive call is named `name'2`.
        let name = named.split_once(") ")?.1.split('\'').next()?;
        // What has no name is called by its address.
        let is_name = !name.starts_with("0x")
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.$".contains(&byte));
        is_name.then_some(name)
    })
}

/// A pattern of the linker for a mangled name of this and later builds: the hash at the end of the one kind of name
/// (`17h0123456789abcdefE`), and those of crates in the other (`Cs2Nb3gJ4iU0I_5alloc`), stand for what was compiled, and
/// so does the number of one of several copies (`.4174`).
fn without_hashes(name: &str) -> String {
    if let Some((start, number)) = name.rsplit_once('.')
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        return format!("{}.*", without_hashes(start));
    }
    if let Some((start, _)) = name.split_once("17h").filter(|_| name.starts_with("_ZN")) {
        return format!("{start}17h*");
    }
    let mut parts = name.split("Cs");
    let mut pattern = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('_') {
            Some((hash, rest))
                if name.starts_with("_R") && hash.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
            {
                pattern.extend(["Cs*_", rest]);
            }
            _ => pattern.extend(["Cs", part]),
        }
    }
    pattern
}

/// The sections of the functions in `list`, also of those that the compiler takes for unlikely, as a linker's script
/// names them. What others call `name` is `__name` for musl itself.
fn sections(list: &str) -> String {
    let names = list.lines().map(|name| match name.starts_with('_') {
        true => format!(".text.{name} .text.unlikely.{name}"),
        false => format!(".text.{name} .text.__{name}"),
    });
    format!("*({})", names.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_functions_are_found_once_each_is_named() {
        let profile = "fn=(1) main\n0 3\ncfn=(2) _ZN4core3fmt5write17h0123456789abcdefE'2\ncalls=1 0\nfn=(2)\nob=(1) /x\nfn=(3) 0x5ce812\nfn=(5) _ZN4core3fmt7num_imp$u20$x\nfn=(4) (below main)\n";
        let names: Vec<&str> = called(profile).collect();
        assert_eq!(names, ["main", "_ZN4core3fmt5write17h0123456789abcdefE", "_ZN4core3fmt7num_imp$u20$x"]);
    }

    #[test]
    fn patterns_outlive_a_build() {
        for (name, pattern) in [
            ("memcpy", "memcpy"),
            ("_ZN4core3fmt5write17h0123456789abcdefE", "_ZN4core3fmt5write17h*"),
            ("_RNvNtCs7BliBxkEZsN_4core3fmt5writeCsaz6eC2DG7lh_3std", "_RNvNtCs*_4core3fmt5writeCs*_3std"),
            ("_RNvNtCs7BliBxkEZsN_4core3fmt5write.4174", "_RNvNtCs*_4core3fmt5write.*"),
        ] {
            assert_eq!(without_hashes(name), pattern);
        }
    }

    #[test]
    fn the_script_has_a_place_for_the_functions() {
        let script = std::fs::read_to_string(linker_script().unwrap()).unwrap();
        assert!(!script.contains(PLACE), "{script}");
        assert!(script.contains("ecru_ecr5cache"), "the list knows nothing of the cache");
    }
}
