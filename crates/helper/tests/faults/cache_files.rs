//! Rows 1 to 4, 8 and 9: files of the cache that are not what ecru wrote, and places where none can be written.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use ecru_ecr::clock::system_time;

use crate::said::{assert_rule, assert_says, fault, held, not_tried};
use crate::stage::aws::{self, PASSWORD};
use crate::stage::responder::Responder;
use crate::stage::{FRANKFURT, Stage, program};

/// A home in which the token of the registry in Frankfurt is cached, and the file that holds it.
fn cached(aws: &Responder) -> (Stage, PathBuf) {
    let stage = Stage::with(aws);
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    let [entry] = stage.cached_files("json").try_into().unwrap();
    (stage, entry)
}

/// Asks twice: the first time AWS is called once more, the second time the cache has been repaired.
fn assert_repaired(stage: &Stage, aws: &Responder) {
    let before = aws.count();
    let first = stage.get(FRANKFURT);
    assert_eq!(first.secret(), PASSWORD);
    assert_eq!(aws.count(), before + 1);
    let second = stage.get(FRANKFURT);
    assert_eq!((second.secret().as_str(), second.stderr.as_str()), (PASSWORD, ""));
    assert_eq!(aws.count(), before + 1, "the entry was not repaired");
}

#[test]
fn row_01_a_cache_of_nulls() {
    fault("the cache is `null`, or has `null` for what it must hold");
    let aws = aws::proper();
    let (stage, entry) = cached(&aws);
    let whole = fs::read_to_string(&entry).unwrap();
    let serde_json::Value::Object(members) = serde_json::from_str(&whole).unwrap() else { panic!("{whole}") };
    let mut contents = vec!["null".to_owned(), r#"{"Registries":null}"#.to_owned()];
    for name in members.keys() {
        let mut changed = members.clone();
        changed[name] = serde_json::Value::Null;
        // The own registry is the one member that an entry may lack.
        if name != "own_registry" {
            contents.push(serde_json::Value::Object(changed).to_string());
        }
    }
    for content in &contents {
        fs::write(&entry, content).unwrap();
        assert_repaired(&stage, &aws);
    }
    // The file of amazon-ecr-credential-helper in the state that makes it panic is none of ours.
    let old = stage.write(".ecr/cache.json", r#"{"Registries":{"k":null},"Version":"1.0"}"#);
    stage.get(FRANKFURT).secret();
    assert!(old.is_file());
    held(format!("{} contents: one call each, then repaired", contents.len()));
}

#[test]
fn row_02_a_cache_that_is_cut_off_or_of_another_version() {
    fault("the cache is empty, cut off, of a wrong shape or version, or goes on after its end");
    let aws = aws::proper();
    let (stage, entry) = cached(&aws);
    let whole = fs::read_to_string(&entry).unwrap();
    let mut contents: Vec<String> = ["", "{", "[]", "{}", "\0\0\0\0"].map(str::to_owned).to_vec();
    contents.push(whole.replace("\"version\":1", "\"version\":0"));
    contents.push(whole.replace("\"version\":1", "\"version\":99"));
    contents.push(format!("{whole}x"));
    contents.push(format!("{whole}{whole}"));
    contents.extend((0..whole.len()).step_by(37).map(|end| whole[..end].to_owned()));
    for content in &contents {
        assert_ne!(content, &whole);
        fs::write(&entry, content).unwrap();
        assert_repaired(&stage, &aws);
    }
    // A newer ecru names its files otherwise, and finds them as it left them.
    let newer = entry.with_file_name(entry.file_name().unwrap().to_str().unwrap().replace("v1-", "v2-"));
    fs::write(&newer, "of another time").unwrap();
    make_old(&newer);
    fs::write(&entry, "{").unwrap();
    assert_repaired(&stage, &aws);
    assert_eq!(fs::read_to_string(&newer).unwrap(), "of another time");
    held(format!("{} contents repaired; a newer version's file is left untouched", contents.len()));
}

#[test]
fn row_03_something_else_in_the_place_of_the_cache() {
    fault("a directory, pipe, link, device or foreign file in the place of the entry");
    let aws = aws::proper();
    let (stage, entry) = cached(&aws);
    let whole = fs::read_to_string(&entry).unwrap();
    let poisoned = whole.replace(PASSWORD, "ecru-emulator-poison");
    let elsewhere = stage.write("elsewhere.json", &poisoned);
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o600)).unwrap();
    let plant = |poison: &dyn Fn()| {
        let _ = fs::remove_file(&entry);
        poison();
        let before = aws.count();
        let run = stage.get(FRANKFURT);
        assert_eq!(run.secret(), PASSWORD);
        assert_eq!(aws.count(), before + 1);
        assert_eq!(run.stderr.lines().count(), 1, "one warning: {run:?}");
        assert_says(&run.stderr, &["the token cache is not used"]);
        // What can be replaced has been.
        assert_eq!((stage.get(FRANKFURT).stderr.as_str(), aws.count()), ("", before + 1));
    };
    plant(&|| make_fifo(&entry));
    plant(&|| symlink(&elsewhere, &entry).unwrap());
    plant(&|| symlink("/dev/zero", &entry).unwrap());
    plant(&|| fs::hard_link(&elsewhere, &entry).unwrap());
    plant(&|| {
        fs::write(&entry, &poisoned).unwrap();
        fs::set_permissions(&entry, fs::Permissions::from_mode(0o666)).unwrap();
    });
    plant(&|| drop(std::os::unix::net::UnixListener::bind(&entry).unwrap()));
    if rustix::process::geteuid().is_root() {
        plant(&|| {
            fs::write(&entry, &poisoned).unwrap();
            fs::set_permissions(&entry, fs::Permissions::from_mode(0o600)).unwrap();
            std::os::unix::fs::chown(&entry, Some(65534), Some(65534)).unwrap();
        });
    } else {
        not_tried("a file of another user: only root can make one");
    }
    // A directory cannot be replaced by a file: the helper goes on without.
    fs::remove_file(&entry).unwrap();
    fs::create_dir(&entry).unwrap();
    for _ in 0..2 {
        assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    }
    assert!(stage.cached_files("tmp").is_empty());
    fs::remove_dir(&entry).unwrap();

    // The whole directory, open to others.
    let folder = stage.path(".cache/ecru");
    fs::write(&entry, &poisoned).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let run = stage.get(FRANKFURT);
    assert_eq!(run.secret(), PASSWORD);
    assert_says(&run.stderr, &["is not trusted: other users have access to this folder"]);
    held("served at once, never from it, and told in one line");
}

