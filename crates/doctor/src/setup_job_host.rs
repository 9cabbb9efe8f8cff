//! The plans that make a host run jobs without giving them its identity: on the host itself, and, for hosts that the
//! runner makes, in the runner's `config.toml`.

mod host;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::edit::job_hosts::{JobHosts, with_job_hosts};
use crate::edit::{EditError, MAX_INPUT_BYTES};
use crate::emit::user_data;
use crate::files::read_limited;
use crate::plan::{Change, Content, Creation, Plan};
use crate::service::below;

pub use host::{Docker, Download, HostError, HostFile, JobHost};

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobHostPlanError {
    /// The runner's `config.toml` cannot be edited.
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
}

impl JobHostPlanError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Edit { source, .. } => source.hint(),
            Self::Unreadable { source, .. } => {
                (source.kind() == io::ErrorKind::PermissionDenied).then(|| "run this as root".to_owned())
            }
        }
    }
}

/// The plan for the host whose `/` is `root`: the firewall's script, its unit, and what makes Docker start it. It is
/// empty where everything is as it should be.
///
/// # Errors
/// If a file cannot be read.
pub fn plan(root: &Path, addresses: &[IpAddr]) -> Result<Plan, JobHostPlanError> {
    let mut plan = Plan::default();
    for file in host::firewall_files(addresses) {
        let (path, content) = (file.path.into(), file.content);
        plan.push(change(root, path, Content::WrittenByEcru, file.mode, |_| Ok(content.clone()))?);
    }
    Ok(plan)
}

/// What is asked for of hosts that the runner makes.
#[derive(Debug, Clone)]
pub struct RunnerRequest<'a> {
    /// The folder that is `/` of the runner's machine.
    pub root: &'a Path,
    /// The runner's `config.toml`.
    pub config: &'a Path,
    /// Which of the `[[runners]]`, where there are several.
    pub runner: Option<&'a str>,
    /// Where the user data of docker+machine's hosts is kept.
    pub user_data: &'a Path,
    /// The instance profile of docker+machine's hosts.
    pub instance_profile: Option<&'a str>,
    /// What their user data makes of them.
    pub host: &'a JobHost,
}

/// The plan for hosts that the runner makes: for docker+machine a file with user data and the options that hand it
/// out; for docker-autoscaler the command that waits until a host is ready, whose user data is in its launch template.
///
/// # Errors
/// If a file cannot be read or edited.
pub fn plan_for_runner(request: &RunnerRequest<'_>) -> Result<Plan, JobHostPlanError> {
    let asked = JobHosts { user_data: request.user_data, instance_profile: request.instance_profile };
    let mut makes_machines = false;
    let config = change(request.root, request.config.to_owned(), Content::RunnerConfig, 0o600, |content| {
        let edited = with_job_hosts(content.unwrap_or_default(), request.runner, &asked)?;
        makes_machines = edited.makes_machines;
        Ok(edited.text)
    })?;
    let mut plan = Plan::default();
    if makes_machines {
        // docker+machine installs Docker over SSH while the user data runs, and two package managers at once fail.
        let host = request.host.clone().with_docker(Docker::ByOthers);
        let (path, text) = (request.user_data.to_owned(), user_data::user_data(&host));
        plan.push(change(request.root, path, Content::WrittenByEcru, 0o644, |_| Ok(text.clone()))?);
    }
    plan.push(config);
    Ok(plan)
}

fn change(
    root: &Path,
    path: PathBuf,
    content: Content,
    mode: u32,
    edit: impl FnOnce(Option<&[u8]>) -> Result<String, EditError>,
) -> Result<Change, JobHostPlanError> {
    let before = read_limited(&below(root, &path), MAX_INPUT_BYTES)
        .map_err(|source| JobHostPlanError::Unreadable { path: path.clone(), source })?;
    let creation = Creation { owner: None, mode, folder_mode: 0o755 };
    match edit(before.as_deref()) {
        Ok(after) => Ok(Change { path, before, link: None, after: after.into_bytes(), creation, content }),
        Err(source) => Err(JobHostPlanError::Edit { path, source }),
    }
}

/// The command that has the effect of the rules for programs that speak version 2 of the metadata: an answer with a
/// token does not get further than the host itself.
#[must_use]
pub fn hop_limit_command(instance: &str) -> String {
    format!(
        "aws ec2 modify-instance-metadata-options --instance-id {instance} --http-endpoint enabled --http-tokens \
         required --http-put-response-hop-limit 1"
    )
}
