//! The runner's `config.toml`: `DOCKER_AUTH_CONFIG` in the `environment` of one of its `[[runners]]`.

use toml::de::{DeTable, DeValue};

use super::docker_config::{Helpers, with_helpers};
use super::toml_text::{added_to_array, document, line_behind_last, meaning, quoted, runner_config};
use super::{EditError, Splice, masked_json, spliced, text_of};

const PREFIX: &str = "DOCKER_AUTH_CONFIG=";

/// The `config.toml` in `content` whose runner `runner` (its only one, if none is named) gives jobs a
/// `DOCKER_AUTH_CONFIG` with these helpers, beside all that the variable holds already.
///
/// # Errors
/// If the runner cannot be told, or if GitLab Runner or Docker would refuse what stands there.
pub fn with_docker_auth_config(
    content: &[u8],
    runner: Option<&str>,
    helpers: &Helpers,
    suffix: &str,
) -> Result<String, EditError> {
    let text = text_of(content)?;
    let before = meaning(text)?;
    let config = runner_config(text)?;
    let (index, _) = config.numbered_runner(runner)?;

    let document = document(text)?;
    let (splices, value) = edit_of_runner(text, runner_table(document.get_ref(), index)?, helpers, suffix)?;
    let result = spliced(text, splices);
    if !is_as_meant(before, &meaning(&result)?, index, &value) {
        return Err(EditError::Form { name: "environment".to_owned() });
    }
    Ok(result)
}

pub(super) fn runner_table<'d, 't>(
    document: &'d DeTable<'t>,
    index: usize,
) -> Result<&'d DeTable<'t>, EditError> {
    let runners = document.get("runners").and_then(|runners| runners.get_ref().as_array());
    let runner = runners.and_then(|runners| runners.get(index));
    runner
        .and_then(|runner| runner.get_ref().as_table())
        .ok_or(EditError::WrongType { name: "runners".to_owned(), expected: "a list of tables" })
}

/// The change, if one is needed, and the entry of `environment` that there is then.
fn edit_of_runner(
    text: &str,
    runner: &DeTable<'_>,
    helpers: &Helpers,
    suffix: &str,
) -> Result<(Vec<Splice>, String), EditError> {
    let wrong_type = || EditError::WrongType { name: "environment".to_owned(), expected: "a list of texts" };
    let Some(environment) = runner.get("environment") else {
        let value = format!("{PREFIX}{}", helpers.document(suffix));
        let line = format!("environment = [{}]", quoted(&value));
        let splice = line_behind_last(text, runner, &line)
            .ok_or_else(|| EditError::Form { name: "[[runners]]".to_owned() })?;
        return Ok((vec![splice], value));
    };
    let array = environment.get_ref().as_array().ok_or_else(wrong_type)?;
    let mut last = None;
    for element in array.iter() {
        let DeValue::String(entry) = element.get_ref() else { return Err(wrong_type()) };
        // The runner takes the last one of a name.
        if let Some(json) = entry.strip_prefix(PREFIX) {
            last = Some((element.span(), json));
        }
    }
    let Some((span, json)) = last else {
        let value = format!("{PREFIX}{}", helpers.document(suffix));
        let splices = added_to_array(text, environment.span(), array, std::slice::from_ref(&value));
        return Ok((splices, value));
    };
    if json.trim().is_empty() {
        let value = format!("{PREFIX}{}", helpers.document(suffix));
        return Ok((vec![Splice::replace(span, quoted(&value))], value));
    }
    let edited = with_helpers(Some(json.as_bytes()), helpers, suffix)?;
    let value = format!("{PREFIX}{edited}");
    let splice = (edited != json).then(|| Splice::replace(span, quoted(&value)));
    Ok((splice.into_iter().collect(), value))
}

fn is_as_meant(mut before: toml::Table, after: &toml::Table, index: usize, value: &str) -> bool {
    let runner = before
        .get_mut("runners")
        .and_then(toml::Value::as_array_mut)
        .and_then(|runners| runners.get_mut(index))
        .and_then(toml::Value::as_table_mut);
    let Some(runner) = runner else { return false };
    let environment =
        runner.entry("environment").or_insert_with(|| toml::Value::Array(Vec::new())).as_array_mut();
    let Some(environment) = environment else { return false };
    let is_ours = |entry: &&mut toml::Value| entry.as_str().is_some_and(|entry| entry.starts_with(PREFIX));
    match environment.iter_mut().rfind(is_ours) {
        Some(entry) => *entry = value.into(),
        None => environment.push(value.into()),
    }
    before == *after
}

