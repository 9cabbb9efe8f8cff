//! Edits of random files: outside the edit no byte changes, and any bytes are answered.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::Path;

use ecru_doctor::edit::EditError;
use ecru_doctor::edit::docker_config::{Helpers, with_helpers};
use ecru_doctor::edit::drop_in::with_environment;
use ecru_doctor::edit::ecru_config::{Wanted, with_registries};
use ecru_doctor::edit::job_containers::{JobContainers, with_job_containers};
use ecru_doctor::edit::job_hosts::{JobHosts, with_job_hosts};
use ecru_doctor::edit::runner_config::with_docker_auth_config;
use ecru_doctor::service::{Surroundings, found};
use ecru_ecr::registry::Registry;
use proptest::prelude::*;

const HOST: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";

fn helpers() -> Helpers {
    Helpers::ForRegistries(vec![HOST.to_owned()])
}

/// Whether `after` is `before` with something put in at one place.
fn is_insertion(before: &str, after: &str) -> bool {
    let same = |(one, other): &(u8, u8)| one == other;
    let prefix = before.bytes().zip(after.bytes()).take_while(same).count();
    let suffix = before.bytes().rev().zip(after.bytes().rev()).take_while(same).count();
    after.len() > before.len() && prefix + suffix >= before.len()
}

/// Whether `after` is `before` but for something in the place of `value`.
fn is_replacement(before: &str, after: &str, value: &str) -> bool {
    before.match_indices(value).any(|(at, _)| {
        let (front, back) = (&before[..at], &before[at + value.len()..]);
        after.len() >= front.len() + back.len() && after.starts_with(front) && after.ends_with(back)
    })
}

/// Whether all bytes of `before` are in `after`, in their order.
fn is_kept(before: &str, after: &str) -> bool {
    let mut after = after.bytes();
    before.bytes().all(|byte| after.any(|other| other == byte))
}

/// Whether `after` is `before` with something put in at two places at most.
fn is_two_insertions(before: &str, after: &str) -> bool {
    let same = |(one, other): &(u8, u8)| one == other;
    let prefix = before.bytes().zip(after.bytes()).take_while(same).count();
    let before = &before.as_bytes()[prefix..];
    let after = &after.as_bytes()[prefix..];
    let suffix = before.iter().rev().zip(after.iter().rev()).take_while(|(one, other)| one == other).count();
    let between = &before[..before.len() - suffix];
    let inserted = &after[..after.len() - suffix];
    between.is_empty() || inserted.windows(between.len()).any(|window| window == between)
}

fn space() -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(vec!["", "", " ", "\n", "\r\n\t", "  "])
}

fn json_string() -> impl Strategy<Value = String> + Clone {
    "[^\\x00]{0,12}".prop_map(|text| serde_json::Value::from(text).to_string())
}

fn json_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        json_string(),
        any::<i32>().prop_map(|number| number.to_string()),
        prop::sample::select(vec!["null", "true", "1.50", "-0.0e+7", "\"\\u00e9\\/\""])
            .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec((space(), inner.clone(), space()), 0..4).prop_map(|elements| {
                let elements: Vec<_> =
                    elements.iter().map(|(a, value, b)| format!("{a}{value}{b}")).collect();
                format!("[{}]", elements.join(","))
            }),
            prop::collection::vec((json_string(), inner), 0..4).prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{{}}}", members.join(", "))
            }),
        ]
    })
}

/// The member that the edit is about, with another helper.
const WITH_HOST: &str = "{ \"111122223333.dkr.ecr.eu-west-1.amazonaws.com\" :\t\"other\", \"x\":\"y\" }";

/// A `config.json` with members that Docker does not know, passwords, and perhaps helpers.
fn docker_config() -> impl Strategy<Value = String> {
    let unknown = ("\"x-[a-z]{1,6}\"", json_value());
    let known = prop::sample::select(vec![
        ("\"credHelpers\"", WITH_HOST),
        ("\"auths\"", "{ \"h\":{\"auth\" : \"dTpw\"}}"),
        ("\"CredHelpers\"", "{\"gcr.io\":  \"gcloud\"\n }"),
        ("\"psFormat\"", "\"table\""),
    ])
    .prop_map(|(key, value)| (key.to_owned(), value.to_owned()));
    let members = prop::collection::vec((space(), unknown, space(), space(), space()), 0..5);
    (space(), known, members, any::<prop::sample::Index>(), space()).prop_map(
        |(begin, known, members, at, end)| {
            let mut written: Vec<String> = members
                .into_iter()
                .enumerate()
                // Docker's file has no member twice.
                .map(|(number, (a, (key, value), b, c, d))| {
                    format!("{a}{}{number}\"{b}:{c}{value}{d}", key.trim_end_matches('"'))
                })
                .collect();
            let at = at.index(written.len() + 1);
            written.insert(at, format!("{}:{}", known.0, known.1));
            format!("{begin}{{{}}}{end}", written.join(","))
        },
    )
}

