//! `ecru emulate`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::ReportFormat;

/// `ecru emulate`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 it was stopped, 88 it could not start, 89 variables of a real AWS identity are set; after `--`, that of the \
    command."
)]
pub struct EmulateArgs {
    /// Port of the AWS APIs, the instance metadata and the first registry; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 5000)]
    pub port: u16,
    /// One more registry on a port of its own, such as 000000000001.dkr.ecr.eu-west-1.amazonaws.com=5001, or ECR Public
    /// as public.ecr.aws=5002
    #[arg(long = "registry", value_name = "HOST=PORT")]
    pub registries: Vec<String>,
    /// Accounts, identities, repositories and images to begin with, as in examples/emulator/seed.toml
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,
    /// Keep repositories and images in this folder (in memory and a temporary folder, if not given)
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Also answer to AWS's own host names over TLS on this loopback port (443, if no number is given)
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "443")]
    pub tls: Option<u16>,
    /// Refuse pulls and pushes by principals of another account than the registry's
    #[arg(long)]
    pub deny_cross_account: bool,
    /// Push the images that the examples use, made from files of this machine
    #[arg(long)]
    pub example_images: bool,
    /// How the instance metadata answers
    #[arg(long, value_name = "MODE", value_enum, default_value_t = ImdsMode::V2)]
    pub imds: ImdsMode,
    /// Where clients find an identity: decides which variables are printed, or given to the command
    #[arg(long, value_name = "IDENTITY", value_enum, default_value_t = EmulatedIdentity::Instance)]
    pub identity: EmulatedIdentity,
    /// Let something go wrong, such as ecr:GetAuthorizationToken=latency:200ms,count:3; may be repeated
    #[arg(long = "fault", value_name = "RULE")]
    pub faults: Vec<String>,
    /// Give out counters and requests, and take faults, on this loopback port (any free one, if no number is given)
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "0")]
    pub control: Option<u16>,
    /// Start even where variables of a real AWS identity are set
    #[arg(long)]
    pub force: bool,
    /// How addresses and variables are printed
    #[arg(long, value_enum, default_value_t = ReportFormat::Text, conflicts_with = "command")]
    pub format: ReportFormat,
    /// Run this command on emulated AWS, with that identity and no other, and end with it
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// How the emulated instance metadata answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImdsMode {
    /// Version 2 only.
    V2,
    /// Both versions.
    #[value(name = "v1-and-v2")]
    V1AndV2,
    /// Version 1 only, as of before there was another.
    V1,
    /// No answer with a token arrives, as behind a network hop too many.
    HopLimit,
    /// The same, but what needs no token arrives.
    #[value(name = "hop-limit-v1-and-v2")]
    HopLimitV1AndV2,
    /// Version 2, on an instance without a role.
    NoRole,
    /// Switched off: 403.
    Disabled,
    /// No instance: 404.
    Absent,
}

/// Where clients of the emulator find an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EmulatedIdentity {
    /// In the instance metadata.
    Instance,
    /// In environment variables with a user's keys.
    Keys,
    /// At the endpoint of ECS.
    Ecs,
    /// At the endpoint of EKS.
    Eks,
    /// In a file with the ID token of a job of the emulated GitLab.
    WebIdentity,
    /// Nowhere.
    None,
}
