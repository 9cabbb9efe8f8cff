//! ecru's own configuration for a machine, `/etc/ecru/config.toml`: which registries, with which role, and no others.

mod rules;

use std::collections::BTreeSet;

use ecru_ecr::config::Config;
use ecru_ecr::registry::Registry;
use toml::de::{DeTable, DeValue};

use super::toml_text::{added_to_array, document, quoted};
use super::{EditError, Splice, line_end, spliced, text_of};

/// A registry that the machine is set up for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The registry.
    pub registry: Registry,
    /// The role that is assumed for it, if any.
    pub role_arn: Option<String>,
}

/// The configuration in `content` that offers `wanted`. A new file allows nothing else; in one that is there, a
/// `[policy]` is widened as far as it is needed, and none is laid down, because others may rely on what it lacks.
///
/// # Errors
/// If the text is not a configuration of ecru's, or has a rule for one of them with another role.
pub fn with_registries(content: Option<&[u8]>, wanted: &[Wanted]) -> Result<String, EditError> {
    let text = text_of(content.unwrap_or_default())?;
    if text.trim().is_empty() {
        let result = format!("# Written by `ecru setup runner`.\n{}", fresh_configuration(wanted));
        rules::check(&config(&result)?, wanted)?;
        return Ok(result);
    }
    let config = config(text)?;
    let parsed = document(text)?;
    let table = parsed.get_ref();
    let mut splices: Vec<Splice> = Vec::new();
    splices.extend(registries(text, table, wanted)?);
    splices.extend(policy(text, table, wanted)?);
    splices.extend(rules::added(text, table, &config, wanted)?);
    let result = spliced(text, splices);
    rules::check(&self::config(&result)?, wanted)?;
    Ok(result)
}

/// The helper's own reader: what it refuses would stop the helper, and with it every pull.
fn config(text: &str) -> Result<Config, EditError> {
    Config::of_system_file(text.as_bytes())
        .map_err(|fault| EditError::Refused { tool: "ecru", reason: fault.to_string() })
}

/// A configuration of a machine that allows `wanted` and nothing else.
pub(crate) fn fresh_configuration(wanted: &[Wanted]) -> String {
    let hosts: Vec<String> = wanted.iter().map(|wanted| quoted_plainly(&wanted.registry.host())).collect();
    let list = |values: BTreeSet<String>| {
        values.iter().map(|value| quoted_plainly(value)).collect::<Vec<_>>().join(", ")
    };
    let mut text = format!(
        "registries = [{}]\n\n# Nothing else may be asked for, whatever a job names.\n\
         [policy]\naccounts = [{}]\nregions = [{}]\npublic = {}\n",
        hosts.join(", "),
        list(accounts(wanted)),
        list(regions(wanted)),
        wanted.iter().any(|wanted| wanted.registry.is_public()),
    );
    for wanted in wanted {
        if let Some(rule) = rules::text_of(wanted, "\n") {
            text.push('\n');
            text.push_str(&rule);
        }
    }
    text
}

/// As people write it in these files.
fn quoted_plainly(value: &str) -> String {
    if value.contains(['"', '\\']) || value.chars().any(char::is_control) {
        quoted(value)
    } else {
        format!("\"{value}\"")
    }
}

fn accounts(wanted: &[Wanted]) -> BTreeSet<String> {
    wanted.iter().filter_map(|wanted| wanted.registry.account().map(str::to_owned)).collect()
}

fn regions(wanted: &[Wanted]) -> BTreeSet<String> {
    let private = wanted.iter().filter(|wanted| !wanted.registry.is_public());
    private.map(|wanted| wanted.registry.region().to_owned()).collect()
}

fn registries(text: &str, table: &DeTable<'_>, wanted: &[Wanted]) -> Result<Vec<Splice>, EditError> {
    let hosts = wanted.iter().map(|wanted| wanted.registry.host());
    let Some(existing) = table.get("registries") else {
        let hosts: Vec<String> = hosts.map(|host| quoted_plainly(&host)).collect();
        // Before all headers, or it would belong to one of their tables.
        let line = format!("registries = [{}]{}", hosts.join(", "), line_end(text));
        return Ok(vec![Splice::insert(0, line)]);
    };
    let names = texts("registries", existing.get_ref())?;
    let known: Vec<Registry> = names.iter().filter_map(|name| Registry::parse(name).ok()).collect();
    let missing: Vec<String> = wanted
        .iter()
        .filter(|wanted| !known.contains(&wanted.registry))
        .map(|wanted| wanted.registry.host())
        .collect();
    Ok(extended(text, existing, &missing))
}

fn policy(text: &str, table: &DeTable<'_>, wanted: &[Wanted]) -> Result<Vec<Splice>, EditError> {
    let Some(policy) = table.get("policy") else { return Ok(Vec::new()) };
    let Some(policy) = policy.get_ref().as_table() else {
        return Err(EditError::WrongType { name: "policy".to_owned(), expected: "a table" });
    };
    let mut splices = Vec::new();
    for (key, needed) in [("accounts", accounts(wanted)), ("regions", regions(wanted))] {
        let Some(existing) = policy.get(key) else { continue };
        let allowed = texts(key, existing.get_ref())?;
        let is_allowed = |value: &String| allowed.iter().any(|pattern| allows(pattern, value));
        let missing: Vec<String> = needed.into_iter().filter(|value| !is_allowed(value)).collect();
        splices.extend(extended(text, existing, &missing));
    }
    let wants_public = wanted.iter().any(|wanted| wanted.registry.is_public());
    if let Some(public) = policy.get("public")
        && wants_public
        && matches!(public.get_ref(), DeValue::Boolean(false))
    {
        splices.push(Splice::replace(public.span(), "true"));
    }
    Ok(splices)
}

