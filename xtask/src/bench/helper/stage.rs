//! What is measured, and on what it plays.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::process::Asked;
use super::row::Pair;
use crate::bench::emulated_aws::EmulatedAws;
use crate::bench::quartiles::Quartiles;
use crate::dist::{ECRU, HELPER, METER, Platform};

pub(super) const NOTHING: &str = "/bin/true";
pub(super) const REGISTRY: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";
pub(super) const TOKEN_OPERATION: &str = "ecr:GetAuthorizationToken";
const WARM_UP_ROUNDS: u32 = 5;

/// The programs, and a folder for their homes, which ends with this value.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) helpers: Pair<PathBuf>,
    pub(super) ecru: PathBuf,
    /// What measures memory: built like the others, for it must be small.
    pub(super) meter: PathBuf,
    pub(super) rounds: u32,
    folder: TempDir,
}

impl Stage {
    /// Builds our programs as they are shipped.
    ///
    /// # Errors
    /// Fails when one does not build.
    pub(super) fn build(peer: Option<PathBuf>, rounds: u32) -> Result<Self> {
        let platform = Platform::of_this_machine(false)?;
        let folder = tempfile::Builder::new().prefix("ecru-bench-").tempdir()?;
        let helpers = Pair { ours: HELPER.build(&platform)?, peer };
        Ok(Self {
            helpers: helpers.try_map(|program| installed(program, folder.path()))?,
            ecru: ECRU.build(&platform)?,
            meter: METER.build(&platform)?,
            rounds,
            folder,
        })
    }

    /// An emulator with more arguments.
    ///
    /// # Errors
    /// Fails when it does not start.
    pub(super) fn aws(&self, arguments: &[&str]) -> Result<EmulatedAws> {
        EmulatedAws::start_with(&self.ecru, arguments)
    }

    /// An empty home directory.
    ///
    /// # Errors
    /// Fails when there is no room for one.
    pub(super) fn new_home(&self) -> Result<PathBuf> {
        Ok(tempfile::Builder::new().prefix("home-").tempdir_in(&self.folder)?.keep())
    }

    /// Both helpers, each with a home of its own, with keys in the environment and no instance metadata.
    ///
    /// # Errors
    /// Fails when there is no room for a home.
    pub(super) fn with_keys(&self, aws: &EmulatedAws) -> Result<Pair<Asked>> {
        let mut environment = aws.environment.clone();
        environment.push(("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()));
        self.with_environment(&environment)
    }

    /// Both helpers, each with a home of its own, in some environment.
    ///
    /// # Errors
    /// Fails when there is no room for a home.
    pub(super) fn with_environment(&self, environment: &[(String, String)]) -> Result<Pair<Asked>> {
        self.helpers.try_map(|program| self.asked(program, environment))
    }

    /// A program that does nothing, in the same environment.
    ///
    /// # Errors
    /// Fails when there is no room for a home.
    pub(super) fn nothing(&self, like: &Asked) -> Result<Asked> {
        Ok(Asked { answers: false, ..self.asked(Path::new(NOTHING), &like.environment)? })
    }

    fn asked(&self, program: &Path, environment: &[(String, String)]) -> Result<Asked> {
        let asked = Asked {
            program: program.to_owned(),
            environment: environment.to_vec(),
            registry: REGISTRY.to_owned(),
            answers: true,
        };
        Ok(asked.at_home(&self.new_home()?))
    }
}

/// A copy of `program` in a folder of its own, as an installation makes it. What a linker wrote lies in the page cache
/// in smaller pieces than what was copied, and starts a third slower until it is read from the disk anew.
fn installed(program: &Path, below: &Path) -> Result<PathBuf> {
    let folder = tempfile::Builder::new().prefix("bin-").tempdir_in(below)?.keep();
    let installed = folder.join(program.file_name().context("a program has a name")?);
    std::fs::copy(program, &installed)?;
    Ok(installed)
}

/// The times that `time` takes of each contestant in milliseconds; all have their turn in every round, so that a slow
/// moment hits all of them.
///
/// # Errors
/// Fails when `time` does.
pub(super) fn quartiles_of_rounds<C>(
    contestants: &[&C],
    rounds: u32,
    mut time: impl FnMut(&C) -> Result<std::time::Duration>,
) -> Result<Vec<Quartiles>> {
    let mut times = vec![Vec::new(); contestants.len()];
    for round in 0..WARM_UP_ROUNDS + rounds {
        for (contestant, times) in contestants.iter().zip(&mut times) {
            let took = time(contestant)?;
            if round >= WARM_UP_ROUNDS {
                times.push(took.as_secs_f64() * 1000.0);
            }
        }
    }
    times.iter().map(|times| Quartiles::of(times).context("nothing was measured")).collect()
}

/// The same for our helper and the peer's.
///
/// # Errors
/// Fails when `time` does.
pub(super) fn quartiles_of_both<C>(
    contestants: &Pair<C>,
    rounds: u32,
    time: impl FnMut(&C) -> Result<std::time::Duration>,
) -> Result<Pair<Quartiles>> {
    let in_turn: Vec<&C> = contestants.iter().collect();
    let quartiles = quartiles_of_rounds(&in_turn, rounds, time)?;
    Ok(Pair { ours: *quartiles.first().context("nothing was measured")?, peer: quartiles.get(1).copied() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_its_turn_in_every_round() {
        let mut turns = String::new();
        let quartiles = quartiles_of_rounds(&[&"a", &"b"], 3, |name| {
            turns.push_str(name);
            Ok(std::time::Duration::from_millis(2))
        });
        assert_eq!(turns, "ab".repeat(3 + WARM_UP_ROUNDS as usize));
        assert_eq!(quartiles.unwrap().iter().map(|it| it.median).collect::<Vec<_>>(), [2.0, 2.0]);
    }
}
