//! What NO_PROXY names, as Go's programs read it, in words that the matcher of the HTTP client knows.
//!
//! Go (golang.org/x/net/http/httpproxy) also takes `*.domain`, and `host:port` for that port alone; the matcher takes
//! both for the names of hosts, which nothing has.

use std::net::IpAddr;

/// The entries of the comma-separated `exceptions` that count for a request to this port, by their hosts, domains (with a
/// dot before them, or without) and networks.
#[must_use]
pub fn for_port(exceptions: &str, port: u16) -> String {
    let hosts: Vec<&str> = exceptions.split(',').filter_map(|entry| host(entry.trim(), port)).collect();
    hosts.join(",")
}

/// The host, domain or network of an entry, if it is not for another port.
fn host(entry: &str, port: u16) -> Option<&str> {
    // Addresses of IPv6 and networks have colons of their own.
    let is_address = entry.parse::<IpAddr>().is_ok() || entry.contains('/') || entry.ends_with(']');
    let host = match entry.rsplit_once(':').filter(|_| !is_address) {
        None => entry,
        Some((host, of_port)) if of_port.is_empty() || of_port.parse() == Ok(port) => host,
        Some(_) => return None,
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some(host.strip_prefix('*').filter(|domain| domain.starts_with('.')).unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_hosts_of_one_port() {
        for (entry, of_443) in [
            ("a.test", "a.test"),
            (".test", ".test"),
            ("*.test", ".test"),
            ("*", "*"),
            ("a.test:443", "a.test"),
            ("*.test:443", ".test"),
            ("a.test:", "a.test"),
            ("a.test:80", ""),
            ("a.test:https", ""),
            ("10.0.0.1:443", "10.0.0.1"),
            ("10.0.0.1:80", ""),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("fd00::1", "fd00::1"),
            ("fd00::/8", "fd00::/8"),
            ("[fd00::1]", "fd00::1"),
            ("[fd00::1]:443", "fd00::1"),
            ("[fd00::1]:80", ""),
            (" a.test , b.test:80,*.c.test", "a.test,.c.test"),
            ("", ""),
        ] {
            assert_eq!(for_port(entry, 443), of_443, "{entry}");
        }
        assert_eq!(for_port("a.test:8443,b.test:443,c.test", 8443), "a.test,c.test");
    }
}
