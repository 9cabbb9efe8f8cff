//! Hosts and paths as the kubelet compares them, taken apart as Go's `net/url` does.

use super::glob;

/// A host with its port, and a path that starts with a slash or is empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Location<'a> {
    host: &'a str,
    port: &'a str,
    path: &'a str,
}

/// What of a key in the Secret is compared; nothing for a key that is no URL, which the kubelet passes over
/// (`BasicDockerKeyring.Add`).
pub(super) fn pattern_of_key(key: &str) -> Option<String> {
    let rest = ["https://", "http://"].into_iter().find_map(|scheme| key.strip_prefix(scheme)).unwrap_or(key);
    let (authority, path) = authority_and_path(rest)?;
    let path = match path {
        _ if path.starts_with("/v1/") || path.starts_with("/v2/") => path.get(3..).unwrap_or_default(),
        other => other,
    };
    Some(if path == "/" { authority.to_owned() } else { format!("{authority}{path}") })
}

impl<'a> Location<'a> {
    /// Takes a text without a scheme apart, such as an image's name without tag and digest.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (authority, path) = authority_and_path(text)?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !authority.ends_with(']') => (host, port),
            _ => (authority, ""),
        };
        Some(Self { host, port, path })
    }

    /// `URLsMatch`: equal ports, as many labels, each label matched as a glob, and the pattern's path a prefix of the
    /// path, be it in the middle of a component.
    pub(super) fn matches(&self, pattern: &str) -> bool {
        let Some(pattern) = Location::parse(pattern) else { return false };
        let labels = |location: &Location<'a>| location.host.split('.').count();
        pattern.port == self.port
            && pattern.host.split('.').count() == labels(self)
            && self.path.starts_with(pattern.path)
            && pattern
                .host
                .split('.')
                .zip(self.host.split('.'))
                .all(|(glob, label)| glob::matches(glob, label))
    }
}

/// The host with its port, and the path, of a URL without its scheme, as far as Go takes it for one.
///
/// Percent signs do not occur in what anybody writes here; they are refused, where Go refuses most and decodes some.
fn authority_and_path(text: &str) -> Option<(&str, &str)> {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let text = text.get(..end)?;
    if text.bytes().any(|byte| byte.is_ascii_control() || byte == b'%') {
        return None;
    }
    let (authority, path) = text.split_at(text.find('/').unwrap_or(text.len()));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let is_host = |character: char| {
        character.is_alphanumeric() || "-_.~!$&'()*+,;=:[]<>\"?".contains(character) || !character.is_ascii()
    };
    let port =
        authority.get(authority.rfind(']').unwrap_or_default()..)?.split_once(':').map(|(_, port)| port);
    let is_port = port.is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    (authority.chars().all(is_host) && is_port).then_some((authority, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lose_their_scheme_and_version() {
        let pattern = |key| pattern_of_key(key);
        for (key, expected) in [
            ("host.example", "host.example"),
            ("https://index.docker.io/v1/", "index.docker.io"),
            ("http://host.example:5000/", "host.example:5000"),
            ("https://host.example/v2/team", "host.example/team"),
            ("host.example/v1", "host.example/v1"),
            ("user@host.example/team?x", "host.example/team"),
            ("", ""),
        ] {
            assert_eq!(pattern(key).as_deref(), Some(expected), "for {key}");
        }
        for key in ["host name", "host.example:port", "host\n", "100%"] {
            assert_eq!(pattern(key), None, "for {key}");
        }
    }

    #[test]
    fn globs_match_label_by_label_and_paths_by_prefix() {
        let image = "000000000001.dkr.ecr.eu-west-1.amazonaws.com/team/app";
        let target = Location::parse(image).unwrap();
        for pattern in [
            "000000000001.dkr.ecr.eu-west-1.amazonaws.com",
            "*.dkr.ecr.*.amazonaws.com",
            "*.dkr.ecr.eu-*.amazonaws.com/team",
            "000000000001.dkr.ecr.eu-west-1.amazonaws.com/tea",
        ] {
            assert!(target.matches(pattern), "{pattern}");
        }
        for pattern in [
            "",
            "*.amazonaws.com",
            "*",
            "000000000001.dkr.ecr.eu-west-1.amazonaws.com:443",
            "000000000001.dkr.ecr.eu-west-1.amazonaws.com/team/app/deep",
            "000000000001.dkr.ecr.eu-west-1.amazonaws.com/other",
        ] {
            assert!(!target.matches(pattern), "{pattern}");
        }
    }
}
