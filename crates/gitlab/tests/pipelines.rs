//! Whole `.gitlab-ci.yml` files and the jobs that GitLab makes of them.
#![expect(clippy::expect_used, reason = "a test stops where its own premises fail")]

use ecru_gitlab::ci::{Image, Job, JobError, Pipeline};
use ecru_gitlab::pull_policy::PullPolicy;
use ecru_gitlab::variables::Variable;

const SERVICES: &str = include_str!("pipelines/services.gitlab-ci.yml");
const TEMPLATES: &str = include_str!("pipelines/templates.gitlab-ci.yml");
const DOCKER_BUILD: &str = include_str!("pipelines/docker-build.gitlab-ci.yml");
const WITH_INPUTS: &str = include_str!("pipelines/with-inputs.gitlab-ci.yml");

fn pipeline(text: &str) -> Pipeline {
    Pipeline::parse(text).expect("the text is a pipeline")
}

fn job(text: &str, name: &str) -> Job {
    pipeline(text).job(name).expect("the pipeline has the job")
}

fn variables(job: &Job) -> Vec<(&str, &str)> {
    job.variables.iter().map(|variable| (variable.key.as_str(), variable.value.as_str())).collect()
}

fn image_name(job: &Job) -> Option<&str> {
    job.image.as_ref().map(|image| image.name.as_str())
}

/// The message and the hint for the job `job` of `text`.
fn problem(text: &str) -> (String, String) {
    let error = pipeline(text).job("job").expect_err("the job is wrong");
    (error.to_string(), error.hint().unwrap_or_default())
}

#[test]
fn jobs_are_listed_without_templates_and_keywords() {
    assert_eq!(pipeline(SERVICES).job_names(), ["unit", "lint", "no-defaults", "deploy"]);
    assert_eq!(pipeline(TEMPLATES).job_names(), ["build", "like-build"]);
    assert_eq!(pipeline(DOCKER_BUILD).job_names(), ["build image", "scan", "downstream"]);
}

#[test]
fn a_job_has_its_own_values_and_the_defaults() {
    let unit = job(SERVICES, "unit");
    assert_eq!(unit.stage, "test");
    assert_eq!(image_name(&unit), Some("$ECR/team/ruby:3.3"));
    assert_eq!(unit.before_script, ["bundle install --local"]);
    assert_eq!(unit.after_script, ["cp log/test.log \"$CI_PROJECT_DIR/\""]);
    assert_eq!(
        unit.script,
        ["bundle exec rake test", "if [ -f coverage.xml ]; then\n  echo \"covered\"\nfi\n"]
    );
    assert_eq!(
        variables(&unit),
        [
            ("ECR", "000000000001.dkr.ecr.eu-west-1.amazonaws.com"),
            ("DATABASE_URL", "postgres://app@$DB_HOST/app"),
            ("DB_HOST", "db"),
            ("DEPLOY_ENV", "staging"),
            ("PASSWORD_PATTERN", "^[a-z]+$"),
            ("DB_USER", "app"),
            ("RETRIES", "3"),
            ("RATIO", "1.5"),
        ]
    );
    let raw: Vec<&str> = unit
        .variables
        .iter()
        .filter(|variable| variable.is_raw)
        .map(|variable| variable.key.as_str())
        .collect();
    assert_eq!(raw, ["PASSWORD_PATTERN"]);
}

#[test]
fn services_have_all_their_keywords() {
    let unit = job(SERVICES, "unit");
    let [postgres, redis] = &unit.services[..] else { panic!("two services, not {:?}", unit.services) };
    assert_eq!(postgres.image.name, "000000000002.dkr.ecr.us-east-1.amazonaws.com/data/postgres:16");
    assert_eq!(postgres.alias.as_deref(), Some("db, postgres"));
    assert_eq!(postgres.command.as_deref().map(<[_]>::len), Some(3));
    assert_eq!(
        postgres.variables,
        [Variable::new("POSTGRES_DB", "app"), Variable::new("POSTGRES_USER", "$DB_USER")]
    );
    assert_eq!(postgres.image.pull_policies, [PullPolicy::Always, PullPolicy::IfNotPresent]);
    assert_eq!((redis.image.name.as_str(), &redis.alias), ("redis:7", &None));
}

#[test]
fn images_have_all_their_keywords() {
    let lint = job(SERVICES, "lint");
    let expected = Image {
        name: "$ECR/tools/rubocop:1".into(),
        entrypoint: Some(vec![String::new()]),
        pull_policies: vec![],
        platform: Some("linux/arm64".into()),
        user: Some("1000".into()),
    };
    assert_eq!(lint.image, Some(expected));
    assert!(lint.before_script.is_empty(), "an empty list takes the place of the default");
    assert_eq!(lint.script, ["rubocop --parallel"]);
}

#[test]
fn inheritance_can_be_refused() {
    let job = job(SERVICES, "no-defaults");
    assert!(job.before_script.is_empty() && job.after_script.is_empty());
    assert_eq!(variables(&job), [("ECR", "000000000001.dkr.ecr.eu-west-1.amazonaws.com")]);
}

