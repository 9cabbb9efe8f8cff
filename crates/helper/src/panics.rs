//! What is answered where the program panics.
//!
//! The shipped program aborts on a panic, and GitLab Runner drops a whole credential source, registries of others
//! included, where a helper ends without the one line that means "nothing here". Libraries panic now and then.

use std::io::Write;
use std::os::fd::BorrowedFd;
use std::panic::{self, Location};
use std::process;

use ecru_docker::credential_helper::message::{NOT_FOUND, Verb};
use ecru_docker::credential_helper::serve::{EXIT_FAILURE, EXIT_SUCCESS};

use crate::NAME;
use crate::descriptor::Descriptor;

/// Answers a panic on any thread from now on as if there were nothing here, and ends the process. What the panic says is
/// not repeated, since nobody knows what is in it; the place is.
pub fn answer_panics(verb: Option<Verb>) {
    panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(place).unwrap_or_default();
        say(rustix::stdio::stderr(), &format!("{NAME}: an internal error{place}; please report it"));
        let (answer, code) = match verb {
            Some(Verb::List) => ("{}", EXIT_SUCCESS),
            _ => (NOT_FOUND, EXIT_FAILURE),
        };
        say(rustix::stdio::stdout(), answer);
        process::exit(code.into());
    }));
}

/// The file without the folders of the machine that built the program.
fn place(location: &Location<'_>) -> String {
    let mut parts: Vec<&str> = location.file().rsplit('/').take(3).collect();
    parts.reverse();
    format!(" at {}:{}", parts.join("/"), location.line())
}

/// Writes a line.
fn say(stream: BorrowedFd<'_>, line: &str) {
    // Where that fails, there is nobody else to tell.
    let _ = Descriptor(stream).write_all(format!("{line}\n").as_bytes());
}
