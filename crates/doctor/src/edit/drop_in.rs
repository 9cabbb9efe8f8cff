//! A systemd drop-in with the environment of a service, as systemd.exec(5) and systemd.syntax(7) have it.

use std::path::{Path, PathBuf};

use super::{EditError, Splice, spliced, text_of};

/// Variables that are secrets. systemd shows the environment of a unit to every user of the machine
/// (systemd.exec(5): "not suitable for secret data"), so they have no place in a drop-in.
pub const SECRET_VARIABLES: &[&str] = &[
    "AWS_SECRET_ACCESS_KEY",
    // Older names of the same, which ecru and others still know.
    "AWS_SECRET_KEY",
    "SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "ECRU_IDENTITY_TOKEN",
];

/// The drop-in in `content` that sets each of `variables`. Other lines stay.
///
/// # Errors
/// If the file is not a drop-in that this crate wrote and can read back.
pub fn with_environment(content: Option<&[u8]>, variables: &[(String, String)]) -> Result<String, EditError> {
    let text = text_of(content.unwrap_or_default())?;
    if text.trim().is_empty() {
        let lines: String =
            variables.iter().map(|(name, value)| format!("{}\n", line(name, value))).collect();
        return read_back(format!("# Written by `ecru setup runner`.\n[Service]\n{lines}"), variables);
    }
    let mut splices = Vec::new();
    for (name, value) in variables {
        splices.extend(edit_for(text, name, value)?);
    }
    read_back(spliced(text, splices), variables)
}

/// `result`, if what it says last of each variable is what was asked for.
fn read_back(result: String, variables: &[(String, String)]) -> Result<String, EditError> {
    for (name, value) in variables {
        let last = result.lines().fold(None, |last, line| match line {
            _ if sets(line, name) => Some(line),
            _ if resets(line) => None,
            _ => last,
        });
        if last.map(str::trim_end) != Some(&*line(name, value)) {
            return Err(EditError::Form { name: name.clone() });
        }
    }
    Ok(result)
}

/// The file among `later`, which systemd reads after the drop-in at `ours`, that gives a variable another value or none.
/// Environment files count after all units (systemd.exec(5)), `UnsetEnvironment=` of any unit after these.
pub(crate) fn later_setting<'p>(ours: &Path, files: &'p [(PathBuf, String)], name: &str) -> Option<&'p Path> {
    let is_unit = |path: &Path| {
        let folder = path.parent().and_then(Path::extension);
        path.extension().is_some_and(|kind| kind == "service") || folder.is_some_and(|kind| kind == "d")
    };
    let is_later_unit = |path: &Path| {
        path.extension().is_some_and(|kind| kind == "conf") && path.file_name() > ours.file_name()
    };
    let counts = |(path, text): &&'p (PathBuf, String)| {
        if !is_unit(path) {
            return text.lines().any(|line| line.split_once('=').is_some_and(|(key, _)| key.trim() == name));
        }
        let unsets = |line: &str| is_setting(line, "UnsetEnvironment") && mentions(line, name);
        text.lines().any(|line| {
            unsets(line) || (is_later_unit(path) && path != ours && (sets(line, name) || resets(line)))
        })
    };
    files.iter().rfind(counts).map(|(path, _)| path.as_path())
}

fn is_setting(line: &str, key: &str) -> bool {
    line.trim_start().split_once('=').is_some_and(|(found, _)| found.trim_end() == key)
}

/// Whether a line sets the variable, alone or among others.
fn sets(line: &str, name: &str) -> bool {
    is_setting(line, "Environment") && mentions(line, &format!("{name}="))
}

/// An empty assignment takes back all before it.
fn resets(line: &str) -> bool {
    is_setting(line, "Environment") && line.trim_end().ends_with('=') && line.matches('=').count() == 1
}

fn mentions(line: &str, wanted: &str) -> bool {
    let words = line.split_once('=').map_or("", |(_, words)| words);
    words.split([' ', '\t', '"', '\'']).any(|word| match wanted.strip_suffix('=') {
        Some(_) => word.starts_with(wanted),
        None => word.split('=').next() == Some(wanted),
    })
}

fn edit_for(text: &str, name: &str, value: &str) -> Result<Option<Splice>, EditError> {
    let wanted = line(name, value);
    let start_of_ours = format!("Environment=\"{name}=");
    let mut at = 0;
    let mut last = None;
    for existing in text.split_inclusive('\n') {
        let content = existing.trim_end_matches(['\r', '\n']);
        if content.starts_with(&start_of_ours) {
            last = Some((content, at..at + content.len()));
        }
        at += existing.len();
    }
    // Of several lines the last one counts.
    if let Some((content, range)) = last {
        return Ok((content != wanted).then(|| Splice::replace(range, wanted)));
    }
    // Only behind a last section that is [Service] does a line at the end of the file count for the service.
    let last_section = text.lines().map(str::trim).rfind(|line| line.starts_with('['));
    if last_section != Some("[Service]") {
        return Err(EditError::Form { name: "[Service]".to_owned() });
    }
    let end = if text.ends_with('\n') { "" } else { "\n" };
    Ok(Some(Splice::insert(text.len(), format!("{end}{wanted}\n"))))
}

