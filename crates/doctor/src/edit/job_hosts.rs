//! The runner's `config.toml`: what it tells the hosts that it makes.
//!
//! docker+machine hands user data and an instance profile to EC2 (GitLab, "Docker Machine executor autoscale
//! configuration"; options of the `amazonec2` driver, with those for the metadata that GitLab's fork adds). With
//! docker-autoscaler both are in the launch template, and the runner only waits until a host is ready.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::toml_text::{added_to_array, document, line_behind_last, meaning, quoted, runner_config};
use super::{EditError, Splice, spliced, text_of};
use crate::firewall::UNIT;

/// What hosts are told.
#[derive(Debug, Clone, Copy)]
pub struct JobHosts<'a> {
    /// The file with their user data, for docker+machine.
    pub user_data: &'a Path,
    /// Their instance profile, for docker+machine.
    pub instance_profile: Option<&'a str>,
}

/// An edited `config.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The text.
    pub text: String,
    /// Whether the runner makes machines by docker+machine, and hands them user data.
    pub makes_machines: bool,
}

const OPTIONS: &str = "MachineOptions";
const READY_COMMAND: &str = "instance_ready_command";

/// The options of docker+machine that this edit knows, and which hold no secret.
const KNOWN_OPTIONS: [&str; 4] = [
    "amazonec2-userdata",
    "amazonec2-iam-instance-profile",
    "amazonec2-metadata-token",
    "amazonec2-metadata-token-response-hop-limit",
];

/// The command that succeeds when a host is ready for jobs: its user data has run, its firewall is in force, and the
/// user who runs this can use Docker. (`cloud-init status` fails for harmless warnings too, so what it made is looked at.)
#[must_use]
pub fn ready_command() -> String {
    format!(
        "cloud-init status --wait >/dev/null 2>&1; systemctl is-active --quiet docker.service && systemctl is-active \
         --quiet {UNIT} && docker version >/dev/null"
    )
}

/// The `config.toml` in `content` whose runner `runner` (its only one, if none is named) makes such hosts.
///
/// # Errors
/// If the runner cannot be told or makes no hosts, if GitLab Runner would refuse what stands there, or if a setting has
/// another value already.
pub fn with_job_hosts(
    content: &[u8],
    runner: Option<&str>,
    hosts: &JobHosts<'_>,
) -> Result<Edited, EditError> {
    let text = text_of(content)?;
    let before = meaning(text)?;
    let config = runner_config(text)?;
    let (index, chosen) = config.numbered_runner(runner)?;
    let makes_machines = chosen.executor == "docker+machine";
    let (section, setting) = match chosen.executor.as_str() {
        "docker+machine" => ("machine", Setting::Options(options(hosts)?)),
        "docker-autoscaler" | "instance" => ("autoscaler", Setting::ReadyCommand(ready_command())),
        _ => {
            let expected = "docker+machine, docker-autoscaler or instance: it makes no hosts";
            return Err(EditError::WrongType { name: "executor".to_owned(), expected });
        }
    };
    let document = document(text)?;
    let table = section_table(document.get_ref(), index, section)?;
    let (splices, value) = match &setting {
        Setting::Options(options) => with_options(text, table, options)?,
        Setting::ReadyCommand(command) => with_ready_command(text, table, command)?,
    };
    let result = spliced(text, splices);
    if expected(before, index, section, setting.key(), value).as_ref() != Some(&meaning(&result)?) {
        return Err(EditError::Form { name: setting.key().to_owned() });
    }
    Ok(Edited { text: result, makes_machines })
}

