//! The instance metadata, seen from a container and from the host.

use std::net::SocketAddr;

use ecru_executor::Engine;

use super::sight::{Reply, Sight, sights};
use super::{Input, container};
use crate::report::{Check, Context, Definition, Fix, Station, Weight};
use crate::setup_job_host::hop_limit_command;
use crate::threads::on_thread;

pub(super) static CONTAINER: Definition = Definition {
    id: "job-host.metadata.container",
    context: Context::JobHost,
    station: Station::Identity,
    weight: Weight::Risk,
    title: "containers do not get the instance metadata",
    why: "Whoever gets it can act as the instance: every job of every project on this host has the instance's role.",
};

pub(super) static TOKEN_REQUIRED: Definition = Definition {
    id: "job-host.metadata.token-required",
    context: Context::JobHost,
    station: Station::Identity,
    weight: Weight::Risk,
    title: "the instance metadata requires a token",
    why: "What is given without a token (version 1) is given however many hops away, and through careless proxies.",
};

pub(super) static HOP_LIMIT: Definition = Definition {
    id: "job-host.metadata.hop-limit",
    context: Context::JobHost,
    station: Station::Identity,
    weight: Weight::Risk,
    title: "an answer of the metadata service with a token does not reach containers",
    why: "With a hop limit of 1 the service itself keeps containers off, whatever happens to the firewall.",
};

/// Stands in commands for the instance, which only the metadata would tell.
const INSTANCE: &str = "INSTANCE_ID";

pub(super) async fn checks(input: &Input, engine: Option<&Engine>) -> Vec<Check> {
    let addresses = match &input.metadata {
        Ok(addresses) => addresses,
        Err(reason) => return all(|definition| Check::skipped(definition, reason)),
    };
    let from_host = from_host(addresses).await;
    if let Some(reason) = from_host.iter().find_map(not_asked) {
        return all(|definition| Check::skipped(definition, reason));
    }
    if from_host.iter().all(|sight| matches!(sight.token, Reply::NoConnection { .. })) {
        return all(|definition| {
            let check = Check::not_applicable(definition, "no instance metadata answers on this host");
            from_host.iter().fold(check, |check, sight| check.seen(line("this host", sight)))
        });
    }
    let from_container = match (engine, &input.probe) {
        (None, _) => Err("the engine does not answer".to_owned()),
        (_, None) => Err("there is no program that could look".to_owned()),
        (Some(engine), Some(probe)) => container::sights(engine, probe, addresses).await,
    };
    vec![
        container(&from_container, input.metadata_wanted),
        token_required(&from_host),
        hop_limit(&from_host, &from_container, input.metadata_wanted),
    ]
}

