//! Edits of random files: outside the edit no byte changes, and any bytes are answered.

use ecru_doctor::edit::EditError;
use ecru_doctor::edit::docker_config::{Helpers, with_helpers};
use ecru_doctor::edit::ecru_config::{Wanted, with_registries};
use ecru_doctor::edit::job_containers::{JobContainers, with_job_containers};
use ecru_doctor::edit::runner_config::with_docker_auth_config;
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

/// A `config.json` with members that Docker does not know, passwords, and perhaps helpers.
fn docker_config() -> impl Strategy<Value = String> {
    let unknown = ("\"x-[a-z]{1,6}\"", json_value());
    let known = prop::sample::select(vec![
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
                .map(|(a, (key, value), b, c, d)| format!("{a}{key}{b}:{c}{value}{d}"))
                .collect();
            let at = at.index(written.len() + 1);
            written.insert(at, format!("{}:{}", known.0, known.1));
            format!("{begin}{{{}}}{end}", written.join(","))
        },
    )
}

/// A `config.toml` with comments, several runners, and perhaps an environment.
fn runner_config() -> impl Strategy<Value = String> {
    let environment = prop::sample::select(vec![
        "",
        "environment = []",
        "environment = [\"A=1\", 'B=2',]",
        "environment = [ # env\n\t'A=#',\n\t\"B=\\\"2\" # b\n  ]",
    ]);
    let tables = prop::sample::select(vec![
        "",
        "[runners.docker]\n  image = 'a'\n  volumes = [\"/x\"]",
        "[runners.docker] # d\n\timage = 'a' # '\n# volumes = []\n[runners.machine]\nIdleCount = 0",
        "[runners.docker]\nvolumes = [\n  '/cache', # c\n  \"/builds:/x\",\n]\nshm_size = 0",
        "[runners.cache]\n[runners.cache.s3]\nSecretKey = \"s\"\n[[runners.docker.services]]\nname = 'x'",
    ]);
    let runner = (prop::collection::btree_set(0..7usize, 0..5), environment, tables, "[ \t]{0,3}");
    let end = prop::sample::select(vec!["\n", "\r\n"]);
    (prop::collection::vec(runner, 1..4), end, any::<bool>(), any::<bool>()).prop_map(
        |(runners, end, has_mark, ends_open)| {
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
                lines.push(format!("{indent}executor = 'docker'"));
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
        prop_assert!(is_insertion(&text, &after), "{text:?} became {after:?}");
        let again = with_helpers(Some(after.as_bytes()), &helpers(), "ecr-login").unwrap();
        prop_assert_eq!(after, again);
    }

    #[test]
    fn the_runner_s_file_changes_at_one_place(text in runner_config()) {
        let after = with_docker_auth_config(text.as_bytes(), Some("runner-0"), &helpers(), "ecr-login").unwrap();
        prop_assert!(is_insertion(&text, &after), "{text:?} became {after:?}");
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
                prop_assert!(is_two_insertions(&text, &after.text), "{text:?} became {after:?}");
                prop_assert_eq!(edited(&after.text), Ok(after));
            }
            Err(error) => prop_assert_eq!(error, EditError::Form { name: "[runners.docker]".to_owned() }),
        }
    }
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
