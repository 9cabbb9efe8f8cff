//! Where a Docker engine listens: the forms of `DOCKER_HOST` that are supported.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use bollard::{ClientVersion, Docker};

use super::EngineError;

/// Docker's own default (Docker docs, "dockerd", daemon socket option).
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// The address of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EngineAddress {
    /// The path of a Unix socket.
    Unix(String),
    /// `host:port` of a plain HTTP listener.
    Tcp(String),
}

impl Default for EngineAddress {
    fn default() -> Self {
        Self::Unix(DEFAULT_SOCKET.to_owned())
    }
}

impl FromStr for EngineAddress {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unsupported = || EngineError::UnsupportedAddress { address: text.to_owned() };
        if let Some(path) = text.strip_prefix("unix://") {
            return if path.starts_with('/') { Ok(Self::Unix(path.to_owned())) } else { Err(unsupported()) };
        }
        let authority = text.strip_prefix("tcp://").ok_or_else(unsupported)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = authority.rsplit_once(':').ok_or_else(unsupported)?;
        let is_plain = !host.is_empty() && !host.contains(['/', '@', '?', '#']);
        if is_plain && port.parse::<u16>().is_ok() {
            Ok(Self::Tcp(authority.to_owned()))
        } else {
            Err(unsupported())
        }
    }
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix://{path}"),
            Self::Tcp(authority) => write!(formatter, "tcp://{authority}"),
        }
    }
}

impl EngineAddress {
    /// Returns true if the engine listens on this machine.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp(authority) => {
                let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
                let host = host.trim_start_matches('[').trim_end_matches(']');
                host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
            }
        }
    }

    /// Returns a client for the address; `response_deadline` limits the wait for the head of each response.
    pub(crate) fn open(
        &self,
        response_deadline: Duration,
        version: &ClientVersion,
    ) -> Result<Docker, bollard::errors::Error> {
        let seconds = response_deadline.as_secs();
        match self {
            Self::Unix(path) => Docker::connect_with_unix(path, seconds, version),
            Self::Tcp(authority) => Docker::connect_with_http(authority, seconds, version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supported_addresses_survive_a_round_trip() {
        for text in ["unix:///run/user/1000/docker.sock", "tcp://127.0.0.1:2375", "tcp://[::1]:2375"] {
            assert_eq!(text.parse::<EngineAddress>().unwrap().to_string(), text);
        }
        assert_eq!("tcp://docker:2375/".parse::<EngineAddress>().unwrap().to_string(), "tcp://docker:2375");
    }

    #[test]
    fn other_addresses_are_refused_by_name() {
        for text in [
            "",
            "docker",
            "unix://",
            "unix://relative",
            "ssh://host",
            "tcp://host",
            "tcp://u:p@h:1",
            "tcp://:1",
        ] {
            let error = text.parse::<EngineAddress>().unwrap_err();
            assert!(
                matches!(&error, EngineError::UnsupportedAddress { address } if address == text),
                "{error:?}"
            );
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn loopback_addresses_are_local() {
        for (text, local) in [
            ("unix:///var/run/docker.sock", true),
            ("tcp://127.0.0.1:2375", true),
            ("tcp://localhost:2375", true),
            ("tcp://[::1]:2375", true),
            ("tcp://docker:2375", false),
            ("tcp://192.0.2.1:2375", false),
        ] {
            assert_eq!(text.parse::<EngineAddress>().unwrap().is_local(), local, "{text}");
        }
    }
}
