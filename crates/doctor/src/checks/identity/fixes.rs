//! What puts an identity right, as a command or as lines.

use std::path::Path;

use ecru_ecr::config::SYSTEM_FILE;
use ecru_ecr::identity::MachineFiles;
use ecru_ecr::read_limited;
use ecru_ecr::registry::Registry;
use ecru_ecr::token::{AwsFailure, FailureKind, TokenError};
use serde_json::json;

use super::{Asked, View};
use crate::checks::hints::as_user_of;
use crate::iam_policy;
use crate::report::{Check, Context, Fix};
use crate::service::below;
use crate::shell::shell_word;
use crate::surroundings::{METADATA_DISABLED, Puller};

/// The longest file that is looked at to know the instance, in bytes.
const MAX_TAG_BYTES: usize = 256;

/// `check` with everything that is known about `error`: what was tried, and what helps.
pub(super) fn described(view: &View<'_>, check: Check, error: &TokenError) -> Check {
    let attempts = error.attempts().iter().map(|attempt| format!("{}: {}", attempt.source, attempt.reason));
    let check = attempts.fold(check, Check::seen);
    let fixes = of(view, error);
    let check = match error.hint() {
        Some(hint) if fixes.is_empty() => check.seen(format!("hint: {hint}")),
        _ => check,
    };
    fixes.into_iter().fold(check, Check::fix)
}

fn of(view: &View<'_>, error: &TokenError) -> Vec<Fix> {
    match error {
        TokenError::ExpiredLogin { profile, .. } => vec![login(view, profile)],
        TokenError::AccessDenied { failure } if failure.operation.starts_with("AssumeRole") => {
            trust(view, failure)
        }
        TokenError::AccessDenied { .. } => vec![token_policy(view)],
        TokenError::ClockSkew { .. } => vec![Fix::command("timedatectl set-ntp true")],
        _ => match error.kind() {
            FailureKind::HopLimit => [vec![hop_limit(view)], identity(view)].concat(),
            FailureKind::TimedOut if error.to_string().contains("instance metadata service") => {
                vec![hop_limit(view)]
            }
            FailureKind::NoIdentity => identity(view),
            FailureKind::BrokenIdentity => vec![as_puller(view, "aws sts get-caller-identity")],
            _ => Vec::new(),
        },
    }
}

/// The rule of ecru's configuration that says which identity is meant.
pub(super) fn rule(view: &View<'_>, setting: &str) -> Fix {
    let pattern = match view.registries {
        [one] => one.registry.host(),
        _ => "*".to_owned(),
    };
    ecru_config(view.puller, &format!("[[registry]]\nmatch = \"{pattern}\"\n{setting}"))
}

/// Lines for ecru's configuration.
pub(crate) fn ecru_config(puller: &Puller, lines: &str) -> Fix {
    Fix::Lines { place: puller.config_file.display().to_string(), lines: lines.to_owned() }
}

/// A profile that lets the role of the instance assume another one.
pub(super) fn profile(view: &View<'_>, name: &str) -> Fix {
    let home = view.puller.environment.home();
    let default = home.as_deref().unwrap_or(Path::new("~")).join(".aws/config");
    let place = view.puller.environment.path("AWS_CONFIG_FILE").unwrap_or(default);
    let account = view.registries.iter().find_map(|asked| asked.registry.account()).unwrap_or("111122223333");
    let header = if name == "default" { "[default]".to_owned() } else { format!("[profile {name}]") };
    let lines = format!(
        "{header}\nrole_arn = arn:aws:iam::{account}:role/ROLE\ncredential_source = Ec2InstanceMetadata"
    );
    Fix::Lines { place: place.display().to_string(), lines }
}

/// Something to change in the puller's variables; `what` says it.
pub(super) fn other_settings(view: &View<'_>, what: &str) -> Fix {
    Fix::advice(match view.puller.context {
        Context::Runner | Context::JobHost => {
            let edit = view.puller.target.systemctl("systemctl edit gitlab-runner");
            format!("{what}, in the environment of the gitlab-runner service (`{edit}`)")
        }
        Context::Job => format!("{what}, among the variables of the job or of its project"),
    })
}

/// The line of the policy that lets a registry in.
pub(super) fn permission(view: &View<'_>, asked: &Asked) -> Fix {
    let lines = match asked.registry.account() {
        None => "[policy]\npublic = true".to_owned(),
        Some(account) => {
            format!(
                "[policy]\naccounts = [\"{account}\"]  # beside those that are there\nregions = [\"{}\"]",
                asked.registry.region()
            )
        }
    };
    let place = below(&view.puller.target.root, Path::new(SYSTEM_FILE)).display().to_string();
    Fix::Lines { place, lines }
}

/// `command` with the home directory of the puller, where the SDK keeps what it is about.
fn as_puller(view: &View<'_>, text: &str) -> Fix {
    match (view.puller.context, view.puller.environment.home()) {
        (Context::Runner, Some(home)) => Fix::command(as_user_of(&home, text)),
        _ => Fix::command(text),
    }
}

