//! Jobs made ready to run.
#![expect(clippy::expect_used, reason = "a test stops where its own premises fail")]

use ecru_gitlab::ci::Pipeline;
use ecru_gitlab::config_toml::{ConfigToml, RunnerConfig};
use ecru_gitlab::plan::{JobPlan, PlanError, PlanRequest, plan};
use ecru_gitlab::predefined::{Commit, CommitReference, Predefined};
use ecru_gitlab::pull_policy::PullPolicy;
use ecru_gitlab::variables::{Variable, last_value};
use secrecy::ExposeSecret;

const SERVICES: &str = include_str!("pipelines/services.gitlab-ci.yml");

fn predefined() -> Predefined {
    Predefined {
        project_path: "team/app".into(),
        project_dir: "/builds/team/app".into(),
        builds_dir: "/builds".into(),
        commit: Some(Commit {
            sha: "0123456789abcdef0123456789abcdef01234567".into(),
            reference: CommitReference::Branch("main".into()),
        }),
        default_branch: Some("main".into()),
        server_url: None,
        project_id: 1,
        pipeline_id: 1,
        job_id: 1,
        runner_description: "ecru".into(),
        runner_version: "0.1.0".into(),
        runner_platform: "linux/amd64".into(),
    }
}

fn runner(docker_and_environment: &str) -> RunnerConfig {
    let config = ConfigToml::parse(&format!("[[runners]]\n{docker_and_environment}")).expect("valid TOML");
    config.runner(None).expect("one runner").clone()
}

fn plan_with(
    pipeline: &str,
    job: &str,
    runner: Option<&RunnerConfig>,
    extra_variables: &[Variable],
) -> Result<JobPlan, PlanError> {
    let pipeline = Pipeline::parse(pipeline).expect("the text is a pipeline");
    plan(&PlanRequest { pipeline: &pipeline, job, runner, predefined: &predefined(), extra_variables })
}

fn plan_of(pipeline: &str) -> JobPlan {
    plan_with(pipeline, "job", None, &[]).expect("the job can be planned")
}

#[test]
fn a_job_of_steps_has_no_script_for_a_shell() {
    let error = plan_with("job: {image: a, run: [{name: b, script: c}]}", "job", None, &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 1, column 17: job `job` has `run` and no script for a runner's shell"
    );
}

#[test]
fn a_realistic_job_is_put_together() {
    let plan = plan_with(SERVICES, "unit", None, &[]).unwrap();
    assert_eq!(plan.image.name, "000000000001.dkr.ecr.eu-west-1.amazonaws.com/team/ruby:3.3");
    assert_eq!(plan.image.pull_policies, [PullPolicy::Always]);
    assert_eq!(last_value(&plan.variables, "DATABASE_URL"), Some("postgres://app@db/app"));
    assert_eq!(last_value(&plan.variables, "PASSWORD_PATTERN"), Some("^[a-z]+$"));
    assert_eq!(last_value(&plan.variables, "CI_JOB_IMAGE"), Some(plan.image.name.as_str()));

    let [postgres, redis] = &plan.services[..] else { panic!("two services, not {:?}", plan.services) };
    assert_eq!(
        postgres.aliases,
        [
            "000000000002.dkr.ecr.us-east-1.amazonaws.com__data__postgres",
            "000000000002.dkr.ecr.us-east-1.amazonaws.com-data-postgres",
            "db",
            "postgres",
        ]
    );
    assert_eq!(postgres.image.pull_policies, [PullPolicy::Always, PullPolicy::IfNotPresent]);
    assert_eq!(last_value(&postgres.variables, "POSTGRES_USER"), Some("app"));
    assert_eq!(last_value(&postgres.variables, "CI_PROJECT_NAME"), Some("app"));
    assert_eq!((redis.image.name.as_str(), &redis.aliases[..]), ("redis:7", &["redis".to_owned()][..]));

    assert!(plan.script.contains("cd '\\''/builds/team/app'\\''"), "{}", plan.script);
    let before = plan.script.find("bundle install").expect("before_script runs");
    assert!(before < plan.script.find("bundle exec").expect("script runs"));
    assert!(plan.after_script.expect("there is an after_script").contains("test.log"));
    assert!(plan.docker_auth_config.is_none());
}

