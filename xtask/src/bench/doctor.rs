//! `ecru doctor` on a healthy runner with five registries, AWS 20 ms away; and what `ecru setup runner` would change.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use super::emulated_aws::EmulatedAws;
use super::quartiles::Quartiles;
use crate::workspace;

/// The fewest runs of which quartiles say something.
pub(super) const FEWEST_ROUNDS: u32 = 5;

/// One account in five regions: each region needs a password of its own.
const REGIONS: [&str; 5] = ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2"];

/// What `ecru setup` exits with when it only showed changes.
const NOT_APPLIED: i32 = 5;

/// Every answer takes this long to come.
const FAR_AWAY: &str = "*=latency:20ms";
const FAR_AWAY_MS: u32 = 20;

/// What is promised, in milliseconds.
const DOCTOR_MOST_MS: f64 = 2000.0;
const SETUP_MOST_MS: f64 = 50.0;

/// Measures, and prints one Markdown table.
///
/// # Errors
/// Fails when our program cannot be built, the runner is not healthy, or a promise is broken.
pub(super) fn run(rounds: u32) -> Result<()> {
    let target = workspace::host_triple()?;
    let [ecru] = super::built("dist", &target, [("ecru-cli", "ecru")])?;
    let emulator = EmulatedAws::start_with(&ecru, &["--fault", FAR_AWAY])?;
    let runner = Runner::new(&ecru, &emulator)?;
    runner.set_up()?;
    let fresh = Runner::new(&ecru, &emulator)?;
    let (mut cold, mut warm, mut setup) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        runner.forget_passwords()?;
        cold.push(runner.milliseconds(&["doctor"], 0)?);
        warm.push(runner.milliseconds(&["doctor"], 0)?);
        setup.push(fresh.milliseconds(&fresh.setup_arguments("--dry-run"), NOT_APPLIED)?);
    }
    let median = |times: &[f64]| Quartiles::of(times).map(|it| it.median).context("nothing was measured");
    let rows = rows(median(&cold)?, median(&warm)?, median(&setup)?);
    println!("\n{}", table(&rows));
    judge(&rows)
}

/// A measurement, and the most milliseconds that are promised for it.
struct Row {
    what: String,
    median: f64,
    promise: f64,
}

impl Row {
    fn is_kept(&self) -> bool {
        self.median <= self.promise
    }
}

fn rows(cold: f64, warm: f64, setup: f64) -> [Row; 3] {
    let registries = REGIONS.len();
    let row = |what: &str, median, promise| Row { what: what.to_owned(), median, promise };
    [
        row(
            &format!(
                "a healthy runner, {registries} registries, AWS {FAR_AWAY_MS} ms away, no password cached"
            ),
            cold,
            DOCTOR_MOST_MS,
        ),
        row("the same, passwords cached by the helper", warm, DOCTOR_MOST_MS),
        row("`ecru setup runner --dry-run` for them, on a fresh machine", setup, SETUP_MOST_MS),
    ]
}

fn table(rows: &[Row]) -> String {
    let mut table = "| `ecru doctor` | median | promise | |\n|---|---|---|---|\n".to_owned();
    for row in rows {
        let Row { what, median, promise } = row;
        let verdict = if row.is_kept() { "kept" } else { "BROKEN" };
        let _ = writeln!(table, "| {what} | {median:.0} ms | at most {promise:.0} ms | {verdict} |");
    }
    table
}

/// Fails where a promise is broken, so that whoever only looks at the exit code learns of it.
fn judge(rows: &[Row]) -> Result<()> {
    let broken: Vec<&str> = rows.iter().filter(|row| !row.is_kept()).map(|row| row.what.as_str()).collect();
    ensure!(broken.is_empty(), "took longer than is promised: {}", broken.join("; "));
    Ok(())
}

/// A folder that stands for a machine with a runner.
struct Runner {
    folder: tempfile::TempDir,
    ecru: PathBuf,
}

impl Runner {
    fn new(ecru: &Path, emulator: &EmulatedAws) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ecru-bench-doctor-").tempdir()?;
        let runner = Self { folder, ecru: ecru.to_owned() };
        let variables = emulator.instance_environment().into_iter();
        let lines: String =
            variables.map(|(name, value)| format!("Environment=\"{name}={value}\"\n")).collect();
        let unit = format!("[Service]\nExecStart=/usr/bin/gitlab-runner run\n{lines}");
        runner.write("etc/systemd/system/gitlab-runner.service", &unit)?;
        let config =
            "[[runners]]\nname = \"bench\"\nexecutor = \"docker\"\n[runners.docker]\nimage = \"alpine\"\n";
        runner.write("etc/gitlab-runner/config.toml", config)?;
        std::fs::create_dir_all(runner.folder.path().join("usr/local/bin"))?;
        Ok(runner)
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().context("no folder")?)?;
        Ok(std::fs::write(path, text)?)
    }

    fn setup_arguments(&self, how: &'static str) -> Vec<String> {
        let hosts = REGIONS.map(|region| format!("000000000000.dkr.ecr.{region}.amazonaws.com"));
        let setup = ["setup", "runner", how, "--registry"].map(str::to_owned);
        setup.into_iter().chain(hosts).collect()
    }

    fn set_up(&self) -> Result<()> {
        let arguments = self.setup_arguments("--yes");
        self.milliseconds(&arguments, 0).map(|_| ())
    }

    /// Removes the helper's cache, as it is on a machine that has just started.
    fn forget_passwords(&self) -> Result<()> {
        let cache = self.folder.path().join("root/.cache");
        if cache.exists() {
            std::fs::remove_dir_all(cache)?;
        }
        Ok(())
    }

    /// How long a command takes that ends with `code`.
    fn milliseconds(&self, arguments: &[impl AsRef<str>], code: i32) -> Result<f64> {
        let mut command = Command::new(&self.ecru);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("HOME", self.folder.path());
        command.args(arguments.iter().map(AsRef::as_ref)).arg("--root").arg(self.folder.path());
        command.stdin(Stdio::null());
        let started = Instant::now();
        let output = command.output()?;
        let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
        ensure!(
            output.status.code() == Some(code),
            "`ecru {}` ended with {}:\n{}{}",
            arguments.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" "),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(milliseconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_promise_fails() {
        assert!(judge(&rows(DOCTOR_MOST_MS, 1.0, SETUP_MOST_MS)).is_ok());
        let broken = rows(1.0, 1.0, SETUP_MOST_MS + 1.0);
        assert!(table(&broken).contains("BROKEN"));
        assert!(judge(&broken).is_err_and(|error| error.to_string().contains("setup runner")));
    }
}
