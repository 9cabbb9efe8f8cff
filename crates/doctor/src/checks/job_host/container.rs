//! What a container sees of the metadata: a real one, in a network as a job's, with nothing in it but a program that
//! looks.
//!
//! Its image is empty, and the program is mounted, so that nothing is pulled and nothing is asked of a shell.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use ecru_executor::{
    CredentialLookup, Engine, Event, JobSpec, Limits, LookupFuture, Mount, OutputStream, PullPolicy, run_job,
};
use tokio_util::sync::CancellationToken;

use super::Probe;
use super::sight::Sight;

/// The name of the image, which is made anew each time and goes at the end.
const IMAGE: &str = "ecru-doctor-probe";

/// Where the program is in the container.
const PROGRAM: &str = "/ecru-doctor-probe";

/// Creating and starting a container takes a second or two, the look itself at most ten.
const DEADLINE: Duration = Duration::from_secs(30);

/// The longest output that is read.
const MAX_OUTPUT_BYTES: usize = 64 * 1024;

/// An archive of tar that holds nothing: two empty blocks (pax, "ustar Interchange Format").
const EMPTY_ARCHIVE: [u8; 1024] = [0; 1024];

/// Where a program that is linked to libraries finds them, and its loader.
const LIBRARIES: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

/// No image is pulled, so nobody is asked.
struct NoCredentials;

impl CredentialLookup for NoCredentials {
    fn credential_for<'a>(&'a self, _image: &'a str) -> LookupFuture<'a> {
        Box::pin(async { Ok(None) })
    }
}

/// What a container of `engine` sees at `addresses`, or why it could not look.
pub(super) async fn sights(
    engine: &Engine,
    probe: &Probe,
    addresses: &[SocketAddr],
) -> Result<Vec<Sight>, String> {
    let image = format!("{IMAGE}:{}", std::process::id());
    let archive = Bytes::from_static(&EMPTY_ARCHIVE);
    engine.import_image(&image, archive, &[]).await.map_err(|error| error.to_string())?;
    let output = output(engine, job(&image, probe, addresses)).await;
    let removed = engine.remove_image(&image).await;
    let output = output?;
    removed.map_err(|error| error.to_string())?;
    serde_json::from_slice(&output).map_err(|_| {
        format!("the container said: {}", String::from_utf8_lossy(&output).trim().escape_debug())
    })
}

fn job(image: &str, probe: &Probe, addresses: &[SocketAddr]) -> JobSpec {
    let mut job = JobSpec::new("look at the metadata", image, "");
    job.image.pull_policy = vec![PullPolicy::Never];
    let words = std::iter::once(PROGRAM.to_owned()).chain(probe.arguments.iter().cloned());
    job.shell_command = words.chain(addresses.iter().map(ToString::to_string)).collect();
    let mount = |source: &Path, target: &str| Mount {
        source: source.to_string_lossy().into_owned(),
        target: target.to_owned(),
        read_only: true,
    };
    job.mounts.push(mount(&probe.program, PROGRAM));
    if needs_libraries(&probe.program) {
        let there = LIBRARIES.into_iter().filter(|folder| Path::new(folder).is_dir());
        job.mounts.extend(there.map(|folder| mount(Path::new(folder), folder)));
    }
    job.limits = Limits { job: DEADLINE, ..Limits::default() };
    job
}

/// Whether the program names a loader (elf(5), `PT_INTERP`).
fn needs_libraries(program: &Path) -> bool {
    use object::read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _};
    let Ok(content) = std::fs::read(program) else { return false };
    let Ok(file) = ElfFile64::<object::Endianness>::parse(&*content) else { return false };
    let Ok(endian) = file.elf_header().endian() else { return false };
    file.elf_program_headers().iter().any(|header| header.p_type(endian) == object::elf::PT_INTERP)
}

async fn output(engine: &Engine, job: JobSpec) -> Result<Vec<u8>, String> {
    let mut output = Vec::new();
    let mut errors = Vec::new();
    let mut observer = |event: Event<'_>| {
        if let Event::Output { stream, bytes, .. } = event {
            let kept = if stream == OutputStream::Stdout { &mut output } else { &mut errors };
            let room = MAX_OUTPUT_BYTES.saturating_sub(kept.len());
            kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    };
    let result = run_job(engine, &job, &NoCredentials, &mut observer, &CancellationToken::new()).await;
    match result.map_err(|error| error.to_string())?.exit_code {
        0 => Ok(output),
        code => Err(format!(
            "the container ended with {code}: {}",
            String::from_utf8_lossy(&errors).trim().escape_debug()
        )),
    }
}
