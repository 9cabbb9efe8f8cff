//! Whose rights are missing, and on what: accounts, actions, and caches that pull through.

use ecru_docker::reference::ImageReference;
use ecru_ecr::mint::Caller;
use ecru_ecr::registry::Registry;
use ecru_registry::{LookupError, MissingPermission};
use serde_json::json;

use super::catalogue::Catalogue;
use super::{Answer, LookedUp, registry_of};
use crate::checks::identity::Answers;
use crate::checks::identity::fixes::{ecru_config, policy_of};
use crate::iam_policy::{self, Purpose};
use crate::report::{Check, Context, Fix};
use crate::surroundings::{Puller, Target};

/// What the first pull through a cache needs besides
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html>).
const OF_CACHES: [&str; 2] = ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"];

/// The prefixes that the console proposes for rules, from which such a cache is recognised
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-creating-rule.html>).
const PREFIXES_OF_CACHES: [&str; 8] =
    ["docker-hub", "ecr-public", "quay", "kubernetes", "github", "ghcr", "gitlab", "azure"];

/// The checks of the accounts whose images were asked for, each once.
pub(super) fn accounts(
    puller: &Puller,
    catalogue: &'static Catalogue,
    images: &[LookedUp],
    answers: &Answers,
) -> Vec<Check> {
    let mut registries: Vec<Registry> = Vec::new();
    for registry in images.iter().filter_map(|image| registry_of(puller, &image.choice.image)) {
        if registry.account().is_some() && !registries.contains(&registry) {
            registries.push(registry);
        }
    }
    let of_registry = |registry: &Registry| {
        let answers_of =
            images.iter().filter(|image| registry_of(puller, &image.choice.image).as_ref() == Some(registry));
        let all: Vec<&Answer> = answers_of.map(|image| &image.answer).collect();
        account(puller, catalogue, registry, &all, answers.caller_for(registry)).about(registry.host())
    };
    registries.iter().map(of_registry).collect()
}

fn account(
    puller: &Puller,
    catalogue: &'static Catalogue,
    registry: &Registry,
    images: &[&Answer],
    caller: Option<&Caller>,
) -> Check {
    let definition = &catalogue.account;
    let account = registry.account().unwrap_or_default();
    let Some(caller) = caller else {
        return Check::skipped(definition, "it is not known who asks this registry");
    };
    if caller.account == account {
        return Check::pass(definition).seen("it is the principal's own account");
    }
    let is_denied = images.iter().any(|image| matches!(image, Answer::Failed(LookupError::Denied { .. })));
    let is_given = images.iter().any(|image| matches!(image, Answer::Exists(_)));
    if is_denied {
        let reason = format!(
            "{} of account {} is used for the registry of account {account}, which does not let it in",
            caller.arn, caller.account
        );
        let fixes = [role(puller, registry), repository_policy(registry, caller)];
        return fixes.into_iter().fold(Check::fail(definition, reason), Check::fix);
    }
    let seen = format!("the principal is one of account {}", caller.account);
    match is_given {
        true => Check::pass(definition).seen(seen),
        false => Check::skipped(definition, "none of its images was given or denied").seen(seen),
    }
}

/// A rule by which a role of the registry's own account is assumed for it.
fn role(puller: &Puller, registry: &Registry) -> Fix {
    let account = registry.account().unwrap_or_default();
    let partition = registry.partition().name();
    let lines = format!(
        "[[registry]]\nmatch = \"{}\"\nrole_arn = \"arn:{partition}:iam::{account}:role/ecru-pull\"",
        registry.host()
    );
    ecru_config(puller, &lines)
}

/// The other way: the account lets the principal's account in
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html>).
fn repository_policy(registry: &Registry, caller: &Caller) -> Fix {
    let partition = registry.partition().name();
    let statement = json!({
        "Sid": "Pull",
        "Effect": "Allow",
        "Principal": { "AWS": format!("arn:{partition}:iam::{}:root", caller.account) },
        "Action": Purpose::Pull.repository_actions(),
    });
    Fix::Lines {
        place: format!("the policies of the repositories of {}", registry.host()),
        lines: format!("{:#}", json!({ "Version": "2012-10-17", "Statement": [statement] })),
    }
}

/// What lets an image be pulled that was refused.
pub(super) fn fixes(
    context: Context,
    target: &Target,
    error: &LookupError,
    registry: Option<&Registry>,
    image: &str,
) -> Vec<Fix> {
    let repository = repository_of(image);
    match (error, registry) {
        (LookupError::Denied { missing: Some(missing), .. }, Some(registry)) if is_of_cache(missing) => {
            vec![pull_through(registry, &repository)]
        }
        (LookupError::Denied { missing: Some(missing), .. }, registry) => {
            vec![allow(missing, registry, &repository)]
        }
        (LookupError::NoRepository { .. }, Some(registry)) if registry.account().is_some() => {
            let of_names = [
                ecr(registry, "describe-repositories --query 'repositories[].repositoryName'"),
                ecr(registry, &format!("create-repository --repository-name {repository}")),
            ];
            let of_cache =
                [pull_through(registry, &repository), ecr(registry, "describe-pull-through-cache-rules")];
            match (has_prefix_of_cache(&repository), repository.contains('/')) {
                (true, _) => of_cache.into_iter().chain(of_names).collect(),
                (false, true) => of_names.into_iter().chain(of_cache.into_iter().skip(1)).collect(),
                (false, false) => of_names.into(),
            }
        }
        (LookupError::NoImage { .. }, Some(registry)) if registry.account().is_some() => {
            vec![ecr(
                registry,
                &format!("list-images --repository-name {repository} --filter tagStatus=TAGGED"),
            )]
        }
        (LookupError::LoginMissing, Some(_)) if context == Context::Job => vec![Fix::Lines {
            place: "~/.docker/config.json of the job's container".to_owned(),
            lines: format!("{:#}", json!({ "credHelpers": { host_of(image): "ecr-login" } })),
        }],
        (LookupError::LoginMissing, Some(registry)) => {
            vec![Fix::Command { command: target.setup_runner(&[registry.host()]), by_setup: true }]
        }
        _ => Vec::new(),
    }
}

