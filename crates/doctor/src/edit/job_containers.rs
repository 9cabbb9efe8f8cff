//! The runner's `config.toml`: files of the job host and variables that every container of a job gets.
//!
//! `volumes` of `[runners.docker]` and `environment` reach build, helper and service containers alike
//! (`createHostConfig` and `createHostConfigForService` of GitLab Runner's docker executor).

use toml::de::{DeTable, DeValue};

use super::runner_config::runner_table;
use super::toml_text::{added_to_array, document, line_behind_last, meaning, quoted, runner_config};
use super::{EditError, Splice, spliced, text_of};
use crate::emit::is_role_arn;
use crate::setup_job;

/// The executors whose containers have volumes of this kind.
const EXECUTORS: [&str; 3] = ["docker", "docker+machine", "docker-autoscaler"];

/// What containers get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobContainers {
    /// Volumes as `SOURCE:TARGET` or `SOURCE:TARGET:MODE`.
    pub volumes: Vec<String>,
    /// Variables as `NAME=VALUE`.
    pub environment: Vec<String>,
}

/// An edited `config.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The text.
    pub text: String,
    /// Whether the containers run on this machine, so that their files have to be here.
    pub runs_here: bool,
}

/// The `config.toml` in `content` whose runner `runner` (its only one, if none is named) gives all that to containers,
/// beside what they get already.
///
/// # Errors
/// If the runner cannot be told or has no such containers, if GitLab Runner would refuse what stands there, or if the same
/// place or variable has something else already.
pub fn with_job_containers(
    content: &[u8],
    runner: Option<&str>,
    containers: &JobContainers,
) -> Result<Edited, EditError> {
    let text = text_of(content)?;
    let before = meaning(text)?;
    let config = runner_config(text)?;
    let (index, chosen) = config.numbered_runner(runner)?;
    if !EXECUTORS.contains(&chosen.executor.as_str()) {
        let expected = "docker, docker+machine or docker-autoscaler";
        return Err(EditError::WrongType { name: "executor".to_owned(), expected });
    }

    let document = document(text)?;
    let runner_table = runner_table(document.get_ref(), index)?;
    let docker_table = runner_table
        .get("docker")
        .and_then(|docker| docker.get_ref().as_table())
        .ok_or_else(|| EditError::Missing { name: "[runners.docker]".to_owned() })?;
    let environment = missing(runner_table, "environment", &containers.environment, name_of_variable)?;
    let volumes = missing(docker_table, "volumes", &containers.volumes, target_of_volume)?;
    let splices = [
        added(text, runner_table, "environment", &environment, "[[runners]]")?,
        added(text, docker_table, "volumes", &volumes, "[runners.docker]")?,
    ];
    let result = spliced(text, splices.into_iter().flatten().collect());
    if expected(before, index, &environment, &volumes).as_ref() != Some(&meaning(&result)?) {
        return Err(EditError::Form { name: "volumes".to_owned() });
    }
    let is_local = |host: &str| host.starts_with("unix://") || host.starts_with('/');
    let runs_here = chosen.executor == "docker" && chosen.docker.host.as_deref().is_none_or(is_local);
    Ok(Edited { text: result, runs_here })
}

/// What may be seen of a volume or a variable at `path`: what a set-up writes, and no name that somebody else chose.
pub(super) fn visible(path: &str, value: &str) -> Option<String> {
    let is_known = match path {
        "runners.docker.volumes" => setup_job::VOLUMES.contains(&value) || value == setup_job::ENGINE_SOCKET,
        "runners.environment" => match value.split_once('=') {
            Some(("DOCKER_CONFIG", folder)) => folder == setup_job::DOCKER_CONFIG_FOLDER,
            Some(("ECRU_ROLE_ARN", role)) => is_role_arn(role),
            _ => false,
        },
        _ => false,
    };
    is_known.then(|| value.to_owned())
}

fn name_of_variable(entry: &str) -> &str {
    entry.split_once('=').map_or(entry, |(name, _)| name)
}

/// Where a volume is in the container; one path alone is a volume without a source.
fn target_of_volume(entry: &str) -> &str {
    let mut parts = entry.split(':');
    let first = parts.next().unwrap_or_default();
    parts.next().unwrap_or(first)
}

