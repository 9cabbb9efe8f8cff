//! The way back: all of it or nothing, and commands that name the machine they are for.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::Path;

use ecru_doctor::apply::{ApplyError, apply, preview_of_undo, undo};
use ecru_doctor::plan::{Change, Content};

use crate::stage::{Stage, plan};

fn is_read_only(error: &ApplyError) -> bool {
    matches!(error, ApplyError::ReadOnly { path } if path == Path::new("/etc/a"))
}

fn has_other_names(error: &ApplyError) -> bool {
    matches!(error, ApplyError::OtherNames { path } if path == Path::new("/etc/a"))
}

fn make_read_only(path: &Path) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o444)).unwrap();
}

fn link_beside(path: &Path) {
    std::fs::hard_link(path, path.with_extension("link")).unwrap();
}

type Obstacle = (fn(&Path), fn(&ApplyError) -> bool);

#[test]
fn a_file_that_must_not_be_replaced_stops_all_of_the_way_back() {
    let obstacles: [Obstacle; 2] = [(make_read_only, is_read_only), (link_beside, has_other_names)];
    for (put_in_the_way, is_told) in obstacles {
        let stage = Stage::new();
        stage.write("/etc/a", "a", 0o644);
        apply(&plan([stage.change("/etc/a", "A"), stage.change("/etc/b", "B")]), stage.machine()).unwrap();
        put_in_the_way(&stage.path("/etc/a"));
        let before = stage.everything();
        let error = preview_of_undo(stage.machine()).unwrap_err();
        assert!(is_told(&error), "{error}");
        let error = undo(stage.machine()).unwrap_err();
        assert!(is_told(&error), "{error}");
        assert_eq!(stage.everything(), before, "no file was touched");
    }
}

/// The bit says nothing of a program, which nobody edits.
#[test]
fn a_program_without_the_right_to_write_is_replaced() {
    let stage = Stage::new();
    stage.write("/usr/bin/p", "old", 0o555);
    let change = || Change { content: Content::Program, ..stage.change("/usr/bin/p", "new") };
    apply(&plan([change()]), stage.machine()).unwrap();
    assert_eq!(stage.text("/usr/bin/p"), "new");
    assert_eq!(stage.path("/usr/bin/p").metadata().unwrap().mode() & 0o7777, 0o555, "the mode stays");
    undo(stage.machine()).unwrap();
    assert_eq!(stage.text("/usr/bin/p"), "old");
}

/// A folder with a space stands for all that a shell reads otherwise.
#[test]
fn commands_name_the_folder_that_is_the_machine() {
    let stage = Stage::at("o dd");
    let shown = |path: &str| format!("'{}'", stage.path(path).display());
    stage.write("/etc/a", "a", 0o644);
    apply(&plan([stage.change("/etc/a", "A"), stage.change("/etc/b", "B")]), stage.machine()).unwrap();

    stage.write("/etc/b", "mine", 0o644);
    let error = undo(stage.machine()).unwrap_err();
    assert_eq!(
        error.hint(stage.machine().root).unwrap(),
        format!("to give that change up: rm {}", shown("/etc/b"))
    );
    crate::does(&error);

    stage.write("/etc/a", "mine", 0o644);
    let error = undo(stage.machine()).unwrap_err();
    let copy = shown("/var/lib/ecru/setup/0001/0");
    assert_eq!(
        error.hint(stage.machine().root).unwrap(),
        format!("to give that change up: cp {copy} {}", shown("/etc/a"))
    );
    crate::does(&error);

    stage.write("/etc/a", "A", 0o444);
    let error = undo(stage.machine()).unwrap_err();
    assert_eq!(error.hint(stage.machine().root).unwrap(), format!("chmod u+w {}", shown("/etc/a")));
    stage.write("/etc/c", "c", 0o444);
    let error = apply(&plan([stage.change("/etc/c", "C")]), stage.machine()).unwrap_err();
    assert_eq!(error.hint(stage.machine().root).unwrap(), format!("chmod u+w {}", shown("/etc/c")));
}

#[test]
fn a_set_up_that_comes_first_is_named_with_its_machine() {
    let stage = Stage::at("o dd");
    apply(&plan([stage.change("/etc/a", "b")]), stage.machine_for("runner")).unwrap();
    apply(&plan([stage.change("/etc/a", "c")]), stage.machine_for("job")).unwrap();
    let error = undo(stage.machine_for("runner")).unwrap_err();
    let command = format!("ecru setup job --undo --root '{}'", stage.machine().root.display());
    assert_eq!(error.hint(stage.machine().root).unwrap(), format!("take that one back first: {command}"));
}

/// Whoever holds the lock of a folder stops what is done there, and that is known only when it comes to it.
#[test]
fn what_was_taken_back_before_a_failure_is_put_forward_again() {
    let stage = Stage::new();
    stage.write("/srv/a", "a", 0o644);
    apply(&plan([stage.change("/srv/a", "A"), stage.change("/etc/b", "B")]), stage.machine()).unwrap();
    std::fs::set_permissions(stage.path("/etc/b"), PermissionsExt::from_mode(0o640)).unwrap();
    let before = stage.everything();
    let locked = std::fs::File::open(stage.path("/srv")).unwrap();
    locked.lock().unwrap();
    undo(stage.machine()).unwrap_err();
    assert_eq!(stage.everything(), before);
    drop(locked);
    undo(stage.machine()).unwrap();
    assert!(!stage.path("/etc/b").exists());
}
