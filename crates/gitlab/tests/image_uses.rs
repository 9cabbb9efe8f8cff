//! Which images jobs use, where that depends on what rules, aliases and odd references do.
#![expect(clippy::expect_used, reason = "a test stops where its own premises fail")]

use ecru_gitlab::ci::Pipeline;
use ecru_gitlab::config_toml::ConfigToml;
use ecru_gitlab::image_uses::{ImageUse, JobUses, UsesRequest, image_uses};
use ecru_gitlab::predefined::Predefined;
use ecru_gitlab::variables::Variable;

fn uses(text: &str, config: &str, extra: &[Variable]) -> JobUses {
    let pipeline = Pipeline::parse(text).expect("a pipeline");
    let config = ConfigToml::parse(&format!("[[runners]]\n{config}")).expect("a configuration");
    let request = UsesRequest {
        pipeline: &pipeline,
        runner: config.runners.first(),
        predefined: &Predefined::default(),
        extra_variables: extra,
    };
    let mut uses = image_uses(&request);
    assert!(uses.failed.is_empty(), "{:?}", uses.failed);
    uses.jobs.pop().expect("a job")
}

fn image(text: &str, extra: &[Variable]) -> ImageUse {
    uses(text, "", extra).image.expect("an image")
}

const BY_WORKFLOW: &str = "workflow: {rules: [{variables: {TAG: x}}]}\nvariables: {TAG: a}\n";
const BY_JOB: &str = "rules: [{if: $A, variables: {TAG: x}}]";

#[test]
fn a_rule_of_the_workflow_changes_what_the_pipeline_defines_and_no_job_replaces() {
    let differs = |job: &str| {
        let text = format!("{BY_WORKFLOW}a: {{image: 'r.example/a:$TAG', script: x, {job}}}\n");
        !image(&text, &[]).may_differ.is_empty()
    };
    assert!(differs(""));
    assert!(differs("inherit: {variables: [TAG]}"));
    assert!(!differs("variables: {TAG: mine}"));
    assert!(!differs("inherit: {variables: [OTHER]}, variables: {TAG: mine}"));
    assert!(!differs("parallel: {matrix: [{TAG: [b, c]}]}"));
    let none =
        format!("{BY_WORKFLOW}a: {{image: 'r.example/a:$TAG', script: x, inherit: {{variables: false}}}}\n");
    let none = image(&none, &[]);
    assert_eq!((none.unresolved, none.may_differ), (vec!["TAG".to_owned()], Vec::new()));
}

#[test]
fn a_rule_of_a_job_changes_what_the_job_and_its_matrix_define() {
    for job in
        ["variables: {TAG: mine}", "parallel: {matrix: [{TAG: [b, c]}]}", "inherit: {variables: false}"]
    {
        let text =
            format!("variables: {{TAG: a}}\na: {{image: 'r.example/a:$TAG', script: x, {BY_JOB}, {job}}}\n");
        assert_eq!(image(&text, &[]).may_differ, ["TAG"], "{job}");
    }
}

#[test]
fn no_rule_changes_a_variable_of_the_project() {
    let project = [Variable::new("TAG", "given").private()];
    let by_job = format!("a: {{image: 'r.example/a:$TAG', script: x, {BY_JOB}}}\n");
    let by_workflow = format!("{BY_WORKFLOW}a: {{image: 'r.example/a:$TAG', script: x}}\n");
    for text in [by_job, by_workflow] {
        let image = image(&text, &project);
        assert_eq!((image.name.as_deref(), image.may_differ), (Some("r.example/a:given"), Vec::new()));
    }
}

#[test]
fn gitlab_has_no_defaults_for_variables() {
    let text =
        "variables: {B: '${A:-x}', C-D: dash}\na: {image: 'r.example/a${A:-foo}${B}${C-D}', script: x}\n";
    let image = image(text, &[]);
    assert_eq!(image.name.as_deref(), Some("r.example/adash"));
    assert_eq!(image.without_meaning, ["A:-foo", "A:-x"]);
    assert_eq!(image.unresolved, [""; 0]);
}

/// Whether each service has a name that somebody gave it.
fn aliases(services: &str, config: &str) -> Vec<bool> {
    let text = format!("variables: {{EMPTY: ''}}\na: {{image: i, script: x, services: {services}}}\n");
    uses(&text, config, &[]).services.iter().map(|service| service.has_alias).collect()
}

#[test]
fn an_alias_counts_where_the_service_gets_it() {
    assert_eq!(aliases("[{name: r.example/a, alias: ''}]", ""), [false]);
    assert_eq!(aliases("[{name: r.example/a, alias: ' , '}]", ""), [false]);
    assert_eq!(aliases("[{name: r.example/a, alias: $EMPTY}]", ""), [false]);
    assert_eq!(aliases("[{name: r.example/a, alias: $UNKNOWN}]", ""), [true], "nobody here knows");
    assert_eq!(
        aliases("[{name: r.example/a, alias: db}, {name: r.example/b, alias: db}]", ""),
        [true, false]
    );
    assert_eq!(
        aliases("[{name: r.example/a, alias: db}, {name: r.example/b, alias: 'db b'}]", ""),
        [true, true]
    );
}

#[test]
fn the_kubernetes_executor_has_settings_of_its_own() {
    let config = r#"
executor = "kubernetes"
[runners.docker]
image = "of.docker:1"
[runners.kubernetes]
image = "of.kubernetes:1"
[[runners.kubernetes.services]]
name = "db:1"
"#;
    let job = uses("a: {script: x, services: ['r.example/x', 'r.example/x']}\n", config, &[]);
    assert_eq!(job.image.and_then(|image| image.name).as_deref(), Some("of.kubernetes:1"));
    let names: Vec<&[String]> = job.services.iter().map(|service| &service.names.names[..]).collect();
    // One pod holds all services, whatever they are called; names that are none of DNS are dropped.
    assert_eq!(names, [&["db".to_owned()][..], &["r.example-x".to_owned()], &["r.example-x".to_owned()]]);
}
