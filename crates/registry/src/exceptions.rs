//! What NO_PROXY names, as Go's programs read it, in words that the HTTP client knows: it takes neither `*.domain` nor a
//! port. It asks by host alone, so that entries count that are for the port of HTTPS.

use std::net::IpAddr;

/// The port of HTTPS, as an entry writes it.
const HTTPS_PORT: &str = "443";

/// The hosts, domains and networks of the entries, but of those for another port.
pub(crate) fn hosts(exceptions: &str) -> String {
    let hosts: Vec<&str> = exceptions.split(',').filter_map(|entry| host(entry.trim())).collect();
    hosts.join(",")
}

fn host(entry: &str) -> Option<&str> {
    // Addresses of IPv6 and networks have colons of their own.
    let is_address = entry.parse::<IpAddr>().is_ok() || entry.contains('/') || entry.ends_with(']');
    let host = match entry.rsplit_once(':').filter(|_| !is_address) {
        None => entry,
        Some((host, "" | HTTPS_PORT)) => host,
        Some(_) => return None,
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some(host.strip_prefix('*').filter(|domain| domain.starts_with('.')).unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_hosts() {
        let text =
            "a.test, *.b.test,c.test:443,d.test:5000,*,10.0.0.0/8,fd00::1,[fd00::2]:443,[fd00::3],e.test:";
        assert_eq!(hosts(text), "a.test,.b.test,c.test,*,10.0.0.0/8,fd00::1,fd00::2,fd00::3,e.test");
        assert_eq!(hosts(""), "");
    }
}
