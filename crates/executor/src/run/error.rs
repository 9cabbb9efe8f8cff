//! Why a job could not be run to its end.

use std::fmt;
use std::time::Duration;

use crate::credential::LookupError;
use crate::engine::EngineError;
use crate::images::ImageError;

/// Which container of a run an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerRole {
    /// The container that the script runs in.
    Job,
    /// A service, by its title.
    Service(String),
}

impl fmt::Display for ContainerRole {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job => formatter.write_str("the job"),
            Self::Service(title) => write!(formatter, "service `{title}`"),
        }
    }
}

/// A job that could not be run to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The specification cannot be run by any engine.
    #[error("the job cannot be run: {reason}")]
    InvalidSpec {
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system gave no random number to tell this run from others.
    #[error("no random number for the run: {reason}")]
    NoRunId {
        /// The operating system's words.
        reason: String,
    },
    /// The credential for an image could not be looked up.
    #[error("the credential for image `{image}` of {container} could not be looked up")]
    CredentialLookup {
        /// Whose image it is.
        container: ContainerRole,
        /// The image.
        image: String,
        /// Why.
        #[source]
        source: LookupError,
    },
    /// An image is missing, denied or could not be pulled.
    #[error("the image of {container} cannot be used")]
    Image {
        /// Whose image it is.
        container: ContainerRole,
        /// Which image, and why.
        #[source]
        source: ImageError,
    },
    /// The network of the run could not be made.
    #[error("the network for the job could not be created: {reason}")]
    NetworkNotCreated {
        /// The engine's own words.
        reason: String,
    },
    /// The image has no shell to run the script with.
    #[error("image `{image}` has no shell to run the script")]
    NoShell {
        /// The image.
        image: String,
    },
    /// A container could not be created or started.
    #[error("the container of {container} (image `{image}`) could not be started: {reason}")]
    StartFailed {
        /// Whose container it is.
        container: ContainerRole,
        /// Its image.
        image: String,
        /// The engine's own words.
        reason: String,
    },
    /// A service ended before one of its ports answered.
    #[error(
        "service `{service}` (image `{image}`) exited with code {exit_code} before it listened on {}",
        port_list(ports)
    )]
    ServiceExited {
        /// The service's title.
        service: String,
        /// Its image.
        image: String,
        /// The ports that its image exposes.
        ports: Vec<u16>,
        /// The exit code of its container.
        exit_code: i32,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// A service runs, but none of its ports answered in time.
    #[error("service `{service}` (image `{image}`) did not listen on {} within {} s", port_list(ports), waited.as_secs())]
    ServiceNeverListened {
        /// The service's title.
        service: String,
        /// Its image.
        image: String,
        /// The ports that its image exposes.
        ports: Vec<u16>,
        /// How long it was waited for.
        waited: Duration,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// The run was cancelled by the caller's token.
    #[error("the job was cancelled")]
    Cancelled,
    /// The job took longer than its limit.
    #[error("the job did not end within {} s", limit.as_secs())]
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// The engine failed in the middle of the run.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

fn port_list(ports: &[u16]) -> String {
    let numbers: Vec<String> = ports.iter().map(u16::to_string).collect();
    match numbers.len() {
        1 => format!("port {}", numbers[0]),
        _ => format!("ports {}", numbers.join(", ")),
    }
}

impl RunError {
    /// Returns the last lines that a failed service logged, oldest first; empty for other errors.
    #[must_use]
    pub fn service_log(&self) -> &[String] {
        match self {
            Self::ServiceExited { log, .. } | Self::ServiceNeverListened { log, .. } => log,
            _ => &[],
        }
    }

    /// Returns what the user can do about it, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Image { source, .. } => source.hint(),
            Self::Engine(source) => source.hint(),
            Self::NetworkNotCreated { reason } if reason.contains("address pool") => {
                Some("remove networks that nobody uses: `docker network prune`".to_owned())
            }
            Self::NoShell { .. } => Some(
                "use an image with `sh`; if its entrypoint is in the way, override it with `entrypoint: [\"\"]`"
                    .to_owned(),
            ),
            Self::StartFailed { container, reason, .. } => start_hint(container, reason),
            Self::ServiceExited { image, .. } => Some(format!(
                "see its log; often a variable is missing: give it one under `variables:` of the service, and try \
                 `docker run --rm {image}`"
            )),
            Self::ServiceNeverListened { ports, .. } => Some(format!(
                "let it listen on {} on all addresses, or raise `wait_for_services_timeout` if it is slow",
                port_list(ports)
            )),
            Self::TimedOut { .. } => Some("give it more time: `--timeout SECONDS`".to_owned()),
            Self::NetworkNotCreated { .. }
            | Self::InvalidSpec { .. }
            | Self::NoRunId { .. }
            | Self::CredentialLookup { .. }
            | Self::Cancelled => None,
        }
    }

    /// Returns the error for a network that the engine did not create.
    pub(super) fn from_network(error: EngineError) -> Self {
        match error {
            EngineError::Refused { message: reason, .. } => Self::NetworkNotCreated { reason },
            other => Self::Engine(other),
        }
    }

    /// Returns the error for a container that the engine would not create or start. `shell` is the program that looks
    /// for a shell, if the container is to run one.
    pub(super) fn from_start(
        container: &ContainerRole,
        image: &str,
        shell: Option<&str>,
        error: EngineError,
    ) -> Self {
        let EngineError::Refused { message: reason, .. } = error else {
            return Self::Engine(error);
        };
        let is_about_shell = shell.is_some_and(|shell| reason.contains(&format!("exec: \"{shell}\": ")));
        if is_about_shell && lacks_file(&reason) {
            return Self::NoShell { image: image.to_owned() };
        }
        Self::StartFailed { container: container.clone(), image: image.to_owned(), reason }
    }
}

