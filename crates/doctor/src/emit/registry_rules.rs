//! Rules of ecru's configuration for registries that have a role of their own.

use super::quoting::double_quoted;
use crate::edit::ecru_config::Wanted;

/// A rule for each registry that names a role. With `identity_token`, the variable that holds an OIDC token is exchanged
/// for the session; without it, the role is assumed by whatever identity there is.
pub(super) fn registry_rules(wanted: &[Wanted], identity_token: Option<&str>) -> String {
    let mut text = String::new();
    for one in wanted {
        let Some(role_arn) = &one.role_arn else { continue };
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str("[[registry]]\n");
        let mut set = |key: &str, value: &str| text.push_str(&format!("{key} = {}\n", double_quoted(value)));
        set("match", &one.registry.host());
        if let Some(variable) = identity_token {
            set("identity_token_env", variable);
        }
        set("role_arn", role_arn);
    }
    text
}

#[cfg(test)]
mod tests {
    use ecru_ecr::config::{Config, Source};
    use ecru_ecr::registry::Registry;

    use super::*;

    #[test]
    fn the_helper_reads_them() {
        let host = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
        let wanted = |host: &str, role: Option<&str>| Wanted {
            registry: Registry::parse(host).unwrap(),
            role_arn: role.map(str::to_owned),
        };
        let wanted = [
            wanted("public.ecr.aws", None),
            wanted(host, Some("arn:aws:iam::111122223333:role/a")),
            wanted("444455556666.dkr-ecr-fips.us-east-1.on.aws", Some("arn:aws:iam::444455556666:role/b")),
        ];
        let folder = tempfile::tempdir().unwrap();
        for identity_token in [None, Some("ECRU_IDENTITY_TOKEN")] {
            let path = folder.path().join("ecru.toml");
            std::fs::write(&path, registry_rules(&wanted, identity_token)).unwrap();
            let config = Config::load(&[Source { path, required: true, owner: None }]).unwrap();
            assert_eq!(config.rules().len(), 2);
            for one in &wanted {
                let has_rule = config.rules().iter().any(|rule| rule.pattern.matches(&one.registry, ""));
                assert_eq!(has_rule, one.role_arn.is_some(), "{}", one.registry.host());
            }
        }
    }
}
