//! Requests signed by Signature Version 4: the `Authorization` header and what is canonicalised with it.

use ecru_emulator::fuzzing::signer_of;

/// The first line is the target, the second the `Authorization` header, the third another header's value; then a body.
/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let mut parts = input.splitn(4, |byte| *byte == b'\n');
    let mut next = || parts.next().unwrap_or_default();
    let (target, authorization, other, body) = (next(), next(), next(), next());
    let Ok(target) = std::str::from_utf8(target) else { return };
    let headers: [(&str, &[u8]); 4] = [
        ("host", b"localhost"),
        ("x-amz-date", b"20270101T120000Z"),
        ("authorization", authorization),
        ("x-amz-content-sha256", other),
    ];
    // Nothing that a fuzzer makes up has the right signature.
    if let Some(signer) = signer_of(target, &headers, body) {
        let refusal = signer.expect_err("a refusal");
        assert!(!refusal.is_empty());
    }
}