/// What stands against `entry` in the place of `wanted`, which is a volume or a variable. The mode of a volume may be left
/// out or another, but what is to be read-only must be so: the file is the host's, and every job could change it.
fn conflict(entry: &str, wanted: &str, key: &str, place: &str) -> Option<EditError> {
    let without_mode = |volume: &str| volume.split(':').take(2).collect::<Vec<_>>().join(":");
    let is_read_only = |volume: &str| {
        volume.splitn(3, ':').nth(2).is_some_and(|mode| mode.split(',').any(|option| option == "ro"))
    };
    if entry == wanted {
        return None;
    }
    if !wanted.starts_with('/') || without_mode(entry) != without_mode(wanted) {
        return Some(EditError::Occupied { name: format!("{key}: {place}") });
    }
    let is_fit = is_read_only(entry) || !is_read_only(wanted);
    (!is_fit).then(|| EditError::Writable { name: place.to_owned(), volume: wanted.to_owned() })
}

/// Those of `wanted` that the list `key` lacks. The runner takes the last entry of a variable.
fn missing<'w>(
    table: &DeTable<'_>,
    key: &str,
    wanted: &'w [String],
    identity: fn(&str) -> &str,
) -> Result<Vec<&'w String>, EditError> {
    let entries = entries(table, key)?;
    let mut missing = Vec::new();
    for one in wanted {
        match entries.iter().rfind(|entry| identity(entry) == identity(one)) {
            None => missing.push(one),
            Some(entry) => match conflict(entry, one, key, identity(one)) {
                None => {}
                Some(error) => return Err(error),
            },
        }
    }
    Ok(missing)
}

fn entries(table: &DeTable<'_>, key: &str) -> Result<Vec<String>, EditError> {
    let wrong_type = || EditError::WrongType { name: key.to_owned(), expected: "a list of texts" };
    let Some(list) = table.get(key) else { return Ok(Vec::new()) };
    let text = |element: &toml::Spanned<DeValue<'_>>| match element.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        _ => Err(wrong_type()),
    };
    list.get_ref().as_array().ok_or_else(wrong_type)?.iter().map(text).collect()
}

fn added(
    text: &str,
    table: &DeTable<'_>,
    key: &str,
    missing: &[&String],
    header: &str,
) -> Result<Vec<Splice>, EditError> {
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let values: Vec<String> = missing.iter().map(|one| (*one).clone()).collect();
    if let Some(list) = table.get(key)
        && let Some(array) = list.get_ref().as_array()
    {
        return Ok(added_to_array(text, list.span(), array, &values));
    }
    let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    let line = format!("{key} = [{}]", values.join(", "));
    let splice = line_behind_last(text, table, &line);
    splice.map(|splice| vec![splice]).ok_or_else(|| EditError::Form { name: header.to_owned() })
}

fn expected(
    mut before: toml::Table,
    index: usize,
    environment: &[&String],
    volumes: &[&String],
) -> Option<toml::Table> {
    let runner = before.get_mut("runners")?.as_array_mut()?.get_mut(index)?.as_table_mut()?;
    extend(runner, "environment", environment)?;
    extend(runner.get_mut("docker")?.as_table_mut()?, "volumes", volumes)?;
    Some(before)
}

