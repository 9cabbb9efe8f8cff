//! The arguments of `ecru emit`.

use std::net::IpAddr;

use clap::{Args, Subcommand, ValueEnum};

/// `ecru emit`
#[derive(Debug, Args)]
#[command(
    after_help = "Standard output is the text and nothing else; the same question has the same answer. Nothing is \
    changed, and nobody is asked."
)]
pub struct EmitArgs {
    /// What is printed.
    #[command(subcommand)]
    pub what: EmitWhat,
}

/// The texts.
#[derive(Debug, Subcommand)]
pub enum EmitWhat {
    /// JSON: the value of DOCKER_AUTH_CONFIG, and as a file a config.json of Docker
    DockerAuthConfig(EmitHelpersArgs),
    /// TOML: DOCKER_AUTH_CONFIG in the environment of a runner's config.toml
    ConfigToml(EmitHelpersArgs),
    /// #cloud-config: a host for jobs, whose containers are kept from the instance metadata
    CloudInit(EmitJobHostArgs),
    /// A shell script that does the same, as plain user data
    UserData(EmitJobHostArgs),
    /// HCL: role, policy, instance profile and launch template of the machine that gitlab-runner runs on
    Terraform(EmitTerraformArgs),
    /// YAML: values of GitLab's Helm chart gitlab-runner, with the helper and its role in the manager's pod
    Helm(EmitHelmArgs),
    /// JSON: the IAM policy for one purpose, with exactly the actions that it needs
    IamPolicy(EmitIamPolicyArgs),
    /// JSON: the trust policy of the role that jobs of a GitLab assume by their ID tokens
    TrustPolicy(EmitTrustPolicyArgs),
    /// YAML: a job that pulls and pushes with its own ID token, without the AWS CLI
    GitlabCi(EmitGitlabCiArgs),
}

/// Which registries.
#[derive(Debug, Args)]
pub struct RegistriesArgs {
    /// A registry, such as 111122223333.dkr.ecr.eu-west-1.amazonaws.com or public.ecr.aws
    #[arg(long = "registry", value_name = "HOST", required = true, num_args = 1..)]
    pub registries: Vec<String>,
}

/// Which registries, and how Docker's files name the helper for them.
#[derive(Debug, Args)]
pub struct EmitHelpersArgs {
    /// The registries.
    #[command(flatten)]
    pub registries: RegistriesArgs,
    /// Let Docker ask the helper for every registry (credsStore), not for these only (credHelpers)
    #[arg(long)]
    pub creds_store: bool,
}

/// `ecru emit cloud-init` and `ecru emit user-data`
#[derive(Debug, Args)]
pub struct EmitJobHostArgs {
    /// What containers are kept from (169.254.169.254 and fd00:ec2::254, if not given)
    #[arg(long = "metadata-address", value_name = "ADDRESS")]
    pub addresses: Vec<IpAddr>,
    /// By whom docker-autoscaler logs in: a user of Docker then
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Leave Docker to others, such as docker+machine
    #[arg(long)]
    pub docker_by_others: bool,
    /// Where the static helper is fetched from, for jobs that run docker themselves
    #[arg(long, value_name = "URL", requires = "helper_sha256")]
    pub helper_url: Option<String>,
    /// The SHA-256 of that file
    #[arg(long, value_name = "HEX", requires = "helper_url")]
    pub helper_sha256: Option<String>,
}

/// `ecru emit terraform`
#[derive(Debug, Args)]
pub struct EmitTerraformArgs {
    /// Registries and helpers.
    #[command(flatten)]
    pub helpers: EmitHelpersArgs,
    /// The role that is assumed to pull, for all registries or for one
    #[arg(long = "role-arn", value_name = "[HOST=]ARN")]
    pub role_arns: Vec<String>,
    /// The module whose arguments are printed
    #[arg(long, value_enum, default_value_t = TerraformModule::None)]
    pub module: TerraformModule,
    /// How many hops a token of the instance's metadata may go; with 2, job containers can take the instance's role
    #[arg(long, value_name = "HOPS", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub hop_limit: u8,
}

/// Modules of Terraform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TerraformModule {
    /// None: resources of the AWS provider.
    None,
    /// `cattle-ops/gitlab-runner/aws`.
    CattleOps,
}

/// `ecru emit helm`
#[derive(Debug, Args)]
pub struct EmitHelmArgs {
    /// Registries and helpers.
    #[command(flatten)]
    pub helpers: EmitHelpersArgs,
    /// The role of the manager's service account (IRSA); HOST=ARN for one that it assumes for that registry
    #[arg(long = "role-arn", value_name = "[HOST=]ARN")]
    pub role_arns: Vec<String>,
    /// An image that has cp, and the static helper in /usr/local/bin
    #[arg(long, value_name = "IMAGE")]
    pub helper_image: String,
}

/// `ecru emit iam-policy`
#[derive(Debug, Args)]
pub struct EmitIamPolicyArgs {
    /// What the principal is to do
    #[arg(value_enum)]
    pub purpose: IamPurpose,
    /// A private registry, such as 111122223333.dkr.ecr.eu-west-1.amazonaws.com
    #[arg(long = "registry", value_name = "HOST", num_args = 1..)]
    pub registries: Vec<String>,
    /// A repository, such as team/app or team/* (all, if not given)
    #[arg(long = "repository", value_name = "NAME", num_args = 1..)]
    pub repositories: Vec<String>,
}

/// What a principal is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum IamPurpose {
    /// Pull images.
    Pull,
    /// Push images.
    Push,
    /// Pull through a cache, which makes repositories at the first pull.
    PullThrough,
    /// Pull from ECR Public with a password, which raises its limits.
    Public,
}

/// `ecru emit trust-policy`
#[derive(Debug, Args)]
pub struct EmitTrustPolicyArgs {
    /// The role that the policy is for; its account has to have GitLab as an identity provider
    #[arg(long, value_name = "ARN")]
    pub role_arn: String,
    /// GitLab's address
    #[arg(long, value_name = "URL")]
    pub gitlab_url: String,
    /// A project whose jobs are trusted, such as team/app or 'team/*'
    #[arg(long = "project", value_name = "GROUP/PROJECT", required = true, num_args = 1..)]
    pub projects: Vec<String>,
    /// The branch or tag that the jobs run for, such as main or 'release-*'; '*' for any
    #[arg(long = "ref", value_name = "NAME", required = true, num_args = 1..)]
    pub refs: Vec<String>,
    /// Whether that is a branch or a tag
    #[arg(long, value_enum, default_value_t = RefKind::Branch)]
    pub ref_type: RefKind,
    /// For whom the ID token has to be, as `ecru emit gitlab-ci` has it
    #[arg(long, value_name = "AUDIENCE", default_value = ecru_doctor::emit::DEFAULT_AUDIENCE)]
    pub audience: String,
}

/// What jobs run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RefKind {
    /// A branch, or a merge request from it.
    Branch,
    /// A tag.
    Tag,
}

/// `ecru emit gitlab-ci`
#[derive(Debug, Args)]
pub struct EmitGitlabCiArgs {
    /// The registries.
    #[command(flatten)]
    pub registries: RegistriesArgs,
    /// The role that trusts the job's ID token, for all registries or for one
    #[arg(long = "role-arn", value_name = "[HOST=]ARN", required = true)]
    pub role_arns: Vec<String>,
    /// For whom the ID token is: an audience of the identity provider in IAM
    #[arg(long, value_name = "AUDIENCE", default_value = ecru_doctor::emit::DEFAULT_AUDIENCE)]
    pub audience: String,
}