#[test]
fn the_settings_of_the_runner_fill_in() {
    let runner = runner(
        r#"
        pre_build_script = "echo first"
        environment = ["LEVEL=runner", "HUB=registry.example"]
        [runners.docker]
        image = "$HUB/base"
        pull_policy = "if-not-present"
        [[runners.docker.services]]
        name = "$HUB/proxy:1"
        alias = "proxy"
        environment = ["FOR=$LEVEL"]
        "#,
    );
    let plan = plan_with("job: {script: x}", "job", Some(&runner), &[]).unwrap();
    assert_eq!(plan.image.name, "registry.example/base");
    assert_eq!(plan.image.pull_policies, [PullPolicy::IfNotPresent]);
    assert_eq!(plan.services[0].image.name, "registry.example/proxy:1");
    assert_eq!(last_value(&plan.services[0].variables, "FOR"), Some("runner"));
    assert!(plan.script.find("echo first") < plan.script.find("$ x"));
}

#[test]
fn higher_levels_of_variables_win() {
    let runner = runner(r#"environment = ["A=runner", "B=runner", "C=runner", "D=runner", "CI=runner"]"#);
    let text = "variables: {B: pipeline, C: pipeline, D: pipeline}\n\
                job: {image: x, script: x, variables: {C: job, D: job}}";
    let plan = plan_with(text, "job", Some(&runner), &[Variable::new("D", "extra")]).unwrap();
    let values = ["A", "B", "C", "D", "CI"].map(|key| last_value(&plan.variables, key).unwrap());
    assert_eq!(values, ["runner", "pipeline", "job", "extra", "true"]);
    let names: std::collections::BTreeSet<&str> =
        plan.variables.iter().map(|variable| variable.key.as_str()).collect();
    assert_eq!(names.len(), plan.variables.len(), "each name stands once");
}

#[test]
fn registry_credentials_come_from_the_highest_level() {
    let runner = runner(r#"environment = ['DOCKER_AUTH_CONFIG={"credsStore":"$STORE"}']"#);
    let value = |text: &str, extra: &[Variable]| {
        let plan = plan_with(text, "job", Some(&runner), extra).unwrap();
        plan.docker_auth_config.unwrap().expose_secret().to_owned()
    };
    let of_runner = "job: {image: x, script: x, variables: {STORE: ecr-login}}";
    assert_eq!(value(of_runner, &[]), r#"{"credsStore":"ecr-login"}"#);
    let of_job = "job: {image: x, script: x, variables: {DOCKER_AUTH_CONFIG: '{}'}}";
    assert_eq!(value(of_job, &[]), "{}");
    assert_eq!(value(of_job, &[Variable::new("DOCKER_AUTH_CONFIG", "$").raw()]), "$");
}

#[test]
fn the_runner_decides_which_pull_policies_are_allowed() {
    let policies = |docker: &str, asked: &str| {
        let runner = runner(&format!("[runners.docker]\n{docker}"));
        let text = format!("job: {{image: {{name: x, pull_policy: [{asked}]}}, script: x}}");
        plan_with(&text, "job", Some(&runner), &[]).map(|plan| plan.image.pull_policies)
    };
    let error = policies("", "never").unwrap_err();
    assert_eq!(error.to_string(), "the runner does not allow pull policy `never` of image `x`");
    assert!(error.hint().unwrap().starts_with("use `always`, or add"));
    assert_eq!(policies("", "never, always"), Ok(vec![PullPolicy::Always]));
    let allowed = r#"allowed_pull_policies = ["never", "always"]"#;
    assert_eq!(policies(allowed, "never"), Ok(vec![PullPolicy::Never]));
    assert_eq!(policies(allowed, ""), Ok(vec![PullPolicy::Always]));
}

#[test]
fn private_variables_do_not_reach_services() {
    let text = "job: {image: x, script: x, services: [{name: db, variables: {SEEN: $SECRET}}]}";
    let plan = plan_with(text, "job", None, &[Variable::new("SECRET", "s3cr3t").private()]).unwrap();
    let service = &plan.services[0].variables;
    assert_eq!(last_value(service, "SECRET"), None);
    assert_eq!(last_value(service, "SEEN"), Some("s3cr3t"), "unless the job hands them on");
    assert_eq!(last_value(&plan.variables, "SECRET"), Some("s3cr3t"));
}

#[test]
fn a_service_without_a_name_of_its_own_is_not_started() {
    let plan = plan_of(
        "job: {image: x, script: x, services: ['db:1', {name: 'db:2', alias: db}, {name: 'db:3', alias: other}]}",
    );
    let started: Vec<&str> = plan.services.iter().map(|service| service.image.name.as_str()).collect();
    assert_eq!(started, ["db:1", "db:3"]);
    assert_eq!(plan.services[1].aliases, ["other"]);
    assert!(plan.warnings.iter().any(|warning| warning.contains("service `db:2` is not started")));
}

#[test]
fn warnings_of_the_file_and_of_the_job_are_handed_on() {
    let plan = plan_of("include: a.yml\njob: {image: x, script: x, parallel: 2}");
    assert_eq!(plan.warnings.len(), 2, "{:?}", plan.warnings);
}

#[test]
fn what_cannot_be_planned_is_said() {
    let error = |text: &str| plan_with(text, "job", None, &[]).unwrap_err();
    let no_image = error("job: {script: x}");
    assert_eq!(no_image, PlanError::NoImage { job: "job".into() });
    assert!(no_image.hint().unwrap().contains("`[runners.docker]`"));
    assert_eq!(
        error("job: {image: $NOTHING, script: x}").to_string(),
        "nothing is left of image `$NOTHING` after its variables were replaced"
    );
    assert!(matches!(
        error("job: {image: x, services: [Bad Name], script: x}"),
        PlanError::ServiceName { .. }
    ));
    assert!(matches!(error("other: {script: x}"), PlanError::Job(_)));
    let services = vec!["db"; 101].join(",");
    assert!(matches!(
        error(&format!("job: {{image: x, script: x, services: [{services}]}}")),
        PlanError::TooManyServices { count: 101, .. }
    ));
}

#[test]
fn debug_shows_no_value() {
    let runner =
        runner(r#"environment = ['DOCKER_AUTH_CONFIG={"auths":{"h":{"auth":"s3cr3t"}}}', "KEY=s3cr3t"]"#);
    let plan = plan_with("job: {image: x, script: x, services: [db]}", "job", Some(&runner), &[]).unwrap();
    assert!(!format!("{plan:?} {runner:?}").contains("s3cr3t"));
}

#[test]
fn id_tokens_are_missing_unless_somebody_gives_them() {
    let pipeline = "default: {id_tokens: {OF_ALL: {aud: a}}}\n\
                    job: {image: i, script: [x], id_tokens: {ONE: {aud: a}, TWO: {aud: b}}}\n\
                    other: {image: i, script: [x]}\n";
    let planned = |job: &str, given: &[&str]| {
        let given: Vec<Variable> = given.iter().map(|name| Variable::new(*name, "token").private()).collect();
        plan_with(pipeline, job, None, &given).expect("the job can be planned")
    };
    assert_eq!(planned("job", &[]).id_tokens, ["ONE", "TWO"]);
    assert_eq!(planned("other", &[]).id_tokens, ["OF_ALL"]);
    let warned = |given: &[&str]| {
        planned("job", given).warnings.iter().any(|warning| warning.contains("`id_tokens` of job `job`"))
    };
    assert!(warned(&[]) && warned(&["ONE"]) && !warned(&["ONE", "TWO"]));
}