enum Setting {
    Options(Vec<(&'static str, String)>),
    ReadyCommand(String),
}

impl Setting {
    fn key(&self) -> &'static str {
        match self {
            Self::Options(_) => OPTIONS,
            Self::ReadyCommand(_) => READY_COMMAND,
        }
    }
}

fn options(hosts: &JobHosts<'_>) -> Result<Vec<(&'static str, String)>, EditError> {
    let user_data = hosts.user_data.to_str().ok_or(EditError::NotUtf8)?;
    let [userdata, profile, token, hop_limit] = KNOWN_OPTIONS;
    let mut options = vec![(userdata, user_data.to_owned())];
    options.extend(hosts.instance_profile.map(|name| (profile, name.to_owned())));
    options.extend([(token, "required".to_owned()), (hop_limit, "1".to_owned())]);
    Ok(options)
}

fn section_table<'d, 't>(
    document: &'d DeTable<'t>,
    index: usize,
    section: &'static str,
) -> Result<&'d DeTable<'t>, EditError> {
    let runners = document.get("runners").and_then(|runners| runners.get_ref().as_array());
    let runner =
        runners.and_then(|runners| runners.get(index)).and_then(|runner| runner.get_ref().as_table());
    let table = runner.and_then(|runner| runner.get(section)).and_then(|table| table.get_ref().as_table());
    table.ok_or_else(|| EditError::Missing { name: format!("[runners.{section}]") })
}

/// The change, if one is needed, and the value that there is then.
fn with_options(
    text: &str,
    machine: &DeTable<'_>,
    wanted: &[(&'static str, String)],
) -> Result<(Vec<Splice>, toml::Value), EditError> {
    let wrong_type = || EditError::WrongType { name: OPTIONS.to_owned(), expected: "a list of texts" };
    let Some(there) = machine.get(OPTIONS) else {
        let entries: Vec<String> = wanted.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let quoted: Vec<String> = entries.iter().map(|entry| quoted(entry)).collect();
        let line = format!("{OPTIONS} = [{}]", quoted.join(", "));
        let splice = line_behind_last(text, machine, &line)
            .ok_or_else(|| EditError::Form { name: "runners.machine".to_owned() })?;
        return Ok((vec![splice], toml::Value::from(entries)));
    };
    let array = there.get_ref().as_array().ok_or_else(wrong_type)?;
    let mut entries = Vec::new();
    for element in array.iter() {
        let DeValue::String(entry) = element.get_ref() else { return Err(wrong_type()) };
        entries.push(entry.to_string());
    }
    let mut missing = Vec::new();
    for (key, value) in wanted {
        let is_of_key =
            |entry: &&String| entry.split_once('=').map_or(entry.as_str(), |(key, _)| key) == *key;
        let wanted = format!("{key}={value}");
        let mut of_key = entries.iter().filter(is_of_key).peekable();
        if of_key.peek().is_none() {
            missing.push(wanted);
        } else if of_key.any(|entry| *entry != wanted) {
            return Err(EditError::Occupied { name: (*key).to_owned() });
        }
    }
    let splices =
        if missing.is_empty() { Vec::new() } else { added_to_array(text, there.span(), array, &missing) };
    entries.extend(missing);
    Ok((splices, toml::Value::from(entries)))
}

fn with_ready_command(
    text: &str,
    autoscaler: &DeTable<'_>,
    command: &str,
) -> Result<(Vec<Splice>, toml::Value), EditError> {
    let value = toml::Value::from(command);
    let Some(there) = autoscaler.get(READY_COMMAND) else {
        let line = format!("{READY_COMMAND} = {}", quoted(command));
        let splice = line_behind_last(text, autoscaler, &line)
            .ok_or_else(|| EditError::Form { name: "runners.autoscaler".to_owned() })?;
        return Ok((vec![splice], value));
    };
    match there.get_ref() {
        DeValue::String(held) if held == command => Ok((Vec::new(), value)),
        DeValue::String(held) if held.trim().is_empty() => {
            Ok((vec![Splice::replace(there.span(), quoted(command))], value))
        }
        DeValue::String(_) => Err(EditError::Occupied { name: READY_COMMAND.to_owned() }),
        _ => Err(EditError::WrongType { name: READY_COMMAND.to_owned(), expected: "a text" }),
    }
}

fn expected(
    mut before: toml::Table,
    index: usize,
    section: &str,
    key: &str,
    value: toml::Value,
) -> Option<toml::Table> {
    let runner = before.get_mut("runners")?.as_array_mut()?.get_mut(index)?.as_table_mut()?;
    runner.get_mut(section)?.as_table_mut()?.insert(key.to_owned(), value);
    Some(before)
}

/// What may be seen of a string at `path` in a `config.toml`: the options and the command of this edit. Other options
/// are keys of AWS as well.
pub(crate) fn visible(path: &str, value: &str) -> Option<String> {
    let is_known = match path {
        "runners.machine.MachineOptions" => {
            value.split_once('=').is_some_and(|(key, _)| KNOWN_OPTIONS.contains(&key))
        }
        "runners.autoscaler.instance_ready_command" => value == ready_command(),
        _ => false,
    };
    is_known.then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MACHINE: &str = "[[runners]]\nname = 'm' # a\nexecutor = \"docker+machine\"\n[runners.machine]\n";
    const AUTOSCALER: &str =
        "[[runners]]\nname = 'a'\nexecutor = 'docker-autoscaler'\n[runners.autoscaler]\n";

    fn edited(text: &str) -> Result<String, EditError> {
        let hosts = JobHosts { user_data: Path::new("/etc/x"), instance_profile: Some("jobs") };
        let once = with_job_hosts(text.as_bytes(), None, &hosts)?;
        let twice = with_job_hosts(once.text.as_bytes(), None, &hosts).unwrap();
        assert_eq!(once, twice, "the second run changes nothing");
        Ok(once.text)
    }

    #[test]
    fn options_are_added_in_the_style_of_the_others() {
        let text =
            |options: &str| format!("{MACHINE}  MachineOptions = [{options}]\n  IdleCount = 0 # none\n");
        let [token, limit] =
            ["'amazonec2-metadata-token=required'", "'amazonec2-metadata-token-response-hop-limit=1'"];
        let [data, profile] = ["'amazonec2-userdata=/etc/x'", "'amazonec2-iam-instance-profile=jobs'"];
        for (before, after) in [
            (String::new(), format!("{data}, {profile}, {token}, {limit}")),
            (
                format!("\n    \"amazonec2-secret-key=s\", # key\n    {data},\n  "),
                format!(
                    "\n    \"amazonec2-secret-key=s\", # key\n    {data},\n    {profile},\n    {token},\n    {limit},\n  "
                ),
            ),
            (format!("{limit}, {token}"), format!("{limit}, {token}, {data}, {profile}")),
        ] {
            assert_eq!(edited(&text(&before)).unwrap(), text(&after));
        }
    }

    #[test]
    fn a_line_is_added_where_there_is_none() {
        let machine = format!("{MACHINE}\tMachineDriver = 'amazonec2'\n\n[runners.cache]\n");
        let result = edited(&machine).unwrap();
        assert!(result.contains("\n\tMachineOptions = ['amazonec2-userdata=/etc/x', "), "{result}");
        let autoscaler = format!("{AUTOSCALER}  plugin = 'aws'\r\n");
        let line = format!("  instance_ready_command = {}\n", quoted(&ready_command()));
        assert_eq!(edited(&autoscaler).unwrap(), format!("{autoscaler}{line}"));
    }

    #[test]
    fn what_others_set_is_not_taken_away() {
        for (text, name) in [
            (format!("{MACHINE}MachineOptions = ['amazonec2-userdata=/mine']"), "amazonec2-userdata"),
            (format!("{MACHINE}MachineOptions = ['amazonec2-userdata']"), "amazonec2-userdata"),
            (format!("{AUTOSCALER}instance_ready_command = 'mine'"), READY_COMMAND),
        ] {
            assert_eq!(edited(&text), Err(EditError::Occupied { name: name.to_owned() }), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_edited_safely_is_refused() {
        for text in [
            "[[runners]]\nname = 'd'\nexecutor = 'docker'\n".to_owned(),
            "[[runners]]\nname = 'm'\nexecutor = 'docker+machine'\n".to_owned(),
            MACHINE.to_owned(),
            format!("{MACHINE}MachineOptions = 'x'"),
            format!("{MACHINE}MachineOptions = [1]"),
            format!("{AUTOSCALER}instance_ready_command = 1"),
        ] {
            assert!(edited(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_among_the_options_are_not_seen() {
        let options = "runners.machine.MachineOptions";
        assert_eq!(visible(options, "amazonec2-secret-key=s"), None);
        assert_eq!(visible(options, "amazonec2-userdata=/x").as_deref(), Some("amazonec2-userdata=/x"));
        assert_eq!(visible("runners.autoscaler.instance_ready_command", "curl -H s"), None);
    }

    proptest! {
        #[test]
        fn everything_else_stays_to_the_byte(
            before in "(#[ -~]{0,20}\r?\n|concurrent = [1-9]\n)?",
            gap in "[ \t]{0,4}(# [ -~]{0,20})?",
            options in proptest::collection::vec("[a-z0-9=\\-]{1,20}", 0..4),
            behind in "(\n\\[runners\\.cache\\]\n# [ -~]{0,20}\nType = 's3')?",
        ) {
            let list: Vec<String> = options.iter().map(|option| format!("{gap}\n 'x-{option}'")).collect();
            let text = format!("{before}{MACHINE}MachineOptions = [{}]{gap}{behind}", list.join(","));
            let result = edited(&text).unwrap();
            let at = text.bytes().zip(result.bytes()).take_while(|(left, right)| left == right).count();
            let same_end = text.bytes().rev().zip(result.bytes().rev()).take_while(|(left, right)| left == right).count();
            prop_assert!(at + same_end >= text.len(), "only added to:\n{text}\n{result}");
        }
    }
}
