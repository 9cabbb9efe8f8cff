//! What is told of a pipeline that GitLab would refuse, or of which something is missing here.
#![expect(clippy::expect_used, reason = "a test stops where its own premises fail")]

use ecru_gitlab::ci::{FileProblem, Pipeline, ProjectFiles};

/// The files of a project, by path.
struct Files<'a>(&'a [(&'a str, &'a str)]);

impl ProjectFiles for Files<'_> {
    fn text(&mut self, path: &str) -> Result<String, FileProblem> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| (*text).to_owned()).ok_or(FileProblem::NotFound)
    }

    fn paths(&mut self) -> Result<Vec<String>, FileProblem> {
        Ok(self.0.iter().map(|(path, _)| (*path).to_owned()).collect())
    }
}

fn put_together(text: &str, files: &[(&str, &str)]) -> Pipeline {
    Pipeline::with_includes(".gitlab-ci.yml", text, &mut Files(files), &[]).expect("a pipeline")
}

fn told(pipeline: &Pipeline) -> Vec<String> {
    pipeline.warnings().iter().map(ToString::to_string).collect()
}

const JOB: &str = "a: {script: x}\n";

#[test]
fn a_file_that_only_rules_may_include_need_not_be_there() {
    for (files, problem) in [
        (&[][..], "there is no such file in the project"),
        (&[("b.yml", "# nothing\n")][..], "the file is empty"),
    ] {
        let text = format!("{JOB}include: [{{local: b.yml, rules: [{{if: $B}}]}}]\n");
        let pipeline = put_together(&text, files);
        assert!(pipeline.is_incomplete());
        assert_eq!(pipeline.job_names(), ["a"]);
        assert_eq!(
            told(&pipeline),
            [format!(
                "line 2, column 11: `include:local` `b.yml` is not read: {problem}; its `rules` decide whether GitLab needs it"
            )]
        );
    }
    let inner = "include: c.yml\n";
    let text = format!("{JOB}include: [{{local: b.yml, rules: [{{if: $B}}]}}]\n");
    let error =
        Pipeline::with_includes(".gitlab-ci.yml", &text, &mut Files(&[("b.yml", inner)]), &[]).expect_err("");
    assert!(error.to_string().starts_with("b.yml: line 1, column 10: cannot include `c.yml`"), "{error}");
}

#[test]
fn a_pattern_that_matches_nothing_includes_nothing() {
    let pipeline = put_together(&format!("{JOB}include: /no/*.yml\n"), &[]);
    assert!(!pipeline.is_incomplete());
    assert_eq!(
        told(&pipeline),
        ["line 2, column 10: `include:local` `no/*.yml` matches no file of the project"]
    );
}

#[test]
fn a_pattern_does_not_mean_the_file_in_which_it_stands() {
    let files = [("ci/a.yml", "include: ci/*.yml\n"), ("ci/b.yml", "b: {script: x}\n")];
    let pipeline = put_together("include: //ci/a.yml\n", &files);
    assert_eq!(pipeline.job_names(), ["b"]);
    assert_eq!(told(&pipeline), [""; 0]);
}

#[test]
fn the_case_of_an_ending_does_not_matter() {
    let pipeline =
        put_together("include: [A.YML, b.Yaml]\n", &[("A.YML", JOB), ("b.Yaml", "b: {script: x}")]);
    assert_eq!(pipeline.job_names(), ["a", "b"]);
}

#[test]
fn what_is_neither_a_keyword_nor_a_job_is_told() {
    let pipeline = Pipeline::parse("x: [1]\ny_job: 5\n.z: [2]\nstages: [test]\nz:\na: {script: x}\n")
        .expect("a pipeline");
    let refused = |place: &str, name: &str| {
        format!("{place}: `{name}` is neither a keyword nor a job, and GitLab refuses the pipeline")
    };
    assert_eq!(
        told(&pipeline),
        [
            refused("line 1, column 1", "x"),
            refused("line 2, column 1", "y_job"),
            refused("line 5, column 1", "z")
        ]
    );
}

#[test]
fn a_pipeline_without_jobs_is_told_unless_they_may_be_elsewhere() {
    let empty = Pipeline::parse("{}\n").expect("a pipeline");
    assert_eq!(told(&empty), ["line 1, column 1: the pipeline has no job, and GitLab refuses it"]);
    let elsewhere = put_together("include: {project: a/b, file: c.yml}\n", &[]);
    assert_eq!(told(&elsewhere).len(), 1);
}

#[test]
fn a_default_in_two_places_is_told() {
    let pipeline =
        Pipeline::parse("default: {image: a, retry: 1}\nimage: b\nservices: [c]\na: {script: x}\n")
            .expect("a pipeline");
    assert_eq!(
        told(&pipeline),
        [
            "line 2, column 1: `image` stands at the top level and in `default`, and GitLab refuses the pipeline"
        ]
    );
}

fn of_job(text: &str) -> Vec<String> {
    let pipeline = Pipeline::parse(text).expect("a pipeline");
    pipeline.job("a").expect("a job").warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_stage_that_does_not_exist_is_told() {
    let unknown = "stage `tset` of job `a` does not exist, and GitLab refuses the pipeline; there are";
    for (stages, there_are) in [
        ("", "`.pre`, `build`, `test`, `deploy`, `.post`"),
        ("stages: [one]\n", "`.pre`, `one`, `.post`"),
        ("stages: [one]\ninclude: {project: a/b, file: c.yml}\n", "`.pre`, `one`, `.post`"),
    ] {
        let text = format!("{stages}a: {{stage: tset, script: x}}\n");
        let line = text.lines().count();
        assert_eq!(of_job(&text), [format!("line {line}, column 12: {unknown} {there_are}")], "{text}");
    }
    for text in [
        "a: {stage: .post, script: x}\n",
        "a: {stage: deploy, script: x}\n",
        "stages: [.pre, one]\na: {stage: one, script: x}\n",
        // What is not read may have the stages.
        "include: {project: a/b, file: c.yml}\na: {stage: tset, script: x}\n",
        "stages: !reference [.x, stages]\n.x: {stages: [tset]}\na: {stage: tset, script: x}\n",
    ] {
        assert_eq!(of_job(text), [""; 0], "{text}");
    }
    let default = of_job("stages: [one]\na: {script: x}\n");
    assert_eq!(default.len(), 1, "without a stage a job is in `test`: {default:?}");
}

#[test]
fn truth_values_are_variables_as_ruby_writes_them() {
    let pipeline = Pipeline::parse(
        "variables: {A: true, B: no}\na: {variables: {C: {value: off, expand: true}}, script: x}\n",
    )
    .expect("a pipeline");
    let job = pipeline.job("a").expect("a job");
    let values: Vec<&str> = job.variables.iter().map(|variable| variable.value.as_str()).collect();
    assert_eq!(values, ["true", "false", "false"]);
}
