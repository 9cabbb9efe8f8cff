//! Plans on files of other owners, which only root can make.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "apply/stage.rs"]
mod stage;

use std::os::unix::fs::{MetadataExt as _, symlink};

use ecru_doctor::apply::{ApplyError, apply};

use crate::stage::{CONFIG, Stage, plan};

#[test]
#[ignore = "needs root"]
fn a_link_of_another_owner_into_a_folder_of_root_is_refused() {
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

#[test]
#[ignore = "needs root"]
fn owners_stay_and_new_files_belong_to_the_folder_s_owner() {
    let stage = Stage::new();
    std::os::unix::fs::chown(stage.path("/home/runner"), Some(997), Some(996)).unwrap();
    apply(&plan([stage.change(CONFIG, "{}")]), stage.machine()).unwrap();
    for path in ["/home/runner/.docker", CONFIG] {
        let metadata = stage.path(path).metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (997, 996), "{path}");
    }
    assert_eq!(stage.text(CONFIG), "{}");
}
