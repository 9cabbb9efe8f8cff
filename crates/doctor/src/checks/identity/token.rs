//! Whether there is a password for a registry.

use ecru_ecr::token::{FailureKind, TokenError};

use super::{Asked, Life, View, fixes};
use crate::report::Check;
use crate::timestamp::timestamp;

/// The checks of one registry.
pub(super) fn checks(view: &View<'_>, asked: &Asked) -> Vec<Check> {
    let catalogue = view.catalogue;
    let permitted = match &asked.permitted {
        Ok(()) => Check::pass(&catalogue.permitted),
        Err(error) => {
            let check = Check::fail(&catalogue.permitted, error.to_string());
            check.fix(fixes::permission(view, asked))
        }
    };
    let token = match &asked.token {
        None => Check::skipped(&catalogue.token, "the machine's policy does not allow the registry"),
        Some(Ok(life)) => given(Check::pass(&catalogue.token), life),
        Some(Err(error)) if asked.registry.is_public() => {
            let reason =
                format!("without a password, pulls from ECR Public are anonymous: {}", error.summary());
            Check::not_applicable(&catalogue.token, reason)
        }
        Some(Err(error)) if is_told_already(view, error) => {
            Check::skipped(&catalogue.token, format!("{}, see above", error.summary()))
        }
        Some(Err(error)) => fixes::described(view, Check::fail(&catalogue.token, error.to_string()), error),
    };
    let name = match asked.name == asked.registry.host() {
        true => asked.name.clone(),
        false => format!("{} ({})", asked.name, asked.registry.host()),
    };
    vec![permitted.about(&name), token.about(name)]
}

fn given(check: Check, life: &Life) -> Check {
    let from = if life.is_kept { "it was in the cache" } else { "AWS has just given it" };
    check.seen(format!("{from}; it works until {}", timestamp(life.expires_at)))
}

/// Whether a check of the identity says the same.
fn is_told_already(view: &View<'_>, error: &TokenError) -> bool {
    let is_of_network = matches!(
        error.kind(),
        FailureKind::Unreachable | FailureKind::TimedOut | FailureKind::Tls | FailureKind::Throttled
    );
    let is_of_clock = error.kind() == FailureKind::ClockSkew;
    is_of_clock
        || matches!(&view.identity.caller, Err(other) if other.kind() == error.kind() && !is_of_network)
}
