//! The command of a unit, as systemd.service(5), "Command lines", has it: whether it starts gitlab-runner itself, and
//! with which variables and arguments.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::words::words;

/// Names of the program; the second is that of its first years, which some units still have.
const PROGRAMS: [&str; 2] = [super::NAME, "gitlab-ci-multi-runner"];

/// A program with what it is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Started {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) folder: PathBuf,
}

impl Started {
    /// What the words of `ExecStart=` start with `variables` in `folder`. An `env` before the program counts as what it
    /// sets (env(1)); of any other program nobody knows here what it does.
    pub(super) fn of(command: &[String], variables: BTreeMap<String, String>, folder: PathBuf) -> Self {
        let mut command = command.iter().cloned();
        let first = command.next().unwrap_or_default();
        let program = first.trim_start_matches(['@', '-', ':', '+', '!']).to_owned();
        let prefixes = &first[..first.len() - program.len()];
        if prefixes.contains('@') {
            // The next word is what the program is told as its own name.
            command.next();
        }
        let arguments: Vec<String> = if prefixes.contains(':') {
            command.collect()
        } else {
            command.flat_map(|word| with_variables(&word, &variables)).collect()
        };
        let started = Self { program, arguments, variables, folder };
        started.clone().without_env().unwrap_or(started)
    }

    /// Whether the program is gitlab-runner by its name.
    pub(super) fn is_runner(&self) -> bool {
        let name = Path::new(&self.program).file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| PROGRAMS.contains(&name))
    }

    /// What `env` starts in the end; `None` if it has an option that is not known here.
    fn without_env(mut self) -> Option<Self> {
        while Path::new(&self.program).file_name().is_some_and(|name| name == "env") {
            let mut arguments = std::mem::take(&mut self.arguments).into_iter().peekable();
            while let Some(option) = arguments.next_if(|argument| argument.starts_with('-')) {
                let (name, value) = option.split_once('=').unwrap_or((&option, ""));
                let mut value = || if value.is_empty() { arguments.next() } else { Some(value.to_owned()) };
                match name {
                    "-" | "-i" | "--ignore-environment" => self.variables.clear(),
                    "-u" | "--unset" => {
                        self.variables.remove(&value()?);
                    }
                    "-C" | "--chdir" => self.folder = self.folder.join(value()?),
                    "--" => break,
                    _ => return None,
                }
            }
            while let Some(assignment) = arguments.next_if(|argument| argument.contains('=')) {
                let (name, value) = assignment.split_once('=')?;
                self.variables.insert(name.to_owned(), value.to_owned());
            }
            self.program = arguments.next()?;
            self.arguments = arguments.collect();
        }
        Some(self)
    }

    /// The configuration that gitlab-runner is told: by its arguments, else by its variable.
    pub(super) fn config(&self) -> Option<PathBuf> {
        config(&self.arguments, &self.variables).map(|config| self.folder.join(config))
    }
}

/// `--config FILE` among the arguments of `gitlab-runner run`, else `CONFIG_FILE` (its `--help`).
pub(super) fn config(arguments: &[String], variables: &BTreeMap<String, String>) -> Option<PathBuf> {
    let mut config = variables.get("CONFIG_FILE").filter(|file| !file.is_empty()).map(PathBuf::from);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        // Go's package flag takes one dash for two, and of several values the last.
        let Some(name) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else { continue };
        match name.split_once('=') {
            Some(("config" | "c", file)) => config = Some(PathBuf::from(file)),
            None if matches!(name, "config" | "c") => {
                config = arguments.next().map(PathBuf::from).or(config);
            }
            _ => {}
        }
    }
    config
}

/// A word with its variables: `$NAME` that is all of it becomes as many words as the value has, `${NAME}` becomes the
/// value, and `$$` a dollar sign.
fn with_variables(word: &str, variables: &BTreeMap<String, String>) -> Vec<String> {
    let value = |name: &str| variables.get(name).map_or("", String::as_str);
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
    };
    if let Some(name) = word.strip_prefix('$').filter(|name| is_name(name)) {
        return words(value(name));
    }
    let mut result = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        let braced = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        rest = match braced.filter(|(name, _)| is_name(name)) {
            Some((name, after)) => {
                result.push_str(value(name));
                after
            }
            None => {
                result.push('$');
                after.strip_prefix('$').unwrap_or(after)
            }
        };
    }
    result.push_str(rest);
    vec![result]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(command: &str) -> Started {
        let variables = [("HOME", "/h"), ("PATH", "/p"), ("F", "/f.toml"), ("TWO", "--config /two.toml")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Started::of(&words(command), variables.into(), PathBuf::from("/w"))
    }

    #[test]
    fn the_configuration_is_the_one_that_is_named_last() {
        for (command, config) in [
            ("gitlab-runner run", None),
            ("gitlab-runner run -c a --config=/b", Some("/b")),
            ("gitlab-runner --debug run -config a", Some("/w/a")),
            ("-/usr/bin/gitlab-runner run --config ${F}", Some("/f.toml")),
            ("@/usr/bin/gitlab-runner --config run $TWO", Some("/two.toml")),
            (":/usr/bin/gitlab-runner run --config ${F}", Some("/w/${F}")),
            ("gitlab-runner run --config /a$$b${NONE}", Some("/a$b")),
            ("env CONFIG_FILE=/c gitlab-runner run", Some("/c")),
            ("env -C /d gitlab-runner run --config c", Some("/d/c")),
        ] {
            let started = started(command);
            assert!(started.is_runner(), "{command}");
            assert_eq!(started.config(), config.map(PathBuf::from), "{command}");
        }
    }

    #[test]
    fn env_sets_and_takes_away() {
        let started = started("/usr/bin/env -u F --unset=TWO HOME=/x env PATH=/y gitlab-runner run");
        let variables: Vec<_> =
            started.variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            (started.is_runner(), variables),
            (true, vec!["HOME=/x".to_owned(), "PATH=/y".to_owned()])
        );
        assert!(super::tests::started("env -i gitlab-runner run").variables.is_empty());
    }

    #[test]
    fn other_programs_are_not_the_runner() {
        for command in
            ["/opt/start.sh run", "/bin/sh -c 'gitlab-runner run'", "env -S 'gitlab-runner run'", "env", ""]
        {
            assert!(!started(command).is_runner(), "{command}");
        }
    }
}
