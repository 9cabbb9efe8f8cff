//! A `get` that has to ask AWS, over TLS.

use std::path::Path;

use anyhow::Result;

use super::row::{Row, mebibytes};
use super::stage::{Stage, quartiles_of_both};

const MIB: f64 = 1024.0 * 1024.0;
/// Where Debian has the authorities that a machine trusts.
const MACHINE_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Times and memory, each `get` in a home without a cache.
///
/// # Errors
/// Fails when a helper does not answer.
pub(super) fn over_tls(stage: &Stage) -> Result<Vec<Row>> {
    let aws = stage.aws(&["--tls", "0"])?;
    let (endpoint, authority) = aws.tls()?;
    let bundle = stage.new_home()?.join("authorities.pem");
    trust_one_more(&authority, &bundle)?;
    let helpers = stage.with_keys(&aws)?.map(|helper| {
        let helper = helper.with("AWS_ENDPOINT_URL_ECR", &endpoint);
        helper.with("SSL_CERT_FILE", &bundle.display().to_string())
    });

    let rounds = stage.rounds / 4;
    println!("bench: cold `get` over TLS, {rounds} rounds");
    let times = quartiles_of_both(&helpers, rounds, |helper| helper.at_home(&stage.new_home()?).time())?;
    let memory = helpers.try_map(|helper| {
        let peak = helper.at_home(&stage.new_home()?).peak_memory(&stage.meter)?;
        Ok(peak as f64)
    })?;
    Ok(vec![
        Row::of_times("cold `get`, AWS on this machine over TLS", times).at_most_of_peer(0.6).chosen(),
        Row::new("peak memory of a cold `get` over TLS", memory, mebibytes)
            .with_goal("10 MiB", memory.ours <= 10.0 * MIB)
            .chosen(),
    ])
}

/// The emulator's authority after those that this machine trusts: reading them all is a part of a cold `get`.
fn trust_one_more(authority: &Path, bundle: &Path) -> Result<()> {
    let mut authorities = std::fs::read(MACHINE_AUTHORITIES).unwrap_or_default();
    authorities.extend(std::fs::read(authority)?);
    Ok(std::fs::write(bundle, authorities)?)
}