fn extend(table: &mut toml::Table, key: &str, values: &[&String]) -> Option<()> {
    if values.is_empty() {
        return Some(());
    }
    let list = table.entry(key).or_insert_with(|| toml::Value::Array(Vec::new())).as_array_mut()?;
    list.extend(values.iter().map(|value| toml::Value::from(value.as_str())));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn containers() -> JobContainers {
        JobContainers {
            volumes: vec!["/a/helper:/usr/local/bin/helper:ro".to_owned(), "/s.sock:/s.sock".to_owned()],
            environment: vec!["DOCKER_CONFIG=/c".to_owned()],
        }
    }

    fn edited(text: &str) -> Result<String, EditError> {
        let once = with_job_containers(text.as_bytes(), None, &containers())?;
        let twice = with_job_containers(once.text.as_bytes(), None, &containers()).unwrap();
        assert_eq!(once, twice, "the second run changes nothing");
        Ok(once.text)
    }

    #[test]
    fn lines_are_added_where_there_are_none() {
        let text = "concurrent = 4 # four\r\n\r\n[[runners]]\r\n  executor = \"docker\" # here\r\n  [runners.docker]\r\n    image = \"x\"\r\n  [runners.cache]\r\n";
        assert_eq!(
            edited(text).unwrap(),
            "concurrent = 4 # four\r\n\r\n[[runners]]\r\n  executor = \"docker\" # here\r\n  environment = ['DOCKER_CONFIG=/c']\r\n  [runners.docker]\r\n    image = \"x\"\r\n    volumes = ['/a/helper:/usr/local/bin/helper:ro', '/s.sock:/s.sock']\r\n  [runners.cache]\r\n"
        );
    }

    #[test]
    fn entries_join_the_others_in_their_style() {
        let text = "[[runners]]\nexecutor = 'docker'\nenvironment = [\"A=1\"] # env\n[runners.docker]\nvolumes = [\n  \"/cache\", # mine\n  \"/certs/client\",\n]\n";
        assert_eq!(
            edited(text).unwrap(),
            "[[runners]]\nexecutor = 'docker'\nenvironment = [\"A=1\", 'DOCKER_CONFIG=/c'] # env\n[runners.docker]\nvolumes = [\n  \"/cache\", # mine\n  \"/certs/client\",\n  '/a/helper:/usr/local/bin/helper:ro',\n  '/s.sock:/s.sock',\n]\n"
        );
    }

    #[test]
    fn what_is_there_already_stays_as_it_is_written() {
        let text = "[[runners]]\nexecutor = 'docker'\nenvironment = [\"DOCKER_CONFIG=/old\", \"DOCKER_CONFIG=/c\"]\n[runners.docker]\nvolumes = ['/a/helper:/usr/local/bin/helper:z,ro', \"/s.sock:/s.sock:rw\"]\n";
        assert_eq!(edited(text).unwrap(), text);
    }

    #[test]
    fn what_somebody_else_put_there_is_not_taken_away() {
        let of = |environment: &str, volumes: &str| {
            edited(&format!(
                "[[runners]]\nexecutor = 'docker'\nenvironment = [{environment}]\n[runners.docker]\nvolumes = [{volumes}]\n"
            ))
        };
        assert_eq!(
            of("'DOCKER_CONFIG=/other'", ""),
            Err(EditError::Occupied { name: "environment: DOCKER_CONFIG".to_owned() })
        );
        assert_eq!(
            of("", "'/usr/bin/amazon:/usr/local/bin/helper:ro'"),
            Err(EditError::Occupied { name: "volumes: /usr/local/bin/helper".to_owned() })
        );
    }

    #[test]
    fn what_jobs_could_change_on_the_host_is_refused() {
        for mode in ["", ":rw", ":z", ":rslave,rw"] {
            let volume = format!("/a/helper:/usr/local/bin/helper{mode}");
            let text =
                format!("[[runners]]\nexecutor = 'docker'\n[runners.docker]\nvolumes = ['{volume}']\n");
            let error = edited(&text).unwrap_err();
            assert_eq!(
                error,
                EditError::Writable {
                    name: "/usr/local/bin/helper".to_owned(),
                    volume: "/a/helper:/usr/local/bin/helper:ro".to_owned()
                }
            );
        }
    }

    #[test]
    fn files_have_to_be_here_only_where_containers_run_here() {
        for (executor, host, here) in [
            ("docker", "", true),
            ("docker", "host = 'unix:///var/run/docker.sock'\n", true),
            ("docker", "host = 'tcp://10.0.0.1:2376'\n", false),
            ("docker+machine", "", false),
            ("docker-autoscaler", "", false),
        ] {
            let text = format!("[[runners]]\nexecutor = '{executor}'\n[runners.docker]\nimage = 'a'\n{host}");
            let edited = with_job_containers(text.as_bytes(), None, &containers()).unwrap();
            assert_eq!(edited.runs_here, here, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_edited_safely_is_refused() {
        for text in [
            "",
            "x",
            "[[runners]]\nexecutor = 'kubernetes'\n[runners.kubernetes]\nimage = 'a'\n",
            "[[runners]]\nexecutor = 'docker'\n",
            "[[runners]]\nexecutor = 'docker'\n[runners.docker]\n",
            "[[runners]]\nexecutor = 'docker'\n[runners.docker]\nvolumes = '/cache'\n",
            "[[runners]]\nexecutor = 'docker'\n[runners.docker]\nvolumes = [1]\n",
            "[[runners]]\nexecutor = 'docker'\ndocker = { image = 'a' }\n",
            "[[runners]]\nexecutor = 'docker'\ndocker.image = 'a'\n",
        ] {
            assert!(edited(text).is_err(), "{text}");
        }
        let without_table = edited("[[runners]]\nexecutor = 'docker'\n").unwrap_err();
        assert_eq!(without_table.to_string(), "it has no `[runners.docker]`");
    }
}
