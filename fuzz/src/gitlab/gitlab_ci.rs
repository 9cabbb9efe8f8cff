//! `.gitlab-ci.yml`: the file, each of its jobs, and the plan of each.

use std::collections::HashSet;

use ecru_gitlab::ci::{JobError, Pipeline, PipelineError};
use ecru_gitlab::plan::{JobPlan, MAX_SERVICES, PlanError, PlanRequest, plan};
use ecru_gitlab::predefined::Predefined;
use ecru_gitlab::service_names::split_name_and_version;
use ecru_gitlab::variables::{MAX_TOTAL_BYTES, MAX_VALUE_BYTES};

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let pipeline = match Pipeline::parse(text) {
        Ok(pipeline) => pipeline,
        Err(error) => {
            if let PipelineError::Yaml(error) = &error {
                super::check_place(error.position.line, error.position.column, text);
            }
            return drop((error.to_string(), error.hint()));
        }
    };
    for warning in pipeline.warnings() {
        super::check_place(warning.position.line, warning.position.column, text);
    }
    let predefined = predefined();
    for job in pipeline.job_names() {
        let request = PlanRequest {
            pipeline: &pipeline,
            job,
            runner: None,
            predefined: &predefined,
            extra_variables: &[],
        };
        match plan(&request) {
            Ok(plan) => check(&plan),
            Err(PlanError::Job(JobError::Unknown { name, .. })) => panic!("`{name}` was listed"),
            Err(PlanError::Job(JobError::Invalid(error))) => {
                super::check_place(error.position.line, error.position.column, text);
                drop((error.to_string(), error.hint()));
            }
            Err(error) => drop((error.to_string(), error.hint())),
        }
    }
}

fn check(plan: &JobPlan) {
    let mut names = HashSet::new();
    assert!(plan.variables.iter().all(|variable| names.insert(&variable.key)), "each name once");
    let length = |variable: &ecru_gitlab::variables::Variable| {
        assert!(variable.value.len() <= MAX_VALUE_BYTES);
        variable.key.len() + variable.value.len()
    };
    assert!(plan.variables.iter().map(length).sum::<usize>() <= MAX_TOTAL_BYTES);
    assert!(!plan.image.name.is_empty() && !plan.image.pull_policies.is_empty());
    assert!(plan.services.len() <= MAX_SERVICES);
    let mut aliases = HashSet::new();
    for service in &plan.services {
        assert!(!service.aliases.is_empty() && service.aliases.iter().all(|alias| aliases.insert(alias)));
        assert!(split_name_and_version(&service.image.name).is_ok(), "{}", service.image.name);
    }
    assert!(plan.script.ends_with("exit 0\n"));
}

fn predefined() -> Predefined {
    Predefined {
        project_path: "group/project".into(),
        project_dir: "/builds/group/project".into(),
        builds_dir: "/builds".into(),
        server_url: Some("https://gitlab.example".into()),
        project_id: 1,
        pipeline_id: 1,
        job_id: 1,
        ..Predefined::default()
    }
}
