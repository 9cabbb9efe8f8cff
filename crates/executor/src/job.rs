//! What is to be run: one job, its services, its limits.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use ecru_gitlab::pull_policy::PullPolicy;
use ecru_gitlab::script::shell_command;

/// An image, and how a container is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerImage {
    /// The image reference.
    pub name: String,
    /// The entrypoint to use instead of the image's. `[""]` means none; `None` keeps the image's.
    pub entrypoint: Option<Vec<String>>,
    /// The user to run as, in the form of `docker run --user`; `None` for the image's.
    pub user: Option<String>,
    /// The platform to pull and run, such as `linux/arm64`; `None` for the engine's.
    pub platform: Option<String>,
    /// The policies to try in turn; an empty list means `always`.
    pub pull_policy: Vec<PullPolicy>,
}

impl ContainerImage {
    /// Returns the image `name` with GitLab's defaults: the image's entrypoint and user, pulled always.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), entrypoint: None, user: None, platform: None, pull_policy: Vec::new() }
    }
}

/// A file, socket or folder of the engine's machine, mounted into a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The absolute path on the engine's machine; it must exist.
    pub source: String,
    /// The absolute path in the container.
    pub target: String,
    /// Whether the container may only read it.
    pub read_only: bool,
}

/// One service of a job.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    /// Its image.
    pub image: ContainerImage,
    /// The names under which the job and the other services reach it, not shared with another service: how GitLab
    /// derives and drops names is the caller's part. The first one names the service in messages.
    pub aliases: Vec<String>,
    /// The command to run instead of the image's.
    pub command: Option<Vec<String>>,
    /// Its environment: the job's variables that services see, and its own.
    pub env: Vec<(String, String)>,
    /// What is mounted into it, besides the working directory of the job.
    pub mounts: Vec<Mount>,
}

impl ServiceSpec {
    /// Returns a service of the image `image` under `aliases`, with the image's own command.
    #[must_use]
    pub fn new(image: impl Into<String>, aliases: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            image: ContainerImage::new(image),
            aliases: aliases.into_iter().map(Into::into).collect(),
            command: None,
            env: Vec::new(),
            mounts: Vec::new(),
        }
    }

    /// Returns the name of the service in messages: its first alias, else its image.
    #[must_use]
    pub fn title(&self) -> &str {
        self.aliases.first().map_or(self.image.name.as_str(), String::as_str)
    }
}

impl fmt::Debug for ServiceSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServiceSpec")
            .field("image", &self.image)
            .field("aliases", &self.aliases)
            .field("command", &self.command)
            .field("env", &names_of(&self.env))
            .field("mounts", &self.mounts)
            .finish()
    }
}

/// How long the parts of a run may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Everything up to the end of the script: pulls, services and the script. GitLab's default is one hour.
    pub job: Duration,
    /// The after-script (`RUNNER_AFTER_SCRIPT_TIMEOUT`), five minutes by default.
    pub after_script: Duration,
    /// The wait for the services' ports (`wait_for_services_timeout`), 30 seconds by default; zero does not wait.
    pub wait_for_services: Duration,
    /// One credential look-up. GitLab Runner has no limit here and hangs with a helper that hangs.
    pub credential_lookup: Duration,
    /// The removal of everything that the run made.
    pub cleanup: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            job: Duration::from_secs(60 * 60),
            after_script: Duration::from_secs(5 * 60),
            wait_for_services: Duration::from_secs(30),
            credential_lookup: Duration::from_secs(30),
            cleanup: Duration::from_secs(30),
        }
    }
}

/// One job, as plain values: nothing in it refers to GitLab's files.
///
/// Make one with [`JobSpec::new`] and set what differs.
#[derive(Clone, PartialEq, Eq)]
pub struct JobSpec {
    /// The name of the job, for messages.
    pub name: String,
    /// The image that the script runs in.
    pub image: ContainerImage,
    /// The services, in the order in which they are started.
    pub services: Vec<ServiceSpec>,
    /// The environment of the job container.
    pub env: Vec<(String, String)>,
    /// The text that is fed to the shell's standard input. A command in it that reads its standard input reads the
    /// rest of the script: callers prevent that as GitLab Runner does, by letting the shell evaluate one string.
    pub script: String,
    /// The text that runs after the script in the same container, in a new shell, if the script ended by itself.
    /// `CI_JOB_STATUS` is set before it.
    pub after_script: Option<String>,
    /// The command that finds a shell and becomes it: the container's command, or the arguments of its entrypoint.
    pub shell_command: Vec<String>,
    /// The folder that scripts start in: a new volume, writable for every user, and mounted into the services too.
    pub working_dir: String,
    /// What is mounted into the job container.
    pub mounts: Vec<Mount>,
    /// Names with addresses for the job and its services, as `NAME:ADDRESS`, in the form of `docker run --add-host`.
    pub extra_hosts: Vec<String>,
    /// A tar archive that is unpacked into `working_dir` before the script.
    pub sources: Option<Bytes>,
    /// How long the parts of the run may take.
    pub limits: Limits,
}

impl JobSpec {
    /// Returns the job `name`, which runs `script` in `image` with defaults for all else.
    #[must_use]
    pub fn new(name: impl Into<String>, image: impl Into<String>, script: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            image: ContainerImage::new(image),
            services: Vec::new(),
            env: Vec::new(),
            script: script.into(),
            after_script: None,
            shell_command: shell_command().to_vec(),
            working_dir: "/builds".to_owned(),
            mounts: Vec::new(),
            extra_hosts: Vec::new(),
            sources: None,
            limits: Limits::default(),
        }
    }
}

impl fmt::Debug for JobSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("JobSpec")
            .field("name", &self.name)
            .field("image", &self.image)
            .field("services", &self.services)
            .field("env", &names_of(&self.env))
            .field("script", &format_args!("{} bytes", self.script.len()))
            .field(
                "after_script",
                &self.after_script.as_ref().map(|script| format!("{} bytes", script.len())),
            )
            .field("shell_command", &self.shell_command)
            .field("working_dir", &self.working_dir)
            .field("mounts", &self.mounts)
            .field("extra_hosts", &self.extra_hosts)
            .field("sources", &self.sources.as_ref().map(|tar| format!("{} bytes", tar.len())))
            .field("limits", &self.limits)
            .finish()
    }
}

fn names_of(env: &[(String, String)]) -> Vec<&str> {
    env.iter().map(|(name, _)| name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_texts_name_variables_without_their_values() {
        let mut job = JobSpec::new("test", "localhost/image", "echo script-secret");
        job.after_script = Some("echo after-secret".to_owned());
        job.env.push(("TOKEN".to_owned(), "job-secret".to_owned()));
        job.sources = Some(Bytes::from_static(b"source-secret"));
        let mut service = ServiceSpec::new("localhost/db", ["db"]);
        service.env.push(("PASSWORD".to_owned(), "service-secret".to_owned()));
        job.services.push(service);

        let text = format!("{job:?}");

        assert!(text.contains("TOKEN") && text.contains("PASSWORD"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn a_service_is_named_by_its_first_alias() {
        assert_eq!(ServiceSpec::new("localhost/db", ["db", "postgres"]).title(), "db");
        assert_eq!(ServiceSpec::new("localhost/db", Vec::<String>::new()).title(), "localhost/db");
    }
}
