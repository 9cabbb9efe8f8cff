//! Room for images.

use std::path::{Path, PathBuf};

use ecru_executor::Engine;
use rustix::fs::StatVfs;

use crate::files::read_limited;
use crate::report::{Check, Context, Definition, Fix, Outcome, Station, Weight};
use crate::service::below;

/// Where containerd has its images, unless `root` of its configuration says otherwise (containerd-config.toml(5)).
const CONTAINERD_ROOT: &str = "/var/lib/containerd";
const CONTAINERD_CONFIG: &str = "/etc/containerd/config.toml";
const MAX_CONFIG_BYTES: usize = 1024 * 1024;

pub(super) static SPACE: Definition = Definition {
    id: "job-host.disk.space",
    context: Context::JobHost,
    station: Station::Place,
    weight: Weight::Error,
    title: "there is room for images",
    why: "On a full disk a pull ends with `no space left on device`, or with errors that do not name the disk.",
};

/// What is to be free: images of jobs are rarely larger.
const LEAST_BYTES: u64 = 2 * GIB;
const GIB: u64 = 1024 * 1024 * 1024;

/// What is to be free of the file system's nodes, in percent: images have many small files.
const LEAST_NODES: u64 = 3;

pub(super) fn space(machine: &Path, engine: Option<&Engine>) -> Check {
    let Some(about) = engine.map(Engine::describe) else {
        return Check::skipped(&SPACE, "the engine does not answer");
    };
    let root = &about.data_root;
    if !about.address.starts_with("unix://") || root.is_empty() {
        return Check::skipped(&SPACE, "the engine's files are on another machine");
    }
    let mut folders = vec![PathBuf::from(root)];
    // Without such a folder the engine has started a containerd of its own, whose images are below `root`.
    folders.extend(
        about
            .has_containerd_store
            .then(|| containerd_root(machine))
            .filter(|folder| below(machine, folder).is_dir()),
    );
    let looked_at = folders.into_iter().map(|folder| (rustix::fs::statvfs(below(machine, &folder)), folder));
    worst(looked_at.map(|(found, folder)| (folder, found.map_err(|error| error.to_string()))).collect())
}

/// The folder of containerd's images.
fn containerd_root(machine: &Path) -> PathBuf {
    let text = read_limited(&below(machine, Path::new(CONTAINERD_CONFIG)), MAX_CONFIG_BYTES).ok().flatten();
    let config = text.and_then(|text| String::from_utf8_lossy(&text).parse::<toml::Table>().ok());
    let root = config.as_ref().and_then(|config| config.get("root")?.as_str());
    PathBuf::from(root.filter(|root| !root.is_empty()).unwrap_or(CONTAINERD_ROOT))
}

/// What fails, else what has the least room: one full disk is enough.
fn worst(folders: Vec<(PathBuf, Result<StatVfs, String>)>) -> Check {
    let judged = folders.into_iter().map(|(folder, found)| {
        let shown = folder.display().to_string();
        match found {
            Ok(found) => (free(&found), of(&found).about(shown)),
            Err(error) => {
                (u64::MAX, Check::skipped(&SPACE, format!("cannot look at `{shown}`: {error}")).about(shown))
            }
        }
    });
    let rank = |(free, check): &(u64, Check)| match check.outcome {
        Outcome::Fail(_) => (0, *free),
        _ => (1, *free),
    };
    let worst = judged.min_by_key(rank).map(|(_, check)| check);
    worst.unwrap_or_else(|| Check::skipped(&SPACE, "the engine names no folder"))
}

fn free(found: &StatVfs) -> u64 {
    found.f_bavail.saturating_mul(found.f_frsize)
}

fn of(found: &StatVfs) -> Check {
    let free = free(found);
    let seen = |check: Check| {
        let mebibytes = free / 1024 / 1024;
        let nodes =
            if found.f_files == 0 { String::new() } else { format!(", {} file nodes", found.f_favail) };
        check.seen(format!("{mebibytes} MiB free{nodes}"))
    };
    let prune = || Fix::Command {
        command: "docker system prune --all --filter until=24h".to_owned(),
        by_setup: false,
    };
    if free < LEAST_BYTES {
        return seen(Check::fail(&SPACE, format!("less than {} GiB is free", LEAST_BYTES / GIB)))
            .fix(prune());
    }
    // Some file systems make nodes as they need them, and say that they have none.
    if found.f_files > 0 && found.f_favail < found.f_files / 100 * LEAST_NODES {
        return seen(Check::fail(&SPACE, format!("less than {LEAST_NODES} % of the file nodes are free")))
            .fix(prune());
    }
    seen(Check::pass(&SPACE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(bytes: u64, nodes: (u64, u64)) -> StatVfs {
        let mut found = rustix::fs::statvfs("/").unwrap();
        (found.f_frsize, found.f_bavail) = (4096, bytes / 4096);
        (found.f_favail, found.f_files) = nodes;
        found
    }

    fn with(bytes: u64, nodes: (u64, u64)) -> Check {
        of(&disk(bytes, nodes))
    }

    #[test]
    fn bytes_and_nodes_count() {
        assert!(!with(LEAST_BYTES, (50, 100)).is_error());
        assert!(with(LEAST_BYTES - 4096, (50, 100)).is_error());
        assert!(with(LEAST_BYTES, (29, 1000)).is_error());
        assert!(!with(LEAST_BYTES, (0, 0)).is_error());
    }

    #[test]
    fn one_full_disk_is_enough() {
        let two = |docker: Result<StatVfs, String>, containerd: StatVfs| {
            worst(vec![(PathBuf::from("/docker"), docker), (PathBuf::from("/containerd"), Ok(containerd))])
        };
        let (roomy, full) = (|| disk(9 * LEAST_BYTES, (50, 100)), || disk(4096, (50, 100)));
        let check = two(Ok(roomy()), full());
        assert_eq!((check.is_error(), check.subject.as_deref()), (true, Some("/containerd")));
        let check = two(Ok(disk(2 * LEAST_BYTES, (50, 100))), roomy());
        assert_eq!((check.is_error(), check.subject.as_deref()), (false, Some("/docker")));
        let check = two(Ok(disk(LEAST_BYTES, (50, 100))), disk(9 * LEAST_BYTES, (1, 1000)));
        assert_eq!((check.is_error(), check.subject.as_deref()), (true, Some("/containerd")), "file nodes");
        assert!(two(Err("no right".to_owned()), full()).is_error());
        let check = two(Ok(roomy()), roomy());
        assert_eq!(check.subject.as_deref(), Some("/docker"), "one disk");
    }

    #[test]
    fn containerd_says_where_its_images_are() {
        let machine = tempfile::tempdir().unwrap();
        assert_eq!(containerd_root(machine.path()), Path::new(CONTAINERD_ROOT));
        std::fs::create_dir_all(machine.path().join("etc/containerd")).unwrap();
        for (text, root) in [
            ("version = 3\nroot = '/data/containerd'\n", "/data/containerd"),
            ("version = 2\nroot = ''\n[plugins.x]\nroot = '/no'\n", CONTAINERD_ROOT),
            ("root = ", CONTAINERD_ROOT),
        ] {
            std::fs::write(below(machine.path(), Path::new(CONTAINERD_CONFIG)), text).unwrap();
            assert_eq!(containerd_root(machine.path()), Path::new(root), "{text}");
        }
    }
}
