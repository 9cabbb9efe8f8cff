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
/// images that matter. A puller without need of an identity asks AWS nothing.
///
/// Must be called within a tokio runtime that has threads for blocking work.
pub async fn checks(
    puller: &Puller,
    needs_identity: bool,
    choices: impl Future<Output = Vec<ImageChoice>>,
) -> Vec<Check> {
    // First of all, since what succeeds now removes the records of what went wrong before, and once more behind the
    // helpers that are run meanwhile.
    let recorded = failures::recorded(puller);
    let images = async { images::looked_up(puller, choices.await).await };
    let answers = async {
        match needs_identity {
            true => identity::answers(puller).await,
            false => identity::Answers::default(),
        }
    };
    let (answers, images) = tokio::join!(answers, images);
    let recorded = recorded.and_since(puller);
    let of_identity = match needs_identity {
        true => identity::checks(puller, &answers),
        false => without_identity(puller.context),
    };
    [of_identity, images::checks(puller, &images, &answers), failures::checks(puller, recorded, &answers)]
        .concat()
}

fn without_identity(context: Context) -> Vec<Check> {
    let reason = "no helper is named, and no password that is sent has expired";
    identity::definitions(context)
        .iter()
        .map(|definition| Check::not_applicable(definition, reason))
        .collect()
}