/// What may be seen of a string at `path` in a `config.toml`: its names, and which helpers are asked.
pub(crate) fn visible(path: &str, value: &str) -> Option<String> {
    match path {
        "runners.name" | "runners.executor" => Some(value.to_owned()),
        "runners.environment" => {
            let Some(json) = value.strip_prefix(PREFIX) else {
                return super::job_containers::visible(path, value);
            };
            masked_json(json).map(|json| format!("{PREFIX}{json}"))
        }
        "runners.docker.volumes" => super::job_containers::visible(path, value),
        _ => super::job_hosts::visible(path, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";

    fn edited(text: &str, runner: Option<&str>) -> Result<String, EditError> {
        let helpers = Helpers::ForRegistries(vec![HOST.to_owned()]);
        let once = with_docker_auth_config(text.as_bytes(), runner, &helpers, "ecr-login")?;
        let twice = with_docker_auth_config(once.as_bytes(), runner, &helpers, "ecr-login").unwrap();
        assert_eq!(once, twice, "the second run changes nothing");
        Ok(once)
    }

    #[test]
    fn a_line_is_added_where_there_is_none() {
        let text = "concurrent = 4 # four\r\n\r\n[[runners]]\r\n  name = \"a\"\r\n  token = \"t\" # secret\r\n  [runners.docker]\r\n    image = \"x\"\r\n";
        let line = format!(
            "  environment = ['DOCKER_AUTH_CONFIG={{\"credHelpers\":{{\"{HOST}\":\"ecr-login\"}}}}']\r\n"
        );
        let at = text.find("  [runners.docker]").unwrap();
        assert_eq!(edited(text, None).unwrap(), format!("{}{line}{}", &text[..at], &text[at..]));
    }

    #[test]
    fn a_value_that_is_there_is_merged_and_keeps_its_passwords() {
        let text = "[[runners]]\nname='a'\nenvironment = [\n  \"A=1\", # one\n  \"DOCKER_AUTH_CONFIG={\\\"auths\\\":{\\\"h\\\":{\\\"auth\\\":\\\"dTpw\\\"}}}\",\n]\n";
        assert_eq!(
            edited(text, Some("a")).unwrap(),
            format!(
                "[[runners]]\nname='a'\nenvironment = [\n  \"A=1\", # one\n  'DOCKER_AUTH_CONFIG={{\"auths\":{{\"h\":{{\"auth\":\"dTpw\"}}}},\"credHelpers\":{{\"{HOST}\":\"ecr-login\"}}}}',\n]\n"
            )
        );
    }

    #[test]
    fn an_entry_joins_the_others() {
        let entry = format!("'DOCKER_AUTH_CONFIG={{\"credHelpers\":{{\"{HOST}\":\"ecr-login\"}}}}'");
        for (before, after) in [
            ("[]", format!("[{entry}]")),
            ("[\"A=1\"]", format!("[\"A=1\", {entry}]")),
            ("[\n 'A=1',\n 'B', # b\n]", format!("[\n 'A=1',\n 'B', # b\n {entry},\n]")),
            ("[\n 'A=1',\n 'B' # b, c\n]", format!("[\n 'A=1',\n 'B', # b, c\n {entry}\n]")),
            ("['B' # b\n]", format!("['B', # b\n{entry}\n]")),
            ("['B' # b\n, # c\n]", format!("['B', {entry} # b\n, # c\n]")),
        ] {
            let text = |array: &str| format!("[[runners]]\nname = 'b'\nenvironment = {array}");
            assert_eq!(edited(&text(before), None).unwrap(), text(&after));
        }
    }

    #[test]
    fn only_the_named_runner_changes() {
        let text = "[[runners]]\nname = 'a'\n[[runners]]\nname = 'b'";
        let result = edited(text, Some("b")).unwrap();
        assert!(result.starts_with(&format!("{text}\nenvironment = [")), "{result}");
        assert!(matches!(edited(text, None), Err(EditError::Runner(_))));
        assert!(matches!(edited(text, Some("c")), Err(EditError::Runner(_))));
    }

    #[test]
    fn what_cannot_be_edited_safely_is_refused() {
        for text in [
            "",
            "x",
            "[[runners]]\nname='a'\nname='b'",
            "[[runners]]\nenvironment = 'A=1'\nname = 'a'",
            "[[runners]]\n[runners.docker]\nimage = 'x'",
            "[[runners]]\nname='a'\nenvironment=['DOCKER_AUTH_CONFIG={\"credHelpers\":\"ecr-login\"}']",
            "[[runners]]\nname='a'\nenvironment=[\"DOCKER_AUTH_CONFIG='{}'\"]",
            "runners = [{ name = 'a' }]",
        ] {
            assert!(edited(text, None).is_err(), "{text}");
        }
    }
}
