//! What lets jobs do more than jobs should, mounts aside.
//!
//! GitLab, "Security for self-managed runners": privileged containers and the engine's socket make a job root on the
//! host, and with `if-not-present` a job can use an image that another project has pulled.

use ecru_gitlab::config_toml::{ConfigToml, KubernetesConfig, RunnerConfig};
use ecru_gitlab::pull_policy::PullPolicy;
use ecru_gitlab::registry_auth::FileContent;
use secrecy::ExposeSecret as _;

use super::{Facts, mounts};
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

pub(super) static HOST_NETWORK: Definition = Definition {
    id: "runner.docker.host-network",
    context: Context::Runner,
    station: Station::Engine,
    weight: Weight::Risk,
    title: "jobs have a network of their own",
    why: "In the host's network a job reaches the instance metadata, whatever the hop limit is.",
};

pub(super) static SHELL: Definition = Definition {
    id: "runner.executor.shell",
    context: Context::Runner,
    station: Station::Place,
    weight: Weight::Risk,
    title: "no runner of this machine runs jobs outside containers",
    why: "A job of the shell executor is a process on the runner's machine: it can act as the instance, and read what its \
          user may read of the other runners.",
};

pub(super) fn checks(facts: &Facts<'_>) -> Vec<Check> {
    let of_containers = facts.runners.iter().flat_map(|runner| match runner.executor.as_str() {
        "kubernetes" => of_kubernetes(runner),
        executor if executor.starts_with("docker") => of_docker(facts, runner),
        _ => Vec::new(),
    });
    of_containers.chain(shell(facts)).collect()
}

/// A check of one runner; it fails for `reason`, and the lines in that table put it right.
pub(super) fn check(
    definition: &'static Definition,
    runner: &RunnerConfig,
    failure: Option<(String, &str)>,
) -> Check {
    let table = if runner.executor == "kubernetes" { "kubernetes" } else { "docker" };
    let check = match failure {
        Some((reason, lines)) => Check::fail(definition, reason).fix(Fix::Lines {
            place: format!("config.toml, `[runners.{table}]` of `{}`", runner.name),
            lines: lines.to_owned(),
        }),
        None => Check::pass(definition),
    };
    check.about(runner.name.clone())
}

fn of_docker(facts: &Facts<'_>, runner: &RunnerConfig) -> Vec<Check> {
    let docker = &runner.docker;
    let privileged = match (docker.privileged, docker.services_privileged) {
        (true, _) => Some(("`privileged = true`".to_owned(), "privileged = false")),
        (false, Some(true)) => {
            Some(("`services_privileged = true`".to_owned(), "services_privileged = false"))
        }
        _ => None,
    };
    let network = docker.network_mode.as_deref() == Some("host");
    let network = network.then(|| ("`network_mode = \"host\"`".to_owned(), "network_mode = \"bridge\""));
    vec![
        pull_policy(runner, &docker.pull_policies, &docker.allowed_pull_policies),
        check(&PRIVILEGED, runner, privileged),
        mounts::engine_socket(runner),
        mounts::writable(facts, runner),
        check(&HOST_NETWORK, runner, network),
    ]
}

fn of_kubernetes(runner: &RunnerConfig) -> Vec<Check> {
    let KubernetesConfig { privileged, pull_policies, allowed_pull_policies, .. } = &runner.kubernetes;
    let policy = match (pull_policies.as_slice(), allowed_pull_policies.as_slice()) {
        // Kubernetes' own default is to pull what has a tag only where it is not there (Kubernetes, "Images").
        ([], []) => Check::skipped(&PULL_POLICY, "the cluster decides: the runner has no `pull_policy`")
            .about(runner.name.clone()),
        _ => pull_policy(runner, pull_policies, allowed_pull_policies),
    };
    let privileged = privileged.then(|| ("`privileged = true`".to_owned(), "privileged = false"));
    vec![policy, check(&PRIVILEGED, runner, privileged), mounts::engine_socket(runner)]
}

fn pull_policy(runner: &RunnerConfig, set: &[PullPolicy], allowed: &[PullPolicy]) -> Check {
    let reuses = set.iter().chain(allowed).any(|policy| *policy != PullPolicy::Always);
    let reason = "a pull policy other than `always` is set or allowed".to_owned();
    check(&PULL_POLICY, runner, reuses.then_some((reason, "pull_policy = \"always\"")))
}

/// All runners of the file count, whichever was asked for: they share the machine.
fn shell(facts: &Facts<'_>) -> Option<Check> {
    let FileContent::Text(text) = &facts.config_text else { return None };
    let config = ConfigToml::parse(text.expose_secret()).ok()?;
    let of_shell = config.runners.iter().filter(|runner| runner.executor == "shell");
    let names: Vec<String> = of_shell.map(|runner| format!("`{}`", runner.name)).collect();
    if names.is_empty() {
        return Some(Check::pass(&SHELL));
    }
    let reason = format!("{} of config.toml: executor shell", names.join(", "));
    Some(
        Check::fail(&SHELL, reason).fix(Fix::advice(
            "give these jobs a machine of their own, or a runner with `executor = \"docker\"`",
        )),
    )
}
