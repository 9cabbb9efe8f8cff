//! `ecru emulate` as a child process.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::http::Request;
use crate::{outside, process_group};

const CACHE_FOLDER: &str = "AWS_ECR_CACHE_DIR";
pub(super) const METADATA_ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
const KEYS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
const START_DEADLINE: Duration = Duration::from_secs(20);
/// More than its addresses and variables need.
const MOST: u64 = 64 * 1024;

/// A running emulator; it ends with this value.
#[derive(Debug)]
pub(crate) struct EmulatedAws {
    child: Child,
    /// The variables that point AWS clients at it, with keys that it knows. All of them are worthless elsewhere.
    pub(crate) environment: Vec<(String, String)>,
    announced: Value,
    metadata_endpoint: String,
}

impl EmulatedAws {
    /// Starts one on free ports.
    ///
    /// # Errors
    /// Fails when it does not say within 20 seconds where it is.
    pub(crate) fn start(ecru: &Path) -> Result<Self> {
        Self::start_with(ecru, &[])
    }

    /// Starts one on free ports, with more arguments.
    ///
    /// # Errors
    /// As above.
    pub(super) fn start_with(ecru: &Path, arguments: &[&str]) -> Result<Self> {
        let mut child = outside::command(ecru)
            .args(["emulate", "--port", "0", "--format", "json"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("cannot start `ecru emulate`")?;
        let stdout = child.stdout.take();
        let (environment, metadata_endpoint) = (Vec::new(), String::new());
        let mut emulator = Self { child, environment, announced: Value::Null, metadata_endpoint };
        emulator.announced =
            first_json(stdout.context("it has no stdout")?).context("`ecru emulate --format json`")?;
        collect_variables(&emulator.announced, &mut emulator.environment);
        emulator.metadata_endpoint = emulator.variable(METADATA_ENDPOINT)?.to_owned();
        let keys = emulator.instance_keys().context("the emulated instance metadata")?;
        emulator.environment.extend(keys);
        // The helpers shall find the keys where it costs them nothing, and not there. Each keeps its tokens in a home of
        // its own, and not in the emulator's folder, which all would share and which ends with it.
        emulator.environment.retain(|(name, _)| ![METADATA_ENDPOINT, CACHE_FOLDER].contains(&name.as_str()));
        Ok(emulator)
    }

    /// The value of one of the variables.
    ///
    /// # Errors
    /// Fails when there is no such variable.
    pub(super) fn variable(&self, name: &str) -> Result<&str> {
        let found = self.environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).with_context(|| format!("there is no {name}"))
    }

    /// Where its main listener is: the APIs, and the default registry.
    ///
    /// # Errors
    /// Fails when its variables do not tell.
    pub(super) fn address(&self) -> Result<SocketAddr> {
        let url = self.variable("AWS_ENDPOINT_URL_ECR")?;
        Ok(url.trim_start_matches("http://").trim_end_matches('/').parse()?)
    }

    /// The variables of an instance whose role is its identity: its metadata service, and no keys.
    pub(super) fn instance_environment(&self) -> Vec<(String, String)> {
        let mut environment = self.environment.clone();
        environment.retain(|(name, _)| !KEYS.contains(&name.as_str()));
        environment.push((METADATA_ENDPOINT.to_owned(), self.metadata_endpoint.clone()));
        environment
    }

    /// Where its APIs are over TLS, by a name that its certificate is for, and the authority to trust.
    ///
    /// # Errors
    /// Fails when it was started without `--tls`.
    pub(super) fn tls(&self) -> Result<(String, PathBuf)> {
        let tls = &self.announced["addresses"]["tls"];
        let text = |name: &str| tls[name].as_str().with_context(|| format!("it announces no TLS {name}"));
        let address: SocketAddr = text("main")?.parse()?;
        Ok((format!("https://localhost:{}", address.port()), text("ca")?.into()))
    }

    /// How often `operation` was called since it was last asked.
    ///
    /// # Errors
    /// Fails when it was started without `--control`.
    pub(super) fn calls_since(&self, operation: &str) -> Result<u64> {
        let control = self.announced["addresses"]["control"].as_str().context("it announces no control")?;
        let reset = Request { method: "POST", path: "/calls/reset", headers: &[] };
        let calls: Value = serde_json::from_str(&reset.send_to(control.parse()?)?)?;
        Ok(calls[operation].as_u64().unwrap_or_default())
    }

    /// The number of its process.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// The keys of the emulated instance's role, as the variables that AWS clients read ("Use the Instance Metadata
    /// Service to access instance metadata", Amazon EC2 user guide).
    fn instance_keys(&self) -> Result<[(String, String); 3]> {
        const ROLE: &str = "/latest/meta-data/iam/security-credentials/";
        let address: SocketAddr =
            self.metadata_endpoint.trim_start_matches("http://").trim_end_matches('/').parse()?;
        // Whatever it says: nothing but this machine is asked.
        ensure!(address.ip().is_loopback(), "{address} is not on loopback");

        let seconds = ("x-aws-ec2-metadata-token-ttl-seconds", "60");
        let token =
            Request { method: "PUT", path: "/latest/api/token", headers: &[seconds] }.send_to(address)?;
        let headers = [("x-aws-ec2-metadata-token", token.as_str())];
        let get = |path: &str| Request { method: "GET", path, headers: &headers }.send_to(address);
        let role = get(ROLE)?;
        let keys: Value = serde_json::from_str(&get(&format!("{ROLE}{}", role.trim()))?)?;
        let value = |name: &str| keys[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
        let [id, secret, token] = KEYS.map(str::to_owned);
        Ok([(id, value("AccessKeyId")?), (secret, value("SecretAccessKey")?), (token, value("Token")?)])
    }
}

impl Drop for EmulatedAws {
    fn drop(&mut self) {
        if let Err(error) = process_group::end(&mut self.child) {
            println!("bench: the emulator: {error:#}");
        }
    }
}

/// The first JSON value that a child prints, which may span lines.
fn first_json(stdout: ChildStdout) -> Result<Value> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let mut reader = BufReader::new(stdout.take(MOST));
        while reader.read_line(&mut text).is_ok_and(|read| read > 0) {
            if let Ok(value) = serde_json::from_str(&text) {
                let _ = sender.send(value);
                return;
            }
        }
    });
    receiver.recv_timeout(START_DEADLINE).context("it says no JSON")
}

/// Takes the variables of AWS clients out of `value`, whatever objects they are in.
fn collect_variables(value: &Value, found: &mut Vec<(String, String)>) {
    let Value::Object(members) = value else { return };
    for (name, member) in members {
        match member {
            Value::String(text) if name.starts_with("AWS_") => found.push((name.clone(), text.clone())),
            other => collect_variables(other, found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found_at_any_depth() {
        let value = serde_json::json!({
            "listen": "127.0.0.1:5000",
            "environment": { "AWS_ENDPOINT_URL_ECR": "http://127.0.0.1:5000", "OTHER": "x" },
            "keys": { "user": { "AWS_ACCESS_KEY_ID": "AKIA" } },
            "AWS_LIST": ["no", "text"],
        });
        let mut found = Vec::new();
        collect_variables(&value, &mut found);
        found.sort();
        let expected = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_ENDPOINT_URL_ECR", "http://127.0.0.1:5000")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
