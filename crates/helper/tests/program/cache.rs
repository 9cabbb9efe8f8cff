//! The cache, as far as it takes several processes to see it.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::Barrier;

use crate::stage::aws::{self, PASSWORD};
use crate::stage::responder::Responder;
use crate::stage::{FRANKFURT, Stage, VIRGINIA, program};

#[test]
fn processes_that_start_together_make_one_request() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    // Nobody gives up waiting for the one that asks.
    stage.set("ECRU_TIMEOUT", "300");
    let (stage, start) = (&stage, &Barrier::new(24));
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(move || {
                start.wait();
                assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
            });
        }
    });
    assert_eq!(aws.count(), 1);
}

#[test]
fn another_access_key_or_profile_has_entries_of_its_own() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    stage.get(FRANKFURT).secret();
    stage.set("AWS_ACCESS_KEY_ID", "AKIAOTHER");
    stage.get(FRANKFURT).secret();
    stage.set("AWS_PROFILE", "other");
    stage.get(FRANKFURT).secret();
    assert_eq!(aws.count(), 3);
    // Where the region comes from does not matter: each registry names its own.
    stage.set("AWS_REGION", "us-west-2").set("AWS_SESSION_TOKEN", "another-NEVER-SHOWN");
    stage.get(FRANKFURT).secret();
    assert_eq!(aws.count(), 3);
}

#[test]
fn the_cache_can_be_turned_off_or_moved() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    stage.set("AWS_ECR_DISABLE_CACHE", "1");
    stage.get(FRANKFURT).secret();
    stage.get(FRANKFURT).secret();
    assert_eq!(aws.count(), 2);
    assert!(!stage.path(".cache").exists());

    stage.unset("AWS_ECR_DISABLE_CACHE").set("AWS_ECR_CACHE_DIR", "~/elsewhere");
    stage.get(FRANKFURT).secret();
    stage.get(FRANKFURT).secret();
    assert_eq!(aws.count(), 3);
    assert!(stage.path("elsewhere/ecru").is_dir());
}

#[test]
fn no_cache_comes_to_lie_in_the_working_directory() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    let mut get = |home: Option<&str>, named: &str| {
        match home {
            Some(home) => stage.set("HOME", home),
            None => stage.unset("HOME"),
        };
        stage.set("AWS_ECR_CACHE_DIR", named);
        let folder = tempfile::tempdir().unwrap();
        let mut command = stage.command(&["get"]);
        let output = command.current_dir(folder.path()).write_stdin(FRANKFURT).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let made = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(made, 0, "{named}: something is in the working directory");
        String::from_utf8(output.stderr).unwrap()
    };
    let told = get(None, "~/.ecr");
    assert!(told.contains("AWS_ECR_CACHE_DIR is passed over: `~/.ecr`") && told.contains("no token is kept"));
    let home = tempfile::tempdir().unwrap();
    let told = get(home.path().to_str(), "rel");
    assert!(told.contains("AWS_ECR_CACHE_DIR is passed over: `rel`") && told.lines().count() == 1, "{told}");
    assert!(home.path().join(".cache/ecru").is_dir());
}

#[test]
fn profiles_that_do_not_count_do_not_keep_the_cache_from_being_used() {
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    let profiles = (0..9).map(|n| format!("[profile p{n}]\nweb_identity_token_file = /nonexistent/{n}\n"));
    stage.write(".aws/config", &profiles.collect::<String>());
    for _ in 0..2 {
        assert_eq!(stage.get(FRANKFURT).stderr, "");
    }
    assert_eq!(aws.count(), 1);
    stage.write(".aws/config", "[profile p]\nweb_identity_token_file = /dev\n");
    for _ in 0..2 {
        let run = stage.get(FRANKFURT);
        assert_eq!(run.secret(), PASSWORD);
        let told = "no token is kept, since it is not known whose it would be: `/dev` cannot be looked at";
        assert!(run.stderr.contains(told) && run.stderr.lines().count() == 1, "{run:?}");
    }
    assert_eq!(aws.count(), 3);
}

#[test]
fn a_cache_that_is_open_to_others_has_a_hint() {
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    stage.get(FRANKFURT).secret();
    let folder = stage.path(".cache/ecru");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let run = stage.get(FRANKFURT);
    assert_eq!(run.secret(), PASSWORD);
    assert!(run.stderr.contains(&format!("(hint: chmod 700 {})", folder.display())), "{run:?}");
}

#[test]
fn no_home_or_one_that_cannot_be_written_is_no_failure() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    stage.unset("HOME");
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    stage.set("HOME", "/nonexistent/home");
    let run = stage.get(FRANKFURT);
    assert_eq!(run.secret(), PASSWORD);
    assert!(run.stderr.contains("does not exist") && run.stderr.lines().count() == 1, "{run:?}");
    stage.set("HOME", "/proc");
    let run = stage.get(FRANKFURT);
    assert_eq!(run.secret(), PASSWORD);
    assert!(run.stderr.contains("not kept in the cache"), "{run:?}");
}

#[test]
fn a_poisoned_entry_is_told_and_replaced() {
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    stage.get(FRANKFURT).secret();
    let [entry] = stage.cached_files("json").try_into().unwrap();
    let content = std::fs::read_to_string(&entry).unwrap();
    std::fs::write(&entry, content.replace(PASSWORD, "poison")).unwrap();
    std::fs::set_permissions(&entry, std::fs::Permissions::from_mode(0o666)).unwrap();
    let run = stage.get(FRANKFURT);
    assert_eq!(run.secret(), PASSWORD);
    assert!(run.stderr.contains("other users have access to it"), "{run:?}");
    assert_eq!(stage.get(FRANKFURT).stderr, "");
    assert_eq!(aws.count(), 2);
}

#[test]
fn a_process_killed_while_it_asks_leaves_nothing_that_stops_others() {
    // The first request kills the process that made it, before the answer.
    let victim = std::sync::Arc::new(std::sync::Mutex::new(None::<std::process::Child>));
    let answering = std::sync::Arc::clone(&victim);
    let aws = Responder::start(move |request| {
        if let Some(mut child) = answering.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        aws::token(request)
    });
    let stage = Stage::with(&aws);
    let request = std::fs::File::open(stage.write("request", VIRGINIA)).unwrap();
    {
        let mut slot = victim.lock().unwrap();
        let mut command = Command::new(program());
        command.arg("get").env_clear().envs(stage.variables());
        command.stdin(request).stdout(Stdio::null()).stderr(Stdio::null());
        *slot = Some(command.spawn().unwrap());
    }
    while victim.lock().unwrap().is_some() {
        std::thread::yield_now();
    }
    assert!(stage.cached_files("json").is_empty());
    assert_eq!(stage.get(VIRGINIA).secret(), PASSWORD);
    assert!(stage.cached_files("tmp").is_empty());
}
