//! Room for images.

use std::path::Path;

use ecru_executor::Engine;
use rustix::fs::StatVfs;

use crate::report::{Check, Context, Definition, Fix, Station, Weight};

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

pub(super) fn space(engine: Option<&Engine>) -> Check {
    let Some(about) = engine.map(Engine::describe) else {
        return Check::skipped(&SPACE, "the engine does not answer");
    };
    let root = &about.data_root;
    if !about.address.starts_with("unix://") || root.is_empty() {
        return Check::skipped(&SPACE, "the engine's files are on another machine");
    }
    match rustix::fs::statvfs(Path::new(root)) {
        Ok(found) => of(&found).about(root),
        Err(error) => Check::skipped(&SPACE, format!("cannot look at `{root}`: {error}")).about(root),
    }
}

fn of(found: &StatVfs) -> Check {
    let free = found.f_bavail.saturating_mul(found.f_frsize);
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

    fn with(bytes: u64, nodes: (u64, u64)) -> Check {
        let mut found = rustix::fs::statvfs("/").unwrap();
        (found.f_frsize, found.f_bavail) = (4096, bytes / 4096);
        (found.f_favail, found.f_files) = nodes;
        of(&found)
    }

    #[test]
    fn bytes_and_nodes_count() {
        assert!(!with(LEAST_BYTES, (50, 100)).is_error());
        assert!(with(LEAST_BYTES - 4096, (50, 100)).is_error());
        assert!(with(LEAST_BYTES, (29, 1000)).is_error());
        assert!(!with(LEAST_BYTES, (0, 0)).is_error());
    }
}
