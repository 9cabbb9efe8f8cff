//! Values of a TOML document, with their places.

use ecru_gitlab::config_toml::ConfigToml;
use toml::de::{DeTable, DeValue};

use super::{EditError, Splice, indentation, line_end, malformed, spliced};

/// Stands in a diff for what may be secret.
const MASK: &str = "'…'";

/// The document, with the place of every key and value.
pub(super) fn document(text: &str) -> Result<toml::Spanned<DeTable<'_>>, EditError> {
    DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        malformed("TOML", text, at, error.message())
    })
}

/// The document without places, to compare what it says.
pub(super) fn meaning(text: &str) -> Result<toml::Table, EditError> {
    document(text)?;
    text.parse::<toml::Table>().map_err(|error| malformed("TOML", text, 0, error.message()))
}

/// A `config.toml` as GitLab Runner reads it.
pub(super) fn runner_config(text: &str) -> Result<ConfigToml, EditError> {
    ConfigToml::parse(text)
        .map_err(|error| EditError::Refused { tool: "GitLab Runner", reason: error.to_string() })
}

/// A string of TOML: literal where that is possible, because JSON then needs no escapes.
pub(crate) fn quoted(value: &str) -> String {
    let fits_literal = !value.chars().any(|character| character == '\'' || character.is_control());
    if fits_literal {
        return format!("'{value}'");
    }
    let mut quoted = String::from('"');
    for character in value.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            control if control.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(control))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// Adds a line behind the last setting that `table` has of its own. `None` if it has none that stands on a line.
pub(super) fn line_behind_last(text: &str, table: &DeTable<'_>, line: &str) -> Option<Splice> {
    let last = table
        .iter()
        .filter(|(_, value)| is_plain(value.get_ref()))
        .max_by_key(|(_, value)| value.span().end)?;
    let (key, value) = last;
    let indent = indentation(text, key.span().start);
    let end = line_end(text);
    Some(match text[value.span().end..].find('\n') {
        Some(newline) => Splice::insert(value.span().end + newline + 1, format!("{indent}{line}{end}")),
        None => Splice::insert(text.len(), format!("{end}{indent}{line}{end}")),
    })
}

/// Tables have headers of their own, or keys with dots.
fn is_plain(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Table(_) => false,
        DeValue::Array(array) => !array.iter().any(|element| matches!(element.get_ref(), DeValue::Table(_))),
        _ => true,
    }
}

/// Adds strings behind the last one of an array that stands at `span`, in the style of the text. A comment behind the
/// last one stays with it.
pub(super) fn added_to_array(
    text: &str,
    span: std::ops::Range<usize>,
    array: &toml::de::DeArray<'_>,
    values: &[String],
) -> Vec<Splice> {
    let values = values.iter().map(|value| quoted(value));
    let Some(last) = array.iter().last() else {
        return vec![Splice::insert(span.start + 1, values.collect::<Vec<_>>().join(", "))];
    };
    let before_last = &text[..last.span().start];
    let space = &before_last[before_last.trim_end().len()..];
    let end = last.span().end;
    let line = text[end..].lines().next().unwrap_or_default();
    let behind = line.trim_start().strip_prefix(',').unwrap_or(line).trim_start();
    if behind.starts_with('#') && end + line.len() < span.end {
        let has_comma = line.trim_start().starts_with(',');
        // A comma on a line below belongs behind the last one still, so that only the whole can stay in its order.
        if has_comma || !has_comma_below(text, end + line.len(), span.end) {
            let gap = if space.contains('\n') {
                space.to_owned()
            } else {
                format!("{}{}", line_end(text), indentation(text, last.span().start))
            };
            let mut added = values.map(|value| format!("{gap}{value}")).collect::<Vec<_>>().join(",");
            if has_comma {
                added.push(',');
                return vec![Splice::insert(end + line.len(), added)];
            }
            return vec![Splice::insert(end, ","), Splice::insert(end + line.len(), added)];
        }
    }
    let gap = if space.contains('\n') { space } else { " " };
    vec![Splice::insert(end, values.map(|value| format!(",{gap}{value}")).collect::<String>())]
}

