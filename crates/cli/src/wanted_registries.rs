//! `--registry` and `--role-arn`, as the commands that set up and emit have them.

use ecru_doctor::edit::ecru_config::Wanted;
use ecru_doctor::emit::is_role_arn;
use ecru_ecr::registry::Registry;

use crate::error::CommandError;
use crate::exit_code;

/// The registries, each once, in the order in which they are named.
pub(crate) fn registries(arguments: &[String]) -> Result<Vec<Registry>, CommandError> {
    let mut registries: Vec<Registry> = Vec::new();
    for text in arguments {
        let registry = registry(text)?;
        if !registries.contains(&registry) {
            registries.push(registry);
        }
    }
    Ok(registries)
}

/// The same with the role of each, which is an ARN for all of them or `HOST=ARN` for one.
pub(crate) fn wanted_registries(hosts: &[String], role_arns: &[String]) -> Result<Vec<Wanted>, CommandError> {
    let mut wanted: Vec<Wanted> =
        registries(hosts)?.into_iter().map(|registry| Wanted { registry, role_arn: None }).collect();
    for argument in role_arns {
        let (host, arn) = role_for_host(argument)?;
        let mut chosen =
            wanted.iter_mut().filter(|one| host.as_ref().is_none_or(|host| one.registry == *host)).peekable();
        if chosen.peek().is_none() {
            return Err(refused(format!("`--role-arn {argument}` is for none of the registries")));
        }
        chosen.for_each(|one| one.role_arn = Some(arn.clone()));
    }
    Ok(wanted)
}

/// `HOST=ARN`, or an ARN for all.
pub(crate) fn role_for_host(argument: &str) -> Result<(Option<Registry>, String), CommandError> {
    // Names of roles may have the sign too, hosts and ARNs begin without it.
    let (host, arn) = match argument.split_once('=') {
        Some((host, arn)) if !host.starts_with("arn:") => (Some(host), arn),
        _ => (None, argument),
    };
    if !is_role_arn(arn) {
        return Err(
            refused(format!("`{arn}` is no ARN of a role")).hint("arn:aws:iam::111122223333:role/NAME")
        );
    }
    Ok((host.map(registry).transpose()?, arn.to_owned()))
}

/// Access is to a whole registry here: a path would be let fall, and more be allowed than was meant.
fn registry(text: &str) -> Result<Registry, CommandError> {
    let registry = Registry::parse(text)
        .map_err(|error| refused(format!("`{text}` is no registry of ECR")).because(error.to_string()))?;
    let host = text.split_once("://").map_or(text, |(_, host)| host).trim_end_matches('/');
    if host.contains('/') {
        return Err(refused(format!("`{text}` names a repository, and a registry is wanted"))
            .hint(format!("--registry {}", registry.host())));
    }
    Ok(registry)
}

fn refused(message: String) -> CommandError {
    CommandError::new(exit_code::BAD_CONFIGURATION, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
    const SECOND: &str = "444455556666.dkr.ecr.us-east-1.amazonaws.com";

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_role_is_for_all_or_for_one() {
        let hosts = texts(&[FIRST, SECOND, &format!("https://{FIRST}")]);
        let (all, one) = ("arn:aws:iam::111122223333:role/a=b", "arn:aws:iam::444455556666:role/c");
        let roles = texts(&[all, &format!("{SECOND}={one}")]);
        let wanted = wanted_registries(&hosts, &roles).unwrap();
        let found: Vec<_> = wanted.iter().map(|one| (one.registry.host(), one.role_arn.clone())).collect();
        assert_eq!(
            found,
            [(FIRST.to_owned(), Some(all.to_owned())), (SECOND.to_owned(), Some(one.to_owned()))]
        );
    }

    #[test]
    fn what_is_none_is_refused() {
        for (host, role) in [
            ("registry.example", None),
            (&format!("{FIRST}/team/app"), None),
            (FIRST, Some("role")),
            (FIRST, Some("registry.example=arn:aws:iam::111122223333:role/a")),
            (FIRST, Some("444455556666.dkr.ecr.us-east-1.amazonaws.com=arn:aws:iam::111122223333:role/a")),
        ] {
            let roles: Vec<&str> = role.into_iter().collect();
            assert!(wanted_registries(&texts(&[host]), &texts(&roles)).is_err(), "{host} {role:?}");
        }
    }
}
