//! The AWS identity of whoever pulls: where it comes from, whose it is, and what it gets.
//!
//! AWS is asked once for each identity who it is, and once for each identity and region for a password; everything at
//! the same time. A profile that says nothing is asked in the place of its process, with its variables.

mod asked;
mod catalogue;
mod configured;
pub(super) mod fixes;
mod found;
mod token;

use ecru_ecr::token::{FailureKind, TokenError};

pub use self::asked::{Answers, Asked, Identity, Life, PassedOver};
use self::catalogue::Catalogue;
pub use self::catalogue::{JOB, RUNNER};
use crate::report::{Check, Context, Definition};
use crate::surroundings::Puller;
use crate::threads::on_thread;

/// The definitions of a context.
#[must_use]
pub fn definitions(context: Context) -> &'static [&'static Definition] {
    match context {
        Context::Runner | Context::JobHost => RUNNER,
        Context::Job => JOB,
    }
}

/// Asks AWS who the puller is and what it gets. Must be called within a tokio runtime.
pub async fn answers(puller: &Puller) -> Answers {
    let puller = puller.clone();
    on_thread(move || asked::ask(&puller)).await
}

/// What the answers mean.
#[must_use]
pub fn checks(puller: &Puller, answers: &Answers) -> Vec<Check> {
    let catalogue = Catalogue::of(puller.context);
    let mut checks: Vec<Check> =
        answers.unchosen.iter().map(|(name, error)| configured::unchosen(catalogue, name, error)).collect();
    for (place, identity) in answers.identities.iter().enumerate() {
        let registries: Vec<&Asked> =
            answers.registries.iter().filter(|asked| asked.identity == place).collect();
        // Where there is one identity only, it needs no name.
        let subject = (answers.identities.len() > 1).then(|| identity.choice.by.to_string());
        let view = View { puller, catalogue, identity, registries: &registries };
        let of_identity = [vec![configured::check(&view)], found::checks(&view)].concat();
        checks.extend(of_identity.into_iter().map(|check| match &subject {
            Some(subject) => check.about(subject),
            None => check,
        }));
        checks.extend(registries.iter().flat_map(|asked| token::checks(&view, asked)));
    }
    checks
}

/// One identity, with all that its checks look at.
struct View<'a> {
    puller: &'a Puller,
    catalogue: &'static Catalogue,
    identity: &'a Identity,
    registries: &'a [&'a Asked],
}

impl View<'_> {
    /// What says that the clock is wrong.
    fn clock_error(&self) -> Option<&TokenError> {
        let of_tokens = self.registries.iter().filter_map(|asked| asked.token.as_ref()?.as_ref().err());
        let mut errors = self.identity.caller.as_ref().err().into_iter().chain(of_tokens);
        errors.find(|error| error.kind() == FailureKind::ClockSkew)
    }

    /// Whether a password was had with it.
    fn has_token(&self) -> bool {
        self.registries.iter().any(|asked| matches!(asked.token, Some(Ok(_))))
    }
}

/// What stands before the session in the ARN of a role's session; the whole ARN of everybody else.
///
/// Two processes in one role have sessions of their own, and the same rights.
fn principal(arn: &str) -> &str {
    match arn.split_once(":assumed-role/") {
        Some((_, role)) => {
            role.rsplit_once('/').map_or(arn, |(_, session)| &arn[..arn.len() - session.len() - 1])
        }
        None => arn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_one_role_are_one_principal() {
        let role = "arn:aws:sts::000000000000:assumed-role/ci";
        assert_eq!(principal(&format!("{role}/one")), role);
        assert_eq!(principal(&format!("{role}/two")), role);
        let user = "arn:aws:iam::000000000000:user/team/ci";
        assert_eq!(principal(user), user);
    }
}
