//! Lines for one entry of `environment`: they take its place, and the runner's other variables stay.

use super::fixtures::write_lines;
use super::machine::{HOST, Machine, checks};

const CONFIG: &str = "/etc/gitlab-runner/config.toml";

/// The runners' variables after the first fix of a check is written where it says.
async fn variables_after(text: &str, id: &str, line: usize) -> Vec<Vec<String>> {
    let machine = Machine::with_unit().await;
    machine.write(CONFIG, text);
    let diagnosis = machine.diagnosis(&["--no-exec"]);
    let check = checks(&diagnosis).into_iter().find(|check| check["id"] == id && check["outcome"] == "fail");
    let fix = check.unwrap_or_else(|| panic!("{id} does not fail: {diagnosis:#}"))["fixes"][0].clone();
    let place = fix["place"].as_str().expect("lines");
    let wanted = format!("config.toml, line {line}, in `environment`, in place of the entry that is there");
    assert!(place.ends_with(&wanted), "{place}");
    write_lines(&machine, &fix).expect("the lines fit");
    let text = std::fs::read_to_string(machine.place_of(CONFIG)).expect("the file");
    let document: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
    let runners = document["runners"].as_array().expect("runners").iter();
    let entries = |runner: &toml::Value| -> Vec<String> {
        let entries = runner["environment"].as_array().expect("a list").iter();
        entries.map(|entry| entry.as_str().expect("a text").to_owned()).collect()
    };
    runners.map(entries).collect()
}

fn meant() -> Vec<String> {
    let json = format!("{{\"credHelpers\":{{\"{HOST}\":\"ecr-login\"}}}}");
    ["A=1".to_owned(), format!("DOCKER_AUTH_CONFIG={json}"), "B={2}".to_owned()].into()
}

#[tokio::test(flavor = "multi_thread")]
async fn double_quotes_that_end_the_string_are_mended_among_others() {
    let text = format!(
        "[[runners]]\nname = \"shop\"\nexecutor = \"docker\"\nenvironment = [\"A=1\", \
         \"DOCKER_AUTH_CONFIG={{\"credHelpers\":{{\"{HOST}\":\"ecr-login\"}}}}\", \"B={{2}}\"]\n"
    );
    assert_eq!(variables_after(&text, "runner.config.valid", 4).await, [meant()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colon_is_mended_among_others() {
    let text = format!(
        "[[runners]]\nname = \"shop\"\nexecutor = \"docker\"\nenvironment = [\n  \"A=1\",\n  \
         'DOCKER_AUTH_CONFIG: {{\"credHelpers\":{{\"{HOST}\":\"ecr-login\"}}}}',\n  \"B={{2}}\",\n]\n"
    );
    assert_eq!(variables_after(&text, "runner.config.environment", 6).await, [meant()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_is_that_of_the_runner_that_is_meant() {
    let runner = |name: &str, value: &str| {
        format!(
            "[[runners]]\nname = \"{name}\"\nexecutor = \"docker\"\nenvironment = [\n  \"A=1\",\n  \
             'DOCKER_AUTH_CONFIG={value}', \"B={{2}}\",\n]\n"
        )
    };
    let right = format!("{{\"credHelpers\":{{\"{HOST}\":\"ecr-login\"}}}}");
    let text = [runner("a", &right), runner("b", &right.replace('"', "\\\""))].concat();
    assert_eq!(variables_after(&text, "runner.auth-config.well-formed", 13).await, [meant(), meant()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_told_is_said_in_words_that_take_nothing_away() {
    let machine = Machine::with_unit().await;
    machine.write(
        CONFIG,
        "[[runners]]\nname = \"shop\"\nexecutor = \"docker\"\nenvironment = [\n \"A=1\", \"C\"]\n",
    );
    let diagnosis = machine.diagnosis(&["--no-exec"]);
    let check = checks(&diagnosis).into_iter().find(|check| check["id"] == "runner.config.environment");
    let fixes = check.expect("the check")["fixes"].clone();
    let advice = fixes[0]["text"].as_str().expect("advice");
    assert!(advice.ends_with("config.toml, line 5: write each entry of `environment` as \"NAME=value\""));
}
