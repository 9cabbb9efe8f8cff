//! Names and routes: to the registries, and to the API that gives their passwords.

use std::net::SocketAddr;
use std::time::Duration;

use ecru_ecr::access::Access;
use futures_util::future::join_all;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::{Facts, proxy};
use crate::report::{Check, Context, Definition, Station, Weight};
use crate::surroundings::Puller;
use crate::threads::on_thread;

/// A resolver that takes longer makes every pull fail.
const LOOK_UP_DEADLINE: Duration = Duration::from_secs(5);

/// As long as ecru itself waits for a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

pub(super) static NAMES: Definition = Definition {
    id: "job.network.names",
    context: Context::Job,
    station: Station::Network,
    weight: Weight::Error,
    title: "the names of registry and API have addresses",
    why: "A job's container asks the resolver that its engine gives it, not the host's.",
};

pub(super) static ROUTE: Definition = Definition {
    id: "job.network.route",
    context: Context::Job,
    station: Station::Network,
    weight: Weight::Error,
    title: "registry and API can be reached",
    why: "The password comes from another host than the images: a network that lets one through may hold up the other.",
};

/// Somebody who is asked, and the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    /// `host:port` of whom is meant.
    name: String,
    /// `host:port` that is connected to: the same, or a proxy.
    through: String,
}

pub(super) async fn checks(facts: &Facts<'_>) -> Vec<Check> {
    let nobody = |reason: &str| vec![Check::skipped(&NAMES, reason), Check::skipped(&ROUTE, reason)];
    if !facts.surroundings.asked.starts_programs {
        return nobody("nobody is to be asked");
    }
    let Ok(puller) = facts.puller() else { return nobody("ecru's configuration cannot be read") };
    let targets = targets(facts, puller).await;
    if targets.is_empty() {
        return nobody("no registry is named: name an image with --image");
    }
    join_all(targets.iter().map(reached)).await.concat()
}

async fn targets(facts: &Facts<'_>, puller: &Puller) -> Vec<Target> {
    let mut names: Vec<String> = puller.registries.iter().map(|name| with_port(name, 443)).collect();
    let puller = puller.clone();
    // The SDK reads its files to know the address.
    let endpoints = on_thread(move || endpoints(&puller)).await;
    names.extend(endpoints);
    let mut targets: Vec<Target> = Vec::new();
    for name in names {
        let host = name.rsplit_once(':').map_or(name.as_str(), |(host, _)| host);
        let target = Target { through: proxy::for_host(facts, host).unwrap_or_else(|| name.clone()), name };
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    targets
}

/// Where the passwords of the registries are asked for, as `host:port`.
fn endpoints(puller: &Puller) -> Vec<String> {
    let access = Access { config: &puller.config, environment: &puller.environment, clock: puller.clock };
    let mut endpoints: Vec<String> = Vec::new();
    for name in &puller.registries {
        let Ok(request) = puller.config.request(name) else { continue };
        let Ok(choice) = puller.config.choice(&request, None, &puller.environment) else { continue };
        let endpoint = access.mint(&choice.selection, puller.deadlines).endpoint(&request.registry);
        if let Some(endpoint) =
            endpoint.ok().and_then(|url| authority(&url)).filter(|it| !endpoints.contains(it))
        {
            endpoints.push(endpoint);
        }
    }
    endpoints
}

/// `host:port` of an address.
fn authority(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    Some(with_port(host, if scheme == "http" { 80 } else { 443 }))
}

fn with_port(host: &str, port: u16) -> String {
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port { host.to_owned() } else { format!("{host}:{port}") }
}

async fn reached(target: &Target) -> Vec<Check> {
    let (names, route) = match resolved(&target.through).await {
        Err(reason) => (
            Check::fail(&NAMES, format!("{} has no address: {reason}", target.through)).seen(
                "hint: see /etc/resolv.conf here, and `dns` in [runners.docker] of the runner's config.toml",
            ),
            Check::skipped(&ROUTE, "its name has no address"),
        ),
        Ok(addresses) => {
            let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            let names = Check::pass(&NAMES).seen(format!("{} is {}", target.through, shown.join(", ")));
            let route = match connected(&addresses).await {
                Ok(address) => Check::pass(&ROUTE).seen(format!("{address} takes connections")),
                Err(reason) => Check::fail(&ROUTE, format!("{} cannot be reached: {reason}", target.through)).seen(
                    "hint: check security group, network policy, HTTPS_PROXY, and the VPC endpoints `ecr.api` and \
                     `ecr.dkr`",
                ),
            };
            (names, route)
        }
    };
    let with_way = |check: Check| match target.name == target.through {
        true => check.about(&target.name),
        false => check.about(&target.name).seen(format!("by the proxy {}", target.through)),
    };
    vec![with_way(names), with_way(route)]
}

async fn resolved(authority: &str) -> Result<Vec<SocketAddr>, String> {
    match timeout(LOOK_UP_DEADLINE, lookup_host(authority)).await {
        Ok(Ok(addresses)) => Ok(addresses.collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("the resolver did not answer within {} s", LOOK_UP_DEADLINE.as_secs())),
    }
}

/// The first address that takes a connection; they share the deadline.
async fn connected(addresses: &[SocketAddr]) -> Result<SocketAddr, String> {
    let mut reason = "it has no address".to_owned();
    let try_all = async {
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(_) => return Some(*address),
                Err(error) => reason = error.to_string(),
            }
        }
        None
    };
    match timeout(CONNECT_DEADLINE, try_all).await {
        Ok(Some(address)) => Ok(address),
        Ok(None) => Err(reason),
        Err(_) => Err(format!("no answer within {} s", CONNECT_DEADLINE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Outcome;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for (url, expected) in [
            ("https://api.ecr.eu-west-1.amazonaws.com", "api.ecr.eu-west-1.amazonaws.com:443"),
            ("http://127.0.0.1:5000/x", "127.0.0.1:5000"),
            ("http://user:hunter2@host.example", "host.example:80"),
        ] {
            assert_eq!(authority(url).as_deref(), Some(expected));
        }
        assert_eq!(authority("nonsense"), None);
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_told_and_no_route_is_looked_for() {
        // A label of more than 63 bytes (RFC 1035, section 2.3.4), for which no resolver is asked.
        let name = format!("{}.example:443", "a".repeat(64));
        let checks = reached(&Target { name: name.clone(), through: name }).await;
        let outcomes: Vec<_> = checks.iter().map(|check| (check.definition.id, &check.outcome)).collect();
        assert!(matches!(outcomes[0], ("job.network.names", Outcome::Fail(_))), "{outcomes:?}");
        assert!(matches!(outcomes[1], ("job.network.route", Outcome::Skipped(_))), "{outcomes:?}");
    }
}
