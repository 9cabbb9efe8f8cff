//! `--docker socket`: the engine, the helper and a Docker config that uses it, inside the job's container.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use ecru_ecr::config::Config;
use ecru_executor::Mount;

use super::helper_program::{HELPER_NAME, HelperProgramError, static_helper};

/// Where the job finds the engine: the default of every docker client.
const SOCKET_IN_JOB: &str = "/var/run/docker.sock";
/// A folder that is in the PATH of practically every image.
const PROGRAMS_IN_JOB: &str = "/usr/local/bin";
/// Where the job's docker client finds its configuration; `DOCKER_CONFIG` says so.
const DOCKER_CONFIG_IN_JOB: &str = "/etc/ecru/docker";
/// Where the helper in the job finds ecru's configuration.
const ECRU_CONFIG_IN_JOB: &str = "/etc/ecru/config.toml";

/// What a job needs to use the engine.
pub(crate) struct DockerAccess {
    pub(crate) mounts: Vec<Mount>,
    pub(crate) variables: Vec<(String, String)>,
}

/// Why a job cannot be given the engine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DockerAccessError {
    /// The engine has no socket on this machine.
    #[error("the engine at {0} has no socket on this machine that a job could be given")]
    NoSocket(String),
    /// There is no static helper.
    #[error(transparent)]
    Helper(#[from] HelperProgramError),
    /// A file for the job could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl DockerAccessError {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NoSocket(_) => {
                Some("use a local engine: DOCKER_HOST=unix:///var/run/docker.sock".to_owned())
            }
            Self::Helper(_) => {
                Some(format!("put a static {HELPER_NAME} beside ecru: cargo build --release -p ecru-helper"))
            }
            Self::Write { .. } => None,
        }
    }
}

/// Gives a job the engine at `engine_address`, the helper, and its settings, which are written into `folder`.
pub(crate) fn docker_access(
    engine_address: &str,
    config: &Config,
    folder: &Path,
) -> Result<DockerAccess, DockerAccessError> {
    let socket = engine_address
        .strip_prefix("unix://")
        .ok_or_else(|| DockerAccessError::NoSocket(engine_address.to_owned()))?;
    let helper = static_helper()?;
    let docker_config = written(&folder.join("docker"), "config.json", DOCKER_CONFIG)?;
    let ecru_config = written(folder, "config.toml", &ecru_config(config))?;
    Ok(DockerAccess {
        mounts: vec![
            mount(Path::new(socket), SOCKET_IN_JOB, false),
            mount(&helper, &format!("{PROGRAMS_IN_JOB}/{HELPER_NAME}"), true),
            mount(&docker_config, &format!("{DOCKER_CONFIG_IN_JOB}/config.json"), true),
            mount(&ecru_config, ECRU_CONFIG_IN_JOB, true),
        ],
        variables: vec![("DOCKER_CONFIG".to_owned(), DOCKER_CONFIG_IN_JOB.to_owned())],
    })
}

/// With `credsStore` the docker client asks the helper for whatever registry it pushes to, and needs no list of them;
/// for other registries than ECR the helper has nothing, as if there were none.
const DOCKER_CONFIG: &str = "{\"credsStore\":\"ecr-login\"}\n";

/// The registries and aliases that are in force here, so that they are in the job too.
fn ecru_config(config: &Config) -> String {
    let mut text = String::new();
    let hosts: Vec<String> = config.registries().iter().map(|registry| quoted(&registry.host())).collect();
    text.push_str(&format!("registries = [{}]\n\n[alias]\n", hosts.join(", ")));
    for (name, registry) in config.aliases() {
        text.push_str(&format!("{} = {}\n", quoted(&name.to_string()), quoted(&registry.host())));
    }
    text
}

/// A TOML basic string. Host names and ports hold neither quotes nor control characters, since they were parsed.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn written(folder: &Path, name: &str, content: &str) -> Result<PathBuf, DockerAccessError> {
    let path = folder.join(name);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::File::create(&path))
        .and_then(|mut file| file.write_all(content.as_bytes()))
        .map_err(|source| DockerAccessError::Write { path: path.display().to_string(), source })?;
    Ok(path)
}

fn mount(source: &Path, target: &str, read_only: bool) -> Mount {
    Mount { source: source.display().to_string(), target: target.to_owned(), read_only }
}
