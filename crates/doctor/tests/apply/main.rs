//! Plans on real files: all or nothing, the same owner and mode, nothing lost, and back to the byte.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod left_behind;
mod programs;
mod stage;
mod way_back;

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;

use ecru_doctor::apply::{ApplyError, apply, preview_of_undo, undo};
use ecru_doctor::edit::docker_config::{Helpers, with_helpers};
use ecru_doctor::plan::Change;

use crate::stage::{CONFIG, STATE, Stage, plan};

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
        matches!(preview_of_undo(stage.machine()), Err(ApplyError::ChangedSince { path, .. }) if path == Path::new("/etc/b"))
    );
    let error = undo(stage.machine()).unwrap_err();
    assert!(
        matches!(&error, ApplyError::ChangedSince { path, .. } if path == Path::new("/etc/b")),
        "{error}"
    );
    assert_eq!(stage.everything(), before, "no file was touched");
    does(&error);
    undo(stage.machine()).unwrap();
    assert_eq!(stage.text("/etc/a"), "a");
}

/// Types the command of a hint.
#[track_caller]
fn does(error: &ApplyError) {
    let hint = error.hint(Path::new("/")).unwrap();
    let (_, command) = hint.split_once(": ").unwrap();
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{hint}");
}

#[test]
fn a_copy_by_hand_makes_way_for_the_way_back() {
    let stage = Stage::new();
    stage.write("/etc/a", "a", 0o644);
    apply(&plan([stage.change("/etc/a", "A")]), stage.machine()).unwrap();
    stage.write("/etc/a", "mine", 0o644);
    does(&undo(stage.machine()).unwrap_err());
    undo(stage.machine()).unwrap();
    assert_eq!(stage.text("/etc/a"), "a");
}

#[test]
fn each_set_up_is_taken_back_by_itself() {
    let [runner, job] = ["runner", "job"];
    let stage = Stage::new();
    let before = stage.everything();
    let of_runner = plan([stage.change("/etc/ecru/config.toml", "r")]);
    apply(&of_runner, stage.machine_for(runner)).unwrap();
    apply(&plan([stage.change("/etc/ecru/docker/config.json", "j")]), stage.machine_for(job)).unwrap();
    assert!(matches!(undo(stage.machine_for("job-host")), Err(ApplyError::NoRecord { .. })));

    let both = stage.everything();
    let preview = preview_of_undo(stage.machine_for(runner)).unwrap();
    assert_eq!(preview.files, [Path::new("/etc/ecru/config.toml")]);
    assert_eq!(stage.everything(), both, "nothing was changed");
    assert_eq!(undo(stage.machine_for(runner)).unwrap(), preview);
    assert_eq!(stage.text("/etc/ecru/docker/config.json"), "j");
    assert_eq!(undo(stage.machine_for(job)).unwrap().remaining, 0);
    assert_eq!(stage.everything(), before, "and so are the folders");
}

#[test]
fn a_file_that_another_set_up_has_changed_waits_for_it() {
    let stage = Stage::new();
    stage.write("/etc/a", "a", 0o644);
    apply(&plan([stage.change("/etc/a", "b")]), stage.machine_for("runner")).unwrap();
    apply(&plan([stage.change("/etc/a", "c")]), stage.machine_for("job")).unwrap();
    let error = undo(stage.machine_for("runner")).unwrap_err();
    let command = "take that one back first: ecru setup job --undo --root ";
    assert!(error.hint(stage.machine().root).unwrap().starts_with(command), "{error:?}");
    undo(stage.machine_for("job")).unwrap();
    undo(stage.machine_for("runner")).unwrap();
    assert_eq!(stage.text("/etc/a"), "a");
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
