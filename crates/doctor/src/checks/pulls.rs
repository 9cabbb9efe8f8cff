//! What is to be had with a puller's identity and credentials: passwords, images, and what last went wrong.

use super::{failures, identity, images};
use crate::report::{Check, Context, Definition};
use crate::surroundings::{ImageChoice, Puller};

/// The definitions of a context, causes before what follows from them.
#[must_use]
pub fn definitions(context: Context) -> Vec<&'static Definition> {
    [identity::definitions(context), images::definitions(context), failures::definitions(context)].concat()
}

/// The checks of a context where nobody can be asked, for this reason.
#[must_use]
pub fn skipped(context: Context, reason: &str) -> Vec<Check> {
    definitions(context).into_iter().map(|definition| Check::skipped(definition, reason)).collect()
}

/// Asks AWS and the registries at the same time. `choices` are the credentials that the puller would send for the
/// images that matter.
///
/// Must be called within a tokio runtime that has threads for blocking work.
pub async fn checks(puller: &Puller, choices: impl Future<Output = Vec<ImageChoice>>) -> Vec<Check> {
    // First of all: what succeeds now removes the records of what went wrong before.
    let recorded = failures::recorded(puller);
    let images = async { images::looked_up(puller, choices.await).await };
    let (answers, images) = tokio::join!(identity::answers(puller), images);
    [
        identity::checks(puller, &answers),
        images::checks(puller, &images, &answers),
        failures::checks(puller, recorded, &answers),
    ]
    .concat()
}