/// Whether a pattern of the policy, with `*` for anything, covers `value`.
fn allows(pattern: &str, value: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == value };
    let Some(remaining) = value.strip_prefix(first) else { return false };
    (0..=remaining.len())
        .any(|skipped| remaining.get(skipped..).is_some_and(|remaining| allows(rest, remaining)))
}

fn texts(name: &str, value: &DeValue<'_>) -> Result<Vec<String>, EditError> {
    let wrong_type = || EditError::WrongType { name: name.to_owned(), expected: "a list of texts" };
    let text = |element: &toml::Spanned<DeValue<'_>>| match element.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        _ => Err(wrong_type()),
    };
    value.as_array().ok_or_else(wrong_type)?.iter().map(text).collect()
}

fn extended(text: &str, list: &toml::Spanned<DeValue<'_>>, missing: &[String]) -> Vec<Splice> {
    let array = list.get_ref().as_array().filter(|_| !missing.is_empty());
    array.map(|array| added_to_array(text, list.span(), array, missing)).unwrap_or_default()
}

/// What may be seen of ecru's configuration: all but what a trust policy keeps between two parties.
pub(crate) fn visible(path: &str, value: &str) -> Option<String> {
    (!path.ends_with("external_id")).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use ecru_ecr::config::Source;

    use super::*;

    fn wanted(host: &str, role: Option<&str>) -> Wanted {
        Wanted { registry: Registry::parse(host).unwrap(), role_arn: role.map(str::to_owned) }
    }

    /// The helper reads it, may ask for all of them, and with their roles.
    fn assert_serves(text: &str, registries: &[Wanted]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let owner = Some(rustix::process::geteuid().as_raw());
        let config = Config::load(&[Source { path, required: true, owner }]).unwrap();
        for wanted in registries {
            config.permit(&wanted.registry).unwrap();
            assert!(config.registries().contains(&wanted.registry));
            let has_rule = config.rules().iter().any(|rule| rule.pattern.matches(&wanted.registry, ""));
            assert_eq!(has_rule, wanted.role_arn.is_some());
        }
    }

    const FIRST: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
    const SECOND: &str = "444455556666.dkr.ecr.us-east-1.amazonaws.com";
    const ROLE: &str = "arn:aws:iam::444455556666:role/pull";

    fn edited(content: Option<&str>, registries: &[Wanted]) -> String {
        let once = with_registries(content.map(str::as_bytes), registries).unwrap();
        assert_eq!(with_registries(Some(once.as_bytes()), registries).unwrap(), once);
        assert_serves(&once, registries);
        once
    }

    #[test]
    fn a_new_file_allows_what_was_asked_for_only() {
        assert_eq!(
            edited(None, &[wanted(FIRST, None), wanted("public.ecr.aws", None), wanted(SECOND, Some(ROLE))]),
            format!(
                "# Written by `ecru setup runner`.\nregistries = [\"{FIRST}\", \"public.ecr.aws\", \"{SECOND}\"]\n\n\
                 # Nothing else may be asked for, whatever a job names.\n[policy]\n\
                 accounts = [\"111122223333\", \"444455556666\"]\nregions = [\"eu-west-1\", \"us-east-1\"]\npublic = true\n\n\
                 [[registry]]\nmatch = \"{SECOND}\"\nrole_arn = \"{ROLE}\"\n"
            )
        );
    }

    #[test]
    fn a_policy_that_is_there_grows_as_far_as_needed() {
        let text = format!(
            "registries = [\"{FIRST}\"] # one\n[policy]\naccounts = ['111122223333']\nregions = [\"us-*\"]\npublic = false"
        );
        assert_eq!(
            edited(
                Some(&text),
                &[wanted(FIRST, None), wanted(SECOND, Some(ROLE)), wanted("public.ecr.aws", None)]
            ),
            format!(
                "registries = [\"{FIRST}\", '{SECOND}', 'public.ecr.aws'] # one\n[policy]\n\
                 accounts = ['111122223333', '444455556666']\nregions = [\"us-*\", 'eu-west-1']\npublic = true\n\n\
                 [[registry]]\nmatch = \"{SECOND}\"\nrole_arn = \"{ROLE}\"\n"
            )
        );
    }

    #[test]
    fn no_policy_is_laid_down_in_a_file_of_others() {
        assert_eq!(
            edited(Some("on_error = \"report\"\n"), &[wanted(FIRST, None)]),
            format!("registries = [\"{FIRST}\"]\non_error = \"report\"\n")
        );
    }

    #[test]
    fn what_the_helper_would_refuse_is_refused() {
        for text in
            ["unknown = 1\n", "[policy]\naccounts = [\"1\"]\nregions = []\n", "registries = [\"x\"]\n"]
        {
            let error = with_registries(Some(text.as_bytes()), &[wanted(FIRST, None)]).unwrap_err();
            assert!(error.to_string().starts_with("ecru refuses it: line "), "{text}: {error}");
        }
    }

    #[test]
    fn another_role_for_the_same_registry_is_refused() {
        let text = format!("[[registry]]\nmatch = \"{SECOND}\"\nprofile = \"x\"\n");
        assert!(matches!(
            with_registries(Some(text.as_bytes()), &[wanted(SECOND, Some(ROLE))]),
            Err(EditError::Occupied { .. })
        ));
    }
}
