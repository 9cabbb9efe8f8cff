//! `--html FILE`: the diagnosis as a page.

use std::path::Path;

use ecru_doctor::page::{PageFacts, html};
use ecru_doctor::report::Report;
use ecru_doctor::surroundings::Surroundings;

use crate::ecr_access::timestamp;
use crate::error::CommandError;
use crate::exit_code;

/// Writes the page; a file that is there is replaced.
pub(super) fn write(report: &Report, surroundings: &Surroundings, file: &Path) -> Result<(), CommandError> {
    let facts = PageFacts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: timestamp((surroundings.clock)()),
        machine: machine(surroundings),
    };
    std::fs::write(file, html(report, &facts)).map_err(|error| {
        CommandError::new(exit_code::BAD_CONFIGURATION, format!("cannot write `{}`", file.display()))
            .because(error.to_string())
            .hint("name a file in a folder that is there, such as --html doctor.html")
    })
}

/// What the machine is called: its name, or the folder that stands for it.
fn machine(surroundings: &Surroundings) -> String {
    if surroundings.is_this_machine() {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    } else {
        surroundings.root.display().to_string()
    }
}
