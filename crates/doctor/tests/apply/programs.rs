//! Programs: what a link in their place leads to is never written, and the link comes back.

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use ecru_doctor::apply::{ApplyError, apply, undo};
use ecru_doctor::plan::{Change, Content, Creation};

use crate::stage::{Stage, plan};

const HELPER: &str = "/usr/local/bin/docker-credential-ecr-login";
const ECRU: &str = "/usr/local/bin/ecru";

/// A machine with ecru, and a link to `target` in the helper's place.
fn linked(target: &str) -> Stage {
    let stage = Stage::new();
    stage.write(ECRU, "ecru", 0o755);
    symlink(target, stage.path(HELPER)).unwrap();
    stage
}

/// The change that puts the helper there, as a set-up plans it.
fn helper(stage: &Stage, after: &str) -> Change {
    let link = std::fs::read_link(stage.path(HELPER)).ok();
    Change {
        before: std::fs::read(stage.path(HELPER)).ok().filter(|_| link.is_none()),
        link,
        creation: Creation { owner: None, mode: 0o755, folder_mode: 0o755 },
        content: Content::Program,
        ..stage.change(HELPER, after)
    }
}

fn is_link_to(stage: &Stage, target: &str) -> bool {
    std::fs::read_link(stage.path(HELPER)).is_ok_and(|found| found == Path::new(target))
}

#[test]
fn a_link_is_replaced_itself_and_comes_back() {
    for target in ["ecru", ECRU, "nowhere"] {
        let stage = linked(target);
        let before = stage.everything();
        apply(&plan([helper(&stage, "helper")]), stage.machine()).unwrap();
        let found = stage.path(HELPER).symlink_metadata().unwrap();
        assert!(found.is_file(), "{target}");
        assert_eq!(found.mode() & 0o7777, 0o755);
        assert_eq!((stage.text(ECRU), stage.text(HELPER)), ("ecru".to_owned(), "helper".to_owned()));
        undo(stage.machine()).unwrap();
        assert!(is_link_to(&stage, target));
        assert_eq!(stage.everything(), before);
    }
}

#[test]
fn a_link_comes_back_after_a_failure_too() {
    let stage = linked("ecru");
    stage.write("/etc/b", "read-only", 0o444);
    let before = stage.everything();
    apply(&plan([helper(&stage, "helper"), stage.change("/etc/b", "B")]), stage.machine()).unwrap_err();
    assert!(is_link_to(&stage, "ecru"));
    assert_eq!(stage.everything(), before);
}

#[test]
fn a_link_that_was_changed_meanwhile_stops_the_plan() {
    let stage = linked("ecru");
    let change = helper(&stage, "helper");
    std::fs::remove_file(stage.path(HELPER)).unwrap();
    symlink("other", stage.path(HELPER)).unwrap();
    let error = apply(&plan([change]), stage.machine()).unwrap_err();
    assert!(matches!(error, ApplyError::Changed { .. }), "{error}");
    assert!(is_link_to(&stage, "other"));
}

#[test]
fn a_link_in_the_place_of_a_program_that_was_set_up_is_a_change_by_others() {
    let stage = Stage::new();
    stage.write(ECRU, "helper", 0o755);
    apply(&plan([helper(&stage, "helper")]), stage.machine()).unwrap();
    std::fs::remove_file(stage.path(HELPER)).unwrap();
    symlink("ecru", stage.path(HELPER)).unwrap();
    let error = undo(stage.machine()).unwrap_err();
    assert!(matches!(error, ApplyError::ChangedSince { .. }), "{error}");
    assert_eq!(stage.text(ECRU), "helper");
}

#[test]
fn a_copy_by_hand_of_a_link_makes_way_for_the_way_back() {
    let stage = linked("ecru");
    apply(&plan([helper(&stage, "helper")]), stage.machine()).unwrap();
    stage.write(HELPER, "mine", 0o755);
    crate::does(&undo(stage.machine()).unwrap_err());
    assert!(is_link_to(&stage, "ecru"));
    undo(stage.machine()).unwrap();
    assert!(is_link_to(&stage, "ecru"));
}
