//! The plan that makes a gitlab-runner service pull from registries of ECR.

pub(crate) mod program;

use std::io;
use std::path::{Path, PathBuf};

use ecru_ecr::registry::Registry;

use crate::edit::docker_config::{Helpers, with_helpers};
use crate::edit::drop_in::{SECRET_VARIABLES, later_setting, with_environment};
use crate::edit::ecru_config::{Wanted, with_registries};
use crate::edit::runner_config::with_docker_auth_config;
use crate::edit::{EditError, MAX_INPUT_BYTES};
use crate::files::read_limited;
use crate::plan::{Change, Content, Creation, Plan};
use crate::service::{Kind, Service, below};

pub use program::{HELPER, ProgramError};

/// The suffix by which Docker's files name the helper.
const SUFFIX: &str = "ecr-login";
/// The drop-in that a set-up writes.
const DROP_IN: &str = "/etc/systemd/system/gitlab-runner.service.d/50-ecru.conf";

/// Where the runner is told about the helper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlet {
    /// `.docker/config.json` in the home directory of the runner's user.
    DockerConfig,
    /// `DOCKER_AUTH_CONFIG` in the `environment` of `config.toml`.
    ConfigToml,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The folder that is `/` of the machine.
    pub root: &'a Path,
    /// The registries, with their roles.
    pub registries: &'a [Wanted],
    /// Where the runner is told.
    pub outlet: Outlet,
    /// Whether the helper is asked for everything, rather than for these registries.
    pub creds_store: bool,
    /// Which of the `[[runners]]`, where there are several.
    pub runner: Option<&'a str>,
    /// Variables of AWS for the service.
    pub aws_environment: &'a [(String, String)],
    /// The program that becomes the helper.
    pub program: &'a Path,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A file cannot be edited.
    #[error("cannot edit `{}`: {source}", path.display())]
    Edit {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: EditError,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The program cannot become the helper.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A variable is a secret.
    #[error("{name} is a secret, and every user of the machine can read the environment of a unit")]
    SecretVariable {
        /// The variable.
        name: String,
    },
    /// A variable is none of AWS or ecru, or its value has control characters.
    #[error("`{name}` cannot be set: only variables that begin with AWS_ or ECRU_, on one line")]
    OtherVariable {
        /// The variable.
        name: String,
    },
    /// A variable is given several times.
    #[error("`{name}` is given twice")]
    TwiceGiven {
        /// The variable.
        name: String,
    },
    /// A file that systemd reads later has the last word.
    #[error("`{name}` would have no effect: `{}` counts after the drop-in", path.display())]
    Overridden {
        /// The variable.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// There is no unit whose environment could be set.
    #[error("the service is not started by systemd, so its environment cannot be set here")]
    NoUnit,
}

impl PlanError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Edit { source, .. } => source.hint(),
            Self::Unreadable { source, .. } => (source.kind() == io::ErrorKind::PermissionDenied)
                .then(|| "run this as the runner's user or as root".to_owned()),
            Self::Program(error) => error.hint(),
            Self::SecretVariable { .. } => {
                Some("use a role, or keys in the file that AWS_SHARED_CREDENTIALS_FILE names".to_owned())
            }
            Self::OtherVariable { .. } | Self::TwiceGiven { .. } => None,
            Self::Overridden { name, path } => {
                Some(format!("set `{name}` in {}, and leave out --aws-env for it", path.display()))
            }
            Self::NoUnit => Some("set the variables in the definition of its container".to_owned()),
        }
    }
}

/// The plan. It is empty where everything is as it should be.
///
/// # Errors
/// If a file is malformed, or something cannot be done as asked for.
pub fn plan(service: &Service, request: &Request<'_>) -> Result<Plan, PlanError> {
    check_variables(service, request)?;
    let mut plan = Plan::default();
    plan.push(program::change(service, request)?);
    plan.push(ecru_config(request)?);
    plan.push(match request.outlet {
        Outlet::DockerConfig => docker_config(service, request)?,
        Outlet::ConfigToml => config_toml(service, request)?,
    });
    if !request.aws_environment.is_empty() {
        plan.push(drop_in(request)?);
    }
    Ok(plan)
}

fn check_variables(service: &Service, request: &Request<'_>) -> Result<(), PlanError> {
    for (name, value) in request.aws_environment {
        let name = name.clone();
        if SECRET_VARIABLES.contains(&name.as_str()) {
            return Err(PlanError::SecretVariable { name });
        }
        let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let is_ours = (name.starts_with("AWS_") || name.starts_with("ECRU_")) && name.bytes().all(is_plain);
        if !is_ours || value.chars().any(char::is_control) {
            return Err(PlanError::OtherVariable { name });
        }
    }
    let names = request.aws_environment.iter().map(|(name, _)| name);
    for (index, name) in names.clone().enumerate() {
        if names.clone().take(index).any(|other| other == name) {
            return Err(PlanError::TwiceGiven { name: name.clone() });
        }
    }
    if !request.aws_environment.is_empty() && service.kind != Kind::Systemd {
        return Err(PlanError::NoUnit);
    }
    check_effect(service, request)
}

