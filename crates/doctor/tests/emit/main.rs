//! Everything that is emitted, read by a parser of its kind, and found to say what was asked for.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod terraform;

use std::collections::BTreeMap;

use ecru_docker::config_file::ConfigFile;
use ecru_doctor::edit::ecru_config::Wanted;
use ecru_doctor::emit::{
    DEFAULT_AUDIENCE, GitLabCi, GitLabCiError, Helm, Module, Terraform, config_toml, docker_auth_config,
};
use ecru_doctor::iam_policy::puller_policy;
use ecru_ecr::config::Config;
use ecru_ecr::registry::Registry;
use ecru_gitlab::ci::Pipeline;
use ecru_gitlab::config_toml::ConfigToml;
use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::{Value, json};
use terraform::evaluated;

const FIRST: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
const SECOND: &str = "444455556666.dkr.ecr.us-east-1.amazonaws.com";
const ROLE: &str = "arn:aws:iam::444455556666:role/pull";
const OTHER_ROLE: &str = "arn:aws:iam::111122223333:role/ci/gitlab";

fn wanted(registries: &[(&str, Option<&str>)]) -> Vec<Wanted> {
    let one = |(host, role): &(&str, Option<&str>)| Wanted {
        registry: Registry::parse(host).unwrap(),
        role_arn: role.map(str::to_owned),
    };
    registries.iter().map(one).collect()
}

fn mixed() -> Vec<Wanted> {
    wanted(&[(FIRST, None), (SECOND, Some(ROLE)), ("public.ecr.aws", None)])
}

/// Whether `text` is a Docker configuration that asks the helper for all of `mixed`.
#[track_caller]
fn assert_names_the_helper(text: &str) {
    let value: Value = serde_json::from_str(text).unwrap();
    ConfigFile::parse(text).unwrap();
    assert_eq!(
        value["credHelpers"],
        json!({ FIRST: "ecr-login", SECOND: "ecr-login", "public.ecr.aws": "ecr-login" })
    );
}

/// The value of `DOCKER_AUTH_CONFIG` that a runner with this `config.toml` gives to its jobs.
#[track_caller]
fn docker_auth_config_of(config: &str) -> String {
    let config = ConfigToml::parse(config).unwrap();
    let environment = &config.runner(None).unwrap().environment;
    environment.iter().find(|variable| variable.key == "DOCKER_AUTH_CONFIG").unwrap().value.clone()
}

#[test]
fn docker_and_the_runner_read_docker_auth_config() {
    assert_names_the_helper(&docker_auth_config(&mixed(), false));
    let store: Value = serde_json::from_str(&docker_auth_config(&mixed(), true)).unwrap();
    assert_eq!(store, json!({ "credsStore": "ecr-login" }));
    assert_names_the_helper(&docker_auth_config_of(&config_toml(&mixed(), false)));
}

fn json_of(value: &Value) -> Value {
    serde_json::from_str(value.as_str().unwrap()).unwrap()
}

#[test]
fn terraform_makes_an_identity_and_keeps_containers_from_it() {
    let wanted = mixed();
    let terraform_of = |hop_limit| {
        evaluated(&Terraform { wanted: &wanted, creds_store: false, module: Module::Plain, hop_limit }.text())
    };
    let found = terraform_of(1);
    let role = &found["resource aws_iam_role.gitlab_runner"];
    assert_eq!(
        json_of(&role["assume_role_policy"])["Statement"],
        json!([{ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "ec2.amazonaws.com" } }])
    );
    let policy = &found["resource aws_iam_role_policy.gitlab_runner_ecr"];
    assert_eq!(json_of(&policy["policy"]), puller_policy(&wanted));
    assert_eq!(found["resource aws_iam_instance_profile.gitlab_runner"]["role"], "ROLE-NAME");
    let template = &found["resource aws_launch_template.gitlab_runner"];
    let metadata = &template["metadata_options"];
    assert_eq!(
        (&metadata["http_tokens"], &metadata["http_put_response_hop_limit"]),
        (&json!("required"), &json!(1))
    );
    assert_eq!(
        terraform_of(2)["resource aws_launch_template.gitlab_runner"]["metadata_options"]["http_put_response_hop_limit"],
        2
    );

    let script = template["user_data"].as_str().unwrap();
    assert!(script.starts_with("#!/bin/sh\nset -eu\n"), "{script}");
    let written = heredocs(script);
    assert_names_the_helper(&written["/root/.docker/config.json"]);
    assert_permits(&written["/etc/ecru/config.toml"]);
}

