//! What a job host holds and how it is made, for plans, user data and cloud-init alike.

use std::net::IpAddr;

use crate::firewall::{DROP_IN_FILE, DROP_IN_TEXT, EC2_METADATA, SCRIPT_FILE, UNIT_FILE, UNIT_TEXT, script};
use crate::setup_runner::HELPER;

/// A host whose Docker engine runs jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobHost {
    addresses: Vec<IpAddr>,
    docker: Docker,
    user: Option<String>,
    helper: Option<Download>,
}

/// Where a host's Docker comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Docker {
    /// From the packages of its distribution, unless it is there already.
    FromPackages,
    /// From others, such as docker+machine.
    ByOthers,
}

/// A file that is fetched, and what it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    url: String,
    sha256: String,
}

/// A file of a job host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFile {
    /// Where it is.
    pub path: &'static str,
    /// Its mode.
    pub mode: u32,
    /// Its text.
    pub content: String,
}

/// Why something cannot be part of a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The user cannot be one.
    #[error("`{name}` is no name of a user")]
    User {
        /// The name.
        name: String,
    },
    /// The address is none from which programs are fetched.
    #[error("`{url}` is no https:// address")]
    Url {
        /// The address.
        url: String,
    },
    /// The digest is none.
    #[error("`{digest}` is no SHA-256 digest of 64 hexadecimal digits")]
    Digest {
        /// The digest.
        digest: String,
    },
}

impl Default for JobHost {
    fn default() -> Self {
        Self { addresses: EC2_METADATA.to_vec(), docker: Docker::FromPackages, user: None, helper: None }
    }
}

impl Download {
    /// The file at `url`, whose content has the digest `sha256`.
    ///
    /// # Errors
    /// If one of them is not in its form.
    pub fn new(url: &str, sha256: &str) -> Result<Self, HostError> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"'\"\\`".contains(&byte);
        let is_url =
            url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_plain));
        if !is_url {
            return Err(HostError::Url { url: url.to_owned() });
        }
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(HostError::Digest { digest: sha256.to_owned() });
        }
        Ok(Self { url: url.to_owned(), sha256: sha256.to_ascii_lowercase() })
    }
}

impl JobHost {
    /// The same with firewall rules about `addresses`.
    #[must_use]
    pub fn with_addresses(mut self, addresses: Vec<IpAddr>) -> Self {
        self.addresses = addresses;
        self
    }

    /// The same with its Docker from elsewhere.
    #[must_use]
    pub fn with_docker(mut self, docker: Docker) -> Self {
        self.docker = docker;
        self
    }

    /// The same with `name`, by whom docker-autoscaler logs in, among the users of Docker.
    ///
    /// # Errors
    /// If the name cannot be one (useradd(8)).
    pub fn with_user(mut self, name: &str) -> Result<Self, HostError> {
        let is_first = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_';
        let is_next = |byte: &u8| is_first(byte) || byte.is_ascii_digit() || *byte == b'-';
        let bytes = name.as_bytes();
        if bytes.len() > 32 || !bytes.first().is_some_and(is_first) || !bytes.iter().all(is_next) {
            return Err(HostError::User { name: name.to_owned() });
        }
        self.user = Some(name.to_owned());
        Ok(self)
    }

    /// The same with the credential helper, for `docker` on the host itself and to be mounted into jobs.
    #[must_use]
    pub fn with_helper(mut self, helper: Download) -> Self {
        self.helper = Some(helper);
        self
    }

    /// The files that are written before anything is started.
    #[must_use]
    pub fn files(&self) -> Vec<HostFile> {
        firewall_files(&self.addresses)
    }

    /// The shell script that does the rest, for `sh` with `set -eu`. It can run any number of times.
    #[must_use]
    pub fn script(&self) -> String {
        let mut script = String::new();
        if self.docker == Docker::FromPackages {
            script.push_str(include_str!("docker-from-packages.sh"));
        }
        if let Some(user) = &self.user {
            script.push_str(&format!(
                "\n# docker-autoscaler runs `docker` as this user.\nusermod -a -G docker '{user}'\n"
            ));
        }
        if let Some(Download { url, sha256 }) = &self.helper {
            script.push_str(&format!("\nhelper='/usr/local/bin/{HELPER}'\nurl='{url}'\nsha256='{sha256}'\n"));
            script.push_str(include_str!("helper.sh"));
        }
        script.push('\n');
        script.push_str(include_str!("start.sh"));
        script
    }
}

/// The files of the firewall.
pub(super) fn firewall_files(addresses: &[IpAddr]) -> Vec<HostFile> {
    vec![
        HostFile { path: SCRIPT_FILE, mode: 0o755, content: script(addresses) },
        HostFile { path: UNIT_FILE, mode: 0o644, content: UNIT_TEXT.to_owned() },
        HostFile { path: DROP_IN_FILE, mode: 0o644, content: DROP_IN_TEXT.to_owned() },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_leave_its_quotes_is_refused() {
        for name in ["", "-x", "a'b", "Root", "a b", "$(id)", "1a", &"a".repeat(33)] {
            assert!(JobHost::default().with_user(name).is_err(), "{name}");
        }
        let digest = "0".repeat(64);
        for url in ["http://h/x", "https://", "https://h/'x", "https://h/x y", "https://h/\n", "file:///x"] {
            assert!(Download::new(url, &digest).is_err(), "{url}");
        }
        for digest in ["", "0", &"g".repeat(64), &"0".repeat(65)] {
            assert!(Download::new("https://h/x", digest).is_err(), "{digest}");
        }
        assert!(JobHost::default().with_user("ec2-user").is_ok());
        assert!(Download::new("https://h.example/a/b?c=$d", &digest).is_ok());
    }

    #[test]
    fn docker_is_left_to_others_where_they_install_it() {
        let host = JobHost::default();
        assert!(host.script().contains("docker.io"));
        assert!(!host.with_docker(Docker::ByOthers).script().contains("docker.io"));
    }
}
