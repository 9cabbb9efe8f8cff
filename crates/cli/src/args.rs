//! The command line.

mod doctor;
mod emit;
mod setup;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use doctor::{DoctorArgs, DoctorContext, DoctorFormat};
pub use emit::{
    EmitArgs, EmitGitlabCiArgs, EmitHelmArgs, EmitHelpersArgs, EmitIamPolicyArgs, EmitJobHostArgs,
    EmitTerraformArgs, EmitTrustPolicyArgs, EmitWhat, IamPurpose, RefKind, RegistriesArgs, TerraformModule,
};
pub use setup::{
    Applying, JobHostPlace, SetupArgs, SetupJobArgs, SetupJobHostArgs, SetupOutlet, SetupRunnerArgs,
    SetupTarget,
};

/// Private Amazon ECR images in GitLab CI: proves, runs and explains.
#[derive(Debug, Parser)]
#[command(
    name = "ecru",
    version,
    max_term_width = 100,
    after_help = "A job says `no basic auth credentials`? Where gitlab-runner runs, as root:\n  \
        ecru doctor --image IMAGE\n\
        Everything on emulated AWS, with nothing to set up and nothing left behind:\n  \
        ecru demo"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of `ecru`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what is wrong with a runner, a job host or a job, and what puts it right
    Doctor(DoctorArgs),
    /// Say which credentials a runner, a job or a pod would use for an image, and why
    Explain(ExplainArgs),
    /// Check every image that a pipeline uses: does it exist, and may the runner pull it
    Check(CheckArgs),
    /// Run one job of a pipeline on this machine's Docker engine, with the credentials a runner would choose
    Run(RunArgs),
    /// Put ecru where GitLab Runner needs it: shows the changes as a diff, applies them, takes them back
    Setup(SetupArgs),
    /// Print what is set up elsewhere: DOCKER_AUTH_CONFIG, config.toml, Terraform, Helm values, IAM policies, a CI job
    Emit(EmitArgs),
    /// Print a registry's password, for docker login, config.json or a CI/CD variable
    Token(TokenArgs),
    /// Say which AWS identity is used, for a registry or in general, and what chose it
    Whoami(WhoamiArgs),
    /// Look at the token cache, or empty it
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Show the whole story on emulated AWS: two accounts, two regions, three contexts
    Demo(DemoArgs),
    /// Play Amazon ECR, STS, instance metadata and registries on loopback
    Emulate(EmulateArgs),
    /// Print the completions for a shell
    Completions(CompletionsArgs),
    /// Write the manual pages of all commands into a folder
    Man(ManArgs),
    /// What the demo's own images run; not for people
    #[command(hide = true)]
    DemoGuest(GuestArgs),
}

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

/// `ecru check`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 every image can be had or could not be checked, 1 one cannot, 80 a file is wrong."
)]
pub struct CheckArgs {
    /// The pipeline file
    #[arg(value_name = "FILE", default_value = ".gitlab-ci.yml")]
    pub file: PathBuf,
    /// Read this file instead: the merged YAML that GitLab's CI lint or pipeline editor gives, with all includes in it
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub merged: Option<PathBuf>,
    /// The project's top folder, where the paths of `include:local` start (the pipeline file's folder, if not given)
    #[arg(long, value_name = "DIR")]
    pub project: Option<PathBuf>,
    /// The runner's config.toml: its executor, environment, default image and services are applied
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
    /// DOCKER_AUTH_CONFIG of the project: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub docker_auth_config: Option<OsString>,
    /// The `credentials` of the job's payload: a JSON list of type, url, username, password
    #[arg(long, value_name = "FILE")]
    pub job_credentials: Option<PathBuf>,
    /// The version of GitLab Runner (the newest that is known in full, if not given)
    #[arg(long, value_name = "VERSION")]
    pub runner_version: Option<String>,
    /// Take `allowed_docker_credential_helpers` of GitLab Runner 19.4 to permit the job's helpers
    #[arg(long)]
    pub helpers_allowed: bool,
    /// Let ecru answer as `docker-credential-ecr-login` where PATH has none, which no runner does
    #[arg(long)]
    pub stand_in: bool,
    /// The platform for which sizes are told
    #[arg(long, value_name = "OS/ARCH", default_value = "linux/amd64")]
    pub platform: String,
    /// Read files only: choose no credentials, run no helper and ask no registry
    #[arg(long)]
    pub offline: bool,
    /// What is printed on standard output
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub format: CheckFormat,
    /// Plain lines instead of progress bars
    #[arg(long)]
    pub plain: bool,
}

