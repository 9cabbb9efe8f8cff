//! Whether there is an identity, what keeps it from being had, and who it is.

use ecru_ecr::identity::selection::IdentitySource;
use ecru_ecr::mint::Caller;
use ecru_ecr::token::{FailureKind, TokenError};

use super::{View, fixes};
use crate::report::{Check, Definition};
use crate::timestamp::timestamp;

/// The checks of one identity, from what AWS said of it.
pub(super) fn checks(view: &View<'_>) -> Vec<Check> {
    match &view.identity.caller {
        Ok(caller) => of_caller(view, caller),
        Err(error) => of_error(view, error),
    }
}

fn of_caller(view: &View<'_>, caller: &Caller) -> Vec<Check> {
    let catalogue = view.catalogue;
    let login = match caller.source.starts_with("the login of") {
        true => Check::pass(&catalogue.login),
        false => Check::not_applicable(&catalogue.login, "no login is used"),
    };
    let metadata = match caller.from {
        Some(IdentitySource::Instance) => Check::pass(&catalogue.metadata),
        _ => Check::not_applicable(&catalogue.metadata, "the identity is not the instance's"),
    };
    let until = match caller.expires_at {
        Some(time) => {
            format!("its credentials are valid until {}, and are renewed by themselves", timestamp(time))
        }
        None => "its credentials have no end".to_owned(),
    };
    let found = Check::pass(&catalogue.found).seen(format!("it comes from {}", caller.source)).seen(until);
    let principal = Check::pass(&catalogue.principal).seen(caller.arn.clone());
    vec![login, metadata, found, clock(view), principal]
}

fn clock(view: &View<'_>) -> Check {
    let definition = &view.catalogue.clock;
    match view.clock_error() {
        Some(error) => fixes::described(view, Check::fail(definition, error.to_string()), error),
        None if view.identity.caller.is_ok() || view.has_token() => Check::pass(definition),
        None => Check::skipped(definition, "AWS has answered nothing"),
    }
}

/// What a failure is a failure of.
enum Fault {
    Login,
    Metadata,
    Identity,
    Clock,
    Principal,
    /// STS was not reached, which ECR does not need.
    Elsewhere,
}

fn fault(error: &TokenError) -> Fault {
    match error {
        TokenError::TimedOut { waiting_for, .. } if waiting_for.contains("instance metadata service") => {
            Fault::Metadata
        }
        _ => match error.kind() {
            FailureKind::ExpiredLogin => Fault::Login,
            FailureKind::HopLimit => Fault::Metadata,
            FailureKind::ClockSkew => Fault::Clock,
            FailureKind::InvalidIdentity => Fault::Principal,
            FailureKind::NoIdentity
            | FailureKind::BrokenIdentity
            | FailureKind::ExpiredIdentity
            | FailureKind::AccessDenied
            | FailureKind::Configuration => Fault::Identity,
            _ => Fault::Elsewhere,
        },
    }
}

/// Whether nothing but the instance is left that may have an identity.
fn is_left_to_the_instance(error: &TokenError) -> bool {
    error.telling_attempt().is_some_and(|attempt| Some(attempt) == error.attempts().last())
}

/// What is wrong, with the one source that it hangs on.
fn cause(error: &TokenError) -> String {
    let (Some(telling), kind) = (error.telling_attempt(), error.kind()) else { return error.to_string() };
    if kind == FailureKind::HopLimit {
        return format!(
            "{}: the instance's metadata service does not answer, as where a container is one hop further away than its \
             hop limit allows",
            error.summary()
        );
    }
    format!("{}: {}: {}", error.summary(), telling.source, telling.reason)
}

fn of_error(view: &View<'_>, error: &TokenError) -> Vec<Check> {
    let (catalogue, fault) = (view.catalogue, fault(error));
    let failed = |definition: &'static Definition| {
        fixes::described(view, Check::fail(definition, cause(error)), error)
    };
    let waits = |definition: &'static Definition, what: &str| {
        Check::skipped(definition, format!("{what}, see above"))
    };
    let unknown = |definition: &'static Definition| {
        Check::skipped(definition, format!("it is not known who this is: {error}"))
    };
    let login = match fault {
        Fault::Login => failed(&catalogue.login),
        _ => Check::not_applicable(&catalogue.login, "no login is used"),
    };
    let metadata = match fault {
        Fault::Metadata => failed(&catalogue.metadata),
        _ => Check::not_applicable(&catalogue.metadata, "it is not what keeps the identity from being had"),
    };
    let found = match fault {
        Fault::Identity if is_left_to_the_instance(error) && view.puller.is_instance_unknown() => {
            Check::skipped(
                &catalogue.found,
                "nothing but the instance may have one, and its metadata are not asked with --root: here they are those of \
             another machine",
            )
        }
        Fault::Identity => failed(&catalogue.found),
        Fault::Login => waits(&catalogue.found, "the login is not valid"),
        Fault::Metadata => waits(&catalogue.found, "the instance's metadata service does not answer"),
        Fault::Principal | Fault::Clock => Check::pass(&catalogue.found),
        Fault::Elsewhere if view.has_token() => {
            Check::pass(&catalogue.found).seen("AWS has given a password with it")
        }
        Fault::Elsewhere => unknown(&catalogue.found),
    };
    let principal = match fault {
        Fault::Principal => failed(&catalogue.principal),
        Fault::Clock => waits(&catalogue.principal, "the clock is wrong"),
        Fault::Elsewhere => unknown(&catalogue.principal),
        Fault::Identity | Fault::Login | Fault::Metadata => {
            waits(&catalogue.principal, "there is no identity")
        }
    };
    vec![login, metadata, found, clock(view), principal]
}