/// Whether a comma stands between two places of an array behind its last element, where all else is space and comments.
fn has_comma_below(text: &str, from: usize, to: usize) -> bool {
    text[from..to].lines().any(|line| line.trim_start().starts_with(','))
}

/// `text` with a mask in place of every string for which `shown` gives none, and without the words of comments: a key
/// that somebody commented out is a secret still. `shown` is given the dotted path and the value, and answers what may
/// be seen of it. `None` if it is not TOML.
pub(crate) fn masked(text: &str, shown: &dyn Fn(&str, &str) -> Option<String>) -> Option<String> {
    let document = document(text).ok()?;
    let mut strings = Vec::new();
    collect_strings("", document.get_ref(), &mut strings);
    let mut splices = Vec::new();
    for (path, span, value) in &strings {
        let text = match shown(path, value) {
            Some(visible) if visible == *value => continue,
            Some(visible) => quoted(&visible),
            None => MASK.to_owned(),
        };
        splices.push(Splice::replace(span.clone(), text));
    }
    let in_string = |at: usize| strings.iter().any(|(_, span, _)| span.contains(&at));
    let mut from = 0;
    while let Some(found) = text[from..].find('#').map(|found| from + found) {
        let end = text[found..].find(['\r', '\n']).map_or(text.len(), |length| found + length);
        // A quoted key may hold the sign as well; then all is hidden from there, strings that start behind it whole.
        let behind = strings.iter().filter(|(_, span, _)| (found..end).contains(&span.start));
        let end = behind.map(|(_, span, _)| span.end).fold(end, usize::max);
        if in_string(found) {
            from = found + 1;
        } else {
            splices.retain(|splice| splice.range.start < found || splice.range.start >= end);
            splices.push(Splice::replace(found..end, "# …"));
            from = end;
        }
    }
    Some(spliced(text, splices))
}

type FoundString = (String, std::ops::Range<usize>, String);

fn collect_strings(prefix: &str, table: &DeTable<'_>, found: &mut Vec<FoundString>) {
    for (key, value) in table.iter() {
        let path =
            if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        collect_of_value(&path, value, found);
    }
}

fn collect_of_value(path: &str, value: &toml::Spanned<DeValue<'_>>, found: &mut Vec<FoundString>) {
    match value.get_ref() {
        DeValue::String(text) => found.push((path.to_owned(), value.span(), text.to_string())),
        DeValue::Table(table) => collect_strings(path, table, found),
        DeValue::Array(array) => {
            array.iter().for_each(|element| collect_of_value(path, element, found));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_says_the_same() {
        for value in ["{\"a\":1}", "it's", "a\\b'\n\t\u{1}", "", "é#"] {
            let text = format!("a = {}", quoted(value));
            assert_eq!(meaning(&text).unwrap()["a"].as_str(), Some(value), "{text}");
        }
    }

    #[test]
    fn comments_and_strings_are_masked_and_shape_stays() {
        let text =
            "a = \"s#1\" # s2\n# token = 's3'\n[t] #s4\nb = ['s5', \"ok\"]\nc = '''\ns6\n'''\nn = 5\r\n";
        let shown = |path: &str, value: &str| (path == "t.b" && value == "ok").then(|| value.to_owned());
        let key_with_sign = "'k#' = '''\ns1\n'''\nn = 1";
        assert_eq!(masked(key_with_sign, &shown).unwrap(), "'k# …\nn = 1");
        assert_eq!(
            masked(text, &shown).unwrap(),
            "a = '…' # …\n# …\n[t] # …\nb = ['…', \"ok\"]\nc = '…'\nn = 5\r\n"
        );
    }
}
