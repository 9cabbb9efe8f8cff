//! The arguments of `ecru setup`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `ecru setup`
#[derive(Debug, Args)]
pub struct SetupArgs {
    /// What is set up.
    #[command(subcommand)]
    pub target: SetupTarget,
}

/// What a set-up is for.
#[derive(Debug, Subcommand)]
pub enum SetupTarget {
    /// The gitlab-runner service of this machine, for `image:` and `services:`
    Runner(SetupRunnerArgs),
    /// The host whose Docker engine runs the jobs, or in config.toml the hosts that the runner makes
    JobHost(SetupJobHostArgs),
    /// Every container of a runner's jobs, for `docker pull` and `docker push` in scripts
    Job(SetupJobArgs),
}

/// `ecru setup runner`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all is as it should be, 5 changes were shown and not made, 80 a file is refused, 94 no \
    runner was found, 95 the changes could not be made, or taken back."
)]
pub struct SetupRunnerArgs {
    /// A registry that jobs pull from, such as 111122223333.dkr.ecr.eu-west-1.amazonaws.com or public.ecr.aws
    #[arg(long = "registry", value_name = "HOST", required_unless_present = "undo", conflicts_with = "undo", num_args = 1..)]
    pub registries: Vec<String>,
    /// Where the runner is told about the helper
    #[arg(long = "in", value_enum, default_value_t = SetupOutlet::DockerConfig)]
    pub outlet: SetupOutlet,
    /// Which `[[runners]]` of the config.toml, for `--in config-toml`
    #[arg(long, value_name = "NAME")]
    pub runner: Option<String>,
    /// The runner's config.toml (the one that the service is started with, if not given)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The home directory of the runner's user (the service's HOME, if not given)
    #[arg(long, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Let Docker ask the helper for every registry (credsStore), not for these only (credHelpers)
    #[arg(long)]
    pub creds_store: bool,
    /// The role that is assumed to pull, for all registries or for one
    #[arg(long = "role-arn", value_name = "[HOST=]ARN")]
    pub role_arns: Vec<String>,
    /// A variable for the service, such as AWS_PROFILE=ci, by a drop-in of systemd; not for secrets
    #[arg(long = "aws-env", value_name = "KEY=VALUE")]
    pub aws_environment: Vec<String>,
    /// The program that becomes the helper (the one beside ecru if it is of this version, else ecru itself)
    #[arg(long, value_name = "FILE")]
    pub helper: Option<PathBuf>,
    /// How it is carried out.
    #[command(flatten)]
    pub applying: Applying,
}

/// How any set-up is carried out.
#[derive(Debug, Args)]
pub struct Applying {
    /// The folder that is `/` of the machine, such as a mounted image
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// Show the changes and make none; the default where standard output is no terminal
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Make the changes without asking
    #[arg(long)]
    pub yes: bool,
    /// Take the last set-up of this kind back: every file as it was; with `--dry-run`, show which
    #[arg(long)]
    pub undo: bool,
}

/// Where the runner is told about the helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SetupOutlet {
    /// `.docker/config.json` of the runner's user: works in every version, and no job can replace it.
    DockerConfig,
    /// `DOCKER_AUTH_CONFIG` in the `environment` of config.toml.
    ConfigToml,
}

/// `ecru setup job-host`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all is as it should be, 5 changes were shown and not made, 80 a file is refused, 94 no \
    runner was found, 95 the changes could not be made, or taken back.\nFor hosts that start from an image, see `ecru \
    emit cloud-init` and `ecru emit user-data`."
)]
pub struct SetupJobHostArgs {
    /// What is set up: this host itself, or the hosts that the runner makes
    #[arg(long = "in", value_enum, default_value_t = JobHostPlace::ThisHost)]
    pub place: JobHostPlace,
    /// What containers are kept from (169.254.169.254 and fd00:ec2::254, if not given)
    #[arg(long = "metadata-address", value_name = "ADDRESS")]
    pub addresses: Vec<IpAddr>,
    /// Which `[[runners]]` of the config.toml, for `--in config-toml`
    #[arg(long, value_name = "NAME")]
    pub runner: Option<String>,
    /// The runner's config.toml, for `--in config-toml` (the one that the service is started with, if not given)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The instance profile of docker+machine's hosts; a host needs none to run jobs
    #[arg(long, value_name = "NAME")]
    pub instance_profile: Option<String>,
    /// How it is carried out.
    #[command(flatten)]
    pub applying: Applying,
}

/// Where job hosts are set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum JobHostPlace {
    /// On this host: a firewall that keeps containers from the instance metadata.
    ThisHost,
    /// In the runner's config.toml: user data, metadata options or the command that waits for a host.
    ConfigToml,
}

/// `ecru setup job`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all is as it should be, 5 changes were shown and not made, 80 a file is refused, 94 no \
    runner or no static helper was found, 95 the changes could not be made, or taken back."
)]
pub struct SetupJobArgs {
    /// A registry that scripts use, such as 111122223333.dkr.ecr.eu-west-1.amazonaws.com or public.ecr.aws
    #[arg(long = "registry", value_name = "HOST", required_unless_present = "undo", conflicts_with = "undo", num_args = 1..)]
    pub registries: Vec<String>,
    /// The role that the helper assumes in jobs, with the job's ID token if it has one; HOST=ARN for one registry, with
    /// `--gitlab-ci` only
    #[arg(long = "role-arn", value_name = "[HOST=]ARN")]
    pub role_arns: Vec<String>,
    /// Give containers the job host's Docker engine too: jobs are then as good as root there
    #[arg(long)]
    pub engine_socket: bool,
    /// Change nothing, and print the lines of a .gitlab-ci.yml for a job with an ID token, as `ecru emit gitlab-ci`
    #[arg(long, requires = "role_arns", conflicts_with_all = ["engine_socket", "undo", "yes"])]
    pub gitlab_ci: bool,
    /// Which `[[runners]]` of the config.toml
    #[arg(long, value_name = "NAME")]
    pub runner: Option<String>,
    /// The runner's config.toml (the one that the service is started with, if not given)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The static program that becomes the helper (the one beside ecru if it is of this version, else ecru itself)
    #[arg(long, value_name = "FILE")]
    pub helper: Option<PathBuf>,
    /// How it is carried out.
    #[command(flatten)]
    pub applying: Applying,
}
