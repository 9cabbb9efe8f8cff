//! `ecru check` on a large pipeline: 500 jobs, 100 images, a registry 20 ms away; and a merged file of 2 MB.

mod slow_registry;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use self::slow_registry::SlowRegistry;
use super::quartiles::Quartiles;
use crate::{outside, workspace};

/// The fewest runs of which quartiles say something.
pub(super) const FEWEST_ROUNDS: u32 = 5;

const JOBS: usize = 500;
const IMAGES: usize = 100;
const FAR_AWAY: Duration = Duration::from_millis(20);
const MERGED_BYTES: usize = 2 * 1024 * 1024;

/// What is promised: for the check in milliseconds and bytes, for the merged file in milliseconds.
const CHECK_MOST_MS: f64 = 1500.0;
const CHECK_MOST_BYTES: u64 = 64 * 1024 * 1024;
const MERGED_MOST_MS: f64 = 300.0;
const REFUSED_MOST_MS: f64 = 1000.0;

/// `ecru`'s exit code for a file that cannot be read (docs/EXIT_CODES.md).
const BAD_CONFIGURATION: i32 = 80;

/// What stands in the table for a promise that is not kept.
const BROKEN: &str = "BROKEN";

/// Measures, and prints one Markdown table.
///
/// # Errors
/// Fails when our programs cannot be built, an image is not found or asked for more than once, or a promise is not kept.
pub(super) fn run(rounds: u32) -> Result<()> {
    let target = workspace::host_triple()?;
    let [ecru, meter] = super::built("dist", &target, [("ecru-cli", "ecru"), ("xtask", "peak-memory")])?;
    let folder = tempfile::Builder::new().prefix("ecru-bench-check-").tempdir()?;
    let registry = SlowRegistry::start(FAR_AWAY)?;
    let images: Vec<String> =
        (0..IMAGES).map(|number| format!("127.0.0.1:{}/team/image-{number}:1", registry.port)).collect();
    let pipeline = folder.path().join("pipeline.yml");
    std::fs::write(&pipeline, pipeline_text(&images))?;
    let merged = folder.path().join("merged.yml");
    std::fs::write(&merged, merged_text())?;
    let hostile = folder.path().join("hostile.yml");

    let (mut check, mut parse, mut refused, mut peer) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let asked_before = registry.heads();
        let pipeline = [pipeline.as_os_str()];
        check.push(milliseconds(ours(&ecru, folder.path()).arg("check").args(pipeline))?);
        let asked = registry.heads() - asked_before;
        ensure!(asked == IMAGES, "{IMAGES} images were asked for {asked} times");
        let merged = ["check".as_ref(), "--offline".as_ref(), "--merged".as_ref(), merged.as_os_str()];
        parse.push(milliseconds(ours(&ecru, folder.path()).args(merged))?);
        for text in [billion_laughs(), "[".repeat(MERGED_BYTES)] {
            std::fs::write(&hostile, text)?;
            let mut command = ours(&ecru, folder.path());
            command.args(["check".as_ref(), "--offline".as_ref(), hostile.as_os_str()]);
            refused.push(milliseconds_to(&mut command, BAD_CONFIGURATION)?);
        }
        // A hundred processes one after the other take their time; one round tells enough.
        if round == 0 && outside::program("skopeo").is_some() {
            peer.push(skopeo(&images)?);
        }
    }
    let memory = |arguments: &[&std::ffi::OsStr]| -> Result<u64> {
        let mut command = ours(&meter, folder.path());
        let output = command.arg(&ecru).args(arguments).stdout(Stdio::piped()).output()?;
        ensure!(output.status.success(), "`ecru check` failed below the meter");
        Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
    };
    let check_bytes = memory(&["check".as_ref(), pipeline.as_os_str()])?;
    let merged_bytes =
        memory(&["check".as_ref(), "--offline".as_ref(), "--merged".as_ref(), merged.as_os_str()])?;
    let quartiles = |times: &[f64]| Quartiles::of(times).context("nothing was measured");
    let slowest_refusal = refused.iter().copied().fold(0.0, f64::max);
    let measured = Measured {
        check: quartiles(&check)?,
        check_bytes,
        merged: quartiles(&parse)?,
        merged_bytes,
        slowest_refusal,
        peer: peer.first().copied(),
    };
    let table = table(&measured);
    println!("\n{table}");
    ensure!(!table.contains(BROKEN), "a promise is not kept");
    Ok(())
}

/// Times in milliseconds, and peaks of memory.
struct Measured {
    check: Quartiles,
    check_bytes: u64,
    merged: Quartiles,
    merged_bytes: u64,
    /// Of all rounds, for a file of a billion laughs and one that is nested without end.
    slowest_refusal: f64,
    peer: Option<f64>,
}

