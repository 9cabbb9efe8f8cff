//! What jobs get of their host by mounts: its engine, and files that others trust.

use std::path::{Path, PathBuf};

use ecru_gitlab::config_toml::RunnerConfig;

use super::openness::check;
use super::{Facts, helper_program};
use crate::report::{Check, Context, Definition, Station, Weight};

pub(super) static ENGINE_SOCKET: Definition = Definition {
    id: "runner.docker.engine-socket",
    context: Context::Runner,
    station: Station::Engine,
    weight: Weight::Risk,
    title: "jobs do not have the engine's socket",
    why: "Whoever reaches the engine's socket is root on its host, and sees the credentials of other jobs.",
};

pub(super) static WRITABLE: Definition = Definition {
    id: "runner.docker.writable-mounts",
    context: Context::Runner,
    station: Station::Engine,
    weight: Weight::Risk,
    title: "jobs cannot change what the runner starts or reads",
    why: "Whoever can change the helper or its settings on the host gets the AWS identity of the runner, and of every job \
          that uses the same file.",
};

/// Where engines listen; each makes whoever reaches it root on its host.
const SOCKETS: [&str; 8] = [
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/podman/podman.sock",
    "/var/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/var/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/var/run/crio/crio.sock",
];

/// Folders of the host that decide what runs there, and as whom.
const TRUSTED: [&str; 2] = ["/etc/ecru", "/etc/systemd"];
const TRUSTED_OF_HOME: [&str; 4] = [".docker", ".dockercfg", ".aws", ".config/ecru"];

/// A file or folder of the host that is mounted.
struct Mount<'r> {
    source: &'r Path,
    is_read_only: bool,
}

/// The mounts of `volumes`; one path alone is a volume of the engine, and so is what begins with a name.
fn mounts(runner: &RunnerConfig) -> impl Iterator<Item = Mount<'_>> {
    runner.docker.volumes.iter().filter_map(|volume| {
        let mut parts = volume.split(':');
        let source = parts.next().filter(|source| source.starts_with('/'))?;
        parts.next()?;
        let is_read_only = parts.next().is_some_and(|options| options.split(',').any(|one| one == "ro"));
        Some(Mount { source: Path::new(source), is_read_only })
    })
}

/// A socket can be reached through a folder above it, and through a mount that is read-only, too.
pub(super) fn engine_socket(runner: &RunnerConfig) -> Check {
    let own = runner.docker.host.as_deref().map(|host| host.trim_start_matches("unix://"));
    let sockets: Vec<&Path> =
        SOCKETS.into_iter().chain(own.filter(|host| host.starts_with('/'))).map(Path::new).collect();
    let has_socket = |source: &Path| {
        sockets.iter().any(|socket| socket.starts_with(source))
            || source.file_name().is_some_and(|name| name == "docker.sock")
    };
    let of_kubernetes = runner.kubernetes.host_paths.iter().map(Path::new);
    let mut sources = mounts(runner).map(|mount| mount.source).chain(of_kubernetes);
    let reason = sources.find(|source| has_socket(source)).map(|source| match sockets.contains(&source) {
        true => format!("`{}` is mounted, the engine's socket", source.display()),
        false => format!("`{}` is mounted, and the engine's socket with it", source.display()),
    });
    let lines = match runner.executor.as_str() {
        "kubernetes" => "# without that `host_path`",
        _ => "volumes = [\"/cache\"]",
    };
    check(&ENGINE_SOCKET, runner, reason.map(|reason| (reason, lines)))
}

/// What jobs may write that the runner starts or reads.
pub(super) fn writable(facts: &Facts<'_>, runner: &RunnerConfig) -> Check {
    let trusted = trusted(facts);
    let touched = |source: &Path| {
        trusted.iter().find(|path| path.starts_with(source) || source.starts_with(path)).cloned()
    };
    let mut open = mounts(runner).filter(|mount| !mount.is_read_only);
    let found = open.find_map(|mount| Some((mount.source, touched(mount.source)?)));
    let reason = found.map(|(source, path)| match path.starts_with(source) && path != source {
        true => format!("`{}` is mounted without `ro`, and {} is in it", source.display(), path.display()),
        false => format!("`{}` is mounted without `ro`", source.display()),
    });
    let lines = "volumes = [\"SOURCE:TARGET:ro\", \"/cache\"]";
    check(&WRITABLE, runner, reason.map(|reason| (reason, lines)))
}

fn trusted(facts: &Facts<'_>) -> Vec<PathBuf> {
    let Ok(service) = &facts.service else { return Vec::new() };
    let mut trusted = helper_program::searched(facts);
    trusted.extend(TRUSTED.map(PathBuf::from));
    trusted.push(service.config.clone());
    trusted.extend(TRUSTED_OF_HOME.map(|name| service.home.join(name)));
    trusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Outcome;

    fn runner(volumes: &[&str]) -> RunnerConfig {
        let mut runner = RunnerConfig { executor: "docker".to_owned(), ..RunnerConfig::default() };
        runner.docker.volumes = volumes.iter().map(|volume| (*volume).to_owned()).collect();
        runner
    }

    #[test]
    fn a_socket_is_found_below_what_is_mounted() {
        for (volume, is_open) in [
            ("/var/run/docker.sock:/var/run/docker.sock", true),
            ("/run:/run", true),
            ("/var/run:/host:ro", true),
            ("/:/host", true),
            ("/home/ci/docker.sock:/var/run/docker.sock", true),
            ("/run/containerd:/c", true),
            ("/run", false),
            ("/runner:/run", false),
            ("cache:/var/run", false),
            ("/var/cache:/var/run", false),
        ] {
            let outcome = engine_socket(&runner(&[volume])).outcome;
            assert_eq!(matches!(outcome, Outcome::Fail(_)), is_open, "{volume}: {outcome:?}");
        }
        let mut own = runner(&["/srv/engine:/engine"]);
        own.docker.host = Some("unix:///srv/engine/its.sock".to_owned());
        assert!(matches!(engine_socket(&own).outcome, Outcome::Fail(_)));
    }
}
