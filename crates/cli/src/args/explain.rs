//! `ecru explain`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{DecisionArgs, ReportFormat};

/// `ecru explain`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 credentials were found, 3 the pull is anonymous, 4 the runner aborts.\n\
    Run it as the user, and with the environment, of the process that it is about."
)]
pub struct ExplainArgs {
    /// The image, as in `image:` or `services:`
    pub image: String,
    /// The job variable DOCKER_AUTH_CONFIG after expansion: its value, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub docker_auth_config: Option<OsString>,
    /// The home directory with `.docker/config.json` and `.dockercfg` (yours, if not given)
    #[arg(long, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// The runner's config.toml, for its executor and the DOCKER_AUTH_CONFIG in its `environment`
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which `[[runners]]` of the config.toml (its only one, if not given)
    #[arg(long, value_name = "NAME", requires = "config")]
    pub runner: Option<String>,
    /// What decides besides.
    #[command(flatten)]
    pub decision: DecisionArgs,
    /// Who pulls (as the executor in --config has it; the runner's docker executors, without one)
    #[arg(long, value_enum)]
    pub context: Option<PullContext>,
    /// The version of the docker command, for `--context job` (28.3 or newer, if not given)
    #[arg(long, value_name = "VERSION")]
    pub docker_version: Option<String>,
    /// Do not run credential helpers: they are taken to have credentials
    #[arg(long)]
    pub no_exec: bool,
    /// Show passwords and tokens
    #[arg(long)]
    pub reveal: bool,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,
}

/// Who pulls an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PullContext {
    /// GitLab Runner's docker executors, for `image:` and `services:`.
    Runner,
    /// The `docker` command inside a job.
    Job,
    /// A kubelet, for the pods of GitLab Runner's kubernetes executor.
    Kubernetes,
}
