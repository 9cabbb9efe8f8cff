//! `ecru emulate --identity` and `--imds`: where the clients find an identity, and how the instance metadata answers.

use std::time::Duration;

use ecru_emulator::{AccountId, GitLabClaims, InstanceMetadata};

use crate::args::{EmulatedIdentity, ImdsMode};
use crate::error::CommandError;
use crate::exit_code;
use crate::stage::Stage;

type Variables = Vec<(String, String)>;

/// A job of the emulated GitLab has this role, unless its `AWS_ROLE_ARN` is changed.
const JOB_ROLE: &str = "arn:aws:iam::000000000000:role/ecru-emulator-job";
/// A day, because the token is as old as the emulator when a client reads it.
const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// The variables that point clients at the stage, and give them this identity and no other.
pub(super) fn variables(stage: &Stage, identity: EmulatedIdentity) -> Result<Variables, CommandError> {
    let mut variables = stage.variables();
    if identity != EmulatedIdentity::Instance {
        // What fails shall not fall back to the instance's role. The endpoint stays: a client that does not know this
        // variable would ask the metadata of the machine that it runs on.
        variables.push(("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()));
    }
    variables.extend(own_variables(stage, identity)?);
    Ok(variables)
}

fn own_variables(stage: &Stage, identity: EmulatedIdentity) -> Result<Variables, CommandError> {
    let emulator = stage.emulator();
    match identity {
        EmulatedIdentity::Instance | EmulatedIdentity::None => Ok(Variables::new()),
        EmulatedIdentity::Keys => Ok(stage.user_variables(AccountId::default())?.into()),
        EmulatedIdentity::Ecs => Ok(emulator.ecs_environment()),
        EmulatedIdentity::Eks => emulator.eks_environment().map_err(|error| failed(&error)),
        EmulatedIdentity::WebIdentity => {
            let claims = GitLabClaims { lifetime: TOKEN_LIFETIME, ..GitLabClaims::default() };
            emulator.web_identity_environment(JOB_ROLE, &claims).map_err(|error| failed(&error))
        }
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> CommandError {
    CommandError::from_error(exit_code::EMULATOR_FAILED, error)
}

/// Who a client with these variables is, for a person.
pub(super) fn remark(identity: EmulatedIdentity) -> &'static str {
    match identity {
        EmulatedIdentity::Instance => {
            "An identity comes from the emulated instance metadata, so no keys are needed."
        }
        EmulatedIdentity::Keys => "The identity is the user `ecru` of account 000000000000.",
        EmulatedIdentity::Ecs => "The identity is the role of a container of ECS.",
        EmulatedIdentity::Eks => "The identity is the role of a container of EKS.",
        EmulatedIdentity::WebIdentity => {
            "The identity is the role of a job of the emulated GitLab; AWS_ROLE_ARN may name another one."
        }
        EmulatedIdentity::None => "There is no identity.",
    }
}

impl From<ImdsMode> for InstanceMetadata {
    fn from(mode: ImdsMode) -> Self {
        match mode {
            ImdsMode::V2 => Self::V2,
            ImdsMode::V1AndV2 => Self::V1AndV2,
            ImdsMode::V1 => Self::V1Only,
            ImdsMode::HopLimit => Self::HopLimit,
            ImdsMode::HopLimitV1AndV2 => Self::HopLimitV1AndV2,
            ImdsMode::NoRole => Self::NoRole,
            ImdsMode::Disabled => Self::Disabled,
            ImdsMode::Absent => Self::Absent,
        }
    }
}