/// Whether `text` is a system's configuration that allows all of `mixed` and nothing else.
#[track_caller]
fn assert_permits(text: &str) {
    Config::of_system_file(text.as_bytes()).unwrap();
    let ecru: toml::Table = text.parse().unwrap();
    assert_eq!(ecru["registries"].as_array().unwrap().len(), 3);
    assert_eq!(ecru["registry"][0]["role_arn"].as_str(), Some(ROLE));
    assert_eq!(ecru["policy"]["accounts"], toml::Value::from(vec!["111122223333", "444455556666"]));
    assert_eq!(ecru["policy"]["public"], toml::Value::from(true));
}

/// The files that a script writes by `cat >FILE <<'ECRU'`.
fn heredocs(script: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = script;
    while let Some((_, behind)) = rest.split_once("cat >") {
        let (file, behind) = behind.split_once(" <<'ECRU'\n").unwrap();
        let (content, behind) = behind.split_once("ECRU\n").unwrap();
        found.insert(file.trim_matches('"').to_owned(), content.to_owned());
        rest = behind;
    }
    found
}

#[test]
fn the_module_gets_a_policy_and_the_helper() {
    let wanted = mixed();
    let text =
        Terraform { wanted: &wanted, creds_store: false, module: Module::CattleOps, hop_limit: 1 }.text();
    let found = evaluated(&text);
    let policy = &found["resource aws_iam_policy.gitlab_runner_ecr"];
    assert_eq!(json_of(&policy["policy"]), puller_policy(&wanted));
    let module = &found["module gitlab_runner"];
    assert_eq!(module["runner_role"]["policy_arns"], json!(["aws_iam_policy"]));
    let metadata = &module["runner_metadata_options"];
    assert_eq!(metadata["http_tokens"], "required");
    let written = heredocs(module["runner_install"]["pre_install_script"].as_str().unwrap());
    assert_names_the_helper(&written["/root/.docker/config.json"]);
    assert_permits(&written["/etc/ecru/config.toml"]);
}

#[test]
fn china_has_a_name_of_its_own_for_ec2() {
    let wanted = wanted(&[("444455556666.dkr.ecr.cn-north-1.amazonaws.com.cn", None)]);
    let text = Terraform { wanted: &wanted, creds_store: true, module: Module::Plain, hop_limit: 1 }.text();
    let role = &evaluated(&text)["resource aws_iam_role.gitlab_runner"];
    assert_eq!(
        json_of(&role["assume_role_policy"])["Statement"][0]["Principal"]["Service"],
        "ec2.amazonaws.com.cn"
    );
}

/// The text at a path of keys of mappings and numbers of lists.
#[track_caller]
fn text_at(document: &Yaml<'_>, path: &[&str]) -> String {
    let mut node = document;
    for key in path {
        node = match key.parse::<usize>() {
            Ok(index) => node.as_sequence_get(index).unwrap_or_else(|| panic!("nothing at {path:?}")),
            Err(_) => node.as_mapping_get(key).unwrap_or_else(|| panic!("nothing at {path:?}")),
        };
    }
    node.as_str().unwrap_or_else(|| panic!("no text at {path:?}")).to_owned()
}

