//! What lets jobs do more than jobs should.
//!
//! GitLab, "Security for self-managed runners": privileged containers and the engine's socket make a job root on the
//! host, and with `if-not-present` a job can use an image that another project has pulled.

use ecru_gitlab::config_toml::RunnerConfig;
use ecru_gitlab::pull_policy::PullPolicy;

use super::Facts;
use crate::report::{Check, Context, Definition, Fix, Station, Weight};

pub(super) static PULL_POLICY: Definition = Definition {
    id: "runner.docker.pull-policy",
    context: Context::Runner,
    station: Station::Engine,
    weight: Weight::Risk,
    title: "images are always pulled",
    why: "With `if-not-present` or `never`, every job on this runner can use private images that another one has pulled.",
};

pub(super) static PRIVILEGED: Definition = Definition {
    id: "runner.docker.privileged",
    context: Context::Runner,
    station: Station::Engine,
    weight: Weight::Risk,
    title: "containers are not privileged",
    why: "A job in a privileged container is root on its host, with the host's AWS identity.",
};

pub(super) static ENGINE_SOCKET: Definition = Definition {
    id: "runner.docker.engine-socket",
    context: Context::Runner,
    station: Station::Engine,
    weight: Weight::Risk,
    title: "jobs do not have the engine's socket",
    why: "Whoever reaches the engine's socket is root on its host, and sees the credentials of other jobs.",
};

pub(super) static HOST_NETWORK: Definition = Definition {
    id: "runner.docker.host-network",
    context: Context::Runner,
    station: Station::Engine,
    weight: Weight::Risk,
    title: "jobs have a network of their own",
    why: "In the host's network a job reaches the instance metadata, whatever the hop limit is.",
};

pub(super) fn checks(facts: &Facts<'_>) -> Vec<Check> {
    facts.runners.iter().filter(|runner| runner.executor.starts_with("docker")).flat_map(of_runner).collect()
}

fn of_runner(runner: &RunnerConfig) -> Vec<Check> {
    let docker = &runner.docker;
    let place = format!("config.toml, `[runners.docker]` of `{}`", runner.name);
    let check = |definition: &'static Definition, is_open: bool, reason: &str, lines: &str| {
        let check = match is_open {
            true => Check::fail(definition, reason)
                .fix(Fix::Lines { place: place.clone(), lines: lines.to_owned() }),
            false => Check::pass(definition),
        };
        check.about(runner.name.clone())
    };
    let policies = docker.pull_policies.iter().chain(&docker.allowed_pull_policies);
    let reuses = policies.into_iter().any(|policy| *policy != PullPolicy::Always);
    let socket = docker.volumes.iter().any(|volume| volume.contains("docker.sock"));
    let network = docker.network_mode.as_deref() == Some("host");
    vec![
        check(
            &PULL_POLICY,
            reuses,
            "a pull policy other than `always` is set or allowed",
            "pull_policy = \"always\"",
        ),
        check(&PRIVILEGED, docker.privileged, "`privileged = true`", "privileged = false"),
        check(&ENGINE_SOCKET, socket, "a volume is the engine's socket", "volumes = [\"/cache\"]"),
        check(&HOST_NETWORK, network, "`network_mode = \"host\"`", "network_mode = \"bridge\""),
    ]
}
