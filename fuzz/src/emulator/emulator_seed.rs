//! Seed files of the emulator. Images that they name are not opened; policies in files would be read.

use std::path::Path;

use ecru_emulator::fuzzing::seed;
use ecru_emulator::{Options, SeedError};

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    // A device may never end.
    if [b"/dev".as_slice(), b"/proc"].iter().any(|name| input.windows(name.len()).any(|part| part == *name)) {
        return;
    }
    match seed(input, Path::new("/nowhere/seed.toml")) {
        Ok(seed) => {
            let mut options = Options::default();
            seed.add_to(&mut options);
            let accounts = options.users.iter().chain(&options.roles).map(|identity| identity.account);
            for account in options.accounts.iter().copied().chain(accounts) {
                assert!(account.to_string().starts_with("0000000000"), "{account} may be somebody's");
            }
        }
        Err(SeedError::Fault { line, column, message, hint, .. }) => {
            assert!(!message.is_empty() && hint.as_deref() != Some(""));
            let lines = input.iter().filter(|byte| **byte == b'\n').count();
            assert!(line >= 1 && line <= lines + 1 && column >= 1, "line {line}, column {column}: {message}");
        }
        Err(error) => panic!("{error}"),
    }
}