#[test]
fn null_is_the_same_as_nothing() {
    assert_eq!(image_name(&job(SERVICES, "deploy")), Some("$ECR/team/ruby:3.3"));
}

#[test]
fn what_a_local_run_does_not_follow_is_said() {
    let warnings: Vec<String> = job(SERVICES, "deploy").warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "line 65, column 3: `parallel` of job `deploy` is not followed: the job runs once, without the \
             variables of a matrix",
            "line 70, column 7: `rules` of job `deploy` is not followed: the variables that they define are \
             missing",
        ]
    );
}

#[test]
fn templates_are_put_together_as_gitlab_does() {
    let build = job(TEMPLATES, "build");
    assert_eq!(image_name(&build), Some("$ECR/tools:2"), "the later of two bases wins");
    assert_eq!(build.services.len(), 1);
    assert_eq!(build.before_script, ["echo login", "echo setup", "echo nested"]);
    assert_eq!(
        variables(&build),
        [
            ("ECR", "000000000001.dkr.ecr.eu-west-1.amazonaws.com"),
            ("LEVEL", "tools"),
            ("KEPT", "base"),
            ("TOOLS", "1"),
            ("OWN", "1"),
        ]
    );
}

#[test]
fn references_see_what_extends_has_put_together() {
    let like_build = job(TEMPLATES, "like-build");
    assert_eq!(image_name(&like_build), Some("$ECR/tools:2"));
    assert!(variables(&like_build).contains(&("KEPT", "base")));
    assert_eq!(like_build.script, ["echo login", "echo setup", "echo nested", "echo one", "echo two"]);
}

#[test]
fn keywords_at_the_top_level_are_defaults() {
    let build = job(DOCKER_BUILD, "build image");
    assert_eq!(image_name(&build), Some("docker:28"));
    assert_eq!(build.services[0].alias.as_deref(), Some("docker"));
    assert_eq!(
        build.services[0].image.entrypoint.as_deref(),
        Some(&["dockerd-entrypoint.sh".to_owned()][..])
    );
}

#[test]
fn files_that_are_not_read_are_named() {
    let pipeline = pipeline(DOCKER_BUILD);
    let warnings: Vec<String> = pipeline.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["line 4, column 1: `include` is not read: what these files define is missing here"]
    );
    let error = pipeline.job("scan").unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 24, column 12: `extends` of `scan` names `.scan-template`, which is not in this file"
    );
    assert!(error.hint().unwrap().contains("`include` is not read"));
}

#[test]
fn a_header_with_inputs_is_passed_over_with_a_warning() {
    let pipeline = pipeline(WITH_INPUTS);
    assert_eq!(pipeline.job_names(), ["greet"]);
    assert!(pipeline.warnings()[0].to_string().contains("`spec` is not read"));
}

#[test]
fn a_job_may_be_called_spec() {
    let pipeline = pipeline("lint: {image: alpine, script: x}\nspec: {image: 'ruby:3', script: rspec}\n");
    assert_eq!(pipeline.job_names(), ["lint", "spec"]);
    assert_eq!(pipeline.warnings(), []);
}

#[test]
fn an_unknown_job_is_answered_with_the_jobs_that_exist() {
    let error = pipeline(SERVICES).job("lints").unwrap_err();
    assert_eq!(error.to_string(), "no job is called `lints`");
    let hint = error.hint().unwrap();
    assert_eq!(hint, "did you mean `lint`? the jobs are `unit`, `lint`, `no-defaults`, `deploy`");
    let hint = pipeline(SERVICES).job("zzz").unwrap_err().hint().unwrap();
    assert!(hint.starts_with("the jobs are"), "{hint}");
    for keyword in ["default", "variables", "stages"] {
        assert!(matches!(pipeline(SERVICES).job(keyword), Err(JobError::Unknown { .. })), "{keyword}");
    }
}

#[test]
fn hidden_jobs_and_jobs_without_a_shell_are_refused() {
    let error = |name| pipeline(DOCKER_BUILD).job(name).unwrap_err().to_string();
    assert_eq!(error(".hidden"), "line 27, column 1: `.hidden` is a hidden job, which never runs");
    assert!(error("downstream").contains("job `downstream` has `trigger` and no script"));
}

