//! Rules with the roles that are asked for. The helper takes the first rule that matches, so a new one goes before those
//! with `*` that would win.

use ecru_ecr::config::{Config, Rule};
use toml::de::DeTable;

use super::super::{EditError, Splice, line_end};
use super::{Wanted, quoted_plainly};

/// The rule for a registry with a role.
pub(super) fn text_of(wanted: &Wanted, end: &str) -> Option<String> {
    let role = wanted.role_arn.as_deref()?;
    Some(format!(
        "[[registry]]{end}match = {}{end}role_arn = {}{end}",
        quoted_plainly(&wanted.registry.host()),
        quoted_plainly(role)
    ))
}

/// The rules that are missing in `text`, which says what `config` is.
pub(super) fn added(
    text: &str,
    table: &DeTable<'_>,
    config: &Config,
    wanted: &[Wanted],
) -> Result<Vec<Splice>, EditError> {
    let end = line_end(text);
    let mut splices = Vec::new();
    let mut last = String::new();
    for wanted in wanted {
        let Some(rule) = text_of(wanted, end) else { continue };
        let rules = config.rules();
        match rules.iter().enumerate().find(|(_, rule)| counts(rule, wanted)) {
            None => {
                last.push_str(end);
                last.push_str(&rule);
            }
            Some((_, first)) if has_role(first, wanted) => {}
            Some((index, first)) => match first.pattern.server() {
                Some(server) => return Err(occupied(server)),
                None => splices.push(Splice::insert(beginning(text, table, index)?, format!("{rule}{end}"))),
            },
        }
    }
    if !last.is_empty() {
        if !config.rules().is_empty() {
            // Tables with headers cannot follow those without.
            beginning(text, table, 0)?;
        }
        let newline = if text.ends_with('\n') { "" } else { end };
        splices.push(Splice::insert(text.len(), format!("{newline}{last}")));
    }
    Ok(splices)
}

/// Whether the helper takes the roles that are asked for.
pub(super) fn check(config: &Config, wanted: &[Wanted]) -> Result<(), EditError> {
    for wanted in wanted.iter().filter(|wanted| wanted.role_arn.is_some()) {
        let first = config.rules().iter().find(|rule| counts(rule, wanted));
        if !first.is_some_and(|rule| has_role(rule, wanted)) {
            return Err(occupied(first.map_or(&wanted.registry.host(), |rule| rule.pattern.as_str())));
        }
    }
    Ok(())
}

/// Docker's files name hosts, so the helper is asked for no path.
fn counts(rule: &Rule, Wanted { registry, .. }: &Wanted) -> bool {
    rule.pattern.matches(registry, "")
}

/// Of a chain, the last role is the one that pulls.
fn has_role(rule: &Rule, wanted: &Wanted) -> bool {
    rule.selection.roles().last().map(|role| &role.arn) == wanted.role_arn.as_ref()
}

fn occupied(pattern: &str) -> EditError {
    EditError::Occupied { name: format!("the rule for {pattern}") }
}

/// Where the rule with this index begins, with the comments above it.
fn beginning(text: &str, table: &DeTable<'_>, index: usize) -> Result<usize, EditError> {
    let rules = table.get("registry").and_then(|rules| rules.get_ref().as_array());
    let rule = rules.and_then(|rules| rules.get(index)).and_then(|rule| rule.get_ref().as_table());
    let first = rule.and_then(|rule| rule.iter().map(|(key, _)| key.span().start).min());
    first.and_then(|first| header(text, first)).ok_or_else(|| EditError::Form { name: "registry".to_owned() })
}

/// The same for the rule whose first key is at `first`; `None` if it is no table with a header.
fn header(text: &str, first: usize) -> Option<usize> {
    let mut start = text[..first].rfind('\n').map_or(0, |newline| newline + 1);
    if !text[start..first].trim().is_empty() {
        return None;
    }
    let mut has_header = false;
    for line in text[..start].split_inclusive('\n').rev() {
        let trimmed = line.trim();
        let is_above = if has_header {
            trimmed.starts_with('#')
        } else {
            has_header = trimmed.starts_with("[[");
            has_header || trimmed.is_empty() || trimmed.starts_with('#')
        };
        if !is_above {
            break;
        }
        start -= line.len();
    }
    has_header.then_some(start)
}

#[cfg(test)]
mod tests {
    use ecru_ecr::registry::Registry;

    use super::super::with_registries;
    use super::*;

    const HOST: &str = "444455556666.dkr.ecr.us-east-1.amazonaws.com";
    const ALL: &str = "*.dkr.ecr.*.amazonaws.com";
    const OLD: &str = "arn:aws:iam::444455556666:role/old";
    const NEW: &str = "arn:aws:iam::444455556666:role/new";

