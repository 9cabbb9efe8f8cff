//! What ecru's own helper has recorded of its last failure. It is told where no helper of this run shows the same.

use ecru_ecr::last_failure::LastFailure;

use super::decision::{Explanation, Verdict};
use crate::ecr_access::{EcrAccess, timestamp};
use crate::outside::Outside;

/// The last failure of the image's registry, if it is one of Amazon's. To be read before helpers run: each replaces the
/// record or removes it.
pub(super) fn last_failure(image: &str, outside: &Outside) -> Option<LastFailure> {
    let (host, _) = image.split_once('/')?;
    let ecr = EcrAccess::new(outside).ok()?;
    let registry = ecr.config.registry(host).ok()?;
    ecr.access().failures()?.of(&registry).ok()?
}

/// Adds the failure to what a person should know, unless there are credentials, or a helper has just said it.
pub(super) fn add_note(explanation: &mut Explanation, failure: &LastFailure) {
    let is_over = matches!(
        &explanation.verdict,
        Verdict::Found(credential) if !credential.is_empty() && !credential.is_assumed
    );
    if is_over || explanation.runs.iter().any(|run| run.stderr.contains(&failure.message)) {
        return;
    }
    explanation.notes.push(format!(
        "when ecru's helper was last asked for {}, at {}, it had nothing: {}",
        failure.registry,
        timestamp(failure.at),
        failure.message
    ));
    let hint =
        failure.hint.iter().filter(|hint| !explanation.hints.contains(hint)).cloned().collect::<Vec<_>>();
    explanation.hints.extend(hint);
}
