//! Whether the identity that is configured is the one that is used.

use ecru_ecr::config::ChoiceError;
use ecru_ecr::identity::selection::{AskedFor, IdentitySource, asked_for};
use ecru_ecr::mint::Caller;

use super::catalogue::Catalogue;
use super::{PassedOver, View, fixes, principal};
use crate::report::{Check, Fix};

/// The check of registries for which no identity can be chosen.
pub(super) fn unchosen(catalogue: &'static Catalogue, name: &str, error: &ChoiceError) -> Check {
    let mut check = Check::fail(&catalogue.configured, error.to_string());
    if !name.is_empty() {
        check = check.about(name);
    }
    match error.hint() {
        Some(hint) => check.seen(hint),
        None => check,
    }
}

/// The check of one identity.
pub(super) fn check(view: &View<'_>) -> Check {
    let definition = &view.catalogue.configured;
    let environment = view.identity.choice.selection.restrict(&view.puller.environment);
    let asked = asked_for(&environment);
    let half = asked.iter().find_map(|asked| match asked {
        AskedFor::Half { set, missing } => Some((*set, *missing)),
        AskedFor::Source(..) => None,
    });
    let check = match (half, wrong_principal(view)) {
        (Some((set, missing)), _) => {
            let instead = used(view).map(|used| format!(", and {used} is used")).unwrap_or_default();
            Check::fail(
                definition,
                format!("{set} is set without {missing}, so that the AWS SDK passes it over{instead}"),
            )
            .fix(fixes::other_settings(view, &format!("set {missing}, or unset {set}")))
        }
        (None, Some((passed_over, reason))) => {
            fixes_for(view, passed_over).into_iter().fold(Check::fail(definition, reason), Check::fix)
        }
        (None, None) => Check::pass(definition),
    };
    let check = check.seen(format!("the identity is chosen by {}", view.identity.choice.by));
    let variables = asked.iter().map(|asked| match asked {
        AskedFor::Source(_, variables) => format!("{} for {}", asking(variables), article(asked)),
        AskedFor::Half { set, .. } => format!("{set} is set"),
    });
    let check = variables.fold(check, Check::seen);
    let roles = view.identity.choice.selection.roles().iter();
    roles.fold(check, |check, role| check.seen(format!("then the role {} is assumed", role.arn)))
}

/// A source that would have been somebody else, and the words for it.
fn wrong_principal<'a>(view: &View<'a>) -> Option<(&'a PassedOver, String)> {
    view.identity.passed_over.iter().find_map(|passed_over| Some((passed_over, reason(view, passed_over)?)))
}

fn reason(view: &View<'_>, passed_over: &PassedOver) -> Option<String> {
    let asking = asking(passed_over.variables);
    match (&view.identity.caller, &passed_over.caller) {
        (Ok(used), Ok(meant)) if principal(&used.arn) == principal(&meant.arn) => None,
        (Ok(used), Ok(meant)) => {
            Some(format!("{asking} for {}, but {} wins: {}", meant.arn, used.source, used.arn))
        }
        (Ok(used), Err(error)) => Some(format!(
            "{asking} for an identity that is not used: {error}; {} wins: {}",
            used.source, used.arn
        )),
        (Err(error), Ok(meant)) => {
            Some(format!("{asking} for {}, but another source comes first and fails: {error}", meant.arn))
        }
        (Err(_), Err(_)) => None,
    }
}

fn used(view: &View<'_>) -> Option<String> {
    let Caller { source, arn, .. } = view.identity.caller.as_ref().ok()?;
    Some(format!("{source} ({arn})"))
}

/// To say which source is meant is better than to unset the other one: nobody can set that one again unnoticed.
fn fixes_for(view: &View<'_>, passed_over: &PassedOver) -> Vec<Fix> {
    let profile = view.puller.environment.get("AWS_PROFILE").unwrap_or("default");
    match (&passed_over.caller, passed_over.source) {
        (Ok(_), IdentitySource::Profile) => vec![fixes::rule(view, &format!("profile = \"{profile}\""))],
        (Ok(_), source) => vec![fixes::rule(view, &format!("source = \"{}\"", source.name()))],
        (Err(_), IdentitySource::Profile) => vec![fixes::profile(view, profile)],
        (Err(_), _) => {
            let variables = passed_over.variables;
            vec![fixes::other_settings(view, &format!("mend or unset {variables}"))]
        }
    }
}

/// One variable asks, two ask.
fn asking(variables: &str) -> String {
    format!("{variables} {}", if variables.contains(" and ") { "ask" } else { "asks" })
}

fn article(asked: &AskedFor) -> &'static str {
    match asked {
        AskedFor::Source(IdentitySource::Environment, _) => "an access key",
        AskedFor::Source(IdentitySource::Profile, _) => "a profile",
        AskedFor::Source(IdentitySource::WebIdentity, _) => "a web identity",
        _ => "an identity",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_variable_asks_and_two_ask() {
        assert_eq!(super::asking("AWS_PROFILE"), "AWS_PROFILE asks");
        assert!(super::asking("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY").ends_with("KEY ask"));
    }
}
