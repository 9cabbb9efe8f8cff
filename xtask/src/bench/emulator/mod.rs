//! `ecru emulate`: tokens on many connections, blobs beside nginx, and the memory that both take.

mod load;
mod nginx;
mod registry;
mod signed;
mod table;
mod usage;
mod wire;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use self::load::Load;
use self::nginx::Nginx;
use self::registry::Registry;
use self::table::{Blobs, Measurements, Tokens};
use super::emulated_aws::EmulatedAws;
use super::marks;
use super::quartiles::Quartiles;
use crate::workspace;

/// Fewer say nothing about quartiles.
pub(super) const FEWEST_ROUNDS: u32 = 3;

const MIB: u64 = 1024 * 1024;
/// What nginx and the emulator both serve.
const BLOB: u64 = 512 * MIB;
/// What must not be in memory as a whole.
const LARGE_BLOB: u64 = 4096 * MIB;
const DOCUMENT: &str = "docs/EMULATOR.md";

/// Measures, and prints one Markdown table and a line with its figures.
///
/// # Errors
/// Fails when our programs cannot be built, or anything is not answered as it should. A missing nginx is said, and
/// leaves its column empty.
pub(super) fn run(rounds: u32, write_document: bool) -> Result<()> {
    let programs = [("ecru-cli", "ecru"), ("xtask", "load")];
    let [ecru, load] = super::built("release", &workspace::host_triple()?, programs)?;
    let nginx =
        nginx::program().inspect_err(|error| println!("bench: no nginx, so no ratios to it: {error:#}")).ok();
    let measurements = Comparison { ecru, load: Load(load), nginx, rounds }.run()?;
    let table = measurements.table();
    println!("\n{table}");
    if write_document {
        marks::write_table(DOCUMENT, &table)?;
    }
    println!("bench: {}", measurements.summary());
    Ok(())
}

/// What is compared, and how often.
#[derive(Debug)]
struct Comparison {
    ecru: PathBuf,
    load: Load,
    nginx: Option<PathBuf>,
    rounds: u32,
}

impl Comparison {
    fn run(&self) -> Result<Measurements> {
        let folder = tempfile::Builder::new().prefix("ecru-bench-").tempdir()?;
        println!("bench: tokens, {} rounds of {} connections", self.rounds, load::CONNECTIONS);
        let tokens = self.tokens()?;
        println!("bench: blobs of {} MiB, {} rounds, in each every transfer once", BLOB / MIB, self.rounds);
        let blobs = self.blobs(folder.path())?;
        println!("bench: one blob of {} MiB", LARGE_BLOB / MIB);
        Ok(Measurements {
            date: OffsetDateTime::now_utc().date().to_string(),
            processors: std::thread::available_parallelism()?.get(),
            nginx_version: self.nginx.as_deref().map(nginx::version).transpose()?,
            tokens,
            blobs,
            large_blob_memory: self.large_blob_memory(folder.path())?,
        })
    }

    /// GetAuthorizationToken with every signature verified. Signing costs the client as much as verifying costs the
    /// server, so one signature serves for a whole round.
    fn tokens(&self) -> Result<Tokens> {
        let aws = EmulatedAws::start(&self.ecru)?;
        let (mut good, mut bad, mut rates) = (0, 0, Vec::new());
        let before = usage::processor_time(aws.process())?;
        for _ in 0..self.rounds {
            let request = signed::call(&aws, "GetAuthorizationToken", "{}", OffsetDateTime::now_utc(), true)?;
            let round = self.load.requests(aws.address()?, &request)?;
            good += round.good;
            bad += round.bad;
            rates.push(round.per_second);
        }
        let used = usage::processor_time(aws.process())? - before;
        Ok(Tokens {
            per_second: Quartiles::of(&rates).context("nothing was measured")?,
            good,
            bad,
            processor_microseconds: used.as_secs_f64() * 1e6 / good as f64,
            memory: usage::peak_memory(aws.process())?,
        })
    }

    /// Each way of moving the same file once in every round, so that a slow moment hits all of them.
    fn blobs(&self, folder: &Path) -> Result<Blobs> {
        let nginx_folder = folder.join(nginx::PROGRAM);
        let files = nginx_folder.join("files");
        std::fs::create_dir_all(&files)?;
        let file = files.join("blob");
        let digest = random_file(&file, BLOB)?;
        let nginx = self.nginx.as_deref().map(|it| Nginx::start(it, &nginx_folder)).transpose()?;
        let aws = EmulatedAws::start(&self.ecru)?;
        let registry = Registry::of(&aws)?;

        let (mut pulls, mut pushes) = (Vec::new(), Vec::new());
        let (mut nginx_pulls, mut nginx_pushes) = (Vec::new(), Vec::new());
        // The first round fills the page cache and is not counted.
        for round in 0..=self.rounds {
            let count = |rates: &mut Vec<f64>, rate| {
                if round > 0 {
                    rates.push(rate);
                }
            };
            let push = self.load.upload(registry.address, &registry.upload(&digest, BLOB)?, &file)?;
            count(&mut pushes, push);
            if let Some(nginx) = &nginx {
                let head = wire::head("PUT", "/taken/blob", &[("host", "localhost")], BLOB);
                count(&mut nginx_pushes, self.load.upload(nginx.address, &head, &file)?);
            }
            let (address, request) = registry.download(&digest)?;
            count(&mut pulls, self.load.download(address, &request, BLOB)?);
            if let Some(nginx) = &nginx {
                let request = wire::request("GET", "/blob", &[("host", "localhost")], "");
                count(&mut nginx_pulls, self.load.download(nginx.address, &request, BLOB)?);
            }
        }
        let quartiles = |rates: &[f64]| Quartiles::of(rates).context("nothing was measured");
        Ok(Blobs {
            pull: quartiles(&pulls)?,
            push: quartiles(&pushes)?,
            nginx_pull: Quartiles::of(&nginx_pulls),
            nginx_push: Quartiles::of(&nginx_pushes),
        })
    }

    /// The peak of an emulator that takes and gives one large blob and does nothing else.
    fn large_blob_memory(&self, folder: &Path) -> Result<u64> {
        let file = folder.join("large");
        // It takes no room on the disk as long as it is only read: what counts is how much goes over the wire.
        File::create(&file)?.set_len(LARGE_BLOB)?;
        let digest = digest_of(&file)?;
        let aws = EmulatedAws::start(&self.ecru)?;
        let registry = Registry::of(&aws)?;
        self.load.upload(registry.address, &registry.upload(&digest, LARGE_BLOB)?, &file)?;
        let (address, request) = registry.download(&digest)?;
        self.load.download(address, &request, LARGE_BLOB)?;
        usage::peak_memory(aws.process())
    }
}

/// Writes a file of random bytes, and returns its digest.
fn random_file(path: &Path, length: u64) -> Result<String> {
    let mut random = File::open("/dev/urandom")?.take(length);
    let mut file = File::create(path)?;
    std::io::copy(&mut random, &mut file)?;
    file.flush()?;
    digest_of(path)
}

fn digest_of(path: &Path) -> Result<String> {
    let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
    let mut buffer = vec![0; MIB as usize];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("sha256:{}", hex::encode(hasher.finalize()))),
            read => hasher.update(&buffer[..read]),
        }
    }
}
