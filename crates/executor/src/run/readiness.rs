//! Waiting until services answer on their ports.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{InspectContainerOptions, LogsOptionsBuilder};
use futures_util::future::select_ok;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::RunError;
use super::containers::Surroundings;
use super::services::StartedService;
use super::stage;
use crate::engine::Engine;
use crate::observer::{Event, Observer};

/// The most ports of one service that are dialled; an image can expose a range of thousands.
const PORT_LIMIT: usize = 64;

/// How long one attempt to connect may take, and the pause before the next one.
const DIAL_DEADLINE: Duration = Duration::from_secs(1);
const DIAL_PAUSE: Duration = Duration::from_millis(50);

/// How much of a failed service's log is shown, and how long reading it may take.
const LOG_LINES: usize = 20;
const LOG_BYTES: usize = 16 * 1024;
const LOG_DEADLINE: Duration = Duration::from_secs(5);

/// What was found out about a service.
enum Readiness {
    Ready { port: u16 },
    WithoutPort,
    Unchecked { reason: &'static str },
}

/// Waits for all services side by side, `limit` at most. The first one that fails ends the wait.
pub(super) async fn wait_for_all(
    engine: &Engine,
    services: &[StartedService],
    surroundings: &Surroundings,
    limit: Duration,
    observer: &mut dyn Observer,
) -> Result<(), RunError> {
    let mut checks: FuturesUnordered<_> = services
        .iter()
        .map(|service| wait_for(engine, service, surroundings, limit).map(move |outcome| (service, outcome)))
        .collect();
    while let Some((service, outcome)) = checks.next().await {
        let service = &service.title;
        observer.event(match outcome? {
            Readiness::Ready { port } => Event::ServiceReady { service, port },
            Readiness::WithoutPort => Event::ServiceWithoutPort { service },
            Readiness::Unchecked { reason } => Event::ServiceUnchecked { service, reason },
        });
    }
    Ok(())
}

async fn wait_for(
    engine: &Engine,
    service: &StartedService,
    surroundings: &Surroundings,
    limit: Duration,
) -> Result<Readiness, RunError> {
    if service.ports.is_empty() {
        return Ok(Readiness::WithoutPort);
    }
    if limit.is_zero() {
        return Ok(Readiness::Unchecked { reason: "waiting for services is switched off" });
    }
    if !engine.reaches_containers() {
        return Ok(Readiness::Unchecked { reason: "containers of this engine cannot be reached from here" });
    }
    let container = inspect(engine, service).await?;
    let Some(address) = address_on(&container, &surroundings.network) else {
        let exit_code = stage::exit_code(engine, &service.container).await?;
        return Err(exited(engine, service, exit_code).await);
    };
    tokio::select! {
        exit_code = stage::exit_code(engine, &service.container) => Err(exited(engine, service, exit_code?).await),
        answer = timeout(limit, first_open_port(address, &service.ports)) => match answer {
            Ok(port) => Ok(Readiness::Ready { port }),
            Err(_) => Err(never_listened(engine, service, limit).await),
        },
    }
}

async fn inspect(engine: &Engine, service: &StartedService) -> Result<ContainerInspectResponse, RunError> {
    let inspection = engine.docker().inspect_container(&service.container, None::<InspectContainerOptions>);
    Ok(engine.call("inspect the service's container", inspection).await?)
}

/// Returns the address of a container on `network`. A container that has ended has none.
fn address_on(container: &ContainerInspectResponse, network: &str) -> Option<IpAddr> {
    let endpoint = container.network_settings.as_ref()?.networks.as_ref()?.get(network)?;
    [&endpoint.ip_address, &endpoint.global_ipv6_address]
        .into_iter()
        .flatten()
        .find_map(|address| address.parse().ok())
}

/// Dials all ports again and again, and returns the first one that answers.
async fn first_open_port(address: IpAddr, ports: &[u16]) -> u16 {
    loop {
        let dials = ports.iter().take(PORT_LIMIT).map(|&port| dial(SocketAddr::new(address, port)).boxed());
        if let Ok((port, _)) = select_ok(dials).await {
            return port;
        }
        sleep(DIAL_PAUSE).await;
    }
}

async fn dial(address: SocketAddr) -> Result<u16, ()> {
    match timeout(DIAL_DEADLINE, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(address.port()),
        _ => Err(()),
    }
}

async fn exited(engine: &Engine, service: &StartedService, exit_code: i32) -> RunError {
    RunError::ServiceExited {
        service: service.title.clone(),
        image: service.image.clone(),
        ports: service.ports.clone(),
        exit_code,
        log: last_log_lines(engine, &service.container).await,
    }
}

async fn never_listened(engine: &Engine, service: &StartedService, waited: Duration) -> RunError {
    RunError::ServiceNeverListened {
        service: service.title.clone(),
        image: service.image.clone(),
        ports: service.ports.clone(),
        waited,
        log: last_log_lines(engine, &service.container).await,
    }
}

/// Returns the last lines of a container's log. It only adds to an error, so what cannot be read is left out.
async fn last_log_lines(engine: &Engine, container: &str) -> Vec<String> {
    let options =
        LogsOptionsBuilder::default().stdout(true).stderr(true).tail(&LOG_LINES.to_string()).build();
    let mut chunks = engine.docker().logs(container, Some(options));
    let mut log = Vec::new();
    let reading = async {
        while let Some(Ok(chunk)) = chunks.next().await {
            log.extend_from_slice(chunk.as_ref());
            if log.len() >= LOG_BYTES {
                break;
            }
        }
    };
    // A slow engine must not hide the error that the log belongs to.
    let _ = timeout(LOG_DEADLINE, reading).await;
    log.truncate(LOG_BYTES);
    last_lines(&log)
}

fn last_lines(log: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use bollard::models::{EndpointSettings, NetworkSettings};

    use super::*;

    fn container_on(network: &str, v4: &str, v6: &str) -> ContainerInspectResponse {
        let endpoint = EndpointSettings {
            ip_address: Some(v4.to_owned()),
            global_ipv6_address: Some(v6.to_owned()),
            ..Default::default()
        };
        ContainerInspectResponse {
            network_settings: Some(NetworkSettings {
                networks: Some([(network.to_owned(), endpoint)].into()),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    #[test]
    fn the_address_is_that_of_the_runs_network() {
        assert_eq!(address_on(&container_on("n", "172.18.0.2", ""), "n"), "172.18.0.2".parse().ok());
        assert_eq!(address_on(&container_on("n", "", "fd00::2"), "n"), "fd00::2".parse().ok());
        assert_eq!(address_on(&container_on("n", "", ""), "n"), None);
        assert_eq!(address_on(&container_on("other", "172.18.0.2", ""), "n"), None);
    }

    #[test]
    fn only_the_last_lines_are_kept_and_any_bytes_are_taken() {
        let log: Vec<u8> = (0..30).flat_map(|line| format!("line {line}\n").into_bytes()).collect();
        let lines = last_lines(&log);
        assert_eq!(lines.len(), LOG_LINES);
        assert_eq!(lines.last().unwrap(), "line 29");
        assert_eq!(last_lines(b"\xff\xfe\n"), ["\u{fffd}\u{fffd}"]);
        assert!(last_lines(b"").is_empty());
    }

    #[tokio::test]
    async fn the_port_that_answers_is_found_among_those_that_do_not() {
        let open = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let ports = [closed.local_addr().unwrap().port(), open.local_addr().unwrap().port()];
        drop(closed);

        assert_eq!(first_open_port("127.0.0.1".parse().unwrap(), &ports).await, ports[1]);
    }
}