fn login(view: &View<'_>, profile: &str) -> Fix {
    as_puller(view, &format!("aws sso login --profile {}", shell_word(profile)))
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-existing-instances.html>
fn hop_limit(view: &View<'_>) -> Fix {
    Fix::command(format!(
        "aws ec2 modify-instance-metadata-options --instance-id {} --http-put-response-hop-limit 2",
        instance(view)
    ))
}

/// The instance's name, which EC2 writes into the firmware's tables, or what stands for it.
fn instance(view: &View<'_>) -> String {
    let name = view.puller.target.is_this_machine().then(instance_of_this_machine).flatten();
    name.unwrap_or_else(|| "INSTANCE_ID".to_owned())
}

fn instance_of_this_machine() -> Option<String> {
    let tag = read_limited(&MachineFiles::of_this_machine().asset_tag, MAX_TAG_BYTES).ok()??;
    let tag = String::from_utf8(tag).ok()?.trim().to_owned();
    let is_name = tag.starts_with("i-") && tag.bytes().skip(2).all(|byte| byte.is_ascii_hexdigit());
    is_name.then_some(tag)
}

/// How a puller gets an identity at all.
fn identity(view: &View<'_>) -> Vec<Fix> {
    match view.puller.context {
        Context::Runner | Context::JobHost => {
            let hosts: Vec<String> = view.registries.iter().map(|asked| asked.registry.host()).collect();
            let setup = match hosts.is_empty() {
                true => view.puller.target.setup_runner(&["REGISTRY"]),
                false => view.puller.target.setup_runner(&hosts),
            };
            let variable = is_disabled(view).then(|| {
                other_settings(
                    view,
                    &format!("unset {METADATA_DISABLED}, so that the role of the instance is asked for"),
                )
            });
            let others = [
                Fix::command(format!(
                    "aws ec2 associate-iam-instance-profile --instance-id {} --iam-instance-profile \
                     Name=INSTANCE_PROFILE",
                    instance(view)
                )),
                Fix::command(format!("{setup} --aws-env AWS_PROFILE=PROFILE")),
            ];
            variable.into_iter().chain(others).collect()
        }
        Context::Job => {
            let account = view.registries.iter().find_map(|asked| asked.registry.account());
            let account = account.unwrap_or("111122223333");
            vec![Fix::Lines {
                place: "the job in .gitlab-ci.yml".to_owned(),
                lines: format!(
                    "id_tokens:\n  ECRU_IDENTITY_TOKEN:\n    aud: sts.amazonaws.com\nvariables:\n  ECRU_ROLE_ARN: \
                     arn:aws:iam::{account}:role/ROLE"
                ),
            }]
        }
    }
}

/// Whether the puller's own settings keep it from asking for the role of its instance
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html>).
fn is_disabled(view: &View<'_>) -> bool {
    view.puller.own.flag(METADATA_DISABLED)
}

/// What the role's owner must say, and what the principal's must.
fn trust(view: &View<'_>, failure: &AwsFailure) -> Vec<Fix> {
    let roles: Vec<&str> =
        view.identity.choice.selection.roles().iter().map(|role| role.arn.as_str()).collect();
    let role = roles.first().copied().unwrap_or("ROLE");
    if failure.operation != "AssumeRole" {
        return vec![Fix::advice(format!(
            "let the token's issuer in, for its `sub` and `aud`, in the trust policy of {role}"
        ))];
    }
    let statement = json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": roles });
    vec![
        Fix::Lines { place: "a policy of the principal".to_owned(), lines: format!("{statement:#}") },
        Fix::Lines {
            place: format!("the trust policy of {role}"),
            lines: format!(
                "{:#}",
                json!({
                    "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": "PRINCIPAL_ARN" }
                })
            ),
        },
    ]
}

/// The policy of whoever acts as `arn`, by what policies are attached to: of a role's session the role.
pub(crate) fn policy_of(arn: &str) -> String {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or(arn);
    let account = arn.split(':').nth(4).unwrap_or_default();
    let whose = match resource.split_once('/') {
        Some(("assumed-role", session)) => ("role", session.split('/').next()),
        Some(("role", path)) => ("role", path.rsplit('/').next()),
        Some(("user", path)) => ("user", path.rsplit('/').next()),
        _ => return format!("a policy of {arn}"),
    };
    format!("a policy of the {} `{}` of account {account}", whose.0, whose.1.unwrap_or_default())
}

fn token_policy(view: &View<'_>) -> Fix {
    let registries: Vec<Registry> = view.registries.iter().map(|asked| asked.registry.clone()).collect();
    let principal = match &view.identity.caller {
        Ok(caller) => policy_of(&caller.arn),
        Err(_) => "a policy of the principal".to_owned(),
    };
    Fix::Lines { place: principal, lines: format!("{:#}", iam_policy::pull_policy(&registries)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_those_of_roles_and_users() {
        for (arn, expected) in [
            (
                "arn:aws:sts::000000000000:assumed-role/runner/i-0ec",
                "a policy of the role `runner` of account 000000000000",
            ),
            (
                "arn:aws:iam::000000000000:role/ci/runner",
                "a policy of the role `runner` of account 000000000000",
            ),
            (
                "arn:aws-cn:iam::000000000000:user/team/ci",
                "a policy of the user `ci` of account 000000000000",
            ),
            ("arn:aws:iam::000000000000:root", "a policy of arn:aws:iam::000000000000:root"),
            ("nobody", "a policy of nobody"),
        ] {
            assert_eq!(policy_of(arn), expected);
        }
    }
}
