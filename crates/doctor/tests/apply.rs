//! Plans on real files: all or nothing, the same owner and mode, nothing lost, and back to the byte.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::thread;

use ecru_doctor::apply::{ApplyError, Machine, apply, undo};
use ecru_doctor::edit::docker_config::{Helpers, with_helpers};
use ecru_doctor::plan::{Change, Content, Creation, Plan};
use tempfile::TempDir;

const STATE: &str = "/var/lib/ecru/setup";
const CONFIG: &str = "/home/runner/.docker/config.json";

struct Stage {
    root: TempDir,
}

impl Stage {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("home/runner")).unwrap();
        std::fs::create_dir_all(root.path().join("etc")).unwrap();
        Self { root }
    }

    fn machine(&self) -> Machine<'_> {
        Machine { root: self.root.path(), state: Path::new(STATE) }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &str, mode: u32) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    fn change(&self, path: &str, after: &str) -> Change {
        Change {
            path: path.into(),
            before: std::fs::read(self.path(path)).ok(),
            after: after.into(),
            creation: Creation { owner: None, mode: 0o600, folder_mode: 0o700 },
            content: Content::DockerConfig,
        }
    }

    /// Every file and folder below the root but the records, with mode and content.
    fn everything(&self) -> Vec<(PathBuf, u32, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.root.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.starts_with(self.path("/var")) {
                    continue;
                }
                let metadata = path.symlink_metadata().unwrap();
                let content = if metadata.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
                if metadata.is_dir() {
                    folders.push(path.clone());
                }
                found.push((path, metadata.mode(), content));
            }
        }
        found.sort();
        found
    }
}

fn plan(changes: impl IntoIterator<Item = Change>) -> Plan {
    let mut plan = Plan::default();
    changes.into_iter().for_each(|change| plan.push(change));
    plan
}

#[test]
fn what_was_applied_is_taken_back_to_the_byte() {
    let stage = Stage::new();
    stage.write("/etc/there", "old\r\n", 0o640);
    let before = stage.everything();
    let plan = plan([stage.change("/etc/there", "new"), stage.change(CONFIG, "{}")]);
    apply(&plan, stage.machine()).unwrap();
    assert_eq!((stage.text("/etc/there"), stage.text(CONFIG)), ("new".to_owned(), "{}".to_owned()));
    assert_eq!(stage.path("/etc/there").metadata().unwrap().mode() & 0o7777, 0o640, "the mode stays");
    assert_eq!(stage.path(CONFIG).metadata().unwrap().mode() & 0o7777, 0o600);
    assert_eq!(stage.path("/home/runner/.docker").metadata().unwrap().mode() & 0o7777, 0o700);

    let undone = undo(stage.machine()).unwrap();
    assert_eq!(undone.remaining, 0);
    assert_eq!(stage.everything(), before);
    assert!(matches!(undo(stage.machine()), Err(ApplyError::NoRecord { .. })));
}

#[test]
fn records_and_backups_are_for_their_owner_only() {
    let stage = Stage::new();
    stage.write("/etc/there", "old", 0o644);
    apply(&plan([stage.change("/etc/there", "new")]), stage.machine()).unwrap();
    let folder = stage.path(STATE).join("0001");
    assert_eq!(folder.metadata().unwrap().mode() & 0o7777, 0o700);
    for file in std::fs::read_dir(folder).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().mode() & 0o7777, 0o600);
    }
}

#[test]
fn a_file_that_was_changed_since_stops_the_way_back() {
    let stage = Stage::new();
    stage.write("/etc/a", "a", 0o644);
    apply(&plan([stage.change("/etc/a", "A"), stage.change("/etc/b", "B")]), stage.machine()).unwrap();
    stage.write("/etc/b", "mine", 0o644);
    let before = stage.everything();
    assert!(
        matches!(undo(stage.machine()), Err(ApplyError::Changed { path }) if path == Path::new("/etc/b"))
    );
    assert_eq!(stage.everything(), before, "no file was touched");
}

#[test]
fn a_failure_puts_everything_back() {
    let stage = Stage::new();
    stage.write("/etc/a", "a", 0o644);
    stage.write("/etc/b", "read-only", 0o444);
    let changes = [stage.change("/etc/a", "A"), stage.change(CONFIG, "{}"), stage.change("/etc/b", "B")];
    let before = stage.everything();
    let error = apply(&plan(changes), stage.machine()).unwrap_err();
    assert!(matches!(error, ApplyError::ReadOnly { .. }), "{error}");
    assert_eq!(stage.everything(), before);
    assert!(matches!(undo(stage.machine()), Err(ApplyError::NoRecord { .. })));
}

#[test]
fn a_plan_that_is_out_of_date_is_not_applied() {
    let stage = Stage::new();
    let changes = [stage.change("/etc/a", "A"), stage.change("/etc/b", "B")];
    stage.write("/etc/b", "somebody else's", 0o644);
    let before = stage.everything();
    let error = apply(&plan(changes), stage.machine()).unwrap_err();
    assert!(matches!(error, ApplyError::Changed { path } if path == Path::new("/etc/b")));
    assert_eq!(stage.everything(), before);
}

