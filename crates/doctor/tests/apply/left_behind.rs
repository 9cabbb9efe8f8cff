//! What a set-up leaves behind that failed, or was killed, before it had changed anything.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use ecru_doctor::apply::{ApplyError, apply, preview_of_undo, undo};
use ecru_doctor::plan::Change;

use crate::stage::{STATE, Stage, plan};

#[test]
fn a_record_that_cannot_be_written_leaves_nothing_behind() {
    let stage = Stage::new();
    stage.write("/etc/a", "a", 0o644);
    // No JSON holds such a name, and the copies of the other file are there when that is found out.
    let path = PathBuf::from(OsStr::from_bytes(b"/etc/\xff"));
    let changes = [stage.change("/etc/a", "A"), Change { path, ..stage.change("/etc/b", "B") }];
    apply(&plan(changes), stage.machine()).unwrap_err();
    assert_eq!(stage.text("/etc/a"), "a");
    assert_eq!(std::fs::read_dir(stage.path(STATE)).unwrap().count(), 0);
    assert!(matches!(undo(stage.machine()), Err(ApplyError::NoRecord { .. })));
}

#[test]
fn copies_without_a_record_stop_no_way_back() {
    let stage = Stage::new();
    stage.write("/etc/a", "a", 0o644);
    apply(&plan([stage.change("/etc/a", "A")]), stage.machine_for("job")).unwrap();
    let copies = [format!("{STATE}/0002/0"), format!("{STATE}/0002/.ecru-1-0.tmp")];
    copies.iter().for_each(|copy| stage.write(copy, "copy", 0o600));
    assert!(matches!(undo(stage.machine()), Err(ApplyError::NoRecord { .. })));
    apply(&plan([stage.change("/etc/b", "B")]), stage.machine()).unwrap();
    assert_eq!(preview_of_undo(stage.machine()).unwrap().remaining, 0);
    undo(stage.machine()).unwrap();
    undo(stage.machine_for("job")).unwrap();
    assert_eq!(stage.text("/etc/a"), "a");
    copies.iter().for_each(|copy| assert_eq!(stage.text(copy), "copy", "nobody's copies stay"));
}

#[test]
fn a_record_that_cannot_be_read_stands_in_the_way_of_all() {
    let stage = Stage::new();
    apply(&plan([stage.change("/etc/b", "B")]), stage.machine()).unwrap();
    stage.write(&format!("{STATE}/0002/record.json"), "{", 0o600);
    assert!(matches!(undo(stage.machine()), Err(ApplyError::DamagedRecord { .. })));
}