/// What else a refusal can mean.
pub(super) fn remark(error: &LookupError, registry: Option<&Registry>, image: &str) -> Option<String> {
    let registry = registry.filter(|registry| registry.account().is_some())?;
    let repository = repository_of(image);
    let prefix = repository.split('/').next().unwrap_or_default();
    match error {
        LookupError::Denied { missing: Some(missing), .. } if is_of_cache(missing) => Some(format!(
            "it is pulled through a cache: the first pull makes the repository, and needs {}",
            OF_CACHES.join(" and ")
        )),
        LookupError::NoRepository { .. } if repository.contains('/') => Some(format!(
            "if `{prefix}` is the prefix of a pull-through cache of {registry}, the first pull makes the repository, \
             and needs {}",
            OF_CACHES.join(" and ")
        )),
        _ => None,
    }
}

fn has_prefix_of_cache(repository: &str) -> bool {
    repository.split_once('/').is_some_and(|(prefix, _)| PREFIXES_OF_CACHES.contains(&prefix))
}

fn is_of_cache(missing: &MissingPermission) -> bool {
    OF_CACHES.contains(&missing.action.as_str())
}

fn host_of(image: &str) -> String {
    ImageReference::parse(image).map(|image| image.registry().to_owned()).unwrap_or_default()
}

fn repository_of(image: &str) -> String {
    ImageReference::parse(image).map(|image| image.repository().to_owned()).unwrap_or_default()
}

/// A whole policy: with an action of pulls come all others, which would be found missing one by one.
fn allow(missing: &MissingPermission, registry: Option<&Registry>, repository: &str) -> Fix {
    let is_of_pulls = Purpose::Pull.repository_actions().contains(&missing.action.as_str());
    let policy = match registry.filter(|registry| is_of_pulls && registry.account().is_some()) {
        Some(registry) => {
            iam_policy::policy(Purpose::Pull, std::slice::from_ref(registry), &[repository.to_owned()])
        }
        None => json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Action": missing.action,
                "Resource": missing.resource.as_deref().unwrap_or("*"),
            }],
        }),
    };
    let place = missing.principal.as_deref().map_or("a policy of the principal".to_owned(), policy_of);
    Fix::Lines { place, lines: format!("{policy:#}") }
}

fn pull_through(registry: &Registry, repository: &str) -> Fix {
    let policy =
        iam_policy::policy(Purpose::PullThrough, std::slice::from_ref(registry), &[repository.to_owned()]);
    Fix::Lines { place: "a policy of the principal".to_owned(), lines: format!("{policy:#}") }
}

/// A command of the AWS CLI about a registry
/// (<https://docs.aws.amazon.com/cli/latest/reference/ecr/>).
fn ecr(registry: &Registry, what: &str) -> Fix {
    let (account, region) = (registry.account().unwrap_or_default(), registry.region());
    Fix::command(format!("aws ecr {what} --registry-id {account} --region {region}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com/team/app:1";

    fn denied(action: &str) -> LookupError {
        let missing = MissingPermission {
            action: action.to_owned(),
            principal: Some("arn:aws:iam::000000000000:user/ci".to_owned()),
            resource: Some("arn:aws:ecr:us-east-1:000000000000:repository/team/app".to_owned()),
        };
        LookupError::Denied { message: String::new(), missing: Some(Box::new(missing)) }
    }

    #[test]
    fn a_cache_that_may_not_fill_needs_the_whole_policy_of_caches() {
        let registry = Registry::parse("000000000000.dkr.ecr.us-east-1.amazonaws.com").unwrap();
        for action in OF_CACHES {
            let fixes =
                fixes(Context::Runner, &Target::this_machine(), &denied(action), Some(&registry), IMAGE);
            let [Fix::Lines { lines, .. }] = fixes.as_slice() else { panic!("{fixes:?}") };
            assert!(OF_CACHES.iter().all(|action| lines.contains(action)), "{lines}");
            let remark = remark(&denied(action), Some(&registry), IMAGE);
            assert!(remark.is_some_and(|remark| remark.contains("cache")), "{action}");
        }
        assert_eq!(remark(&denied("ecr:BatchGetImage"), Some(&registry), IMAGE), None);
    }

    #[test]
    fn a_job_without_credentials_is_not_told_to_set_up_a_runner() {
        let registry = Registry::parse("000000000000.dkr.ecr.us-east-1.amazonaws.com").unwrap();
        let target = Target { root: "/mnt".into(), ..Target::this_machine() };
        let fix =
            |context| fixes(context, &target, &LookupError::LoginMissing, Some(&registry), IMAGE).remove(0);
        assert!(
            matches!(fix(Context::Runner), Fix::Command { by_setup: true, command } if command.contains("--root /mnt"))
        );
        assert!(matches!(fix(Context::Job), Fix::Lines { lines, .. } if lines.contains("credHelpers")));
    }
}
