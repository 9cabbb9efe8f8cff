//! `ecru explain IMAGE`: which credentials would be used, and why.

mod decision;
mod given;
mod helper_runs;
mod json;
mod recorded;
mod text;
mod wording;

use crate::args::{ExplainArgs, ReportFormat};
use crate::error::CommandError;
use crate::exit_code;
use crate::outside::Outside;
use crate::terminal::{hand_out, printable, printable_json};

use decision::{Explanation, Verdict};

/// Explains; the exit code says what was found.
pub(super) fn run(args: &ExplainArgs, outside: &Outside) -> Result<u8, CommandError> {
    let given = given::Given::collect(args, outside)?;
    let last_failure = recorded::last_failure(&args.image, outside);
    let mut explanation = decision::explain(&args.image, &given, outside);
    if let Some(failure) = &last_failure {
        recorded::add_note(&mut explanation, failure);
    }
    let shown = match args.format {
        ReportFormat::Json => printable_json(&format!("{:#}\n", json::document(&explanation, args.reveal))),
        ReportFormat::Text => printable(&text::page(&explanation, args.reveal)),
    };
    hand_out(shown)?;
    Ok(exit_code_of(&explanation))
}

fn exit_code_of(explanation: &Explanation) -> u8 {
    match &explanation.verdict {
        Verdict::Found(credential) if !credential.is_empty() => exit_code::OK,
        Verdict::Found(_) | Verdict::Anonymous | Verdict::NoPull { .. } => exit_code::NO_CREDENTIALS,
        Verdict::Aborted(_) => exit_code::RESOLUTION_ABORTED,
    }
}
