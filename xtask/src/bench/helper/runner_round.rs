//! What GitLab Runner asks a `credsStore` before each job: `list`, and then `get` for all that is listed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::process::Asked;
use super::row::{Pair, Row};
use super::stage::{Stage, TOKEN_OPERATION, quartiles_of_both};

const REGIONS: [&str; 4] = ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1"];
const ACCOUNTS: u32 = 5;

/// The registries of five accounts in four regions, warm. AWS stays there, for the peer's `list` asks it each time.
///
/// # Errors
/// Fails when a helper does not answer.
pub(super) fn of_twenty(stage: &Stage) -> Result<Vec<Row>> {
    let registries = registries();
    let aws = stage.aws(&["--control", "0"])?;
    let config = stage.new_home()?.join("config.toml");
    std::fs::write(&config, format!("registries = {registries:?}\n"))?;
    let helpers = stage.with_keys(&aws)?.map(|helper| {
        let helper = helper.with("ECRU_CONFIG", &config.display().to_string());
        helper.with("AWS_REGION", REGIONS[0])
    });
    helpers.try_map(|helper| time(helper, &registries)).context("cannot fill the caches")?;
    let listed = helpers.ours.listed()?;
    ensure!(listed.len() == registries.len(), "it lists {} registries", listed.len());

    let rounds = stage.rounds / 10;
    println!("bench: `list` and {} `get`, {rounds} rounds", registries.len());
    let times = quartiles_of_both(&helpers, rounds, |helper| time(helper, &registries))?;
    aws.calls_since(TOKEN_OPERATION)?;
    let calls: Pair<f64> = helpers.try_map(|helper| {
        time(helper, &registries)?;
        Ok(aws.calls_since(TOKEN_OPERATION)? as f64)
    })?;
    let what = format!("`list` and {} `get` for a runner's `credsStore`, warm", registries.len());
    Ok(vec![
        Row::of_times(what, times).at_most_of_peer(0.1).chosen(),
        Row::new("AWS calls in it", calls, |it| it.to_string()),
    ])
}

fn registries() -> Vec<String> {
    let of_region = |region| (0..ACCOUNTS).map(move |id| format!("{id:012}.dkr.ecr.{region}.amazonaws.com"));
    REGIONS.into_iter().flat_map(of_region).collect()
}

fn time(helper: &Asked, registries: &[String]) -> Result<Duration> {
    let started = Instant::now();
    helper.listed()?;
    for registry in registries {
        helper.for_registry(registry).time()?;
    }
    Ok(started.elapsed())
}
