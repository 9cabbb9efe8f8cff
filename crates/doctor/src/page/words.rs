//! What the contexts and their stations are called, and what is found at them.

use crate::report::{Context, Station};

/// All contexts, in the order in which a credential meets them.
pub(super) const CONTEXTS: [Context; 3] = [Context::Runner, Context::JobHost, Context::Job];

/// All stations, in the order in which a credential passes them.
pub(super) const STATIONS: [Station; 7] = [
    Station::Place,
    Station::Configuration,
    Station::Helper,
    Station::Identity,
    Station::Network,
    Station::Registry,
    Station::Engine,
];

pub(super) fn name(context: Context) -> &'static str {
    match context {
        Context::Runner => "Runner",
        Context::JobHost => "Job host",
        Context::Job => "Job container",
    }
}

/// The context as a place, after a verb.
pub(super) fn within(context: Context) -> &'static str {
    match context {
        Context::Runner => "in the runner",
        Context::JobHost => "on the job host",
        Context::Job => "in the job container",
    }
}

/// Who that is.
pub(super) fn who(context: Context) -> &'static str {
    match context {
        Context::Runner => "gitlab-runner’s process; has the credentials for image: and services:",
        Context::JobHost => "the machine whose Docker engine runs the jobs",
        Context::Job => "the job’s script, which calls docker itself",
    }
}

/// The command that looks at a context.
pub(super) fn command(context: Context) -> &'static str {
    match context {
        Context::Runner => "ecru doctor --context runner",
        Context::JobHost => "ecru doctor --context job-host",
        Context::Job => "ecru doctor --context job",
    }
}

/// Where that command is typed.
pub(super) fn where_to_look(context: Context) -> &'static str {
    match context {
        Context::Runner => "On the machine of gitlab-runner, as the user of its service:",
        Context::JobHost => "On the host whose Docker engine runs the jobs:",
        Context::Job => "In the script: of a job:",
    }
}

pub(super) fn station(context: Context, station: Station) -> &'static str {
    match (station, context) {
        (Station::Place, Context::Runner) => "Process",
        (Station::Place, Context::JobHost) => "Machine",
        (Station::Place, Context::Job) => "Container",
        (Station::Configuration, _) => "Configuration",
        (Station::Helper, _) => "Helper",
        (Station::Identity, _) => "Identity",
        (Station::Network, _) => "Network",
        (Station::Registry, _) => "Registry",
        (Station::Engine, _) => "Engine",
    }
}

/// What is found at a station.
pub(super) fn what(context: Context, station: Station) -> &'static str {
    match (context, station) {
        (Context::Runner, Station::Place) => "its user, HOME, PATH and version",
        (Context::Runner, Station::Configuration) => "config.toml, DOCKER_AUTH_CONFIG, ~/.docker/config.json",
        (_, Station::Helper) => "docker-credential-ecr-login, on the PATH",
        (Context::Runner, Station::Identity) => "the AWS identity of the service",
        (_, Station::Network) => "names, routes, proxies",
        (Context::Runner, Station::Registry) => "a token; the images of the jobs",
        (Context::Runner, Station::Engine) => "the engine that pulls; what jobs can do with it",
        (Context::JobHost, Station::Place) => "its disk, its user data",
        (Context::JobHost, Station::Configuration) => "user data, firewall, metadata options",
        (Context::JobHost, Station::Identity) => "the role of the instance",
        (Context::JobHost, Station::Registry) => "what the engine pulls from",
        (Context::JobHost, Station::Engine) => "pulls image: and services:",
        (Context::Job, Station::Place) => "the image of the job",
        (Context::Job, Station::Configuration) => "DOCKER_AUTH_CONFIG, DOCKER_CONFIG, config.json",
        (Context::Job, Station::Identity) => "what the job is given: OIDC, variables, metadata",
        (Context::Job, Station::Registry) => "a token; the images of the script",
        (Context::Job, Station::Engine) => "DOCKER_HOST; pulls and pushes for the script",
    }
}

/// Why a credential passes without such a station, where that is so.
pub(super) fn not_needed(context: Context, station: Station) -> Option<&'static str> {
    match (context, station) {
        (Context::JobHost, Station::Helper) => Some("none needed: the runner sends the password"),
        (Context::JobHost, Station::Identity) => Some("none needed for image: and services:"),
        (Context::JobHost, Station::Registry) => Some("asked with the runner’s password"),
        _ => None,
    }
}