/// Whether the service has the variables when it has the drop-in.
fn check_effect(service: &Service, request: &Request<'_>) -> Result<(), PlanError> {
    let missing: Vec<&String> = request
        .aws_environment
        .iter()
        .filter(|(name, value)| service.variables.get(name) != Some(value))
        .map(|(name, _)| name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut files = Vec::new();
    for path in service.evidence.iter().map(PathBuf::from).filter(|path| path.is_absolute()) {
        let content = read_limited(&below(request.root, &path), MAX_INPUT_BYTES)
            .map_err(|source| PlanError::Unreadable { path: path.clone(), source })?;
        files.push((path, String::from_utf8_lossy(&content.unwrap_or_default()).into_owned()));
    }
    for name in missing {
        if let Some(path) = later_setting(Path::new(DROP_IN), &files, name) {
            return Err(PlanError::Overridden { name: name.clone(), path: path.to_owned() });
        }
    }
    Ok(())
}

fn helpers(request: &Request<'_>) -> Helpers {
    if request.creds_store {
        return Helpers::Store;
    }
    Helpers::ForRegistries(request.registries.iter().map(|wanted| wanted.registry.host()).collect())
}

fn docker_config(service: &Service, request: &Request<'_>) -> Result<Change, PlanError> {
    let creation = Creation { owner: Some(service.uid), mode: 0o600, folder_mode: 0o700 };
    let path = service.home.join(".docker/config.json");
    edited(request.root, path, Content::DockerConfig, creation, |content| {
        with_helpers(content, &helpers(request), SUFFIX)
    })
}

fn config_toml(service: &Service, request: &Request<'_>) -> Result<Change, PlanError> {
    let creation = Creation { owner: Some(service.uid), mode: 0o600, folder_mode: 0o700 };
    edited(request.root, service.config.clone(), Content::RunnerConfig, creation, |content| {
        with_docker_auth_config(content.unwrap_or_default(), request.runner, &helpers(request), SUFFIX)
    })
}

fn ecru_config(request: &Request<'_>) -> Result<Change, PlanError> {
    let creation = Creation { owner: None, mode: 0o644, folder_mode: 0o755 };
    let path = PathBuf::from(ecru_ecr::config::SYSTEM_FILE);
    edited(request.root, path, Content::EcruConfig, creation, |content| {
        with_registries(content, request.registries)
    })
}

fn drop_in(request: &Request<'_>) -> Result<Change, PlanError> {
    let creation = Creation { owner: None, mode: 0o644, folder_mode: 0o755 };
    let content = Content::DropIn(request.aws_environment.to_vec());
    edited(request.root, PathBuf::from(DROP_IN), content, creation, |content| {
        with_environment(content, request.aws_environment)
    })
}

pub(crate) fn edited(
    root: &Path,
    path: PathBuf,
    content: Content,
    creation: Creation,
    edit: impl Fn(Option<&[u8]>) -> Result<String, EditError>,
) -> Result<Change, PlanError> {
    let before = read_limited(&below(root, &path), MAX_INPUT_BYTES)
        .map_err(|source| PlanError::Unreadable { path: path.clone(), source })?;
    match edit(before.as_deref()) {
        Ok(after) => Ok(Change { path, before, link: None, after: after.into_bytes(), creation, content }),
        Err(source) => Err(PlanError::Edit { path, source }),
    }
}

/// The registries that are asked for.
#[must_use]
pub fn registries(wanted: &[Wanted]) -> Vec<Registry> {
    wanted.iter().map(|wanted| wanted.registry.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_right_that_is_missing_is_helped_by_another_user() {
        let hint =
            |kind| PlanError::Unreadable { path: PathBuf::from("/x"), source: io::Error::from(kind) }.hint();
        assert!(hint(io::ErrorKind::PermissionDenied).is_some_and(|hint| hint.contains("root")));
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("config.json")).unwrap();
        let creation = Creation { owner: None, mode: 0o600, folder_mode: 0o700 };
        let edited =
            edited(root.path(), PathBuf::from("/config.json"), Content::DockerConfig, creation, |_| {
                Ok(String::new())
            });
        let error = edited.unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.hint()),
            ("cannot read `/config.json`: it is not a regular file", None)
        );
    }
}