#[test]
fn helm_puts_helper_and_role_into_the_manager() {
    let wanted = mixed();
    let helm = Helm {
        wanted: &wanted,
        creds_store: false,
        service_account_role: Some(OTHER_ROLE),
        helper_image: "registry.example/ecru:1",
    };
    let text = helm.text();
    let values = Yaml::load_from_str(&text).unwrap().remove(0);
    let text_at = |path: &[&str]| text_at(&values, path);
    assert_eq!(text_at(&["serviceAccount", "annotations", "eks.amazonaws.com/role-arn"]), OTHER_ROLE);
    assert_eq!(text_at(&["initContainers", "0", "image"]), "registry.example/ecru:1");
    // What the init container copies is what the manager has in its PATH.
    let copied = text_at(&["initContainers", "0", "command", "2"]);
    let folder = text_at(&["initContainers", "0", "volumeMounts", "0", "mountPath"]);
    assert_eq!(copied, format!("{folder}/{}", text_at(&["volumeMounts", "0", "subPath"])));
    assert!(text_at(&["volumeMounts", "0", "mountPath"]).starts_with("/usr/local/bin/docker-credential-"));
    for volume in [&["volumeMounts", "0", "name"][..], &["initContainers", "0", "volumeMounts", "0", "name"]]
    {
        assert_eq!(text_at(volume), text_at(&["volumes", "0", "name"]));
    }
    // What the manager finds in its home and among the system's files.
    for (number, path) in [("1", "/etc/ecru/config.toml"), ("2", "/home/gitlab-runner/.docker/config.json")] {
        assert_eq!(text_at(&["volumeMounts", number, "mountPath"]), path);
        assert_eq!(text_at(&["volumeMounts", number, "name"]), "configmaps");
        let content = text_at(&["configMaps", &text_at(&["volumeMounts", number, "subPath"])]);
        if number == "1" { assert_permits(&content) } else { assert_names_the_helper(&content) }
    }
    let config = ConfigToml::parse(&text_at(&["runners", "config"])).unwrap();
    assert!(config.runner(None).unwrap().environment.is_empty(), "a job's variable cannot be in its way");

    let plain = Helm { wanted: &wanted[..1], service_account_role: None, ..helm }.text();
    assert!(!plain.contains("serviceAccount"), "{plain}");
}

#[test]
fn a_job_has_a_token_and_no_aws_cli() {
    let same = wanted(&[(FIRST, Some(ROLE)), (SECOND, Some(ROLE))]);
    let text = GitLabCi { wanted: &same, audience: DEFAULT_AUDIENCE }.text().unwrap();
    let pipeline = Pipeline::parse(&text).unwrap();
    let job = pipeline.job("push-image").unwrap();
    let role = job.variables.iter().find(|variable| variable.key == "ECRU_ROLE_ARN").unwrap();
    assert_eq!(role.value, ROLE);
    let document = Yaml::load_from_str(&text).unwrap().remove(0);
    let audience = text_at(&document, &[".ecru", "id_tokens", "ECRU_IDENTITY_TOKEN", "aud"]);
    assert_eq!(audience, DEFAULT_AUDIENCE);
    let written = heredocs(&job.before_script.concat());
    let config: Value = serde_json::from_str(&written["$DOCKER_CONFIG/config.json"]).unwrap();
    assert_eq!(config["credHelpers"], json!({ FIRST: "ecr-login", SECOND: "ecr-login" }));
    assert!(!text.contains("aws ecr"), "{text}");

    let different = wanted(&[(FIRST, Some(OTHER_ROLE)), (SECOND, Some(ROLE))]);
    let text = GitLabCi { wanted: &different, audience: "https://gitlab.example" }.text().unwrap();
    let job = Pipeline::parse(&text).unwrap().job("push-image").unwrap();
    let written = heredocs(&job.before_script.concat());
    let rules: toml::Table = written["$ECRU_CONFIG"].parse().unwrap();
    assert_eq!(rules["registry"][1]["role_arn"].as_str(), Some(ROLE));
    assert_eq!(rules["registry"][1]["identity_token_env"].as_str(), Some("ECRU_IDENTITY_TOKEN"));
}

#[test]
fn a_job_without_a_role_has_no_identity() {
    let text = |wanted: &[Wanted]| GitLabCi { wanted, audience: DEFAULT_AUDIENCE }.text();
    assert_eq!(text(&mixed()), Err(GitLabCiError::NoRole { registry: FIRST.to_owned() }));
    assert_eq!(text(&wanted(&[("public.ecr.aws", Some(ROLE))])), Err(GitLabCiError::NoPrivateRegistry));
}
