//! What is seen of the instance metadata from one place: from the host, or from inside a container.
//!
//! The requests are those of version 2, a PUT for a token and a GET with it, and one GET as of version 1 (Amazon EC2 user
//! guide, "Use the Instance Metadata Service"). A GET without a token alone proves nothing: an instance that requires
//! tokens refuses it to everybody. No credentials are fetched; the name of the role tells enough.
//!
//! The client is written here because of what it must tell apart, an address that cannot be connected to from one that
//! is and stays silent, and because it must run in an empty container without a runtime.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::firewall::EC2_METADATA;

/// Where an EC2 instance has its metadata.
pub const EC2: [SocketAddr; 2] =
    [SocketAddr::new(EC2_METADATA[0], HTTP_PORT), SocketAddr::new(EC2_METADATA[1], HTTP_PORT)];

pub(super) const HTTP_PORT: u16 = 80;

/// The service is on the same machine and answers in milliseconds.
const CONNECT_DEADLINE: Duration = Duration::from_secs(1);
const ANSWER_DEADLINE: Duration = Duration::from_secs(2);
/// The longest answer that is read.
const MAX_ANSWER_BYTES: u64 = 16 * 1024;
/// The longest token that is taken for one.
const MAX_TOKEN_BYTES: usize = 1024;

const TOKEN_PATH: &str = "/latest/api/token";
const ROLES_PATH: &str = "/latest/meta-data/iam/security-credentials/";

/// How one request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reply {
    /// It was not sent.
    NotAsked {
        /// Why.
        reason: String,
    },
    /// No connection was made.
    NoConnection {
        /// What the system said.
        reason: String,
    },
    /// A connection was made, and no answer came.
    Silent,
    /// An answer with this status.
    Status {
        /// The status.
        code: u16,
    },
}

/// What is seen at one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sight {
    /// The address.
    pub address: SocketAddr,
    /// How the request for a token ended.
    pub token: Reply,
    /// How the request with that token ended.
    pub with_token: Reply,
    /// How the same request ended without one.
    pub without_token: Reply,
    /// The role whose credentials are there, if its name was told.
    pub role: Option<String>,
}

impl Sight {
    /// Whether metadata is given to whoever asks with a token.
    #[must_use]
    pub fn is_open_by_token(&self) -> bool {
        matches!(self.token, Reply::Status { code: 200 })
    }

    /// Whether metadata is given to whoever asks without one. Where there is no role, nothing is found.
    #[must_use]
    pub fn is_open_without_token(&self) -> bool {
        matches!(self.without_token, Reply::Status { code: 200 })
            || (matches!(self.without_token, Reply::Status { code: 404 })
                && self.token != Reply::Status { code: 404 })
    }
}

/// What this process sees at each of `addresses`, asked at the same time.
#[must_use]
pub fn sights(addresses: &[SocketAddr]) -> Vec<Sight> {
    std::thread::scope(|scope| {
        let asked: Vec<_> = addresses.iter().map(|address| scope.spawn(|| sight(*address))).collect();
        let lost = |address: &SocketAddr| not_asked(*address, "the thread that asked ended");
        let ended = asked.into_iter().zip(addresses);
        ended.map(|(thread, address)| thread.join().unwrap_or_else(|_| lost(address))).collect()
    })
}

fn sight(address: SocketAddr) -> Sight {
    if let Some(reason) = obstacle(address.ip()) {
        return not_asked(address, reason);
    }
    let token = ask(address, "PUT", TOKEN_PATH, "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n");
    if let Answer { reply: reply @ Reply::NoConnection { .. }, .. } = token {
        return Sight { token: reply, ..not_asked(address, "no connection was made") };
    }
    let with_token = match token.token() {
        Some(secret) => {
            let header = format!("X-aws-ec2-metadata-token: {}\r\n", secret.expose_secret());
            ask(address, "GET", ROLES_PATH, &header)
        }
        None => Answer::of(Reply::NotAsked { reason: "there is no token".to_owned() }),
    };
    let without_token = ask(address, "GET", ROLES_PATH, "");
    let role = with_token.role().or_else(|| without_token.role());
    Sight {
        address,
        token: token.reply,
        with_token: with_token.reply,
        without_token: without_token.reply,
        role,
    }
}

fn not_asked(address: SocketAddr, reason: &str) -> Sight {
    let reply = Reply::NotAsked { reason: reason.to_owned() };
    Sight { address, token: reply.clone(), with_token: reply.clone(), without_token: reply, role: None }
}

/// Tests and developers' builds never ask a real instance, whatever they are told: there the answer would be that of the
/// machine they happen to run on.
fn obstacle(address: IpAddr) -> Option<&'static str> {
    let is_real = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => {
            address.segments()[..2] == [0xfd00, 0x0ec2]
                || address.is_unicast_link_local()
                || address.to_ipv4_mapped().is_some_and(|address| address.is_link_local())
        }
    };
    (cfg!(debug_assertions) && is_real)
        .then_some("a build for development does not ask real instance metadata")
}