    fn edited(text: &str) -> Result<String, EditError> {
        let registry = Registry::parse(HOST).unwrap();
        let wanted = [Wanted { registry: registry.clone(), role_arn: Some(NEW.to_owned()) }];
        let once = with_registries(Some(text.as_bytes()), &wanted)?;
        assert_eq!(with_registries(Some(once.as_bytes()), &wanted).unwrap(), once);
        let config = Config::of_system_file(once.as_bytes()).unwrap();
        let rule = config.rule(&registry, "", None).unwrap();
        assert_eq!(rule.selection.roles().last().unwrap().arn, NEW, "{once}");
        Ok(once)
    }

    fn rule(pattern: &str, role: &str) -> String {
        format!("[[registry]]\nmatch = \"{pattern}\"\nrole_arn = \"{role}\"\n")
    }

    #[test]
    fn a_rule_goes_before_the_first_one_that_would_win() {
        let other = rule("111122223333.dkr.ecr.*.amazonaws.com", OLD);
        let new = rule(HOST, NEW);
        let start = format!("registries = [\"{HOST}\"] # one\n\n{other}\n");
        for pattern in [ALL, "*", "444455556666.dkr.ecr.*.amazonaws.com"] {
            // The comments of a rule stay with it.
            let wide = format!(
                "# all others\n# of ours\n[[registry]] # wide\n# which\n\nmatch = \"{pattern}\"\nrole_arn = \"{OLD}\""
            );
            assert_eq!(edited(&format!("{start}{wide}")).unwrap(), format!("{start}{new}\n{wide}"));
            let dead = format!("{wide}\n{}", rule(HOST, OLD));
            assert_eq!(edited(&format!("{start}{dead}")).unwrap(), format!("{start}{new}\n{dead}"));
        }
        let windows = format!("{start}{}", rule(ALL, OLD)).replace('\n', "\r\n");
        assert_eq!(edited(&windows).unwrap().matches("\r\n").count(), windows.matches("\r\n").count() + 4);
    }

    #[test]
    fn a_rule_that_comes_too_late_is_moved_before_the_others() {
        let text = format!("registries = [\"{HOST}\"]\n{}{}", rule(ALL, OLD), rule(HOST, NEW));
        let start = format!("registries = [\"{HOST}\"]\n");
        assert_eq!(edited(&text).unwrap(), format!("{start}{}\n{}", rule(HOST, NEW), &text[start.len()..]));
    }

    #[test]
    fn nothing_is_added_where_the_first_rule_has_the_role() {
        let chain = format!(
            "[[registry]]\nmatch = \"*\"\nrole_arn = \"{OLD}\"\nchain = [{{ role_arn = \"{NEW}\" }}]\n"
        );
        for first in [rule(HOST, NEW), rule(ALL, NEW), chain] {
            let text = format!("registries = [\"{HOST}\"]\n{first}{}", rule(HOST, OLD));
            assert_eq!(edited(&text).unwrap(), text);
        }
    }

    #[test]
    fn rules_for_paths_do_not_count() {
        let text = format!("registries = [\"{HOST}\"]\n{}", rule(&format!("{HOST}/team/*"), OLD));
        assert_eq!(edited(&text).unwrap(), format!("{text}\n{}", rule(HOST, NEW)));
    }

    #[test]
    fn another_role_of_exactly_this_registry_is_refused() {
        let chain = format!("{}chain = [{{ role_arn = \"{OLD}\" }}]\n", rule(HOST, NEW));
        let fips = rule(&HOST.replace("dkr.ecr.", "dkr.ecr-fips."), OLD);
        for text in [rule(HOST, OLD), chain, fips] {
            let error = edited(&text).unwrap_err();
            assert!(matches!(error, EditError::Occupied { .. }), "{text}: {error}");
        }
    }

    #[test]
    fn rules_without_headers_are_refused() {
        for text in [
            format!("registry = [{{ match = \"*\", role_arn = \"{OLD}\" }}]\n"),
            format!("registry = [\n  {{ match = \"*\", role_arn = \"{OLD}\" }},\n]\n"),
        ] {
            for text in [text.clone(), text.replace('*', "public.ecr.aws")] {
                let error = edited(&text).unwrap_err();
                assert!(matches!(error, EditError::Form { .. }), "{text}: {error}");
            }
            let text = format!("registries = [\"{HOST}\"]\n{}", text.replace(OLD, NEW));
            assert_eq!(edited(&text).unwrap(), text, "it has the role");
        }
    }
}