#[test]
fn files_that_must_not_be_replaced_are_not() {
    let stage = Stage::new();
    stage.write("/etc/read-only", "x", 0o444);
    let error = apply(&plan([stage.change("/etc/read-only", "y")]), stage.machine()).unwrap_err();
    assert!(matches!(error, ApplyError::ReadOnly { .. }), "{error}");
    stage.write("/etc/one", "x", 0o644);
    std::fs::hard_link(stage.path("/etc/one"), stage.path("/etc/two")).unwrap();
    let error = apply(&plan([stage.change("/etc/one", "y")]), stage.machine()).unwrap_err();
    assert!(matches!(error, ApplyError::OtherNames { .. }), "{error}");
    assert_eq!((stage.text("/etc/read-only"), stage.text("/etc/two")), ("x".to_owned(), "x".to_owned()));
}

#[test]
fn links_of_the_same_owner_are_followed_and_stay() {
    let stage = Stage::new();
    stage.write("/home/runner/dotfiles/config.json", "{ }", 0o644);
    std::fs::create_dir(stage.path("/home/runner/.docker")).unwrap();
    symlink("../dotfiles/config.json", stage.path(CONFIG)).unwrap();
    apply(&plan([stage.change(CONFIG, "{}")]), stage.machine()).unwrap();
    assert_eq!(stage.text("/home/runner/dotfiles/config.json"), "{}");
    assert!(stage.path(CONFIG).symlink_metadata().unwrap().is_symlink());
}

#[test]
fn a_link_does_not_lead_out_of_the_root_or_round_in_circles() {
    let stage = Stage::new();
    symlink("/etc/../../../etc", stage.path("/home/runner/.docker")).unwrap();
    let mut change = stage.change(CONFIG, "{}");
    change.before = None;
    apply(&plan([change]), stage.machine()).unwrap();
    assert_eq!(stage.text("/etc/config.json"), "{}");

    let stage = Stage::new();
    symlink(".docker", stage.path("/home/runner/.docker")).unwrap();
    assert!(apply(&plan([stage.change(CONFIG, "{}")]), stage.machine()).is_err());
}

/// Only root can make a link that belongs to another.
#[test]
fn a_link_of_another_owner_into_a_folder_of_root_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let stage = Stage::new();
    stage.write("/etc/secret/config.json", "{}", 0o600);
    let link = stage.path("/home/runner/.docker");
    symlink("/etc/secret", &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(997), Some(997)).unwrap();
    let before = stage.everything();
    let mut change = stage.change(CONFIG, "{\"a\":1}");
    change.before = Some(b"{}".to_vec());
    let error = apply(&plan([change]), stage.machine()).unwrap_err();
    assert!(matches!(error, ApplyError::ForeignLink { link_owner: 997, .. }), "{error}");
    assert_eq!(stage.everything(), before);
}

/// Only root can give files away.
#[test]
fn owners_stay_and_new_files_belong_to_the_folder_s_owner() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let stage = Stage::new();
    std::os::unix::fs::chown(stage.path("/home/runner"), Some(997), Some(996)).unwrap();
    apply(&plan([stage.change(CONFIG, "{}")]), stage.machine()).unwrap();
    for path in ["/home/runner/.docker", CONFIG] {
        let metadata = stage.path(path).metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (997, 996), "{path}");
    }
}

#[test]
fn of_500_concurrent_edits_none_is_lost() {
    const THREADS: usize = 20;
    const EDITS: usize = 25;
    let stage = Stage::new();
    stage.write(CONFIG, "{\"auths\": {\"h\": {\"auth\": \"dTpw\"}}}\n", 0o600);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let stage = &stage;
            scope.spawn(move || {
                for edit in 0..EDITS {
                    let number = thread * EDITS + edit;
                    add_until_current(stage, &format!("{number:012}.dkr.ecr.eu-west-1.amazonaws.com"));
                }
            });
        }
    });
    let config = ecru_docker::config_file::ConfigFile::parse(&stage.text(CONFIG)).unwrap();
    assert_eq!(config.credential_helpers.len(), THREADS * EDITS);
    assert!(config.auths.contains_key("h"));
    let left: Vec<_> = std::fs::read_dir(stage.path("/home/runner/.docker")).unwrap().collect();
    assert_eq!(left.len(), 1, "no temporary file is left: {left:?}");
}

/// As `ecru setup --yes` does: a plan for what has changed meanwhile is made again.
fn add_until_current(stage: &Stage, host: &str) {
    loop {
        let before = std::fs::read(stage.path(CONFIG)).unwrap();
        let helpers = Helpers::ForRegistries(vec![host.to_owned()]);
        let after = with_helpers(Some(&before), &helpers, "ecr-login").unwrap();
        let change = Change { before: Some(before), ..stage.change(CONFIG, &after) };
        match apply(&plan([change]), stage.machine()) {
            Ok(()) => return,
            Err(ApplyError::Changed { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