struct Answer {
    reply: Reply,
    body: SecretString,
}

impl Answer {
    fn of(reply: Reply) -> Self {
        Self { reply, body: SecretString::default() }
    }

    fn text(&self) -> Option<&str> {
        (self.reply == Reply::Status { code: 200 }).then(|| self.body.expose_secret().trim())
    }

    fn token(&self) -> Option<SecretString> {
        let is_token = |text: &&str| {
            (1..=MAX_TOKEN_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        self.text().filter(is_token).map(SecretString::from)
    }

    /// The first of the roles, if it can be a name of IAM's.
    fn role(&self) -> Option<String> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
        let first = self.text()?.lines().next()?;
        ((1..=64).contains(&first.len()) && first.bytes().all(is_plain)).then(|| first.to_owned())
    }
}

fn ask(address: SocketAddr, method: &str, path: &str, header: &str) -> Answer {
    let connection = match TcpStream::connect_timeout(&address, CONNECT_DEADLINE) {
        Ok(connection) => connection,
        Err(error) => return Answer::of(Reply::NoConnection { reason: error.to_string() }),
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n{header}\r\n"
    );
    exchanged(connection, request.as_bytes())
        .ok()
        .and_then(|answer| parsed(&answer))
        .unwrap_or_else(|| Answer::of(Reply::Silent))
}

/// What comes before the connection or the time ends.
fn exchanged(mut connection: TcpStream, request: &[u8]) -> io::Result<Vec<u8>> {
    let started = Instant::now();
    connection.set_write_timeout(Some(ANSWER_DEADLINE))?;
    connection.write_all(request)?;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while (answer.len() as u64) < MAX_ANSWER_BYTES {
        let Some(rest) = ANSWER_DEADLINE.checked_sub(started.elapsed()).filter(|rest| !rest.is_zero()) else {
            break;
        };
        connection.set_read_timeout(Some(rest))?;
        match connection.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(length) => answer.extend_from_slice(part.get(..length).unwrap_or_default()),
        }
    }
    Ok(answer)
}

/// Status and body of an answer of HTTP/1. The body is what follows the head; the service does not send it in chunks.
fn parsed(answer: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let code = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { reply: Reply::Status { code }, body: SecretString::from(body) })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use proptest::prelude::*;

    use super::*;

    fn listener(answers: &'static [&'static str]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut connection, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                let _ = connection.read(&mut request).unwrap();
                connection.write_all(answer.as_bytes()).unwrap();
            }
        });
        address
    }

    #[test]
    fn the_real_addresses_are_never_asked_by_tests() {
        for sight in sights(&EC2) {
            assert!(matches!(sight.token, Reply::NotAsked { .. }), "{sight:?}");
        }
        for address in ["169.254.0.1", "::ffff:169.254.169.254", "fe80::1", "fd00:ec2::23"] {
            assert!(obstacle(address.parse().unwrap()).is_some(), "{address}");
        }
        for address in ["127.0.0.1", "::1", "192.0.2.254", "2001:db8::254"] {
            assert!(obstacle(address.parse().unwrap()).is_none(), "{address}");
        }
    }

    #[test]
    fn a_closed_port_is_no_connection() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let [sight] = sights(&[address]).try_into().unwrap();
        assert!(matches!(sight.token, Reply::NoConnection { .. }), "{sight:?}");
        assert!(!sight.is_open_by_token() && !sight.is_open_without_token());
    }

    #[test]
    fn answers_are_told_apart() {
        let address = listener(&[
            "HTTP/1.1 200 OK\r\n\r\ntoken-1\n",
            "HTTP/1.1 200 OK\r\n\r\nci-jobs\nother\n",
            "HTTP/1.1 401 Unauthorized\r\n\r\n",
        ]);
        let [sight] = sights(&[address]).try_into().unwrap();
        assert_eq!(sight.role.as_deref(), Some("ci-jobs"));
        assert!(sight.is_open_by_token() && !sight.is_open_without_token(), "{sight:?}");
        let told = serde_json::to_string(&sight).unwrap();
        assert!(!told.contains("token-1"), "{told}");
        assert_eq!(serde_json::from_str::<Sight>(&told).unwrap(), sight);
    }

    #[test]
    fn silence_is_no_answer() {
        let address = listener(&["", "HTTP/1.1 404 Not Found\r\n\r\n"]);
        let [sight] = sights(&[address]).try_into().unwrap();
        assert_eq!(sight.token, Reply::Silent);
        assert!(sight.is_open_without_token(), "an instance without a role, version 1: {sight:?}");
    }

    proptest! {
        #[test]
        fn no_answer_is_too_odd(answer in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(answer) = parsed(&answer) {
                let _ = (answer.token().is_some(), answer.role());
            }
        }
    }
}