/// A value of `DOCKER_AUTH_CONFIG` with a password, as it is written in `environment`.
const AUTH_CONFIG: &str = r#""DOCKER_AUTH_CONFIG={\"auths\":{\"h\":{\"auth\":\"dTpw\"}}}""#;

/// A `config.toml` with comments, several runners, and perhaps an environment.
fn runner_config() -> impl Strategy<Value = String> {
    runner_config_of(
        "docker",
        vec![
            "",
            "[runners.docker]\n  image = 'a'\n  volumes = [\"/x\"]",
            "[runners.docker] # d\n\timage = 'a' # '\n# volumes = []\n[runners.machine]\nIdleCount = 0",
            "[runners.docker]\nvolumes = [\n  '/cache', # c\n  \"/builds:/x\", # d\n]\nshm_size = 0",
            "[runners.cache]\n[runners.cache.s3]\nSecretKey = \"s\"\n[[runners.docker.services]]\nname = 'x'",
        ],
    )
}

/// The same of a runner that makes machines.
fn machine_config() -> impl Strategy<Value = String> {
    runner_config_of(
        "docker+machine",
        vec![
            "",
            "[runners.machine]\nIdleCount = 0 # none",
            "[runners.machine]\n  MachineOptions = [] # none\n[runners.cache]",
            "[runners.machine]\n MachineOptions = [\n  'a=1', # one\n  \"amazonec2-userdata=/u\" # two\n ]\nIdleTime = 1",
            "[runners.docker]\n[runners.machine]\nMachineOptions = ['amazonec2-metadata-token=required', 'b']",
        ],
    )
}

