//! `ecru emit`: texts for what ecru does not edit in place.

use ecru_doctor::emit::cloud_init::cloud_init;
use ecru_doctor::emit::user_data::user_data;
use ecru_doctor::emit::{self, GitLabCi, Helm, Module, RefType, Terraform, TrustPolicy};
use ecru_doctor::iam_policy::{Purpose, is_repository_pattern, policy};
use ecru_doctor::setup_job_host::{Docker, Download, HostError, JobHost};

use crate::args::{
    EmitArgs, EmitGitlabCiArgs, EmitHelmArgs, EmitIamPolicyArgs, EmitJobHostArgs, EmitTerraformArgs,
    EmitTrustPolicyArgs, EmitWhat, IamPurpose, RefKind, TerraformModule,
};
use crate::error::CommandError;
use crate::exit_code;
use crate::terminal::hand_out;
use crate::wanted_registries::{registries, role_for_host, wanted_registries};

/// Prints the text.
pub(super) fn run(args: &EmitArgs) -> Result<u8, CommandError> {
    hand_out(text(&args.what)?)?;
    Ok(exit_code::OK)
}

fn text(what: &EmitWhat) -> Result<String, CommandError> {
    match what {
        EmitWhat::DockerAuthConfig(args) => {
            let wanted = wanted_registries(&args.registries.registries, &[])?;
            Ok(emit::docker_auth_config(&wanted, args.creds_store) + "\n")
        }
        EmitWhat::ConfigToml(args) => {
            let wanted = wanted_registries(&args.registries.registries, &[])?;
            Ok(emit::config_toml(&wanted, args.creds_store))
        }
        EmitWhat::CloudInit(args) => Ok(cloud_init(&job_host(args)?)),
        EmitWhat::UserData(args) => Ok(user_data(&job_host(args)?)),
        EmitWhat::Terraform(args) => terraform(args),
        EmitWhat::Helm(args) => helm(args),
        EmitWhat::IamPolicy(args) => iam_policy(args),
        EmitWhat::TrustPolicy(args) => trust_policy(args),
        EmitWhat::GitlabCi(args) => gitlab_ci(args),
    }
}

fn job_host(args: &EmitJobHostArgs) -> Result<JobHost, CommandError> {
    let failed = |error: HostError| CommandError::from_error(exit_code::BAD_CONFIGURATION, &error);
    let mut host = JobHost::default();
    if !args.addresses.is_empty() {
        host = host.with_addresses(args.addresses.clone());
    }
    if args.docker_by_others {
        host = host.with_docker(Docker::ByOthers);
    }
    if let Some(user) = &args.user {
        host = host.with_user(user).map_err(failed)?;
    }
    if let (Some(url), Some(sha256)) = (&args.helper_url, &args.helper_sha256) {
        host = host.with_helper(Download::new(url, sha256).map_err(failed)?);
    }
    Ok(host)
}

fn terraform(args: &EmitTerraformArgs) -> Result<String, CommandError> {
    let wanted = wanted_registries(&args.helpers.registries.registries, &args.role_arns)?;
    let module = match args.module {
        TerraformModule::None => Module::Plain,
        TerraformModule::CattleOps => Module::CattleOps,
    };
    let creds_store = args.helpers.creds_store;
    Ok(Terraform { wanted: &wanted, creds_store, module, hop_limit: args.hop_limit }.text())
}

fn helm(args: &EmitHelmArgs) -> Result<String, CommandError> {
    if args.helper_image.is_empty() || args.helper_image.contains(|letter: char| !letter.is_ascii_graphic()) {
        return Err(refused(format!("`{}` is no image", args.helper_image.escape_debug())));
    }
    let mut own_role = None;
    let mut roles_of_hosts = Vec::new();
    for argument in &args.role_arns {
        match role_for_host(argument)? {
            (None, arn) => own_role = Some(arn),
            (Some(_), _) => roles_of_hosts.push(argument.clone()),
        }
    }
    let wanted = wanted_registries(&args.helpers.registries.registries, &roles_of_hosts)?;
    let helm = Helm {
        wanted: &wanted,
        creds_store: args.helpers.creds_store,
        service_account_role: own_role.as_deref(),
        helper_image: &args.helper_image,
    };
    Ok(helm.text())
}

fn iam_policy(args: &EmitIamPolicyArgs) -> Result<String, CommandError> {
    let registries = registries(&args.registries)?;
    let purpose = match args.purpose {
        IamPurpose::Pull => Purpose::Pull,
        IamPurpose::Push => Purpose::Push,
        IamPurpose::PullThrough => Purpose::PullThrough,
        IamPurpose::Public => Purpose::Public,
    };
    if purpose == Purpose::Public {
        if !args.repositories.is_empty() || registries.iter().any(|registry| !registry.is_public()) {
            return Err(refused(
                "everybody reads all of ECR Public: it has no registries and repositories here",
            )
            .hint("ecru emit iam-policy public"));
        }
    } else if registries.is_empty() {
        return Err(
            refused("no registry is named").hint("--registry 111122223333.dkr.ecr.eu-west-1.amazonaws.com")
        );
    } else if registries.iter().any(ecru_ecr::registry::Registry::is_public) {
        return Err(refused("ECR Public needs a policy of its own").hint("ecru emit iam-policy public"));
    }
    if let Some(name) = args.repositories.iter().find(|name| !is_repository_pattern(name)) {
        return Err(refused(format!("`{}` is no name of a repository", name.escape_debug()))
            .hint("--repository team/app, or --repository 'team/*'"));
    }
    Ok(format!("{:#}\n", policy(purpose, &registries, &args.repositories)))
}

fn trust_policy(args: &EmitTrustPolicyArgs) -> Result<String, CommandError> {
    let policy = TrustPolicy {
        role_arn: &args.role_arn,
        gitlab_url: &args.gitlab_url,
        projects: &args.projects,
        ref_type: match args.ref_type {
            RefKind::Branch => RefType::Branch,
            RefKind::Tag => RefType::Tag,
        },
        refs: &args.refs,
        audience: &args.audience,
    };
    let document = policy.document().map_err(|error| {
        CommandError::from_error(exit_code::BAD_CONFIGURATION, &error).maybe_hint(error.hint())
    })?;
    Ok(format!("{document:#}\n"))
}

fn gitlab_ci(args: &EmitGitlabCiArgs) -> Result<String, CommandError> {
    gitlab_ci_text(&args.registries.registries, &args.role_arns, &args.audience)
}

/// The lines of a `.gitlab-ci.yml`, for `ecru setup job --gitlab-ci` too.
pub(super) fn gitlab_ci_text(
    hosts: &[String],
    role_arns: &[String],
    audience: &str,
) -> Result<String, CommandError> {
    let wanted = wanted_registries(hosts, role_arns)?;
    GitLabCi { wanted: &wanted, audience }.text().map_err(|error| {
        CommandError::from_error(exit_code::BAD_CONFIGURATION, &error).maybe_hint(error.hint())
    })
}

fn refused(message: impl Into<String>) -> CommandError {
    CommandError::new(exit_code::BAD_CONFIGURATION, message)
}
