//! `ecru setup`: settings of other tools, as a plan, a diff, and changes that can be taken back.

pub(super) mod runner;
mod text;

use crate::args::{SetupArgs, SetupTarget};
use crate::error::CommandError;
use crate::outside::Outside;

/// Sets up; the exit code says whether everything is as it should be.
pub(super) fn run(args: &SetupArgs, outside: &Outside) -> Result<u8, CommandError> {
    match &args.target {
        SetupTarget::Runner(args) => runner::run(args, outside),
    }
}
