//! What `ecru explain` and `ecru check` are told of a runner and of the job that GitLab would send to it.

use std::path::Path;

use ecru_gitlab::config_toml::RunnerConfig;
use ecru_gitlab::registry_auth::{JobCredential, Runner, VersionError};
use serde_json::Value;

use super::settings::value_file;
use crate::error::CommandError;
use crate::exit_code;

/// The runner of this version and configuration, whose administrator permits the helpers of jobs or does not.
pub(crate) fn runner_of(
    version: Option<&str>,
    permits_helpers_of_jobs: bool,
    config: &RunnerConfig,
) -> Result<Runner, CommandError> {
    let mut runner = Runner {
        permits_helpers_of_jobs,
        withholds_pull_secret: config.kubernetes.use_service_account_image_pull_secrets,
        ..Runner::default()
    };
    if let Some(text) = version {
        runner.version = text.parse().map_err(|error: VersionError| {
            CommandError::from_error(exit_code::BAD_CONFIGURATION, &error).maybe_hint(error.hint())
        })?;
    }
    Ok(runner)
}

/// The list that stands under `credentials` in the job's payload. Errors tell no value: it holds passwords.
pub(crate) fn job_credentials(path: &Path) -> Result<Vec<JobCredential>, CommandError> {
    let bytes = value_file(path)?;
    let refused = |what: String| {
        CommandError::new(exit_code::BAD_CONFIGURATION, format!("{}: {what}", path.display())).hint(
            r#"write it as [{"type":"registry","url":"registry.example","username":"USER","password":"PASSWORD"}]"#,
        )
    };
    let document: Value = serde_json::from_slice(&bytes).map_err(|error| {
        refused(format!("it is not JSON at line {}, column {}", error.line(), error.column()))
    })?;
    let Value::Array(entries) = document else { return Err(refused("it is not a list".to_owned())) };
    entries
        .iter()
        .enumerate()
        .map(|(index, entry)| {
            let member = |name: &str| match entry.get(name) {
                Some(Value::String(text)) => Ok(text.clone()),
                None | Some(Value::Null) if entry.is_object() => Ok(String::new()),
                _ => Err(refused(format!("`{name}` of entry {} is not a text", index + 1))),
            };
            Ok(JobCredential {
                kind: member("type")?,
                url: member("url")?,
                username: member("username")?,
                password: member("password")?.into(),
            })
        })
        .collect()
}
