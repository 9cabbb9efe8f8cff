//! The program is one file: it needs no loader, no library and nothing else of a file system, as in a container made
//! of it alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the stage serves other targets, too")]
#[path = "program/stage/mod.rs"]
mod stage;

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use object::read::elf::{FileHeader as _, ProgramHeader as _};

use crate::stage::aws::{self, PASSWORD};
use crate::stage::responder::Responder;
use crate::stage::{FRANKFURT, NOT_FOUND, Stage, program};

#[test]
fn the_program_needs_no_loader_and_no_library() {
    let file = fs::read(program()).unwrap();
    let header = object::elf::FileHeader64::<object::Endianness>::parse(&*file).unwrap();
    let endian = header.endian().unwrap();
    let segments = header.program_headers(endian, &*file).unwrap();
    assert!(
        !segments.iter().any(|segment| segment.p_type(endian) == object::elf::PT_INTERP),
        "it has a loader"
    );
    for segment in segments {
        let Ok(Some(entries)) = segment.dynamic(endian, &*file) else { continue };
        let needs = |entry: &object::elf::Dyn64<_>| entry.d_tag.get(endian) == object::elf::DT_NEEDED;
        assert!(!entries.iter().any(needs), "it needs a library");
    }
}

/// A folder with the program alone in it, and what becomes of the program there.
struct Empty {
    folder: tempfile::TempDir,
}

impl Empty {
    fn new() -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        fs::copy(program(), folder.path().join("helper")).unwrap();
        Self { folder }
    }

    fn run(&self, script: &str, variables: &[(String, String)], verb: &str) -> Output {
        // What a container's runtime does, without one: a mount that cannot be written to, and a root in it.
        let mut shell = Command::new("unshare");
        shell.args(["--mount", "sh", "-c", script, "sh"]).arg(self.folder.path()).arg(verb);
        shell.env_clear().envs(variables.iter().cloned()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let mut child =
            shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(FRANKFURT.as_bytes());
        child.wait_with_output().unwrap()
    }
}

const WRITABLE: &str = r#"exec chroot "$1" /helper "$2""#;
const READ_ONLY: &str = r#"
    mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec chroot "$1" /helper "$2"
"#;

fn variables(aws: &Responder, home: Option<&str>) -> Vec<(String, String)> {
    let mut stage = Stage::with(aws);
    match home {
        Some(home) => stage.set("HOME", home),
        None => stage.unset("HOME"),
    };
    stage.variables()
}

#[test]
#[ignore = "needs root, for chroot and mounts"]
fn the_program_answers_in_an_empty_root() {
    let aws = aws::proper();
    for script in [WRITABLE, READ_ONLY] {
        for home in [None, Some("/"), Some("/root"), Some("/none")] {
            let output = Empty::new().run(script, &variables(&aws, home), "get");
            assert!(output.status.success(), "{home:?}: {output:?}");
            let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(answer["Secret"], PASSWORD);
            assert!(String::from_utf8_lossy(&output.stderr).lines().count() <= 1, "{output:?}");
        }
    }
}

#[test]
#[ignore = "needs root, for chroot and mounts"]
fn the_program_keeps_tokens_in_an_empty_root() {
    let aws = aws::proper();
    let empty = Empty::new();
    for _ in 0..2 {
        assert!(empty.run(WRITABLE, &variables(&aws, Some("/")), "get").status.success());
    }
    assert_eq!(aws.count(), 1);
    assert!(empty.folder.path().join(".cache/ecru").is_dir());
}

#[test]
#[ignore = "needs root, for chroot and mounts"]
fn what_an_empty_root_lacks_is_no_crash() {
    let aws = aws::proper();
    let mut none = variables(&aws, None);
    none.retain(|(name, _)| !name.starts_with("AWS_ACCESS") && !name.starts_with("AWS_SE"));
    let output = Empty::new().run(READ_ONLY, &none, "get");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), NOT_FOUND);
    // TLS without a file of roots, to a server that speaks none.
    let mut tls = variables(&aws, None);
    tls.retain(|(name, _)| name != "AWS_ENDPOINT_URL_ECR");
    tls.push(("AWS_ENDPOINT_URL_ECR".to_owned(), aws.url().replace("http:", "https:")));
    let output = Empty::new().run(READ_ONLY, &tls, "get");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("TLS"), "{output:?}");
    let output = Empty::new().run(READ_ONLY, &none, "version");
    assert!(output.status.success(), "{output:?}");
}
