//! What is in force, as `iptables -S` and `nft -j list ruleset` tell it.
//!
//! A listing says that a rule is there, not that it works: an earlier rule of another kind can let pass what it would
//! reject. So only rules count here that nothing in their own chain precedes with an unconditional verdict, or with one
//! that lets pass whatever containers send; and a probe from inside a container is the better proof.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

/// The chains that every forwarded packet passes, and that are not Docker's own.
const CHAINS: [&str; 2] = ["DOCKER-USER", "FORWARD"];

/// Docker's chain that lets pass what its containers send, since 28.0; what is appended to FORWARD stands behind it.
const DOCKER_FORWARD: &str = "DOCKER-FORWARD";

/// What the names of Docker's bridges begin with, unless somebody names one.
const BRIDGES: [&str; 2] = ["docker", "br-"];

/// A rule that stops packets to one address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// The address.
    pub address: IpAddr,
    /// Where it stands, as people name it.
    pub place: String,
}

/// The rules of `iptables -S` or `ip6tables -S` that keep forwarded packets from an address.
#[must_use]
pub fn iptables_rules(listing: &str) -> Vec<Rule> {
    let mut ended = BTreeSet::new();
    let mut rules = Vec::new();
    for line in listing.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["-A", chain, conditions @ ..] = words.as_slice() else { continue };
        if !CHAINS.contains(chain) || ended.contains(chain) {
            continue;
        }
        match conditions {
            ["-j", "ACCEPT" | "RETURN", ..] => {
                ended.insert(*chain);
            }
            conditions if *chain == CHAINS[1] && lets_containers_pass(conditions) => {
                ended.insert(*chain);
            }
            ["-d", destination, "-j", "REJECT" | "DROP", ..] => {
                rules.extend(
                    host(destination).map(|address| Rule { address, place: format!("iptables {chain}") }),
                );
            }
            _ => {}
        }
    }
    rules
}

/// Whether a rule of FORWARD accepts what containers send, other than answers.
fn lets_containers_pass(words: &[&str]) -> bool {
    let behind = |option: &[&str]| {
        let place = words.iter().position(|word| option.contains(word));
        place.and_then(|place| words.get(place + 1)).copied().unwrap_or_default()
    };
    let is_of_bridge = BRIDGES.iter().any(|bridge| behind(&["-i"]).starts_with(bridge));
    let is_of_answers = words.iter().any(|word| ["--ctstate", "--state", "-d"].contains(word));
    match behind(&["-j", "-g"]) {
        DOCKER_FORWARD => true,
        "ACCEPT" => is_of_bridge && !is_of_answers,
        _ => false,
    }
}

