//! Whether the firewall's rules are in force, as nft and iptables list them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::net::IpAddr;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::Input;
use crate::firewall::{Rule, iptables_rules, nft_rules};
use crate::report::{Check, Context, Definition, Fix, Station, Weight};

pub(super) static IN_FORCE: Definition = Definition {
    id: "job-host.firewall.in-force",
    context: Context::JobHost,
    station: Station::Network,
    weight: Weight::Risk,
    title: "the firewall keeps containers from the instance metadata",
    why: "A hop limit holds until somebody raises it for another program; the host's own rule holds all the same.",
};

const DEADLINE: Duration = Duration::from_secs(10);
/// The longest listing: hosts with many containers have some thousand rules.
const MAX_LISTING_BYTES: u64 = 16 * 1024 * 1024;

/// The listings, and what reads them.
type Listing = (&'static str, &'static [&'static str], fn(&str) -> Vec<Rule>);
const LISTINGS: [Listing; 3] = [
    ("nft", &["-j", "list", "ruleset"], nft_rules),
    ("iptables", &["-w", "5", "-S"], iptables_rules),
    ("ip6tables", &["-w", "5", "-S"], iptables_rules),
];

pub(super) async fn in_force(input: &Input) -> Check {
    let addresses = match &input.metadata {
        Ok(addresses) => addresses.iter().map(std::net::SocketAddr::ip).collect::<BTreeSet<_>>(),
        Err(reason) => return Check::skipped(&IN_FORCE, reason),
    };
    if input.metadata_wanted {
        return Check::not_applicable(&IN_FORCE, "jobs are meant to have the instance's identity");
    }
    let mut rules = Vec::new();
    let mut obstacles = Vec::new();
    for (program, arguments, read) in LISTINGS {
        match listing(program, arguments, input.search_path.as_deref()).await {
            Ok(listing) => rules.extend(read(&listing)),
            Err(obstacle) => obstacles.push(obstacle),
        }
    }
    if obstacles.len() == LISTINGS.len() {
        return obstacles
            .into_iter()
            .fold(Check::skipped(&IN_FORCE, "the rules cannot be listed"), Check::seen);
    }
    judged(&addresses, &rules)
}

fn judged(addresses: &BTreeSet<IpAddr>, rules: &[Rule]) -> Check {
    let missing: Vec<String> = addresses
        .iter()
        .filter(|address| !rules.iter().any(|rule| rule.address == **address))
        .map(ToString::to_string)
        .collect();
    let check = if missing.is_empty() {
        Check::pass(&IN_FORCE)
    } else {
        Check::fail(&IN_FORCE, format!("no rule keeps containers from {}", missing.join(" and ")))
            .fix(Fix::Command { command: "ecru setup job-host --yes".to_owned(), by_setup: true })
            .fix(Fix::command(format!("systemctl restart {}", crate::firewall::UNIT)))
    };
    let ours: BTreeSet<&Rule> = rules.iter().filter(|rule| addresses.contains(&rule.address)).collect();
    ours.into_iter()
        .fold(check, |check, rule| check.seen(format!("{} is stopped by {}", rule.address, rule.place)))
}

async fn listing(program: &str, arguments: &[&str], search_path: Option<&OsStr>) -> Result<String, String> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command.env_clear().envs(search_path.map(|path| ("PATH", path)));
    let run = async {
        let mut child = command.spawn()?;
        let mut listing = Vec::new();
        if let Some(output) = child.stdout.take() {
            output.take(MAX_LISTING_BYTES).read_to_end(&mut listing).await?;
        }
        Ok::<_, std::io::Error>((child.wait().await?, listing))
    };
    match tokio::time::timeout(DEADLINE, run).await {
        Ok(Ok((status, listing))) if status.success() => Ok(String::from_utf8_lossy(&listing).into_owned()),
        Ok(Ok((status, _))) => Err(format!("`{program}`: {status}; only root can list the rules")),
        Ok(Err(error)) => Err(format!("`{program}`: {error}")),
        Err(_) => Err(format!("`{program}` did not end within {} s", DEADLINE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Outcome;

    #[test]
    fn each_address_needs_a_rule() {
        let addresses: BTreeSet<IpAddr> =
            ["192.0.2.1", "2001:db8::1"].map(|text| text.parse().unwrap()).into();
        let rules = |addresses: &[&str]| -> Vec<Rule> {
            let rule = |address: &&str| Rule { address: address.parse().unwrap(), place: "nft".to_owned() };
            addresses.iter().map(rule).collect()
        };
        assert_eq!(judged(&addresses, &rules(&["2001:db8::1", "192.0.2.1"])).outcome, Outcome::Pass);
        let check = judged(&addresses, &rules(&["192.0.2.1", "192.0.2.9"]));
        assert_eq!(check.outcome, Outcome::Fail("no rule keeps containers from 2001:db8::1".to_owned()));
        assert_eq!(check.evidence, ["192.0.2.1 is stopped by nft"]);
    }

    #[tokio::test]
    async fn a_program_that_is_missing_is_an_obstacle() {
        let error = listing("nft", &[], Some(OsStr::new("/nonexistent"))).await.unwrap_err();
        assert!(error.starts_with("`nft`: "), "{error}");
    }
}