fn table(measured: &Measured) -> String {
    let Measured { check, check_bytes, merged, merged_bytes, slowest_refusal, peer } = *measured;
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / 1024.0 / 1024.0);
    let verdict = |good: bool| if good { "kept" } else { BROKEN };
    let mut table = "| `ecru check` | median | promise | |\n|---|---|---|---|\n".to_owned();
    let mut row = |what: &str, value: String, promise: String, good: bool| {
        let _ = writeln!(table, "| {what} | {value} | {promise} | {} |", verdict(good));
    };
    let jobs = format!("{JOBS} jobs, {IMAGES} images, registry {} ms away", FAR_AWAY.as_millis());
    let at_most = |number: f64| format!("at most {number:.0} ms");
    row(&jobs, format!("{:.0} ms", check.median), at_most(CHECK_MOST_MS), check.median <= CHECK_MOST_MS);
    row("its peak memory", mib(check_bytes), mib(CHECK_MOST_BYTES), check_bytes <= CHECK_MOST_BYTES);
    let what = "a merged file of 2 MB, `--offline`, the whole process";
    row(what, format!("{:.0} ms", merged.median), at_most(MERGED_MOST_MS), merged.median <= MERGED_MOST_MS);
    row("its peak memory", mib(merged_bytes), mib(CHECK_MOST_BYTES), merged_bytes <= CHECK_MOST_BYTES);
    let what = "billion laughs and nesting without end are refused, the slowest";
    row(
        what,
        format!("{slowest_refusal:.0} ms"),
        at_most(REFUSED_MOST_MS),
        slowest_refusal <= REFUSED_MOST_MS,
    );
    match peer {
        Some(peer) => {
            let ratio = peer / check.median;
            let _ = writeln!(
                table,
                "| `skopeo inspect`, one image after the other | {peer:.0} ms | – | {ratio:.1} times ours |"
            );
        }
        None => table.push_str("| `skopeo inspect` | not installed | – | |\n"),
    }
    table
}

/// Our program with a home of its own and nothing of the outside, AWS and proxies included.
fn ours(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn milliseconds(command: &mut Command) -> Result<f64> {
    milliseconds_to(command, 0)
}

fn milliseconds_to(command: &mut Command, code: i32) -> Result<f64> {
    let started = Instant::now();
    let status = command.status().context("cannot start `ecru check`")?;
    let took = started.elapsed();
    ensure!(status.code() == Some(code), "`ecru check` ends with {status}, not with {code}");
    Ok(took.as_secs_f64() * 1000.0)
}

/// All images by one process each, as a script would do it.
fn skopeo(images: &[String]) -> Result<f64> {
    let started = Instant::now();
    for image in images {
        let inspect = ["inspect", "--tls-verify=false", "--no-tags", "--creds", "AWS:password"];
        let output = outside::command("skopeo")
            .args(inspect)
            .arg(format!("docker://{image}"))
            .output()
            .context("cannot start skopeo")?;
        ensure!(output.status.success(), "skopeo: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(started.elapsed().as_secs_f64() * 1000.0)
}

/// Jobs that extend a template; every image is used by some of them.
fn pipeline_text(images: &[String]) -> String {
    let registry =
        images.first().and_then(|image| image.split_once('/')).map_or("", |(registry, _)| registry);
    // base64 of `AWS:password`.
    let auth = format!(r#"{{"auths": {{"{registry}": {{"auth": "QVdTOnBhc3N3b3Jk"}}}}}}"#);
    let mut text = format!("variables:\n  DOCKER_AUTH_CONFIG: '{auth}'\n.base:\n  script: [make]\n");
    for (number, image) in (0..JOBS).zip(images.iter().cycle()) {
        let _ = writeln!(text, "job {number}:\n  extends: .base\n  image: {image}");
    }
    text
}

/// Each list holds the one before it ten times.
fn billion_laughs() -> String {
    let levels = (1..12).map(|level| {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("a{level}: &a{level} [{aliases}]\n")
    });
    format!("a0: &a0 [lol]\n{}", levels.collect::<String>())
}

/// What GitLab's CI lint would return for a large monorepo.
fn merged_text() -> String {
    let mut text = "---\nstages:\n- build\n".to_owned();
    for number in 0.. {
        let job = format!(
            "job-{number}:\n  stage: build\n  image:\n    name: registry.example/team/image-{number}:1\n  variables:\n    \
             NAME: value-{number}\n    OTHER: \"${{NAME}}-other\"\n  rules:\n  - if: $CI_COMMIT_BRANCH == \"main\"\n    \
             when: always\n  script:\n  - echo \"building {number} with all that it takes\"\n  - make --jobs=4 build\n  \
             artifacts:\n    paths:\n    - out/{number}\n"
        );
        if text.len() + job.len() > MERGED_BYTES {
            break;
        }
        text.push_str(&job);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pipeline_uses_every_image() {
        let images: Vec<String> = (0..3).map(|number| format!("127.0.0.1:1/image-{number}")).collect();
        let text = pipeline_text(&images);
        assert!(images.iter().all(|image| text.contains(image)));
        assert_eq!(text.matches("extends: .base").count(), JOBS);
    }

    #[test]
    fn the_merged_file_is_as_long_as_gitlab_allows() {
        let length = merged_text().len();
        assert!((MERGED_BYTES - 1024..=MERGED_BYTES).contains(&length), "{length}");
    }

    #[test]
    fn a_promise_that_is_not_kept_is_told() {
        let fast = Quartiles::of(&[1.0, 1.0, 1.0]).unwrap();
        let slow = Quartiles::of(&[9999.0, 9999.0, 9999.0]).unwrap();
        let measured = |quartiles: Quartiles, bytes, peer| {
            table(&Measured {
                check: quartiles,
                check_bytes: bytes,
                merged: quartiles,
                merged_bytes: bytes,
                slowest_refusal: quartiles.upper,
                peer,
            })
        };
        let kept = measured(fast, 1, Some(2.0));
        assert!(!kept.contains("BROKEN") && kept.contains("2.0 times ours"), "{kept}");
        assert_eq!(measured(slow, u64::MAX, None).matches("BROKEN").count(), 5);
    }
}
