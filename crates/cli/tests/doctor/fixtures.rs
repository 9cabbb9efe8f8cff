//! The set-ups of `examples/broken`: the first check that fails names the cause, and its fix makes it pass.

use std::path::{Path, PathBuf};
use std::process::Command;

use ecru_emulator::Options;
use serde_json::Value;

use super::fixture::{CONFIG_FILE, Fix, Fixture, all};
use super::machine::{Machine, checks, failures};

/// What commands begin with.
const PROGRAMS: [&str; 8] = ["aws", "chmod", "chown", "ecru", "jq", "ls", "systemctl", "timedatectl"];

#[tokio::test(flavor = "multi_thread")]
async fn each_cause_is_named_first_and_its_fix_works() {
    let mut wrong = Vec::new();
    for fixture in all() {
        // A failure is told with those of the others.
        if let Err(problem) = played(&fixture).await {
            wrong.push(format!("{}: {problem}", fixture.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

async fn played(fixture: &Fixture) -> Result<(), String> {
    let machine = machine(fixture).await;
    let before = diagnosis(&machine, fixture, &[]);
    let first = before["first_failure"].as_str().unwrap_or("nothing");
    if first != fixture.first_failure {
        return Err(format!("{first} fails first\n{}", failures(&before).join("\n")));
    }
    assert_commands_can_be_typed(&machine, &before);
    let typed = typed(&machine, fixture);
    if typed["first_failure"] != before["first_failure"] {
        return Err(format!("by --config, {} fails first", typed["first_failure"]));
    }
    match fixture.fix {
        Fix::Doctor => {
            diagnose(&machine, fixture, &["--fix", "--yes"]);
        }
        Fix::Lines => write_lines(&machine, &first_fix(&before, "lines")?)?,
        Fix::Aws => {
            first_fix(&before, "lines")?;
            let seed = fixture.seed("fixed.toml").ok_or("no fixed.toml")?;
            machine.emulator.apply(&seed).await.map_err(|error| error.to_string())?;
            let mut options = Options::default();
            seed.add_to(&mut options);
            for role in &options.roles {
                machine.emulator.set_role(role).map_err(|error| error.to_string())?;
            }
        }
        Fix::Command => run_command(&machine, fixture, &first_fix(&before, "command")?)?,
    }
    let after = diagnosis(&machine, fixture, &[]);
    match after["healthy"].as_bool() {
        Some(true) => Ok(()),
        _ => Err(format!("not healthy after its fix\n{}", failures(&after).join("\n"))),
    }
}

async fn machine(fixture: &Fixture) -> Machine {
    let (options, seed) = fixture.emulator();
    let machine = Machine::new(options, &fixture.user).await;
    if let Some(seed) = &seed {
        machine.emulator.apply(seed).await.expect("the seed");
    }
    machine.copy(&fixture.folder.join("machine"));
    if let Some(folder) = &fixture.helper {
        machine.install_helper(folder);
    }
    machine
}

fn diagnose(machine: &Machine, fixture: &Fixture, further: &[&str]) -> super::machine::Said {
    let root = machine.root().display().to_string();
    let arguments: Vec<String> = fixture.arguments.iter().map(|text| machine.with_addresses(text)).collect();
    let own = ["doctor", "--root", &root, "--context", &fixture.context];
    let arguments: Vec<&str> = own.into_iter().chain(arguments.iter().map(String::as_str)).collect();
    let environment: Vec<(String, String)> = fixture
        .environment
        .iter()
        .map(|(name, value)| (name.clone(), machine.with_addresses(value).replace("MACHINE", &root)))
        .collect();
    machine.ecru(&[&arguments, further].concat(), &environment)
}

/// The same as it is typed with nothing but the file that examples/broken/README.md names.
fn typed(machine: &Machine, fixture: &Fixture) -> Value {
    let config = machine.place_of(CONFIG_FILE).display().to_string();
    let arguments: Vec<String> = fixture.arguments.iter().map(|text| machine.with_addresses(text)).collect();
    let own = ["doctor", "--context", &fixture.context, "--config", &config, "--format", "json"];
    let arguments: Vec<&str> = own.into_iter().chain(arguments.iter().map(String::as_str)).collect();
    let said = machine.ecru(&arguments, &[]);
    serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("no JSON: {}{}", said.stdout, said.stderr))
}

fn diagnosis(machine: &Machine, fixture: &Fixture, further: &[&str]) -> Value {
    let said = diagnose(machine, fixture, &[further, &["--format", "json"]].concat());
    serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("no JSON: {}{}", said.stdout, said.stderr))
}

/// The first fix of the first check that failed.
fn first_fix(diagnosis: &Value, kind: &str) -> Result<Value, String> {
    let checks = checks(diagnosis);
    let check = checks.iter().find(|check| check["outcome"] == "fail" && check["weight"] == "error");
    let fix = check.map(|check| check["fixes"][0].clone()).unwrap_or_default();
    if fix["kind"] == kind { Ok(fix) } else { Err(format!("its first fix is no {kind}: {fix}")) }
}

/// Sees that what is printed as a command is one, and is about the machine that was looked at.
fn assert_commands_can_be_typed(machine: &Machine, diagnosis: &Value) {
    let root = machine.root().display().to_string();
    for check in checks(diagnosis) {
        for fix in check["fixes"].as_array().expect("fixes").iter().filter(|fix| fix["kind"] == "command") {
            let command = fix["command"].as_str().expect("a command");
            let mut words = command.split_whitespace().skip_while(|word| word.starts_with("HOME="));
            let program = words.next().unwrap_or_default();
            assert!(PROGRAMS.contains(&program), "{}: `{command}` begins with no program", check["id"]);
            let shell = Command::new("/bin/sh").args(["-n", "-c", command]).status().expect("a shell");
            assert!(shell.success(), "{}: `{command}` is not understood by a shell", check["id"]);
            let asks_aws = program == "aws" && !command.contains("HOME=");
            assert!(asks_aws || command.contains(&root), "{}: `{command}` is about no machine", check["id"]);
        }
    }
}

/// Does what a person would do with lines: those for an entry take its place on the line that they name, others come
/// behind what is there.
pub(crate) fn write_lines(machine: &Machine, fix: &Value) -> Result<(), String> {
    let place = fix["place"].as_str().unwrap_or_default();
    let (file, line) = place.split_once(", line ").unwrap_or((place, ""));
    let place = PathBuf::from(file);
    if !place.starts_with(machine.root()) {
        return Err(format!("{} is not below the machine's root", place.display()));
    }
    let (key, secret) = machine.keys();
    let lines = fix["lines"].as_str().unwrap_or_default().replace("SECRET", &secret).replace("KEY", &key);
    let old = std::fs::read_to_string(&place).unwrap_or_default();
    let number: Option<usize> = line.split(',').next().and_then(|number| number.parse().ok());
    let new = match number.and_then(|number| Some((number, old.lines().nth(number - 1)?))) {
        Some((number, line)) => {
            let with_entry = format!("{}\n", with_entry(line, &lines)?);
            let before: String = old.split_inclusive('\n').take(number - 1).collect();
            let behind: String = old.split_inclusive('\n').skip(number).collect();
            [before, with_entry, behind].concat()
        }
        None => format!("{old}{lines}\n"),
    };
    write(&place, &new)
}

/// A line whose entry for DOCKER_AUTH_CONFIG, from its first quote to its last, is `entry`.
fn with_entry(line: &str, entry: &str) -> Result<String, String> {
    let quotes = ['\'', '"'];
    let name = line.find("DOCKER_AUTH_CONFIG").ok_or_else(|| format!("no such entry in `{line}`"))?;
    let start = line[..name].rfind(quotes).ok_or("no quote")?;
    let next = line[name..].find(", \"B=").map_or(line.len(), |next| name + next);
    let brace = line[..next].rfind('}').ok_or("no brace")?;
    let rest = line[brace + 1..].trim_start_matches(quotes);
    Ok(format!("{}{entry}{rest}", &line[..start]))
}

fn write(place: &Path, text: &str) -> Result<(), String> {
    let folder = place.parent().ok_or("no folder")?;
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    std::fs::write(place, text).map_err(|error| error.to_string())
}

/// Runs a printed command; `ecru` in it is this one.
fn run_command(machine: &Machine, fixture: &Fixture, fix: &Value) -> Result<(), String> {
    let command = fix["command"].as_str().unwrap_or_default();
    let bin = Path::new(env!("CARGO_BIN_EXE_ecru")).parent().ok_or("no folder")?;
    let path = format!("{}:{}:/usr/bin:/bin", bin.display(), machine.root().join("usr/local/bin").display());
    let output = Command::new("/bin/sh")
        .args(["-e", "-c", command])
        .env_clear()
        .env("PATH", path)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(fixture.environment.iter().map(|(name, value)| (name, machine.with_addresses(value))))
        .current_dir(machine.root())
        .output()
        .map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("`{command}` failed: {}", String::from_utf8_lossy(&output.stderr))),
    }
}
