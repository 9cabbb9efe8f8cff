//! The job host: its engine and disk, its user data, and what its containers get of the instance metadata.

mod container;
mod disk;
mod engine;
mod firewall;
mod metadata;
pub mod sight;
mod user_data;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use ecru_executor::Engine;

use crate::report::{Check, Definition};
use crate::surroundings::Surroundings;

/// All checks: what decides whether jobs run, and then what jobs can misuse or what breaks later.
pub static DEFINITIONS: &[&Definition] = &[
    &engine::ANSWERS,
    &user_data::ARRIVED,
    &disk::SPACE,
    &engine::VERSION,
    &metadata::CONTAINER,
    &metadata::TOKEN_REQUIRED,
    &metadata::HOP_LIMIT,
    &firewall::IN_FORCE,
];

/// What a job host's checks are made from.
#[derive(Debug, Clone)]
pub struct Input {
    /// The folder that is `/` of the host.
    pub root: PathBuf,
    /// Whether programs are started and anything is asked: the engine, the metadata, the firewall. Never for a folder
    /// that is not this machine.
    pub asks: bool,
    /// The engine's address, in the form of `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// Where programs are looked for.
    pub search_path: Option<OsString>,
    /// Where the instance metadata is, in production [`sight::EC2`]; or why nobody is to ask for it.
    pub metadata: Result<Vec<SocketAddr>, String>,
    /// Whether jobs are meant to have the instance's identity.
    pub metadata_wanted: bool,
    /// The program that looks at the metadata from inside a container.
    pub probe: Option<Probe>,
}

impl Input {
    /// The input that a diagnosis of `surroundings` has.
    #[must_use]
    pub fn of(surroundings: &Surroundings) -> Self {
        let variables = surroundings.variables();
        let variable = |name: &str| variables.get(name).filter(|value| !value.is_empty());
        Self {
            root: surroundings.root.clone(),
            asks: surroundings.asked.starts_programs && surroundings.is_this_machine(),
            docker_host: variable("DOCKER_HOST").cloned(),
            search_path: variable("PATH").map(OsString::from),
            metadata: metadata_addresses(
                variable(DISABLED).map(String::as_str),
                variable(ENDPOINT).map(String::as_str),
            ),
            metadata_wanted: surroundings.asked.metadata_wanted,
            probe: surroundings.probe.clone(),
        }
    }
}

/// The settings of AWS's SDKs for the metadata (AWS SDKs and Tools reference guide, "IMDS credential provider").
const DISABLED: &str = "AWS_EC2_METADATA_DISABLED";
const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";

/// Where the metadata is for programs with these settings.
fn metadata_addresses(disabled: Option<&str>, endpoint: Option<&str>) -> Result<Vec<SocketAddr>, String> {
    if disabled.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(format!("{DISABLED} is set"));
    }
    let Some(endpoint) = endpoint else { return Ok(sight::EC2.to_vec()) };
    let host = endpoint.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let address = host.and_then(|host| {
        host.parse().ok().or_else(|| {
            let ip = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
            Some(SocketAddr::new(ip, sight::HTTP_PORT))
        })
    });
    address
        .map(|address| vec![address])
        .ok_or_else(|| format!("{ENDPOINT} is no http:// address with a number"))
}

/// A program that, started with addresses as its last arguments, prints what it sees there as the JSON of a list of
/// [`sight::Sight`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Its file, an absolute path of the engine's machine.
    pub program: PathBuf,
    /// Its first arguments.
    pub arguments: Vec<String>,
}

/// Why nothing is asked of a folder, or without leave.
const NOT_ASKED: &str = "nothing is started or asked here";

/// Carries out all checks of this context.
pub async fn checks(input: &Input) -> Vec<Check> {
    let mut checks = vec![user_data::arrived(&input.root)];
    if !input.asks {
        let asked = DEFINITIONS.iter().filter(|definition| definition.id != user_data::ARRIVED.id);
        checks.extend(asked.map(|definition| Check::skipped(definition, NOT_ASKED)));
        return checks;
    }
    let engine = Engine::connect(input.docker_host.as_deref()).await;
    checks.push(engine::answers(&engine));
    checks.push(engine::version(engine.as_ref().ok()));
    checks.push(disk::space(&input.root, engine.as_ref().ok()));
    let (metadata, firewall) =
        tokio::join!(metadata::checks(input, engine.as_ref().ok()), firewall::in_force(input));
    checks.extend(metadata);
    checks.push(firewall);
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_is_where_the_sdks_settings_say() {
        let at = |endpoint| metadata_addresses(None, Some(endpoint)).map(|found| found[0].to_string());
        assert_eq!(at("http://127.0.0.1:5000/").unwrap(), "127.0.0.1:5000");
        assert_eq!(at("http://192.0.2.254").unwrap(), "192.0.2.254:80");
        assert_eq!(at("http://[2001:db8::1]").unwrap(), "[2001:db8::1]:80");
        assert!(at("https://192.0.2.254").is_err() && at("http://metadata.example").is_err());
        assert!(metadata_addresses(Some("TRUE"), Some("http://127.0.0.1")).is_err());
        assert_eq!(metadata_addresses(None, None).unwrap(), sight::EC2);
    }
}
