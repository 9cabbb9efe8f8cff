//! `ecru run`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `ecru run`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: that of the script; 80 to 87 where the job could not be run (docs/EXIT_CODES.md)."
)]
pub struct RunArgs {
    /// The job's name in the pipeline file
    pub job: String,
    /// The pipeline file
    #[arg(long, short, value_name = "FILE", default_value = ".gitlab-ci.yml")]
    pub file: PathBuf,
    /// The runner's config.toml: its environment, default image, volumes and pull policy are applied
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which `[[runners]]` of the config.toml (its only one, if not given)
    #[arg(long, value_name = "NAME", requires = "config")]
    pub runner: Option<String>,
    /// The home directory whose `.docker/config.json` the runner reads (yours, if not given)
    #[arg(long, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// A CI/CD variable of the project, as set in GitLab's settings; KEY alone takes the value that it has here
    #[arg(long = "variable", short = 'e', value_name = "KEY[=VALUE]")]
    pub variables: Vec<String>,
    /// Whether the script can use the engine, with the credential helper in its PATH
    #[arg(long, value_enum, default_value_t = DockerAccess::None)]
    pub docker: DockerAccess,
    /// The longest the job may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub timeout: u64,
    /// Plain lines instead of progress bars
    #[arg(long)]
    pub plain: bool,
}

/// What of Docker the script can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DockerAccess {
    /// Nothing.
    None,
    /// The engine's socket, the helper and a Docker config that uses it. The job is then as good as root here.
    Socket,
}
