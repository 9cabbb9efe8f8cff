//! The files of `EnvironmentFile=` (systemd.exec(5)): patterns of names, and assignments on lines of their own.

use std::path::{Path, PathBuf};

use super::below;
use super::words::words;

/// Of a file: assignments with a shell's quotes. A backslash at the end of a line goes on with the next.
pub(super) fn assignments(text: &str) -> Vec<(String, String)> {
    let text = text.replace("\\\r\n", "").replace("\\\n", "");
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    lines
        .filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            Some((name.trim().to_owned(), words(value.trim()).join(" ")))
        })
        .collect()
}

/// The files below `root` that an absolute pattern stands for, by their names (glob(7)).
pub(super) fn matching(root: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("/")];
    for component in pattern.split('/').filter(|component| !component.is_empty()) {
        found = found.iter().flat_map(|folder| inside(root, folder, component)).collect();
    }
    found
}

fn inside(root: &Path, folder: &Path, pattern: &str) -> Vec<PathBuf> {
    if !pattern.contains(['*', '?', '[', '\\']) {
        let path = folder.join(pattern);
        return if below(root, &path).exists() { vec![path] } else { Vec::new() };
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let Ok(entries) = std::fs::read_dir(below(root, folder)) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    // A dot at the start is matched by a dot only.
    names.retain(|name| !name.starts_with('.') || pattern.first() == Some(&'.'));
    names.retain(|name| is_match(&pattern, &name.chars().collect::<Vec<char>>()));
    names.sort();
    names.into_iter().map(|name| folder.join(name)).collect()
}

fn is_match(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], name) => name.is_empty(),
        (['*', rest @ ..], name) => (0..=name.len()).any(|taken| is_match(rest, &name[taken..])),
        (['?', rest @ ..], [_, name @ ..]) => is_match(rest, name),
        (['[', rest @ ..], [first, others @ ..]) => match set(rest, *first) {
            Some((is_in, rest)) => is_in && is_match(rest, others),
            None => *first == '[' && is_match(rest, others),
        },
        (['\\', literal, rest @ ..] | [literal, rest @ ..], [first, name @ ..]) => {
            literal == first && is_match(rest, name)
        }
        (_, []) => false,
    }
}

/// Whether `character` is in the set behind a `[`, and what is behind the set; `None` if it is not closed.
fn set(pattern: &[char], character: char) -> Option<(bool, &[char])> {
    let (is_negated, pattern) = match pattern {
        ['!' | '^', rest @ ..] => (true, rest),
        _ => (false, pattern),
    };
    // A bracket that stands first is one of the characters.
    let end = pattern.iter().skip(1).position(|character| *character == ']')? + 1;
    let (mut members, rest) = (&pattern[..end], &pattern[end + 1..]);
    let mut is_in = false;
    while let [first, others @ ..] = members {
        (is_in, members) = match others {
            ['-', last, others @ ..] => (is_in || (*first..=*last).contains(&character), others),
            _ => (is_in || *first == character, others),
        };
    }
    Some((is_in != is_negated, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_patterns() {
        let is = |pattern: &str, name: &str| {
            is_match(&pattern.chars().collect::<Vec<char>>(), &name.chars().collect::<Vec<char>>())
        };
        for (pattern, name) in [
            ("*.env", "a.env"),
            ("*", ""),
            ("?[a-c]*", "xb"),
            ("[!a]", "b"),
            ("[]]", "]"),
            ("\\*", "*"),
            ("[", "["),
        ] {
            assert!(is(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.env", "a.conf"), ("?", ""), ("[a-c]", "d"), ("[^a]", "a"), ("\\*", "a")] {
            assert!(!is(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn lines_go_on_behind_a_backslash() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(assignments("# c\n A = 'x y'\nB=/a:\\\n/b\nC"), [pair("A", "x y"), pair("B", "/a:/b")]);
    }
}
