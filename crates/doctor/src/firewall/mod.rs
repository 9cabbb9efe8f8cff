//! The firewall rules that keep job containers from the instance metadata, and whether they are in force.
//!
//! Containers reach the metadata through the host's `forward` hook, where two places can stop them. The chain
//! `DOCKER-USER` is what Docker leaves to others (docs.docker.com, "Docker with iptables"); its nftables backend has no
//! such chain, and says to use a table of one's own with a chain at the same hook (docs.docker.com, "Docker with
//! nftables"). The rules reject rather than drop, so that a program in a job is told at once and does not wait.
//!
//! What they cannot stop: containers in the host's own network, and whoever has the engine's socket.

mod listing;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use listing::{Rule, iptables_rules, nft_rules};

/// Where an EC2 instance finds its metadata (Amazon EC2 user guide, "Access instance metadata for an EC2 instance").
pub const EC2_METADATA: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
];

/// The table of nftables that holds the rules.
pub const TABLE: &str = "ecru_job_firewall";
/// The unit that applies the rules.
pub const UNIT: &str = "ecru-job-firewall.service";
/// The script that applies the rules.
pub const SCRIPT_FILE: &str = "/usr/local/sbin/ecru-job-firewall";
/// The file of the unit.
pub const UNIT_FILE: &str = "/etc/systemd/system/ecru-job-firewall.service";
/// What makes Docker start the unit: in a file rather than by `systemctl enable`, so that it is seen in the diff.
pub const DROP_IN_FILE: &str = "/etc/systemd/system/docker.service.d/50-ecru-job-firewall.conf";

/// The text of [`UNIT_FILE`].
pub const UNIT_TEXT: &str = include_str!("ecru-job-firewall.service");
/// The text of [`DROP_IN_FILE`].
pub const DROP_IN_TEXT: &str = include_str!("docker-drop-in.conf");

/// The text of [`SCRIPT_FILE`] for rules about `addresses`.
#[must_use]
pub fn script(addresses: &[IpAddr]) -> String {
    let listed = |wanted: fn(&IpAddr) -> bool| {
        let of_family = addresses.iter().filter(|address| wanted(address)).map(ToString::to_string);
        of_family.collect::<Vec<_>>().join(" ")
    };
    include_str!("ecru-job-firewall.sh")
        .replace("@IPV4@", &listed(IpAddr::is_ipv4))
        .replace("@IPV6@", &listed(IpAddr::is_ipv6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_about_the_addresses_that_are_given() {
        let text = script(&["192.0.2.254".parse().unwrap(), "2001:db8::1".parse().unwrap()]);
        assert!(text.contains("ipv4='192.0.2.254'\nipv6='2001:db8::1'\n"), "{text}");
        assert!(!text.contains("169.254.169.254") && !text.contains('@'), "{text}");
    }

    #[test]
    fn the_addresses_of_ec2_are_those_of_its_documentation() {
        assert_eq!(EC2_METADATA.map(|address| address.to_string()), ["169.254.169.254", "fd00:ec2::254"]);
    }
}
