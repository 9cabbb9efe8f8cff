//! Expansion by the runner: Go's `os.Expand` over the job's variables.

use super::MAX_VALUE_BYTES;

/// Replaces `$name` and `${name}` by what `value` gives, or by nothing where it gives nothing.
///
/// GitLab Runner v19.3.0 `spec/variables.go` (`ExpandValue`, `Get`) over Go's `os.Expand`: `$$` is a dollar sign,
/// the shell's special parameters are empty, a brace that is not closed is dropped with its dollar sign, and a
/// dollar sign before anything else stays. Gives nothing if the text grows beyond [`MAX_VALUE_BYTES`].
pub fn expand<'v>(text: &str, value: impl Fn(&str) -> Option<&'v str>) -> Option<String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        if expanded.len() > MAX_VALUE_BYTES {
            return None;
        }
        expanded.push_str(before);
        let (reference, remainder) = take_reference(after);
        match reference {
            Reference::Dollar => expanded.push('$'),
            Reference::Nothing => {}
            Reference::Variable(name) => expanded.push_str(value(name).unwrap_or_default()),
        }
        rest = remainder;
    }
    expanded.push_str(rest);
    (expanded.len() <= MAX_VALUE_BYTES).then_some(expanded)
}

/// The names of the variables that [`expand`] asks for in `text`, each once.
pub fn referenced_names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('$') {
        let (reference, remainder) = take_reference(after);
        if let Reference::Variable(name) = reference
            && !names.contains(&name)
        {
            names.push(name);
        }
        rest = remainder;
    }
    names
}

/// Whether GitLab takes `name` for a variable of a project (`app/models/concerns/ci/has_variable.rb`).
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_of_name)
}

fn is_of_name(character: char) -> bool {
    character == '_' || character.is_ascii_alphanumeric()
}

enum Reference<'a> {
    Dollar,
    Nothing,
    Variable(&'a str),
}

const SPECIAL: [char; 16] = ['*', '#', '@', '!', '?', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

/// Reads what stands behind a dollar sign (`getShellName` in `os/env.go`).
fn take_reference(after: &str) -> (Reference<'_>, &str) {
    if let Some(rest) = after.strip_prefix('$') {
        return (Reference::Dollar, rest);
    }
    if let Some(rest) = after.strip_prefix('{') {
        return take_braced(rest);
    }
    if let Some(rest) = after.strip_prefix(SPECIAL) {
        return (Reference::Nothing, rest);
    }
    let end = after.find(|character| !is_of_name(character)).unwrap_or(after.len());
    match after.split_at(end) {
        ("", rest) => (Reference::Dollar, rest),
        (name, rest) => (Reference::Variable(name), rest),
    }
}

fn take_braced(rest: &str) -> (Reference<'_>, &str) {
    match rest.split_once('}') {
        Some(("$", rest)) => (Reference::Dollar, rest),
        Some(("", rest)) => (Reference::Nothing, rest),
        Some((name, rest)) if is_special(name) => (Reference::Nothing, rest),
        Some((name, rest)) => (Reference::Variable(name), rest),
        None => (Reference::Nothing, rest),
    }
}

fn is_special(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| SPECIAL.contains(&first)) && characters.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_once_and_as_they_are_asked_for() {
        assert_eq!(referenced_names("$A/${B}:$A-$$C-$1-%D%"), ["A", "B"]);
    }

    #[test]
    fn references_are_read_as_go_reads_them() {
        let value = |name: &str| match name {
            "A" => Some("a"),
            "A-B" => Some("dash"),
            "10" => Some("ten"),
            _ => None,
        };
        for (text, expected) in [
            ("$A", "a"),
            ("${A}", "a"),
            ("$A$A/$A.", "aa/a."),
            ("$AB", ""),
            ("${A}B", "aB"),
            ("$$A", "$A"),
            ("${$}A", "$A"),
            ("$1A$*", "A"),
            ("${1}${10}", "ten"),
            ("${A-B}", "dash"),
            ("${}x", "x"),
            ("${A", "A"),
            ("a$", "a$"),
            ("$ A", "$ A"),
            ("$.A", "$.A"),
            ("\u{e9}$A\u{e9}", "\u{e9}a\u{e9}"),
            ("%A%", "%A%"),
        ] {
            assert_eq!(expand(text, value).as_deref(), Some(expected), "for {text:?}");
        }
    }
}