#[test]
fn row_04_a_huge_cache() {
    fault("an entry of 102 MB, and 12,000 outlived entries beside it");
    let aws = aws::proper();
    let (stage, entry) = cached(&aws);
    fs::File::options().write(true).open(&entry).unwrap().set_len(102 * 1024 * 1024).unwrap();
    let run = stage.get(FRANKFURT);
    assert_eq!(run.secret(), PASSWORD);
    assert_says(&run.stderr, &["it is too long"]);
    assert!(entry.metadata().unwrap().len() < 64 * 1024);

    let folder = stage.path(".cache/ecru");
    for number in 0..12_000 {
        let old = folder.join(format!("v1-{number:064x}.json"));
        fs::write(&old, "{}").unwrap();
        make_old(&old);
    }
    // Each write looks at a limited number of files, so that no single run is slow.
    for _ in 0..3 {
        fs::write(&entry, "{}").unwrap();
        stage.get(FRANKFURT).secret();
    }
    assert_eq!(stage.cached_files("json").len(), 1);
    held("not read but replaced; what has outlived any token is removed");
}

#[test]
fn row_08_no_room_and_no_home() {
    fault("a full disk, a home that cannot be written, no home at all");
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    stage.unset("HOME");
    let run = stage.get(FRANKFURT);
    assert_eq!(run.secret(), PASSWORD);
    assert!(run.stderr.contains("no token is kept") && run.stderr.lines().count() == 1, "{run:?}");
    for home in ["/proc", "/dev/null", "/nonexistent/home", "relative", "/dev/full"] {
        stage.set("HOME", home);
        let run = stage.get(FRANKFURT);
        assert_eq!(run.secret(), PASSWORD, "{home}");
        assert!(run.stderr.lines().count() <= 1, "{run:?}");
    }
    stage.unset("HOME");
    for (kind, options) in [("a full disk", "size=4k"), ("a read-only disk", "ro")] {
        match output_on_a_disk(&stage, options) {
            Some(output) => {
                let run = crate::stage::Run {
                    code: output.status.code().unwrap(),
                    stdout: String::from_utf8(output.stdout).unwrap(),
                    stderr: String::from_utf8(output.stderr).unwrap(),
                    took: std::time::Duration::ZERO,
                };
                assert_eq!(run.secret(), PASSWORD, "{kind}");
                assert!(run.stderr.lines().count() == 1, "{kind}: {run:?}");
            }
            None => not_tried(kind),
        }
    }
    held("served, with one line on standard error at most");
}

/// What the program answers whose cache is on a disk of its own; nothing where none can be mounted.
fn output_on_a_disk(stage: &Stage, options: &str) -> Option<std::process::Output> {
    const SCRIPT: &str = r#"
        mount -t tmpfs -o mode=700 disk "$1" || exit 77
        if [ "$2" = ro ]; then mount -o remount,ro "$1"; else
            mount -o "remount,$2" "$1"; head -c 4096 /dev/zero > "$1/full"; fi
        exec "$3" get
    "#;
    let disk = stage.path("disk");
    fs::create_dir_all(&disk).unwrap();
    let request = stage.write("request", FRANKFURT);
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT, "sh"])
        .args([disk.as_os_str(), options.as_ref(), program().as_os_str()])
        .env_clear()
        .envs(stage.variables())
        .env("XDG_CACHE_HOME", &disk)
        .stdin(fs::File::open(request).unwrap())
        .stderr(Stdio::piped())
        .output()
        .ok()?;
    let could_mount =
        output.status.code() != Some(77) && !String::from_utf8_lossy(&output.stderr).starts_with("unshare: ");
    could_mount.then_some(output)
}

#[test]
fn row_09_a_rename_that_fails() {
    fault("the finished file cannot be renamed");
    let aws = aws::proper();
    let (stage, entry) = cached(&aws);
    // No file can take the place of a directory that is not empty.
    fs::remove_file(&entry).unwrap();
    fs::create_dir(&entry).unwrap();
    fs::write(entry.join("inside"), "").unwrap();
    let run = stage.get(FRANKFURT);
    assert_rule(&run);
    assert_eq!(run.secret(), PASSWORD);
    assert_says(&run.stderr, &["the token is not kept in the cache"]);
    assert!(stage.cached_files("tmp").is_empty(), "the temporary file was left");
    held("served, and the temporary file is removed");
}

fn make_fifo(path: &Path) {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

/// Makes a file older than any token lives.
fn make_old(path: &Path) {
    let two_days_ago: SystemTime = system_time() - Duration::from_hours(48);
    fs::File::options().write(true).open(path).unwrap().set_modified(two_days_ago).unwrap();
}
