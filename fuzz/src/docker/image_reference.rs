//! Image references.

use ecru_docker::reference::{ImageReference, MAX_REFERENCE_BYTES, MAX_REPOSITORY_BYTES, split};

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(parts) = split(text) {
        let tag = parts.tag.map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = parts.digest.map(|digest| format!("@{digest}")).unwrap_or_default();
        assert_eq!(format!("{}{tag}{digest}", parts.name), text, "the parts are the whole");
    }
    let reference = match ImageReference::parse(text) {
        Ok(reference) => reference,
        Err(error) => return drop((error.to_string(), error.hint())),
    };
    assert!(reference.repository().len() <= MAX_REPOSITORY_BYTES);
    let complete = reference.to_string();
    assert!(complete.bytes().all(|byte| byte.is_ascii_graphic()), "{complete}");
    assert!(!complete.contains("//") && !complete.contains("/../"), "{complete}");
    // Docker's defaults make a reference longer.
    if complete.len() <= MAX_REFERENCE_BYTES {
        assert_eq!(ImageReference::parse(&complete).as_ref(), Ok(&reference), "{complete}");
        let parts = split(&complete).expect("a complete reference");
        assert_eq!(parts.name, format!("{}/{}", reference.registry(), reference.repository()));
        assert_eq!((parts.tag, parts.digest), (reference.tag(), reference.digest()));
    }
}
