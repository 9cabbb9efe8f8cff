//! `ecru doctor`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `ecru doctor`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 no check failed (risks are no failures), 1 a check failed, 80 an argument is wrong, 96 \
    this is neither a runner nor a job host nor a job.\n\
    Run it as root, or as the user of the process that it is about."
)]
pub struct DoctorArgs {
    /// What is looked at (what this machine is, if not given)
    #[arg(long = "context", value_enum, value_name = "CONTEXT")]
    pub contexts: Vec<DoctorContext>,
    /// The runner's config.toml (the one that the service is started with, if not given)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The home directory of the runner's user (the service's HOME, if not given)
    #[arg(long, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Which `[[runners]]` of the config.toml (all, if not given)
    #[arg(long, value_name = "NAME")]
    pub runner: Option<String>,
    /// The version of GitLab Runner (what `gitlab-runner --version` says, if not given)
    #[arg(long, value_name = "VERSION")]
    pub runner_version: Option<String>,
    /// The folder that is `/` of the machine, such as a mounted image (that whose etc/gitlab-runner/config.toml is given
    /// with --config, if it has an etc/passwd, too; else `/`)
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// An image that jobs use: does it exist, and may it be pulled; may be repeated
    #[arg(long = "image", value_name = "REF")]
    pub images: Vec<String>,
    /// Jobs are meant to have the identity of their host: that containers get it is no failure
    #[arg(long)]
    pub metadata_wanted: bool,
    /// How the diagnosis is printed
    #[arg(long, value_enum, default_value_t = DoctorFormat::Text)]
    pub format: DoctorFormat,
    /// In text, list every check: what passed, was skipped or has no meaning here, too
    #[arg(long)]
    pub all: bool,
    /// Also write the diagnosis as one page for a browser, with the way of a credential drawn
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Carry out what `ecru setup` can put right, after showing it as a diff, and look again
    #[arg(long)]
    pub fix: bool,
    /// With --fix: make the changes without asking
    #[arg(long, requires = "fix")]
    pub yes: bool,
    /// With --fix: the program that becomes the helper (the one beside ecru if it is of this version, else ecru itself)
    #[arg(long, value_name = "FILE", requires = "fix")]
    pub helper: Option<PathBuf>,
    /// Read files only: start no helper or other program, and ask nobody over a network
    #[arg(long)]
    pub no_exec: bool,
}

/// The three contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DoctorContext {
    /// The process of gitlab-runner, which has the credentials for `image:` and `services:`.
    Runner,
    /// The host whose Docker engine runs the jobs.
    JobHost,
    /// The container of a job, whose script calls `docker`.
    Job,
}

/// The forms of a diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// For people: the verdict with its cause and fix first and last, between them what failed.
    Text,
    /// For programs: stable, see docs/DOCTOR.md.
    Json,
    /// JUnit XML, for `artifacts:reports:junit`.
    Junit,
}
