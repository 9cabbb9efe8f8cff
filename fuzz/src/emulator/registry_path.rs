//! Paths below `/v2/`, and the names that stand in them.

use ecru_emulator::fuzzing::{names, registry_operation};

const METHODS: [&str; 6] = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"];

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for method in METHODS {
        let operation = registry_operation(method, text).expect("a method");
        assert_eq!(operation == "Ping", text.is_empty(), "only the bare path is a ping");
    }
    let [repository, tag, digest] = names(text);
    for name in [&repository, &tag, &digest].into_iter().flatten() {
        assert_eq!(name, text, "a name is taken as it is or not at all");
        assert!(name.split('/').all(|part| !part.is_empty() && part != "." && part != ".."), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && !b"%\\?#".contains(&byte)), "{name}");
    }
    assert!(tag.is_none() || digest.is_none(), "a reference is one of the two");
    if let Some(repository) = repository {
        assert_eq!(registry_operation("GET", &format!("{repository}/tags/list")), Some("ListTags"));
        assert_eq!(registry_operation("PUT", &format!("{repository}/manifests/v1")), Some("PutManifest"));
        assert_eq!(registry_operation("POST", &format!("{repository}/blobs/uploads/")), Some("StartUpload"));
    }
}
