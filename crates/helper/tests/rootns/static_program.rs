//! The program is one file: it needs no loader, no library and nothing else of a file system.

use std::fs;

use object::read::elf::{FileHeader as _, ProgramHeader as _};

use crate::empty_root::EmptyRoot;
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
    for is_writable in [true, false] {
        for home in [None, Some("/"), Some("/root"), Some("/none")] {
            let output = EmptyRoot::new(is_writable).run(&variables(&aws, home), "get", FRANKFURT);
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
    let empty = EmptyRoot::new(true);
    for _ in 0..2 {
        assert!(empty.run(&variables(&aws, Some("/")), "get", FRANKFURT).status.success());
    }
    assert_eq!(aws.count(), 1);
    assert!(empty.path(".cache/ecru").is_dir());
}

#[test]
#[ignore = "needs root, for chroot and mounts"]
fn what_an_empty_root_lacks_is_no_crash() {
    let aws = aws::proper();
    let mut none = variables(&aws, None);
    none.retain(|(name, _)| !name.starts_with("AWS_ACCESS") && !name.starts_with("AWS_SE"));
    let output = EmptyRoot::new(false).run(&none, "get", FRANKFURT);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), NOT_FOUND);
    // TLS without a file of roots, to a server that speaks none.
    let mut tls = variables(&aws, None);
    tls.retain(|(name, _)| name != "AWS_ENDPOINT_URL_ECR");
    tls.push(("AWS_ENDPOINT_URL_ECR".to_owned(), aws.url().replace("http:", "https:")));
    let output = EmptyRoot::new(false).run(&tls, "get", FRANKFURT);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("TLS"), "{output:?}");
    let output = EmptyRoot::new(false).run(&none, "version", "");
    assert!(output.status.success(), "{output:?}");
}
