//! What can go wrong between this process and the engine.

use std::time::Duration;

use bollard::errors::Error as ClientError;

use super::address::EngineAddress;

/// The longest text of an engine that is kept in an error, in bytes.
const ENGINE_TEXT_LIMIT: usize = 2048;

/// An engine that could not be reached, or a call that it did not answer as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The address has a form that is not supported.
    #[error("the Docker engine address `{address}` is not supported")]
    UnsupportedAddress {
        /// The address as given.
        address: String,
    },
    /// No engine answered at the address.
    #[error("no Docker engine answers at {address}: {reason}")]
    Unreachable {
        /// The address that was tried.
        address: String,
        /// The cause, in the words of the operating system or the client.
        reason: String,
    },
    /// The engine answered a call with an error.
    #[error("the Docker engine could not {operation}: {message}")]
    Refused {
        /// What was asked of the engine, as in "create the network".
        operation: &'static str,
        /// The HTTP status of the answer; 200 for an error inside a stream.
        status: u16,
        /// The engine's own words.
        message: String,
    },
    /// The engine did not answer a call in time.
    #[error("the Docker engine did not {operation} within {} s", limit.as_secs())]
    TimedOut {
        /// What was asked of the engine.
        operation: &'static str,
        /// The time that it had.
        limit: Duration,
    },
    /// The connection failed in the middle of a call.
    #[error("the connection to the Docker engine failed while it should {operation}: {reason}")]
    ConnectionLost {
        /// What was asked of the engine.
        operation: &'static str,
        /// The cause, in the words of the client.
        reason: String,
    },
}

impl EngineError {
    pub(super) fn unreachable(address: &EngineAddress, error: &ClientError) -> Self {
        Self::Unreachable { address: address.to_string(), reason: reason_of(error) }
    }

    pub(crate) fn from_call(operation: &'static str, error: &ClientError) -> Self {
        match error {
            ClientError::DockerResponseServerError { status_code, message } => {
                Self::Refused { operation, status: *status_code, message: shortened(message) }
            }
            ClientError::DockerStreamError { error } => {
                Self::Refused { operation, status: 200, message: shortened(error) }
            }
            other => Self::ConnectionLost { operation, reason: reason_of(other) },
        }
    }

    /// Returns the HTTP status of the engine's answer, if there was one.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Returns the engine's own words, or ours if it said nothing.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Refused { message, .. } => message.clone(),
            other => other.to_string(),
        }
    }

    /// Returns what the user can do about it, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnsupportedAddress { .. } => Some(
                "set DOCKER_HOST to unix:///path/to/docker.sock or tcp://host:port; forward other engines to a local \
                 socket, for example with `ssh -L`"
                    .to_owned(),
            ),
            Self::Unreachable { reason, .. } if reason.to_lowercase().contains("permission denied") => Some(
                "run as root, or join the group that owns the socket: `sudo usermod -aG docker $USER`, then log in \
                 again"
                    .to_owned(),
            ),
            Self::Unreachable { .. } => {
                Some("start Docker (`systemctl start docker`), or set DOCKER_HOST to the engine's address".to_owned())
            }
            Self::TimedOut { .. } | Self::ConnectionLost { .. } => {
                Some("see the engine's log: `journalctl -u docker`".to_owned())
            }
            Self::Refused { .. } => None,
        }
    }
}

/// Returns the causes of a client error in one line. The outer texts of the HTTP client say only that a request
/// failed; the innermost one says why.
fn reason_of(error: &ClientError) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match error {
        ClientError::SocketNotFoundError(_) => "the socket does not exist".to_owned(),
        ClientError::RequestTimeoutError => "no answer in time".to_owned(),
        ClientError::DockerResponseServerError { status_code, message } => {
            format!("HTTP status {status_code}: {}", shortened(message))
        }
        _ => shortened(&innermost.to_string()),
    }
}

/// Returns `text` without surrounding white space, cut at a character boundary.
pub(crate) fn shortened(text: &str) -> String {
    let text = text.trim();
    if text.len() <= ENGINE_TEXT_LIMIT {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(ENGINE_TEXT_LIMIT)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let long = "é".repeat(ENGINE_TEXT_LIMIT);
        let cut = shortened(&long);
        assert!(cut.len() <= ENGINE_TEXT_LIMIT + '…'.len_utf8());
        assert!(cut.ends_with('…'));
        assert_eq!(shortened("  short\n"), "short");
    }

    #[test]
    fn errors_inside_a_stream_are_refusals() {
        let error = ClientError::DockerStreamError { error: "manifest unknown".to_owned() };
        let error = EngineError::from_call("pull the image", &error);
        assert_eq!(error.status(), Some(200));
        assert_eq!(error.message(), "manifest unknown");
    }

    #[test]
    fn a_closed_socket_asks_for_the_docker_group() {
        let error = EngineError::Unreachable {
            address: "unix:///var/run/docker.sock".to_owned(),
            reason: "Permission denied (os error 13)".to_owned(),
        };
        assert!(error.hint().is_some_and(|hint| hint.contains("usermod")));
    }
}