#[test]
fn wrong_values_are_named_with_line_and_column() {
    let cases = [
        ("job: [x]", "line 1, column 6: job `job` must be a mapping with `script`"),
        ("job: {image: x}", "line 1, column 6: job `job` has no `script`"),
        (
            "job:\n  image: 3.1\n  script: x",
            "line 2, column 10: `image` must be a string or a mapping with `name`",
        ),
        (
            "job:\n  image: {entrypoint: [a]}\n  script: x",
            "line 2, column 10: `image` must be a string or a mapping",
        ),
        (
            "job:\n  image: {name: a, entry: b}\n  script: x",
            "line 2, column 20: `image` has no keyword `entry`; it has `name`, `entrypoint`",
        ),
        (
            "job:\n  image: {name: a, entrypoint: b}\n  script: x",
            "line 2, column 32: `entrypoint` of `image` must be a list of texts",
        ),
        (
            "job:\n  image: {name: a, pull_policy: sometimes}\n  script: x",
            "line 2, column 33: `pull_policy` of `image` must be `always`",
        ),
        ("job: {services: redis, script: x}", "line 1, column 17: `services` must be a list"),
        (
            "job: {services: [{alias: a}], script: x}",
            "line 1, column 18: a service must be a string or a mapping",
        ),
        ("job: {variables: [a], script: x}", "line 1, column 18: `variables` of job `job` must be a mapping"),
        (
            "job: {variables: {A: [x]}, script: x}",
            "line 1, column 22: variable `A` must be a text, a number, `true`, `false`, or a mapping",
        ),
        (
            "job: {variables: {A: {values: x}}, script: x}",
            "line 1, column 23: variable `A` has no keyword `values`",
        ),
        ("job: {script: [1]}", "line 1, column 16: a command in `script` must be a text, not a number"),
        (
            "job: {script: [true]}",
            "line 1, column 16: a command in `script` must be a text, not a truth value",
        ),
        ("job: {stage: [a], script: x}", "line 1, column 14: `stage` must be a text"),
        ("job: {inherit: {default: 1}, script: x}", "line 1, column 26: `inherit:default` must be `true`"),
        ("default: [a]\njob: {script: x}", "line 1, column 10: `default` must be a mapping"),
        ("job: {extends: [{}], script: x}", "line 1, column 17: `extends` of `job` must be a text or a list"),
        (
            "job: {extends: .a}\n.a: {extends: job}",
            "line 1, column 16: `extends` of `job` leads back to `job`",
        ),
        (
            "job: {script: !reference a}",
            "line 1, column 15: `!reference` must be followed by a list of names",
        ),
        (
            "job: {script: !reference [a, b]}",
            "line 1, column 15: `!reference [a, b]` names nothing in this file",
        ),
        (
            "job: {script: [!reference [job, script]]}",
            "line 1, column 16: `!reference [job, script]` leads back to itself",
        ),
    ];
    for (text, expected) in cases {
        let (message, _) = problem(text);
        assert!(message.starts_with(expected), "for {text:?}: {message}");
    }
}

#[test]
fn a_colon_in_a_command_is_explained() {
    let (message, hint) = problem("job:\n  script:\n    - echo \"a: b\"\n");
    assert_eq!(message, "line 3, column 7: a command in `script` must be a text, not a mapping");
    assert_eq!(hint, "put quotes around a command that contains `: `");
}

#[test]
fn nesting_is_limited_as_in_gitlab() {
    let chain = |keyword: &dyn Fn(usize) -> String| (0..13).map(keyword).collect::<String>();
    let extends = chain(&|level| format!(".j{level}: {{extends: .j{}}}\n", level + 1));
    let (message, _) = problem(&format!("job: {{extends: .j0, script: x}}\n{extends}.j13: {{image: a}}\n"));
    assert!(message.contains("is nested deeper than 10 levels"), "{message}");
    let references = chain(&|level| format!(".r{level}: {{s: !reference [.r{}, s]}}\n", level + 1));
    let (message, _) =
        problem(&format!("job: {{script: !reference [.r0, s]}}\n{references}.r13: {{s: a}}\n"));
    assert!(message.contains("`!reference` is nested deeper than 10 levels"), "{message}");
    let nested = format!("job: {{script: {}x{}}}", "[".repeat(12), "]".repeat(12));
    assert!(problem(&nested).0.contains("`script` must be nested no deeper than 10 levels"));
}

#[test]
fn references_that_multiply_end_in_an_error() {
    let levels: String = (0..9)
        .map(|level| {
            let next = vec![format!("!reference [.r{}, s]", level + 1); 20].join(", ");
            format!(".r{level}: {{s: [{next}]}}\n")
        })
        .collect();
    let (message, _) = problem(&format!("job: {{script: !reference [.r0, s]}}\n{levels}.r9: {{s: a}}\n"));
    assert!(message.contains("holds more than"), "{message}");
}

#[test]
fn files_without_a_pipeline_say_so() {
    let error = |text| Pipeline::parse(text).unwrap_err().to_string();
    assert_eq!(error(""), "the file is empty");
    assert_eq!(error("# nothing\n"), "the file is empty");
    assert_eq!(error("- a"), "line 1, column 1: a pipeline must be a mapping of keywords and jobs");
    assert!(error("a:\n\tb: c").starts_with("line 2, column"));
}

#[test]
fn repeated_keys_are_a_warning() {
    let pipeline = pipeline("job:\n  script: [a]\n  script: [b]\n");
    assert_eq!(
        pipeline.warnings()[0].to_string(),
        "line 3, column 3: `script` stands twice, and GitLab keeps only the last"
    );
    assert_eq!(pipeline.job("job").unwrap().script, ["b"]);
}