/// `Environment=` with one quoted assignment. `%` starts a specifier in unit files, and a backslash an escape.
fn line(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    format!("Environment=\"{name}={value}\"")
}

/// `text` without values that a set-up did not ask for, and without the words of comments.
pub(crate) fn masked(text: &str, variables: &[(String, String)]) -> String {
    let lines = text.split_inclusive('\n').map(|whole| {
        let content = whole.trim_end_matches(['\r', '\n']);
        let end = &whole[content.len()..];
        let is_asked_for = variables.iter().any(|(name, value)| content == line(name, value));
        let is_harmless = is_asked_for
            || content.is_empty()
            || content.starts_with('[')
            || content == "# Written by `ecru setup runner`.";
        match content.split_once('=') {
            _ if is_harmless => whole.to_owned(),
            Some((key, _)) if key.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                format!("{key}=…{end}")
            }
            _ => format!("…{end}"),
        }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_new_drop_in_quotes_what_systemd_would_take_apart() {
        assert_eq!(
            with_environment(None, &[pair("AWS_PROFILE", "a b\"c\\d%e")]).unwrap(),
            "# Written by `ecru setup runner`.\n[Service]\nEnvironment=\"AWS_PROFILE=a b\\\"c\\\\d%%e\"\n"
        );
    }

    #[test]
    fn values_are_replaced_and_others_stay() {
        let text = "[Service]\n# mine\nEnvironment=\"AWS_REGION=a\"\nEnvironment=X=1";
        let wanted = [pair("AWS_REGION", "b"), pair("AWS_PROFILE", "p")];
        let once = with_environment(Some(text.as_bytes()), &wanted).unwrap();
        assert_eq!(
            once,
            "[Service]\n# mine\nEnvironment=\"AWS_REGION=b\"\nEnvironment=X=1\nEnvironment=\"AWS_PROFILE=p\"\n"
        );
        assert_eq!(with_environment(Some(once.as_bytes()), &wanted).unwrap(), once);
        assert_eq!(
            masked(&once, &wanted),
            "[Service]\n…\nEnvironment=\"AWS_REGION=b\"\nEnvironment=…\nEnvironment=\"AWS_PROFILE=p\"\n"
        );
    }

    #[test]
    fn a_setting_that_is_not_ours_and_counts_later_is_refused() {
        let text = "[Service]\nEnvironment=\"AWS_REGION=a\"\nEnvironment=X=1 'AWS_REGION=b'\n";
        let wanted = [pair("AWS_REGION", "c")];
        assert!(matches!(with_environment(Some(text.as_bytes()), &wanted), Err(EditError::Form { .. })));
        let twice = [pair("AWS_REGION", "c"), pair("AWS_REGION", "d")];
        let text = "[Service]\nEnvironment=\"AWS_REGION=a\"\n";
        assert!(with_environment(Some(text.as_bytes()), &twice).is_err());
        assert!(with_environment(None, &twice).is_err());
    }

    #[test]
    fn files_that_count_later_are_found() {
        let ours = Path::new("/etc/systemd/system/gitlab-runner.service.d/50-ecru.conf");
        let unit = "/usr/lib/systemd/system/gitlab-runner.service";
        let drop_in = "/etc/systemd/system/gitlab-runner.service.d/";
        for (path, text, wins) in [
            (unit.to_owned(), "[Service]\nEnvironment=A=1\n", false),
            (unit.to_owned(), "[Service]\nUnsetEnvironment=B A\n", true),
            (unit.to_owned(), "[Service]\nUnsetEnvironment=AB\n", false),
            (format!("{drop_in}10-x.conf"), "[Service]\nEnvironment=A=1\n", false),
            (format!("{drop_in}50-ecru.conf"), "[Service]\nEnvironment=A=1\n", false),
            (format!("{drop_in}99-x.conf"), "[Service]\nEnvironment=\"B=2\" \"A=1\"\n", true),
            (format!("{drop_in}99-x.conf"), "[Service]\nEnvironment=\n", true),
            (format!("{drop_in}99-x.conf"), "[Service]\nEnvironment=AB=1\n", false),
            ("/etc/default/gitlab-runner".to_owned(), "# A=1\nB=2\n", false),
            ("/etc/default/gitlab-runner".to_owned(), "B=2\nA = 1\n", true),
        ] {
            let files = [(PathBuf::from(path), text.to_owned())];
            assert_eq!(later_setting(ours, &files, "A").is_some(), wins, "{files:?}");
        }
    }

    #[test]
    fn a_line_for_another_section_is_refused() {
        let text = "[Service]\n[Install]\n";
        assert!(with_environment(Some(text.as_bytes()), &[pair("A", "b")]).is_err());
    }
}
