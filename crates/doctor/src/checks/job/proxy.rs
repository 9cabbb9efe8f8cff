//! Proxies, and what must not go through them.

use ecru_ecr::no_proxy::for_port;

use super::Facts;
use crate::report::{Check, Context, Definition, Fix, Station, Weight};

pub(super) static PROXY: Definition = Definition {
    id: "job.network.proxy",
    context: Context::Job,
    station: Station::Network,
    weight: Weight::Risk,
    title: "metadata and this machine are not asked through a proxy",
    why: "ecru never does, but other clients of AWS send questions for credentials to the proxy unless NO_PROXY names \
          the addresses.",
};

/// Addresses of credentials (AWS SDKs and Tools Reference Guide, "IMDS credential provider" and "Container credential
/// provider"), and the names of this machine.
const DIRECT: [&str; 4] = ["169.254.169.254", "169.254.170.2", "localhost", "127.0.0.1"];

const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

pub(super) fn check(facts: &Facts<'_>) -> Check {
    let names = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let Some(name) = names.iter().find(|name| facts.variable(name).is_some()) else {
        return Check::not_applicable(&PROXY, "no proxy is set for plain HTTP");
    };
    let excepted = exceptions(facts, HTTP_PORT);
    let missing: Vec<&str> = DIRECT.into_iter().filter(|host| !is_excepted(&excepted, host)).collect();
    if missing.is_empty() {
        return Check::pass(&PROXY).seen(format!("{name} is set, and NO_PROXY excepts them"));
    }
    let written = no_proxy(facts).split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let all: Vec<&str> = written.chain(missing.iter().copied()).collect();
    Check::fail(&PROXY, format!("{name} is set, and NO_PROXY lacks {}", missing.join(", "))).fix(Fix::Lines {
        place: "the variables of the job or of its project".to_owned(),
        lines: format!("NO_PROXY: \"{}\"", all.join(",")),
    })
}

/// The proxy for HTTPS by which `host` is reached, as `host:port`.
pub(super) fn for_host(facts: &Facts<'_>, host: &str) -> Option<String> {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let proxy = names.iter().find_map(|name| facts.variable(name))?;
    let is_here = host == "localhost" || host.starts_with("127.") || host.starts_with("169.254.");
    (!is_here && !is_excepted(&exceptions(facts, HTTPS_PORT), host)).then(|| authority(proxy))
}

/// `host:port` of a proxy's address, without a password that it may hold.
fn authority(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match (has_port, scheme) {
        (true, _) => host.to_owned(),
        (false, "https") => format!("{host}:443"),
        (false, _) => format!("{host}:80"),
    }
}

fn no_proxy<'f>(facts: &'f Facts<'_>) -> &'f str {
    facts.variable("NO_PROXY").or(facts.variable("no_proxy")).unwrap_or_default()
}

/// The hosts, domains and networks that are excepted for requests to this port.
fn exceptions(facts: &Facts<'_>, port: u16) -> Vec<String> {
    let entries = for_port(no_proxy(facts), port);
    entries.split(',').filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

/// Whether an entry is the host, a domain that it is in, or everything.
fn is_excepted(exceptions: &[String], host: &str) -> bool {
    exceptions.iter().any(|entry| {
        let domain = entry.trim_start_matches('.');
        let is_below = host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        entry == "*" || is_below || in_network(entry, host)
    })
}

/// Whether `entry` is a network such as `169.254.0.0/16` and `host` an IPv4 address in it.
fn in_network(entry: &str, host: &str) -> bool {
    let Some((network, bits)) = entry.split_once('/') else { return false };
    let address = |text: &str| text.parse::<std::net::Ipv4Addr>().ok().map(u32::from);
    let (Some(network), Some(host), Ok(bits)) = (address(network), address(host), bits.parse::<u32>()) else {
        return false;
    };
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
    bits <= 32 && network & mask == host & mask
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_proxy_s_password_is_left_out() {
        assert_eq!(authority("http://user:hunter2@proxy.example:3128/"), "proxy.example:3128");
        assert_eq!(authority("https://proxy.example"), "proxy.example:443");
        assert_eq!(authority("proxy.example"), "proxy.example:80");
    }

    #[test]
    fn exceptions_are_hosts_domains_and_networks() {
        let excepts = |entry: &str, host: &str| is_excepted(&[entry.to_owned()], host);
        assert!(
            excepts("169.254.0.0/16", "169.254.169.254") && excepts("169.254.169.254", "169.254.169.254")
        );
        assert!(excepts(".amazonaws.com", "api.ecr.eu-west-1.amazonaws.com") && excepts("*", "x"));
        assert!(!excepts("amazonaws.com", "evilamazonaws.com") && !excepts("10.0.0.0/8", "169.254.169.254"));
        assert!(!excepts("10.0.0.0/99", "10.0.0.1"));
    }
    proptest! {
        #[test]
        fn any_text_is_a_proxy_and_an_exception(text: String, entry in "[0-9./*:@]{0,24}") {
            let _ = authority(&text);
            let _ = authority(&format!("http://{entry}"));
            let _ = is_excepted(&[text, entry.clone()], &entry);
        }
    }
}
