//! What the targets share: files that the libraries read, and checks that several inputs have in common.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ecru_ecr::registry::Registry;
use tempfile::TempDir;

/// The folder of this process, which only its owner can enter. It goes away with the system's other temporary
/// files: libFuzzer ends the process without running destructors.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| TempDir::with_prefix("ecru-fuzz-").expect("a temporary folder")).path()
}

/// Writes a file below [`folder`] that only its owner can read, and returns its path.
pub fn write(name: &str, content: &[u8]) -> PathBuf {
    let path = folder().join(name);
    if let Some(parent) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).expect("a folder");
    }
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
    std::io::Write::write_all(&mut file.expect("a file"), content).expect("room for a file");
    path
}

/// Makes sure that a registry is one of Amazon's, by its host name alone and without the library's own table.
pub fn check_registry(registry: &Registry) {
    let host = registry.host();
    assert_eq!(Registry::parse(&host).as_ref(), Ok(registry), "a host names its own registry");
    assert_eq!(host, host.to_ascii_lowercase());
    if registry.is_public() {
        assert!(matches!(host.as_str(), "public.ecr.aws" | "ecr-public.aws.com"), "{host}");
        return;
    }
    let (account, rest) = host.split_once('.').expect("an account");
    assert!(account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()), "{host}");
    let domain = match rest.split_once(registry.region()) {
        Some(("dkr.ecr." | "dkr.ecr-fips.", domain)) if !registry.dual_stack() => domain,
        Some(("dkr-ecr." | "dkr-ecr-fips.", domain)) if registry.dual_stack() => domain,
        _ => panic!("{host}"),
    };
    let domains: &[&str] = match registry.dual_stack() {
        true => &[".on.aws", ".on.amazonwebservices.com.cn", ".on.amazonwebservices.eu"],
        false => &[
            ".amazonaws.com",
            ".amazonaws.com.cn",
            ".amazonaws.eu",
            ".c2s.ic.gov",
            ".sc2s.sgov.gov",
            ".cloud.adc-e.uk",
            ".csp.hci.ic.gov",
        ],
    };
    assert!(domains.contains(&domain), "{host}");
}

/// Makes sure that a place lies in the text, or right behind it. YAML ends lines by carriage returns too.
pub fn check_place(line: usize, column: usize, text: &str) {
    assert!(line >= 1 && line <= text.matches(['\n', '\r']).count() + 2, "line {line} of {text:?}");
    let longest = text.split('\n').map(|line| line.chars().count()).max().unwrap_or_default();
    assert!(column >= 1 && column <= longest + 2, "column {column} of {text:?}");
}
