//! The command line.

mod check;
mod demo;
mod doctor;
mod emit;
mod emulate;
mod explain;
mod run;
mod setup;
mod token;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use check::{CheckArgs, CheckFormat};
pub use demo::{DemoArgs, GuestArgs, GuestRole};
pub use doctor::{DoctorArgs, DoctorContext, DoctorFormat};
pub use emit::{
    EmitArgs, EmitGitlabCiArgs, EmitHelmArgs, EmitHelpersArgs, EmitIamPolicyArgs, EmitJobHostArgs,
    EmitTerraformArgs, EmitTrustPolicyArgs, EmitWhat, IamPurpose, RefKind, RegistriesArgs, TerraformModule,
};
pub use emulate::{EmulateArgs, EmulatedIdentity, ImdsMode};
pub use explain::{ExplainArgs, PullContext};
pub use run::{DockerAccess, RunArgs};
pub use setup::{
    Applying, JobHostPlace, SetupArgs, SetupJobArgs, SetupJobHostArgs, SetupOutlet, SetupRunnerArgs,
    SetupTarget,
};
pub use token::{CacheClearArgs, CacheCommand, CacheListArgs, TokenArgs, TokenFormat, WhoamiArgs};

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

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Text,
    /// One JSON object, for programs; its members are stable.
    Json,
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

/// What is not in files, and decides which credentials a runner uses.
#[derive(Debug, Args)]
pub struct DecisionArgs {
    /// The `credentials` of the job's payload: a JSON list of type, url, username, password
    #[arg(long, value_name = "FILE")]
    pub job_credentials: Option<PathBuf>,
    /// The version of GitLab Runner (the newest that is known in full, if not given)
    #[arg(long, value_name = "VERSION")]
    pub runner_version: Option<String>,
    /// Take `allowed_docker_credential_helpers` of GitLab Runner 19.4 to permit the job's helpers
    #[arg(long)]
    pub helpers_allowed: bool,
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
