//! Rules of faults as `ecru emulate --fault` takes them, and as JSON at the control address.

use ecru_emulator::Fault;

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Fault::parse(text) {
        Ok(fault) => check(&fault),
        Err(error) => {
            assert!(error.hint().is_some(), "an error says what to write instead");
            assert!(!error.to_string().contains(char::is_control), "an error is one harmless line");
        }
    }
    if let Ok(fault) = serde_json::from_str::<Fault>(text) {
        check(&fault);
    }
}

/// Both forms of a fault lead back to it.
fn check(fault: &Fault) {
    assert_eq!(Fault::parse(&fault.to_string()).as_ref(), Ok(fault));
    let json = serde_json::to_string(fault).expect("JSON");
    assert_eq!(&serde_json::from_str::<Fault>(&json).expect("a fault"), fault);
}
