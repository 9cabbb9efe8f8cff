//! Plans on files of other owners, which only root can make.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "apply/stage.rs"]
mod stage;

use std::os::unix::fs::{MetadataExt as _, symlink};

use ecru_doctor::apply::{ApplyError, apply, undo};
use ecru_doctor::plan::{Change, Content};

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

/// A folder of user 997 that is a link of root's.
fn linked(link: &str, target: &str, folders: &[(&str, u32)]) -> (Stage, Result<(), ApplyError>) {
    let stage = Stage::new();
    for (folder, owner) in folders {
        std::fs::create_dir_all(stage.path(folder)).unwrap();
        std::os::unix::fs::chown(stage.path(folder), Some(*owner), Some(*owner)).unwrap();
    }
    symlink(target, stage.path(link)).unwrap();
    let change = stage.change("/home/runner/.docker/config.json", "{}");
    let result = apply(&plan([change]), stage.machine());
    (stage, result)
}

#[test]
#[ignore = "needs root"]
fn a_link_of_root_leads_into_no_folder_of_others() {
    for target in ["/srv/other", "../../srv/other", "/srv/other/of-root", "/srv/other/of-root/.."] {
        let folders = [("/srv/other", 997), ("/srv/other/of-root", 0)];
        let (stage, result) = linked("/home/runner/.docker", target, &folders);
        let error = result.unwrap_err();
        assert!(
            matches!(error, ApplyError::ForeignLink { link_owner: 0, folder_owner: 997, .. }),
            "{target}: {error}"
        );
        assert!(!stage.path("/srv/other/config.json").exists());
    }
}

#[test]
#[ignore = "needs root"]
fn a_link_of_root_leads_to_the_same_owner_or_to_root() {
    let of_runner = [("/home/runner", 997), ("/srv/runner", 997)];
    let (stage, result) = linked("/home/runner/.docker", "/srv/runner", &of_runner);
    result.unwrap();
    assert_eq!(stage.text("/srv/runner/config.json"), "{}");

    // As `/home` is on systems that keep all that changes below `/var`.
    let stage = Stage::new();
    std::fs::rename(stage.path("/home"), stage.path("/homes")).unwrap();
    std::os::unix::fs::chown(stage.path("/homes/runner"), Some(997), Some(997)).unwrap();
    symlink("homes", stage.path("/home")).unwrap();
    apply(&plan([stage.change(CONFIG, "{}")]), stage.machine()).unwrap();
    assert_eq!(stage.text("/homes/runner/.docker/config.json"), "{}");
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

#[test]
#[ignore = "needs root"]
fn a_link_in_a_program_s_place_comes_back_with_its_owner() {
    const HELPER: &str = "/usr/local/bin/docker-credential-ecr-login";
    let stage = Stage::new();
    stage.write("/usr/local/bin/ecru", "ecru", 0o755);
    let link = stage.path(HELPER);
    symlink("ecru", &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(997), Some(996)).unwrap();
    let change = stage.change(HELPER, "helper");
    let change = Change { before: None, link: Some("ecru".into()), content: Content::Program, ..change };
    apply(&plan([change]), stage.machine()).unwrap();
    let helper = link.symlink_metadata().unwrap();
    assert!(helper.is_file());
    assert_eq!((helper.uid(), helper.gid()), (0, 0), "the folder's owner");
    undo(stage.machine()).unwrap();
    let found = link.symlink_metadata().unwrap();
    assert!(found.is_symlink());
    assert_eq!((found.uid(), found.gid()), (997, 996));
    assert_eq!(stage.text("/usr/local/bin/ecru"), "ecru");
}