/// The forms of a report of `ecru check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// A table for people.
    Text,
    /// One JSON object, described in docs/CHECK.md.
    Json,
    /// JUnit XML, for `artifacts:reports:junit`.
    Junit,
    /// GitLab's Code Quality JSON, for `artifacts:reports:codequality`.
    Codequality,
}

/// What of Docker the script can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DockerAccess {
    /// Nothing.
    None,
    /// The engine's socket, the helper and a Docker config that uses it. The job is then as good as root here.
    Socket,
}

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
    /// The `credentials` of the job's payload: a JSON list of type, url, username, password
    #[arg(long, value_name = "FILE")]
    pub job_credentials: Option<PathBuf>,
    /// The version of GitLab Runner (the newest that is known in full, if not given)
    #[arg(long, value_name = "VERSION")]
    pub runner_version: Option<String>,
    /// Take `allowed_docker_credential_helpers` of GitLab Runner 19.4 to permit the job's helpers
    #[arg(long)]
    pub helpers_allowed: bool,
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

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Text,
    /// One JSON object, for programs; its members are stable.
    Json,
}

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

/// `ecru demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Plain lines instead of progress bars
    #[arg(long)]
    pub plain: bool,
    /// Tell the story without a Docker engine even where there is one
    #[arg(long)]
    pub no_engine: bool,
}

/// `ecru demo-guest`
#[derive(Debug, Args)]
pub struct GuestArgs {
    /// What the guest does.
    #[command(subcommand)]
    pub role: GuestRole,
}

/// What a container of the demo does.
#[derive(Debug, Subcommand)]
pub enum GuestRole {
    /// The service: answers each connection with one line
    Serve {
        /// The port to listen on
        port: u16,
    },
    /// The job's question to the service: prints the answer
    Ask {
        /// The service, as `alias:port`
        address: String,
    },
    /// Prints what is seen of the instance metadata at each address, as JSON
    Metadata {
        /// The addresses, with ports
        #[arg(required = true)]
        addresses: Vec<std::net::SocketAddr>,
    },
    /// Writes a tar archive with one file to standard output, for `docker import -`
    Tar {
        /// The file
        file: PathBuf,
    },
    /// Runs a command that finds the emulated AWS on 127.0.0.1
    WithAws {
        /// The port on 127.0.0.1 at which the command finds AWS
        port: u16,
        /// The emulator's socket
        socket: PathBuf,
        /// The command and its arguments
        #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

/// `ecru completions`
#[derive(Debug, Args)]
#[command(after_help = "For this shell only: `source <(ecru completions bash)`. For good, bash reads \
    ~/.local/share/bash-completion/completions/ecru, zsh `_ecru` in a folder of its $fpath, and fish \
    ~/.config/fish/completions/ecru.fish.")]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `ecru man`
#[derive(Debug, Args)]
#[command(after_help = "`ecru man ~/.local/share/man/man1`, and then `man ecru-doctor`.")]
pub struct ManArgs {
    /// The folder, which is made where it is missing
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_commands_is_what_the_program_has() {
        let options = clap_markdown::MarkdownOptions::new().show_footer(false).show_table_of_contents(true);
        let text = clap_markdown::help_markdown_custom::<Cli>(&options);
        // The page has a headline of its own.
        let (_, text) = text.split_once("\n\n").unwrap();
        ecru_testkit::assert_generated("docs/COMMANDS.md", "commands", text);
    }
}