/// The container runtime's two ways to say that a program is not in the image (runc, via moby's start answer).
fn lacks_file(reason: &str) -> bool {
    reason.contains("executable file not found") || reason.contains("no such file or directory")
}

fn start_hint(container: &ContainerRole, reason: &str) -> Option<String> {
    let owner = match container {
        ContainerRole::Job => "image:",
        ContainerRole::Service(_) => "the service",
    };
    let hint = if reason.contains("exec format error") {
        format!(
            "the image is for another platform: choose one under `docker: platform:` of {owner}, or push one for this one"
        )
    } else if reason.contains("bind source path does not exist") {
        "create the path on the engine's machine, or correct the mount".to_owned()
    } else if reason.contains("unable to find user") {
        format!("the image has no such user: correct `docker: user:` of {owner}")
    } else if reason.contains("exec: ") {
        format!(
            "the program is not in the image or not executable: set `entrypoint:` of {owner}, `[\"\"]` for none"
        )
    } else {
        return None;
    };
    Some(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(container: &ContainerRole, shell: Option<&str>, message: &str) -> RunError {
        let error = EngineError::Refused {
            operation: "start the container",
            status: 400,
            message: message.to_owned(),
        };
        RunError::from_start(container, "localhost/app:1", shell, error)
    }

    /// Answers of real engines: 20.10 (measured) and 28.
    #[test]
    fn a_missing_shell_is_told_from_a_missing_entrypoint() {
        for message in [
            "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container \
             process: exec: \"sh\": executable file not found in $PATH: unknown",
            "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create \
             failed: unable to start container process: error during container init: exec: \"sh\": executable file \
             not found in $PATH: unknown",
        ] {
            let error = started(&ContainerRole::Job, Some("sh"), message);
            assert!(matches!(error, RunError::NoShell { .. }), "{error:?}");
            assert!(error.hint().is_some());
        }
        let message = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start \
                       container process: exec: \"/nope\": stat /nope: no such file or directory: unknown";
        let error = started(&ContainerRole::Job, Some("sh"), message);
        assert!(matches!(error, RunError::StartFailed { .. }), "{error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains("entrypoint")));
    }

    #[test]
    fn start_failures_name_container_and_image() {
        let container = ContainerRole::Service("db".to_owned());
        let error = started(
            &container,
            None,
            "invalid mount config for type \"bind\": bind source path does not exist: /x",
        );
        let text = error.to_string();
        assert!(
            text.contains("service `db`") && text.contains("localhost/app:1") && text.contains("/x"),
            "{text}"
        );
        assert!(error.hint().is_some());
    }

    #[test]
    fn service_failures_name_their_ports() {
        let error = RunError::ServiceNeverListened {
            service: "db".to_owned(),
            image: "localhost/db".to_owned(),
            ports: vec![5432, 5433],
            waited: Duration::from_secs(30),
            log: vec!["starting".to_owned()],
        };
        assert_eq!(
            error.to_string(),
            "service `db` (image `localhost/db`) did not listen on ports 5432, 5433 within 30 s"
        );
        assert_eq!(error.service_log(), ["starting"]);
    }
}