/// The address of `ADDRESS` or of the network that holds nothing else.
fn host(destination: &str) -> Option<IpAddr> {
    let (address, length) = match destination.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (destination, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let whole = if address.is_ipv4() { "32" } else { "128" };
    length.is_none_or(|length| length == whole).then_some(address)
}

/// The rules of `nft -j list ruleset` that keep forwarded packets from an address (libnftables-json(5)). Nothing if the
/// text is no such listing.
#[must_use]
pub fn nft_rules(listing: &str) -> Vec<Rule> {
    let Ok(listing) = serde_json::from_str::<Value>(listing) else { return Vec::new() };
    let items = listing["nftables"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_forward = |chain: &Value| chain["hook"] == "forward";
    let forward: BTreeSet<[String; 3]> = items
        .iter()
        .map(|item| &item["chain"])
        .filter(|chain| is_forward(chain))
        .map(|chain| name(chain, "name"))
        .collect();
    let mut ended = BTreeSet::new();
    let mut rules = Vec::new();
    for rule in items.iter().map(|item| &item["rule"]).filter(|rule| rule.is_object()) {
        let chain = name(rule, "chain");
        let [family, table, own] = &chain;
        if ended.contains(&chain) || !(forward.contains(&chain) || own == CHAINS[0]) {
            continue;
        }
        let expressions = rule["expr"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut matches =
            expressions.iter().map(|expression| &expression["match"]).filter(|found| found.is_object());
        let verdict = expressions.iter().find_map(verdict);
        let is_to_docker = || {
            let targets = expressions.iter().flat_map(|one| [&one["jump"]["target"], &one["goto"]["target"]]);
            targets.into_iter().any(|target| target == DOCKER_FORWARD)
        };
        match (matches.next(), matches.next(), verdict) {
            (None, None, Some(Verdict::Passes)) => {
                ended.insert(chain.clone());
            }
            (Some(only), other, Some(Verdict::Passes))
                if own != CHAINS[0] && is_from_bridge(only) && other.is_none_or(is_to_elsewhere) =>
            {
                ended.insert(chain.clone());
            }
            (_, _, None) if is_to_docker() => {
                ended.insert(chain.clone());
            }
            (Some(only), None, Some(Verdict::Stops)) => {
                rules.extend(
                    destinations(only)
                        .map(|address| Rule { address, place: format!("nft {family} {table} {own}") }),
                );
            }
            _ => {}
        }
    }
    rules
}

fn name(of: &Value, own: &str) -> [String; 3] {
    ["family", "table", own].map(|key| of[key].as_str().unwrap_or_default().to_owned())
}

#[derive(Clone, Copy)]
enum Verdict {
    Stops,
    Passes,
}

/// iptables' own targets, of which nft knows no more than the name, are `xt`.
fn verdict(expression: &Value) -> Option<Verdict> {
    let has = |key: &str| expression.get(key).is_some();
    let stops = has("drop") || has("reject") || expression["xt"]["name"] == "REJECT";
    let passes = has("accept") || has("return");
    match (stops, passes) {
        (true, _) => Some(Verdict::Stops),
        (_, true) => Some(Verdict::Passes),
        _ => None,
    }
}

/// `iifname "docker0"` and the like.
fn is_from_bridge(found: &Value) -> bool {
    let name = found["right"].as_str().unwrap_or_default();
    let is_equal = found["op"] == "==" && found["left"]["meta"]["key"] == "iifname";
    is_equal && BRIDGES.iter().any(|bridge| name.starts_with(bridge))
}

/// `oifname != "docker0"` and the like.
fn is_to_elsewhere(found: &Value) -> bool {
    found["op"] == "!=" && found["left"]["meta"]["key"] == "oifname"
}

/// The addresses of `daddr == ADDRESS` or `daddr == { ADDRESS, … }`.
fn destinations(found: &Value) -> impl Iterator<Item = IpAddr> {
    let payload = &found["left"]["payload"];
    let is_destination = payload["field"] == "daddr" && found["op"] == "==";
    let right = &found["right"];
    let set = right["set"].as_array().map(Vec::as_slice).unwrap_or_else(|| std::slice::from_ref(right));
    let texts = set.iter().filter_map(Value::as_str).filter_map(host);
    texts.filter(move |_| is_destination).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rule(address: &str, place: &str) -> Rule {
        Rule { address: address.parse().unwrap(), place: place.to_owned() }
    }

    #[test]
    fn rules_of_iptables_count_until_their_chain_lets_everything_pass() {
        let listing = "-P FORWARD DROP\n-N DOCKER-USER\n-A FORWARD -j DOCKER-USER\n-A FORWARD -d 192.0.2.7/32 -j DROP\n\
            -A DOCKER-USER -d 192.0.2.1/32 -j REJECT --reject-with icmp-port-unreachable\n\
            -A DOCKER-USER -d 2001:db8::1/128 -j DROP\n-A DOCKER-USER -d 192.0.2.0/24 -j DROP\n\
            -A DOCKER-USER -d 192.0.2.3/32 -p tcp -j DROP\n-A DOCKER-USER -d 192.0.2.4/32 -j ACCEPT\n\
            -A DOCKER-USER -j RETURN\n-A DOCKER-USER -d 192.0.2.2/32 -j REJECT\n-A OUTPUT -d 192.0.2.5/32 -j DROP\n";
        assert_eq!(
            iptables_rules(listing),
            [
                rule("192.0.2.7", "iptables FORWARD"),
                rule("192.0.2.1", "iptables DOCKER-USER"),
                rule("2001:db8::1", "iptables DOCKER-USER")
            ]
        );
    }

    #[test]
    fn what_is_appended_behind_docker_s_own_rules_is_not_in_force() {
        let drop = "-A FORWARD -d 192.0.2.1/32 -j DROP\n";
        for (before, counts) in [
            ("-A FORWARD -j DOCKER-USER\n-A FORWARD -j DOCKER-FORWARD\n", false),
            ("-A FORWARD -i docker0 ! -o docker0 -j ACCEPT\n", false),
            ("-A FORWARD -i br-0a1b2c3d4e5f -o br-0a1b2c3d4e5f -j ACCEPT\n", false),
            ("-A FORWARD -j DOCKER-USER\n-A FORWARD -j DOCKER-ISOLATION-STAGE-1\n", true),
            ("-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n", true),
            ("-A FORWARD -i eth0 -o docker0 -j ACCEPT\n-A FORWARD -o docker0 -j DOCKER\n", true),
            ("-A DOCKER-USER -i docker0 -j ACCEPT\n", true),
        ] {
            assert_eq!(iptables_rules(&[before, drop].concat()).len(), usize::from(counts), "{before}");
            let both = [drop, before].concat();
            assert_eq!(iptables_rules(&both).len(), 1, "what stands before counts: {before}");
        }

        let meta = |key: &str, op: &str, name: &str| json!({"match": {"op": op, "left": {"meta": {"key": key}}, "right": name}});
        for (before, counts) in [
            (json!([{"counter": null}, {"jump": {"target": "DOCKER-FORWARD"}}]), false),
            (
                json!([meta("iifname", "==", "docker0"), meta("oifname", "!=", "docker0"), {"accept": null}]),
                false,
            ),
            (json!([meta("iifname", "==", "docker0"), {"accept": null}]), false),
            (json!([meta("iifname", "==", "eth0"), {"accept": null}]), true),
            (json!([{"jump": {"target": "DOCKER-USER"}}]), true),
        ] {
            let listing = json!({"nftables": [
                chain("filter", "FORWARD", Some("forward")),
                of_chain("filter", "FORWARD", before.clone()),
                of_chain("filter", "FORWARD", json!([to(json!("192.0.2.1")), {"drop": null}])),
            ]});
            assert_eq!(nft_rules(&listing.to_string()).len(), usize::from(counts), "{before}");
        }
    }

    fn chain(table: &str, name: &str, hook: Option<&str>) -> Value {
        json!({"chain": {"family": "inet", "table": table, "name": name, "hook": hook}})
    }

    fn of_chain(table: &str, chain: &str, expressions: Value) -> Value {
        json!({"rule": {"family": "inet", "table": table, "chain": chain, "expr": expressions}})
    }

    fn to(right: Value) -> Value {
        json!({"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": right}})
    }

    #[test]
    fn rules_of_nft_count_in_chains_that_forwarded_packets_pass() {
        let listing = json!({"nftables": [
            {"metainfo": {"json_schema_version": 1}},
            chain(TABLE_OF_OURS, "forward", Some("forward")),
            chain("other", "input", Some("input")),
            of_chain(TABLE_OF_OURS, "forward", json!([to(json!("192.0.2.1")), {"counter": null}, {"reject": null}])),
            of_chain(TABLE_OF_OURS, "forward", json!([to(json!({"set": ["192.0.2.2", "192.0.2.3"]})), {"drop": null}])),
            of_chain(TABLE_OF_OURS, "forward", json!([to(json!({"prefix": {"addr": "192.0.2.0", "len": 24}})), {"drop": null}])),
            of_chain(TABLE_OF_OURS, "forward", json!([to(json!("192.0.2.4")), {"accept": null}])),
            of_chain("other", "input", json!([to(json!("192.0.2.5")), {"drop": null}])),
            of_chain("filter", "DOCKER-USER", json!([to(json!("192.0.2.6")), {"xt": {"type": "target", "name": "REJECT"}}])),
            of_chain("filter", "DOCKER-USER", json!([{"counter": null}, {"return": null}])),
            of_chain("filter", "DOCKER-USER", json!([to(json!("192.0.2.7")), {"drop": null}])),
        ]});
        let ours = format!("nft inet {TABLE_OF_OURS} forward");
        assert_eq!(
            nft_rules(&listing.to_string()),
            [
                rule("192.0.2.1", &ours),
                rule("192.0.2.2", &ours),
                rule("192.0.2.3", &ours),
                rule("192.0.2.6", "nft inet filter DOCKER-USER")
            ]
        );
    }

    const TABLE_OF_OURS: &str = crate::firewall::TABLE;

    proptest! {
        #[test]
        fn no_listing_is_too_odd(text in ".{0,200}", value in "[-A DOCKERUSER0-9./:jd\n]{0,200}") {
            let _ = (iptables_rules(&text), nft_rules(&text), iptables_rules(&value));
        }
    }
}