fn runner_config_of(executor: &'static str, tables: Vec<&'static str>) -> impl Strategy<Value = String> {
    let environment = prop::sample::select(vec![
        "",
        "environment = []",
        "environment = [\"A=1\", 'B=2',]",
        "environment = [ # env\n\t'A=#',\n\t\"B=\\\"2\" # b\n  ]",
        "environment = [\"A=1\", \"DOCKER_AUTH_CONFIG={\\\"auths\\\":{\\\"h\\\":{\\\"auth\\\":\\\"dTpw\\\"}}}\", 'B=2'] # env",
    ]);
    let tables = prop::sample::select(tables);
    let runner = (prop::collection::btree_set(0..7usize, 0..5), environment, tables, "[ \t]{0,3}");
    let end = prop::sample::select(vec!["\n", "\r\n"]);
    (prop::collection::vec(runner, 1..4), end, any::<bool>(), any::<bool>()).prop_map(
        move |(runners, end, has_mark, ends_open)| {
            let settings = [
                "token = \"glrt-aaaa\" # mine",
                "limit = 3",
                "url='https://x' #'",
                "pre_build_script = '''\n[[runners]]\n# x = 'y'\n'''",
                "# environment = ['A=1']",
                "",
                "builds_dir = \"/a\\u00e9\\\"\"",
            ];
            let mut lines = vec!["concurrent = 4 # four".to_owned(), String::new()];
            for (number, (chosen, environment, tables, indent)) in runners.iter().enumerate() {
                lines.push("[[runners]]".to_owned());
                lines.push(format!("{indent}name = \"runner-{number}\""));
                lines.push(format!("{indent}executor = '{executor}'"));
                lines.extend(chosen.iter().map(|index| format!("{indent}{}", settings[*index])));
                lines.push(format!("{indent}{environment}"));
                lines.push((*tables).to_owned());
            }
            let text = lines.join("\n").replace('\n', end);
            let text = if ends_open { text } else { format!("{text}{end}") };
            if has_mark { format!("\u{feff}{text}") } else { text }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn docker_s_file_changes_at_one_place(text in docker_config()) {
        let after = with_helpers(Some(text.as_bytes()), &helpers(), "ecr-login").unwrap();
        let is_replaced = text.contains(WITH_HOST) && is_replacement(&text, &after, "\"other\"");
        prop_assert!(is_insertion(&text, &after) || is_replaced, "{text:?} became {after:?}");
        // serde_json reads it, not the parser that knows places.
        let mut expected: serde_json::Value = serde_json::from_str(&text).unwrap();
        let key = if text.contains("\"CredHelpers\"") { "CredHelpers" } else { "credHelpers" };
        expected[key][HOST] = "ecr-login".into();
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&after).unwrap(), expected);
        let again = with_helpers(Some(after.as_bytes()), &helpers(), "ecr-login").unwrap();
        prop_assert_eq!(after, again);
    }

    #[test]
    fn the_runner_s_file_changes_at_one_place(text in runner_config()) {
        let after = with_docker_auth_config(text.as_bytes(), Some("runner-0"), &helpers(), "ecr-login").unwrap();
        let is_replaced = is_replacement(&text, &after, AUTH_CONFIG);
        prop_assert!(is_two_insertions(&text, &after) || is_replaced, "{text:?} became {after:?}");
        let mut meant = meaning(&text);
        let environment = list(&mut meant, None, "environment");
        let is_ours = |entry: &toml::Value| entry.as_str().unwrap().starts_with("DOCKER_AUTH_CONFIG=");
        let has_value = environment.iter().any(is_ours);
        environment.retain(|entry| !is_ours(entry));
        let mut means = meaning(&after);
        let environment = list(&mut means, None, "environment");
        let value = environment.remove(environment.iter().position(is_ours).unwrap());
        prop_assert_eq!(&means, &meant);
        let json = value.as_str().unwrap().split_once('=').unwrap().1.to_owned();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(json["credHelpers"][HOST].as_str(), Some("ecr-login"));
        prop_assert_eq!(json["auths"]["h"]["auth"].as_str(), has_value.then_some("dTpw"));
        let again = with_docker_auth_config(after.as_bytes(), Some("runner-0"), &helpers(), "ecr-login").unwrap();
        prop_assert_eq!(after, again);
    }

    #[test]
    fn job_containers_change_the_runner_s_file_at_two_places(text in runner_config()) {
        let containers = JobContainers {
            volumes: vec!["/a:/b:ro".to_owned(), "/var/run/docker.sock:/var/run/docker.sock".to_owned()],
            environment: vec!["DOCKER_CONFIG=/c".to_owned()],
        };
        let edited = |text: &str| with_job_containers(text.as_bytes(), Some("runner-0"), &containers);
        match edited(&text) {
            Ok(after) => {
                prop_assert!(is_kept(&text, &after.text), "{text:?} became {after:?}");
                let mut meant = meaning(&text);
                list(&mut meant, None, "environment").push(containers.environment[0].clone().into());
                let volumes = list(&mut meant, Some("docker"), "volumes");
                volumes.extend(containers.volumes.iter().map(|volume| toml::Value::from(volume.clone())));
                prop_assert_eq!(meaning(&after.text), meant);
                prop_assert_eq!(edited(&after.text), Ok(after));
            }
            Err(error) => prop_assert_eq!(Some(error), without_lines(&text, "docker")),
        }
    }

    #[test]
    fn options_of_machines_change_the_runner_s_file_at_two_places(text in machine_config()) {
        let hosts = JobHosts { user_data: Path::new("/u"), instance_profile: None };
        let edited = |text: &str| with_job_hosts(text.as_bytes(), Some("runner-0"), &hosts);
        match edited(&text) {
            Ok(after) => {
                prop_assert!(is_two_insertions(&text, &after.text), "{text:?} became {after:?}");
                let mut meant = meaning(&text);
                let options = list(&mut meant, Some("machine"), "MachineOptions");
                for option in [
                    "amazonec2-userdata=/u",
                    "amazonec2-metadata-token=required",
                    "amazonec2-metadata-token-response-hop-limit=1",
                ] {
                    if !options.contains(&option.into()) {
                        options.push(option.into());
                    }
                }
                prop_assert_eq!(meaning(&after.text), meant);
                prop_assert_eq!(edited(&after.text), Ok(after));
            }
            Err(error) => prop_assert_eq!(Some(error), without_lines(&text, "machine")),
        }
    }
}

