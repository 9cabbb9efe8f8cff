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

/// What is wrong with the last job, and whether GitLab may see nothing wrong.
fn failure(text: &str) -> (String, bool) {
    let pipeline = Pipeline::parse(text).expect("a pipeline");
    let request = UsesRequest {
        pipeline: &pipeline,
        runner: None,
        predefined: &Predefined::default(),
        extra_variables: &[],
    };
    let failed = image_uses(&request).failed.pop().expect("a job that cannot be read");
    (failed.error.to_string(), failed.error.may_be_none())
}

#[test]
fn a_job_that_an_input_decides_about_is_not_wrong() {
    for job in [
        "services: '$[[ inputs.services ]]'",
        "variables: '$[[ inputs.variables ]]'",
        "extends: '.base-$[[ inputs.kind ]]'",
    ] {
        let (message, may_be_none) = failure(&format!("a: {{image: i, script: x, {job}}}\n"));
        assert!(may_be_none, "{message}");
    }
    let (message, may_be_none) = failure("a: {image: i, script: x, services: db}\n");
    assert!(!may_be_none, "{message}");
    let decided = "stages: [test]\n'a-$[[ inputs.name ]]': {image: {name: i, pull_policy: '$[[ inputs.policy ]]'}, \
                   script: x, stage: '$[[ inputs.stage ]]', parallel: '$[[ inputs.parallel ]]'}\n";
    let job = uses(decided, "", &[]);
    assert_eq!((job.name.as_str(), job.warnings), ("a-$[[ inputs.name ]]", Vec::new()));
}

#[test]
fn a_job_that_a_file_which_is_not_read_may_complete_is_not_wrong() {
    for job in ["rules: [{if: $A}]", "extends: .elsewhere", "script: [!reference [.elsewhere, script]]"] {
        let alone = format!("a: {{image: i, {job}}}\n");
        let (message, may_be_none) = failure(&alone);
        assert!(!may_be_none, "{message}");
        let (message, may_be_none) = failure(&format!("include: [{{template: T.gitlab-ci.yml}}]\n{alone}"));
        assert!(may_be_none, "{message}");
    }
}

#[test]
fn a_variable_without_a_value_is_empty() {
    let text = "variables:\n  PREFIX:\na: {image: '${PREFIX}i$SUFFIX', script: x, variables: {SUFFIX: }}\n";
    assert_eq!(image(text, &[]).name.as_deref(), Some("i"));
    let (message, _) = failure("a: {image: i, script: x, services: [{name: s, variables: {A: }}]}\n");
    assert!(message.contains("variable `A` must be a text or a number"), "{message}");
}

#[test]
fn what_is_behind_docker_auth_config_may_be_unknown() {
    let unknown = |text: &str, extra: &[Variable]| uses(text, "", extra).unknown_in_config;
    let text = "variables: {REG: r, DOCKER_AUTH_CONFIG: '{\"auths\":{\"$REG\":{\"auth\":\"$SECRET\"}}}'}\n\
                a: {image: i, script: x}\n";
    assert_eq!(unknown(text, &[]), ["SECRET"]);
    assert_eq!(unknown(text, &[Variable::new("SECRET", "s")]), [""; 0]);
    assert_eq!(unknown("a: {image: i, script: x}\n", &[]), [""; 0]);
    let by_secrets = "a: {image: i, script: x, secrets: {DOCKER_AUTH_CONFIG: {vault: a/b/c@d}}}\n";
    assert_eq!(unknown(by_secrets, &[]), ["DOCKER_AUTH_CONFIG"]);
}

#[test]
fn an_image_may_be_named_after_the_commit() {
    let is_of_commit = |name: &str| {
        let text = format!(
            "variables: {{APP: 'r.example/a:$CI_COMMIT_SHORT_SHA'}}\na: {{image: {name}, script: x}}\n"
        );
        image(&text, &[]).is_of_commit
    };
    assert!(is_of_commit("$APP") && is_of_commit("r.example/a:$CI_COMMIT_REF_SLUG"));
    assert!(!is_of_commit("r.example/a:1"));
}

#[test]
fn pull_policies_decide_whether_a_registry_is_asked() {
    let never = |image: &str, config: &str| {
        let text = format!("a: {{image: {{name: i, {image}}}, script: x}}\n");
        uses(&text, config, &[]).image.expect("an image").is_never_pulled
    };
    let allowed = "[runners.docker]\nallowed_pull_policies = ['always', 'never']\n";
    assert!(never("pull_policy: never", allowed));
    assert!(!never("pull_policy: [never, always]", allowed));
    assert!(!never("", allowed));
    assert!(never("", "[runners.docker]\npull_policy = 'never'\n"));

    let pipeline =
        Pipeline::parse("a: {image: {name: i, pull_policy: never}, script: x}\n").expect("a pipeline");
    let config = ConfigToml::parse("[[runners]]\n[runners.docker]\n").expect("a configuration");
    let request = UsesRequest {
        pipeline: &pipeline,
        runner: config.runners.first(),
        predefined: &Predefined::default(),
        extra_variables: &[],
    };
    let failed = image_uses(&request).failed.pop().expect("a job that the runner refuses");
    let message = "the runner does not allow pull policy `never` of image `i`";
    assert_eq!((failed.error.to_string().as_str(), failed.error.may_be_none()), (message, false));
    assert!(failed.error.hint().expect("a hint").contains("`allowed_pull_policies`"));
}
