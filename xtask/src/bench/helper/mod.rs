//! Our credential helper against the peer and against doing nothing.

mod process;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use self::process::Asked;
use self::table::{Measurements, Pair};
use super::emulated_aws::EmulatedAws;
use super::marks;
use super::quartiles::Quartiles;
use crate::musl::Musl;
use crate::{outside, peer, workspace};

const HELPER: &str = "docker-credential-ecr-login";
const NOTHING: &str = "/bin/true";
const REGISTRY: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";
/// For `timeout`(1), in seconds.
const DEMO_DEADLINE: &str = "300";
const WARM_UP_ROUNDS: u32 = 20;
/// Fewer say nothing about quartiles.
pub(super) const FEWEST_ROUNDS: u32 = 200;

/// Measures, and prints one Markdown table.
///
/// # Errors
/// Fails when our programs cannot be built or do not answer. A missing peer is said, and leaves its column empty.
pub(super) fn run(rounds: u32, write_readme: bool) -> Result<()> {
    let programs = Programs::build()?;
    let peer =
        peer::program().inspect_err(|error| println!("bench: no peer, so no ratios to it: {error:#}")).ok();
    let table = Comparison { programs, peer, rounds }.run()?.table();
    println!("\n{table}");
    if write_readme {
        marks::write_table("README.md", &table)?;
    }
    Ok(())
}

/// Our programs, built as they are shipped.
#[derive(Debug)]
struct Programs {
    helper: PathBuf,
    ecru: PathBuf,
    /// What measures memory: built like the others, for it must be small.
    meter: PathBuf,
}

impl Programs {
    fn build() -> Result<Self> {
        let musl = Musl::find(false)?;
        let target = match musl.obstacle {
            None => musl.target,
            Some(obstacle) => {
                println!("bench: built with static glibc: {obstacle}");
                workspace::host_triple()?
            }
        };
        let programs = [("ecru-helper", HELPER), ("ecru-cli", "ecru"), ("xtask", "peak-memory")];
        let [helper, ecru, meter] = super::built("dist", &target, programs)?;
        Ok(Self { helper, ecru, meter })
    }
}

/// What is asked, and how often.
#[derive(Debug)]
struct Comparison {
    programs: Programs,
    peer: Option<PathBuf>,
    rounds: u32,
}

impl Comparison {
    fn run(&self) -> Result<Measurements> {
        let folder = tempfile::Builder::new().prefix("ecru-bench-").tempdir()?;
        let emulator = EmulatedAws::start(&self.programs.ecru)?;
        let new_home = || tempfile::Builder::new().prefix("home-").disable_cleanup(true).tempdir_in(&folder);
        let asked = |program: &Path| -> Result<Asked> {
            let mut environment = emulator.environment.clone();
            environment.push(("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()));
            let home = new_home()?;
            let answers = program != Path::new(NOTHING);
            let registry = REGISTRY.to_owned();
            Ok(Asked { program: program.to_owned(), environment, registry, answers }.at_home(home.path()))
        };
        let helpers = Pair { ours: self.programs.helper.as_path(), peer: self.peer.as_deref() };
        let helpers = helpers.try_map(|program| asked(program))?;
        let nothing = asked(Path::new(NOTHING))?;

        let meter = &self.programs.meter;
        let cold_memory = helpers.try_map(|helper| helper.at_home(new_home()?.path()).peak_memory(meter))?;
        helpers.try_map(Asked::time).context("cannot fill the caches")?;
        // From here on only a cache can answer.
        drop(emulator);
        let warm_memory = helpers.try_map(|helper| helper.peak_memory(meter))?;
        if nothing.peak_memory(meter)? >= warm_memory.ours {
            println!("bench: the warm `get` needs no more memory than the meter: its peak is a bound");
        }

        println!("bench: {} rounds, in each every program once", self.rounds);
        let in_turn = [Some(&nothing), Some(&helpers.ours), helpers.peer.as_ref()];
        let in_turn: Vec<_> = in_turn.into_iter().flatten().collect();
        let mut times = quartiles_of_rounds(&in_turn, self.rounds)?.into_iter();
        let mut next = || times.next().context("a program has no times");
        Ok(Measurements {
            date: time::OffsetDateTime::now_utc().date().to_string(),
            peer_version: self.peer.as_deref().map(peer::version).transpose()?,
            nothing: next()?,
            warm_get: Pair { ours: next()?, peer: helpers.peer.as_ref().map(|_| next()).transpose()? },
            warm_memory,
            cold_memory,
            helper_size: helpers.try_map(|helper| Ok(helper.program.metadata()?.len()))?,
            ecru_size: self.programs.ecru.metadata()?.len(),
            demo_calls: demo_calls(&self.programs.ecru),
        })
    }
}

/// The times of each program in milliseconds; all run in every round, so that a slow moment hits all of them.
fn quartiles_of_rounds(programs: &[&Asked], rounds: u32) -> Result<Vec<Quartiles>> {
    let mut times = vec![Vec::new(); programs.len()];
    for round in 0..WARM_UP_ROUNDS + rounds {
        for (program, times) in programs.iter().zip(&mut times) {
            let took = program.time()?;
            if round >= WARM_UP_ROUNDS {
                times.push(took.as_secs_f64() * 1000.0);
            }
        }
    }
    times.iter().map(|times| Quartiles::of(times).context("nothing was measured")).collect()
}

/// How many AWS calls one demo says that it made; none, and the reason is printed, if it fails.
fn demo_calls(ecru: &Path) -> Option<u64> {
    let mut demo = outside::command("timeout");
    demo.arg(DEMO_DEADLINE).arg(ecru).args(["demo", "--plain"]);
    let output = match demo.output() {
        Ok(output) => output,
        Err(error) => {
            println!("bench: cannot run `ecru demo`: {error}");
            return None;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    if !output.status.success() {
        println!("bench: `ecru demo` failed: {last}");
        return None;
    }
    let calls = calls_in(&text);
    if calls.is_none() {
        println!("bench: `ecru demo` does not say how many AWS calls it made");
    }
    calls
}

fn calls_in(demo: &str) -> Option<u64> {
    demo.lines().find_map(|line| line.strip_prefix("aws calls: ")?.split(' ').next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_of_a_demo_are_on_a_line_of_their_own() {
        let demo =
            "  1  runner  pulled\naws calls: 10 (ecr:GetAuthorizationToken 10)\ndemo: 3 of 3 steps passed\n";
        assert_eq!(calls_in(demo), Some(10));
        assert_eq!(calls_in("aws calls: 4\n"), Some(4));
        assert_eq!(calls_in("12 aws calls: many\n"), None);
    }

    #[test]
    fn every_program_is_timed_in_every_round() {
        let asked = Asked {
            program: NOTHING.into(),
            environment: Vec::new(),
            registry: REGISTRY.to_owned(),
            answers: false,
        };
        let quartiles = quartiles_of_rounds(&[&asked, &asked], 3).unwrap();
        assert_eq!(quartiles.len(), 2);
        assert!(quartiles.iter().all(|it| it.median > 0.0));
    }

    #[test]
    fn a_helper_that_does_not_answer_is_no_measurement() {
        let asked = |program: &str| Asked {
            program: program.into(),
            environment: Vec::new(),
            registry: REGISTRY.to_owned(),
            answers: true,
        };
        assert!(asked("/bin/false").time().is_err());
        assert!(asked(NOTHING).time().is_err());
        assert!(asked("/nonexistent").time().is_err());
    }
}
