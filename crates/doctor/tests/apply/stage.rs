//! A machine in a folder, with a runner's home.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ecru_doctor::apply::Machine;
use ecru_doctor::plan::{Change, Content, Creation, Plan};
use ecru_testkit::{Entry, tree};
use tempfile::TempDir;

pub(crate) const STATE: &str = "/var/lib/ecru/setup";
pub(crate) const CONFIG: &str = "/home/runner/.docker/config.json";

pub(crate) struct Stage {
    _folder: TempDir,
    root: PathBuf,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::at("root")
    }

    /// In a folder of this name.
    pub(crate) fn at(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join(name);
        std::fs::create_dir_all(root.join("home/runner")).unwrap();
        std::fs::create_dir_all(root.join("etc")).unwrap();
        Self { _folder: folder, root }
    }

    pub(crate) fn machine(&self) -> Machine<'_> {
        self.machine_for("runner")
    }

    pub(crate) fn machine_for<'a>(&'a self, set_up: &'a str) -> Machine<'a> {
        Machine { root: &self.root, state: Path::new(STATE), set_up }
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    pub(crate) fn write(&self, path: &str, text: &str, mode: u32) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    pub(crate) fn change(&self, path: &str, after: &str) -> Change {
        Change {
            path: path.into(),
            before: std::fs::read(self.path(path)).ok(),
            link: None,
            after: after.into(),
            creation: Creation { owner: None, mode: 0o600, folder_mode: 0o700 },
            content: Content::DockerConfig,
        }
    }

    /// Everything but the records.
    pub(crate) fn everything(&self) -> BTreeMap<PathBuf, Entry> {
        tree(&self.root, &self.path("/var"))
    }
}

pub(crate) fn plan(changes: impl IntoIterator<Item = Change>) -> Plan {
    let mut plan = Plan::default();
    changes.into_iter().for_each(|change| plan.push(change));
    plan
}