fn all(check: impl Fn(&'static Definition) -> Check) -> Vec<Check> {
    [&CONTAINER, &TOKEN_REQUIRED, &HOP_LIMIT].map(check).into()
}

async fn from_host(addresses: &[SocketAddr]) -> Vec<Sight> {
    let addresses = addresses.to_vec();
    on_thread(move || sights(&addresses)).await
}

fn not_asked(sight: &Sight) -> Option<&str> {
    match &sight.token {
        Reply::NotAsked { reason } => Some(reason),
        _ => None,
    }
}

fn container(seen: &Result<Vec<Sight>, String>, wanted: bool) -> Check {
    let seen = match seen {
        Ok(seen) => seen,
        Err(reason) => return Check::skipped(&CONTAINER, reason),
    };
    let open = seen.iter().find(|sight| sight.is_open_by_token() || sight.is_open_without_token());
    let check = match open {
        None => Check::pass(&CONTAINER),
        Some(_) if wanted => {
            Check::not_applicable(&CONTAINER, "jobs are meant to have the instance's identity")
        }
        Some(sight) => Check::fail(&CONTAINER, taken(sight))
            .fix(Fix::Command { command: "ecru setup job-host --yes".to_owned(), by_setup: true })
            .fix(Fix::command(hop_limit_command(INSTANCE))),
    };
    seen.iter().fold(check, |check, sight| check.seen(line("a container", sight)))
}

fn taken(sight: &Sight) -> String {
    let how = if sight.is_open_without_token() { "without a token" } else { "with a token" };
    match &sight.role {
        Some(role) => {
            format!("jobs can take the instance's identity: a container is given the role `{role}` {how}")
        }
        None => format!("a container gets the instance metadata {how}; there is no role in it now"),
    }
}

fn token_required(from_host: &[Sight]) -> Check {
    let check = match from_host.iter().find(|sight| sight.is_open_without_token()) {
        None => Check::pass(&TOKEN_REQUIRED),
        Some(_) => {
            Check::fail(&TOKEN_REQUIRED, "metadata is given without a token: HttpTokens is `optional`")
                .fix(Fix::command(hop_limit_command(INSTANCE)))
        }
    };
    from_host.iter().fold(check, |check, sight| check.seen(line("this host", sight)))
}

fn hop_limit(from_host: &[Sight], from_container: &Result<Vec<Sight>, String>, wanted: bool) -> Check {
    let from_container = match from_container {
        Ok(seen) => seen,
        Err(reason) => return Check::skipped(&HOP_LIMIT, reason),
    };
    let Some(host) = from_host.iter().find(|sight| sight.is_open_by_token()) else {
        return Check::not_applicable(&HOP_LIMIT, "no token is given on this host either");
    };
    let container = from_container.iter().find(|sight| sight.address == host.address);
    let check = match container.map(|sight| &sight.token) {
        Some(Reply::Silent) => Check::pass(&HOP_LIMIT),
        Some(Reply::Status { code: 200 }) if wanted => {
            Check::not_applicable(&HOP_LIMIT, "jobs are meant to have the instance's identity")
        }
        Some(Reply::Status { code: 200 }) => Check::fail(&HOP_LIMIT, "the hop limit is 2 or more")
            .fix(Fix::command(hop_limit_command(INSTANCE))),
        Some(Reply::NoConnection { .. }) => {
            Check::skipped(&HOP_LIMIT, "containers cannot connect at all, so that the hop limit is not seen")
        }
        _ => Check::skipped(&HOP_LIMIT, "a container gets another answer than the host"),
    };
    let seen = [("this host", Some(host)), ("a container", container)];
    seen.into_iter().fold(check, |check, (from, sight)| match sight {
        Some(sight) => check.seen(line(from, sight)),
        None => check,
    })
}

fn line(from: &str, sight: &Sight) -> String {
    let Sight { address, token, without_token, .. } = sight;
    let told = |reply: &Reply| match reply {
        Reply::NotAsked { reason } => format!("not asked ({reason})"),
        Reply::NoConnection { reason } => format!("no connection ({reason})"),
        Reply::Silent => "no answer".to_owned(),
        Reply::Status { code } => format!("HTTP {code}"),
    };
    match token {
        Reply::NoConnection { reason } => format!("from {from}: no connection to {address} ({reason})"),
        _ => format!(
            "from {from}: {address}, PUT of a token: {}, GET without one: {}",
            told(token),
            told(without_token)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Outcome;

    fn status(code: u16) -> Reply {
        Reply::Status { code }
    }

    fn sight(token: Reply, without_token: Reply) -> Sight {
        let address = SocketAddr::from(([192, 0, 2, 254], 80));
        Sight { address, with_token: token.clone(), token, without_token, role: Some("ci".to_owned()) }
    }

    fn refused() -> Reply {
        Reply::NoConnection { reason: "connection refused".to_owned() }
    }

    fn judged(host: Sight, container: Sight) -> [Outcome; 3] {
        let (host, container) = (vec![host], Ok(vec![container]));
        [
            super::container(&container, false).outcome,
            token_required(&host).outcome,
            hop_limit(&host, &container, false).outcome,
        ]
    }

    #[test]
    fn a_host_with_hop_limit_2_and_no_firewall_fails() {
        let open = || sight(status(200), status(401));
        let [container, token, hops] = judged(open(), open());
        assert!(
            matches!(&container, Outcome::Fail(reason) if reason.contains("`ci` with a token")),
            "{container:?}"
        );
        assert_eq!(token, Outcome::Pass);
        assert!(matches!(hops, Outcome::Fail(_)));
    }

    #[test]
    fn with_hop_limit_1_and_tokens_required_all_pass() {
        let hidden = sight(Reply::Silent, status(401));
        assert_eq!(
            judged(sight(status(200), status(401)), hidden),
            [Outcome::Pass, Outcome::Pass, Outcome::Pass]
        );
    }

    #[test]
    fn version_1_goes_past_the_hop_limit() {
        let [container, token, hops] =
            judged(sight(status(200), status(200)), sight(Reply::Silent, status(200)));
        assert!(
            matches!(&container, Outcome::Fail(reason) if reason.contains("without a token")),
            "{container:?}"
        );
        assert!(matches!(token, Outcome::Fail(_)));
        assert_eq!(hops, Outcome::Pass);
    }

    #[test]
    fn a_firewall_hides_the_hop_limit() {
        let [container, token, hops] = judged(sight(status(200), status(401)), sight(refused(), refused()));
        assert_eq!([container, token], [Outcome::Pass, Outcome::Pass]);
        assert!(matches!(hops, Outcome::Skipped(_)));
    }

    #[test]
    fn metadata_that_is_wanted_is_no_failure_and_no_pass() {
        let open = Ok(vec![sight(status(200), status(401))]);
        assert!(matches!(container(&open, true).outcome, Outcome::NotApplicable(_)));
        assert!(matches!(hop_limit(&open.clone().unwrap(), &open, true).outcome, Outcome::NotApplicable(_)));
    }

    #[test]
    fn metadata_that_is_switched_off_is_out_of_reach() {
        let [container, token, hops] =
            judged(sight(status(403), status(403)), sight(status(403), status(403)));
        assert_eq!([container, token], [Outcome::Pass, Outcome::Pass]);
        assert!(matches!(hops, Outcome::NotApplicable(_)));
    }
}