proptest! {
    // Each case writes files for the reader of units.
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_drop_in_says_to_systemd_what_was_asked_for(
        lines in prop::collection::vec(prop::sample::select(vec![
            "# mine", "", "; x", "Environment=X=1", "Environment=\"AWS_REGION=old\"", "Restart=always",
            "Environment=A=\"b c\" 'D=%%'",
        ]), 0..6),
        end in prop::sample::select(vec!["", "\n"]),
        value in "[ -~\u{e9}]{1,12}",
    ) {
        let text = format!("[Unit]\n[Service]\n{}{end}", lines.join("\n"));
        let wanted = [("AWS_REGION".to_owned(), value.clone())];
        let after = with_environment(Some(text.as_bytes()), &wanted).unwrap();
        let last = "Environment=\"AWS_REGION=old\"";
        prop_assert!(
            is_insertion(&text, &after) || is_replacement(&text, &after, last) || text == after,
            "{text:?} became {after:?}"
        );
        prop_assert_eq!(with_environment(Some(after.as_bytes()), &wanted).unwrap(), after.clone());

        // The reader of units is another than the writer of drop-ins.
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("etc/systemd/system/gitlab-runner.service.d");
        std::fs::create_dir_all(&folder).unwrap();
        let unit = "[Service]\nExecStart=/usr/bin/gitlab-runner run\nEnvironment=HOME=/root\n";
        std::fs::write(root.path().join("etc/systemd/system/gitlab-runner.service"), unit).unwrap();
        std::fs::write(folder.join("50-ecru.conf"), after).unwrap();
        let variables = BTreeMap::new();
        let service = found(&Surroundings { root: root.path(), variables: &variables, uid: 0 }).unwrap();
        prop_assert_eq!(service.variables.get("AWS_REGION"), Some(&*value));
    }
}

fn meaning(text: &str) -> toml::Table {
    text.trim_start_matches('\u{feff}').parse().unwrap()
}

/// A list of the first runner, or of one of its tables.
fn list<'t>(config: &'t mut toml::Table, table: Option<&str>, key: &str) -> &'t mut Vec<toml::Value> {
    let runner = config["runners"][0].as_table_mut().unwrap();
    let holder = match table {
        Some(table) => runner[table].as_table_mut().unwrap(),
        None => runner,
    };
    let list = holder.entry(key).or_insert_with(|| toml::Value::Array(Vec::new()));
    list.as_array_mut().unwrap()
}

/// The error for a first runner whose table `table` has no line of its own, to put another behind; `None` if it has one.
fn without_lines(text: &str, table: &str) -> Option<EditError> {
    let config = meaning(text);
    let name = format!("[runners.{table}]");
    let Some(found) = config["runners"][0].get(table) else { return Some(EditError::Missing { name }) };
    let is_tables =
        |value: &toml::Value| value.as_array().is_some_and(|list| list.iter().any(toml::Value::is_table));
    let has_line = found.as_table().unwrap().values().any(|value| !value.is_table() && !is_tables(value));
    (!has_line).then_some(EditError::Form { name })
}

proptest! {
    #[test]
    fn any_bytes_are_answered(content in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}\"'=:,a-z\n#\\\\ .]{0,80}") {
        let wanted = [Wanted { registry: Registry::parse(HOST).unwrap(), role_arn: Some("arn".to_owned()) }];
        for content in [content.as_slice(), text.as_bytes()] {
            let _ = with_helpers(Some(content), &helpers(), "ecr-login");
            let _ = with_docker_auth_config(content, None, &helpers(), "ecr-login");
            let containers = JobContainers { volumes: vec!["/a:/b".to_owned()], environment: Vec::new() };
            let _ = with_job_containers(content, None, &containers);
            let _ = with_registries(Some(content), &wanted);
        }
    }
}

#[test]
fn a_file_of_a_megabyte_is_edited() {
    let text = format!("{{\"x\":\"{}\",\n\"auths\":{{}}}}", "y".repeat(1024 * 1024 - 512));
    let after = with_helpers(Some(text.as_bytes()), &helpers(), "ecr-login").unwrap();
    assert!(is_insertion(&text, &after));
}
