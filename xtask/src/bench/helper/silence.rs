//! How long a `get` takes to end where nobody answers.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use super::process::Asked;
use super::row::{Pair, Row};
use super::stage::{Stage, TOKEN_OPERATION};
use crate::bench::emulated_aws::METADATA_ENDPOINT;

/// After it, whoever still runs is ended.
const LIMIT: Duration = Duration::from_secs(100);
/// Ours promises an upper bound, so that what counts is the longest of several.
const OUR_TRIES: usize = 3;

/// A case: what nobody answers.
#[derive(Debug)]
struct Case {
    what: &'static str,
    at_most: u32,
    helpers: Pair<Asked>,
}

/// All cases at the same time, since nothing happens in them.
///
/// # Errors
/// Fails when a helper cannot be started, or ours does not end.
pub(super) fn ends(stage: &Stage) -> Result<Vec<Row>> {
    let aws = stage.aws(&["--fault", &format!("{TOKEN_OPERATION}=silence")])?;
    // It takes connections, as the kernel does it for every listener, and nothing more.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let refusing = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let at_metadata = |address: SocketAddr| {
        let mut environment = aws.instance_environment();
        environment.retain(|(name, _)| name != METADATA_ENDPOINT);
        environment.push((METADATA_ENDPOINT.to_owned(), format!("http://{address}")));
        stage.with_environment(&environment)
    };
    let case = |what, at_most, helpers| Case { what, at_most, helpers };
    let cases = [
        case("a `get` ends, AWS being silent", 10, stage.with_keys(&aws)?),
        case("a `get` ends, instance metadata being silent", 2, at_metadata(silent.local_addr()?)?),
        case("a `get` ends, instance metadata refusing connections", 2, at_metadata(refusing)?),
    ];
    println!("bench: nobody answers, for at most {} seconds", LIMIT.as_secs());
    std::thread::scope(|scope| {
        let waiting: Vec<_> = cases.iter().map(|case| scope.spawn(|| case.row())).collect();
        waiting.into_iter().map(|case| case.join().map_err(|_| anyhow!("a thread panicked"))?).collect()
    })
}

impl Case {
    fn row(&self) -> Result<Row> {
        let peer = || self.helpers.peer.as_ref().map(|peer| peer.time_to_end(LIMIT)).transpose();
        let (ours, peer) = std::thread::scope(|scope| {
            let peer = scope.spawn(peer);
            Ok::<_, anyhow::Error>((
                self.longest_of_ours()?,
                peer.join().map_err(|_| anyhow!("a thread panicked"))??,
            ))
        })?;
        let ours = ours.context("ours does not end")?.as_secs_f64();
        let values = Pair { ours, peer: peer.flatten().map(|it| it.as_secs_f64()) };
        let row = Row::new(self.what, values, |seconds| format!("{seconds:.2} s"))
            .with_goal(&format!("{} s", self.at_most), ours <= f64::from(self.at_most));
        let never_ended = peer == Some(None);
        Ok(if never_ended { row.with_peer_shown(&format!("over {} s", LIMIT.as_secs())) } else { row })
    }

    fn longest_of_ours(&self) -> Result<Option<Duration>> {
        let tries: Result<Vec<_>> = (0..OUR_TRIES).map(|_| self.helpers.ours.time_to_end(LIMIT)).collect();
        Ok(tries?.into_iter().collect::<Option<Vec<_>>>().and_then(|tries| tries.into_iter().max()))
    }
}
