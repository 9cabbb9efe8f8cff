//! `ecru token`, `ecru whoami` and `ecru cache`.

use clap::{Args, Subcommand, ValueEnum};

use super::ReportFormat;

/// `ecru token`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 there is one, 90 AWS gave none, 91 this is no registry of Amazon ECR, 92 the policy of this machine \
    forbids it."
)]
pub struct TokenArgs {
    /// The registry, such as 111122223333.dkr.ecr.eu-west-1.amazonaws.com, or an alias of ecru's configuration
    pub registry: String,
    /// What is printed on standard output
    #[arg(long, value_enum, default_value_t = TokenFormat::Password)]
    pub format: TokenFormat,
}

/// The forms in which `ecru token` prints a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TokenFormat {
    /// The password alone, for `docker login --username AWS --password-stdin`.
    Password,
    /// A `config.json` of Docker's, in several lines.
    DockerConfig,
    /// The value of GitLab's DOCKER_AUTH_CONFIG, in one line.
    DockerAuthConfig,
    /// Lines for a shell or a dotenv report: ECR_REGISTRY, ECR_USERNAME, ECR_PASSWORD, ECR_EXPIRES_AT.
    Env,
    /// One JSON object, in one line.
    Json,
}

/// `ecru whoami`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 there is one, 90 none was found or AWS refuses it, 91 this is no registry of Amazon ECR, 92 the policy of \
    this machine forbids it."
)]
pub struct WhoamiArgs {
    /// The registry that the identity is used for (that of no registry in particular, if not given)
    pub registry: Option<String>,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,
}

/// The commands of `ecru cache`.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// List the tokens that are valid, of all identities, without their passwords
    List(CacheListArgs),
    /// Forget tokens, so that the next one comes from AWS
    Clear(CacheClearArgs),
}

/// `ecru cache list`
#[derive(Debug, Args)]
pub struct CacheListArgs {
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,
}

/// `ecru cache clear`
#[derive(Debug, Args)]
pub struct CacheClearArgs {
    /// The registry whose tokens are forgotten, with all others of its region, which they open too (all, if not given)
    pub registry: Option<String>,
}
