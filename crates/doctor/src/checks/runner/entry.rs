//! The entry of `environment` that gives jobs `DOCKER_AUTH_CONFIG`: what stands there, where, and what belongs there.

use ecru_docker::config_file::ConfigFile;
use ecru_gitlab::position::Position;
use ecru_gitlab::registry_auth::FileContent;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use toml::de::DeTable;

use super::Facts;
use crate::edit::toml_string;
use crate::report::Fix;

/// What the entry begins with.
pub(super) const ENTRY: &str = "DOCKER_AUTH_CONFIG=";

/// The JSON that follows `name` on a line, if it is right and has no password; what stands behind it is left out.
pub(super) fn json_behind(line: &str, name: &str) -> Option<String> {
    let (_, rest) = line.split_once(name)?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
    values.next()?.ok()?.as_object()?;
    let json = rest.get(..values.byte_offset())?.trim();
    let config = ConfigFile::parse(json).ok()?;
    config.auths.is_empty().then(|| json.to_owned())
}

/// The entry alone: a whole `environment` would take the runner's other variables away. `line` is where it stands now.
pub(super) fn fix(facts: &Facts<'_>, line: Option<usize>, json: &str) -> Fix {
    let path = match &facts.service {
        Ok(service) => facts.place(&service.config),
        Err(_) => "config.toml".to_owned(),
    };
    let place = match line {
        Some(line) => format!("{path}, line {line}, in `environment`, in place of the entry that is there"),
        None => format!("{path}, in `environment` of `[[runners]]`, in place of the entry that is there"),
    };
    Fix::Lines { place, lines: toml_string(&format!("{ENTRY}{json}")) }
}

/// The line on which the entry of the runner called `name` stands.
pub(super) fn line_of(facts: &Facts<'_>, name: &str) -> Option<usize> {
    match &facts.config_text {
        FileContent::Text(text) => line_in(text.expose_secret(), name),
        _ => None,
    }
}

/// The last one counts, as it does for the runner.
fn line_in(text: &str, name: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let runners = document.get_ref().get("runners")?.get_ref().as_array()?.iter();
    let runners = runners.filter_map(|runner| runner.get_ref().as_table());
    let is_meant = |runner: &&DeTable<'_>| {
        let own = runner.get("name").and_then(|own| own.get_ref().as_str());
        own.unwrap_or_default() == name
    };
    let mut entries = runners
        .filter(is_meant)
        .filter_map(|runner| runner.get("environment")?.get_ref().as_array())
        .flat_map(|entries| entries.iter());
    let entry =
        entries.rfind(|entry| entry.get_ref().as_str().is_some_and(|text| text.starts_with(ENTRY)))?;
    Some(Position::of_offset(text, entry.span().start).line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_stands_behind_the_json_is_left_out_and_passwords_are_not_told() {
        let right = r#"{"credsStore":"ecr-login"}"#;
        let found = |line: String| json_behind(&line, ENTRY);
        assert_eq!(found(format!(r#"e = ["{ENTRY}{right}", "B={{2}}"]"#)).as_deref(), Some(right));
        assert_eq!(found(format!(r#"e = ["{ENTRY}'{right}'"]"#)), None);
        assert_eq!(found(format!(r#"e = ["{ENTRY}{{"auths":{{"h":{{"auth":"dTpw"}}}}}}"]"#)), None);
        assert_eq!(found(format!("e = [\"{ENTRY}1\"]")), None);
    }

    proptest! {
        #[test]
        fn any_text_is_looked_at(text in "(\\PC|[\\[\\]=\n'\"{}]){0,200}") {
            let _ = line_in(&text, "");
            let _ = json_behind(&text, "=");
        }
    }
}
