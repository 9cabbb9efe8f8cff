//! A helper that root starts as another user.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use ecru_docker::credential_helper::invoke::{Caller, User};
use ecru_docker::credential_helper::message::Verb;

/// `nobody` of most systems; the number needs no account.
const NOBODY: User = User { uid: 65534, gid: 65534 };

#[test]
#[ignore = "needs root"]
fn it_is_that_user_and_in_none_of_root_s_groups() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("docker-credential-who");
    let script = "#!/bin/sh\nprintf '{\"Username\":\"%s %s %s\",\"Secret\":\"s\"}' \"$(id -u)\" \"$(id -g)\" \"$(id -G)\"\n";
    std::fs::write(&program, script).unwrap();
    for path in [folder.path(), &program] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let caller = Caller {
        path: folder.path().into(),
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        deadline: Duration::from_secs(60),
    };
    let username = |user| {
        let completed = caller.invoke_as(user, "who", Verb::Get, "host").unwrap();
        completed.credential().unwrap().unwrap().username
    };
    assert_eq!(username(Some(NOBODY)), "65534 65534 65534");
    assert!(username(None).starts_with("0 0"));
}
