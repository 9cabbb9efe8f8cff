//! The environment variables of a process, read once at the edge and handed around as a value.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;

/// The start of the names of all variables that are kept.
const PREFIXES: [&str; 3] = ["AWS_", "ECRU_", "XDG_"];

/// The other variables that are kept.
const NAMES: [&str; 11] = [
    "HOME",
    "PATH",
    // A second name that the SDK knows for AWS_SECRET_ACCESS_KEY.
    "SECRET_ACCESS_KEY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// Older names of variables, which the SDK for Go still knows and that for Rust does not, with the usual ones. They count
/// together, and where none of `unless` is set: half of a key is never put together with half of another one.
struct Older {
    names: &'static [(&'static str, &'static str)],
    unless: &'static [&'static str],
}

const OLDER: [Older; 2] = [
    Older { names: &[("AWS_DEFAULT_PROFILE", "AWS_PROFILE")], unless: &["AWS_PROFILE"] },
    Older {
        names: &[("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID"), ("AWS_SECRET_KEY", "AWS_SECRET_ACCESS_KEY")],
        unless: &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SECRET_ACCESS_KEY"],
    },
];

/// The variables that matter to ecru. An empty variable is as good as none.
///
/// Some values are secrets; Debug shows only the names. A clone shares the values: an answer from the cache has several,
/// and copies of some fifty variables took a third of its time.
#[derive(Clone, Default)]
pub struct Environment {
    variables: Arc<BTreeMap<OsString, OsString>>,
    /// The rest, for programs that are started and for a token whose variable the configuration names. The SDK does
    /// not get them.
    others: Arc<Vec<(OsString, OsString)>>,
    /// The usual names that stand for older ones. Programs that are started get the names that were set.
    standing_in: Arc<Vec<&'static str>>,
}

impl Environment {
    /// The environment of this process; for the programs, which hand it to what needs it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the edge at which the environment is read")]
    pub fn from_process() -> Self {
        Self::from_map(std::env::vars_os())
    }

    /// An environment of the given names and values, of which those that matter are kept.
    pub fn from_map<N: Into<OsString>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let (variables, others): (Vec<_>, Vec<_>) = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .filter(|(_, value): &(OsString, OsString)| !value.is_empty())
            .partition(|(name, _)| matters(name));
        let mut variables = variables.into_iter().collect();
        let standing_in = take_older(&mut variables);
        let (variables, others) = (Arc::new(variables), Arc::new(others));
        Self { variables, others, standing_in: Arc::new(standing_in) }
    }

    /// The value of any variable, also one that does not matter otherwise, as a secret.
    #[must_use]
    pub fn named_secret(&self, name: &str) -> Option<SecretString> {
        let other = || self.others.iter().find(|(other, _)| other == name)?.1.to_str();
        let value = self.get(name).or_else(other)?.trim();
        (!value.is_empty()).then(|| value.into())
    }

    /// All variables, for a program that is started.
    #[must_use]
    pub fn of_child(&self) -> Vec<(OsString, OsString)> {
        let was_set = |name: &OsStr| !self.standing_in.iter().any(|other| name == *other);
        let variables = self.variables.iter().filter(|(name, _)| was_set(name));
        let variables = variables.map(|(name, value)| (name.clone(), value.clone()));
        variables.chain(self.others.iter().cloned()).collect()
    }

    /// Sets a variable that matters.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        Arc::make_mut(&mut self.variables).insert(name.into(), value.into());
        Arc::make_mut(&mut self.standing_in).retain(|other| *other != name);
    }

    /// Takes a variable out.
    pub(crate) fn remove(&mut self, name: &str) {
        Arc::make_mut(&mut self.variables).remove(OsStr::new(name));
    }

    /// The value of a variable as text; `None` if it is unset, empty or not UTF-8.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.os(name)?.to_str()
    }

    /// The value of a variable that holds a secret, blanks around it removed.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        let value = self.get(name)?.trim();
        (!value.is_empty()).then(|| value.into())
    }

    /// The value of a variable as a path.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.os(name).map(PathBuf::from)
    }

    /// Whether a variable is set to `true`, in any case, or `1`.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }

    /// The value of a variable as the system has it.
    #[must_use]
    pub fn os(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The home directory, if HOME names one by an absolute path.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.path("HOME").filter(|home| home.is_absolute())
    }

    /// A directory of the XDG base directory specification: the value of `variable` if it is an absolute path (the
    /// specification tells to ignore others), else `default` below the home directory.
    #[must_use]
    pub fn xdg(&self, variable: &str, default: &str) -> Option<PathBuf> {
        let explicit = self.path(variable).filter(|path| path.is_absolute());
        explicit.or_else(|| Some(self.home()?.join(default)))
    }

    /// The variables that are UTF-8, for a library that wants them all.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.variables.keys()).finish()
    }
}

/// Has older names of variables count under the usual ones, which are returned.
fn take_older(variables: &mut BTreeMap<OsString, OsString>) -> Vec<&'static str> {
    let mut standing_in = Vec::new();
    for Older { names, unless } in OLDER {
        if unless.iter().any(|name| variables.contains_key(OsStr::new(name))) {
            continue;
        }
        let value = |(older, usual): &(&str, &'static str)| {
            variables.get(OsStr::new(older)).map(|value| (*usual, value.clone()))
        };
        let Some(values) = names.iter().map(value).collect::<Option<Vec<_>>>() else { continue };
        for (usual, value) in values {
            variables.insert(usual.into(), value);
            standing_in.push(usual);
        }
    }
    standing_in
}

fn matters(name: &OsStr) -> bool {
    name.to_str()
        .is_some_and(|name| NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn only_what_matters_is_kept_and_empty_is_unset() {
        let environment = Environment::from_map([
            ("AWS_PROFILE", "dev"),
            ("AWS_REGION", ""),
            ("CI_JOB_TOKEN", "secret"),
            ("HOME", "/root"),
        ]);
        assert_eq!(environment.get("AWS_PROFILE"), Some("dev"));
        assert_eq!(environment.get("AWS_REGION"), None);
        assert_eq!(environment.get("CI_JOB_TOKEN"), None);
        assert_eq!(environment.home(), Some(PathBuf::from("/root")));
    }

    #[test]
    fn older_names_stand_for_the_usual_ones_where_those_are_unset() {
        let with = |variables: &[(&str, &str)]| Environment::from_map(variables.to_vec());
        assert_eq!(with(&[("AWS_DEFAULT_PROFILE", "old")]).get("AWS_PROFILE"), Some("old"));
        let both = with(&[("AWS_DEFAULT_PROFILE", "old"), ("AWS_PROFILE", "new")]);
        assert_eq!(both.get("AWS_PROFILE"), Some("new"));
        let older = [("AWS_ACCESS_KEY", "AKIAOLD"), ("AWS_SECRET_KEY", "old")];
        let keys = with(&older);
        assert_eq!(keys.get("AWS_ACCESS_KEY_ID"), Some("AKIAOLD"));
        assert_eq!(keys.get("AWS_SECRET_ACCESS_KEY"), Some("old"));
        assert!(keys.iter().any(|variable| variable == ("AWS_SECRET_ACCESS_KEY", "old")), "for the SDK");
        // Half of a key is never put together with half of another one.
        for newer in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SECRET_ACCESS_KEY"] {
            let mixed = with(&[older[0], older[1], (newer, "new")]);
            let seen = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SECRET_ACCESS_KEY"]
                .map(|name| mixed.get(name).is_some());
            assert_eq!(seen.into_iter().filter(|is_seen| *is_seen).count(), 1, "{newer}");
        }
        for half in older {
            let half = with(&[half]);
            assert_eq!((half.get("AWS_ACCESS_KEY_ID"), half.get("AWS_SECRET_ACCESS_KEY")), (None, None));
        }
    }

    #[test]
    fn children_get_the_names_that_were_set() {
        let mut environment = Environment::from_map([("AWS_DEFAULT_PROFILE", "old"), ("OTHER", "x")]);
        let of_child = |environment: &Environment| -> BTreeMap<OsString, OsString> {
            environment.of_child().into_iter().collect()
        };
        let expected = [("AWS_DEFAULT_PROFILE", "old"), ("OTHER", "x")];
        let expected: BTreeMap<OsString, OsString> =
            expected.map(|(name, value)| (name.into(), value.into())).into();
        assert_eq!(of_child(&environment), expected);
        environment.set("AWS_PROFILE", "another");
        assert_eq!(of_child(&environment).get(OsStr::new("AWS_PROFILE")), Some(&"another".into()));
    }

    #[test]
    fn values_that_are_not_text_are_paths_only() {
        let odd = OsString::from_vec(b"/home/\xff".to_vec());
        let environment = Environment::from_map([("HOME", odd.clone())]);
        assert_eq!(environment.get("HOME"), None);
        assert_eq!(environment.home(), Some(PathBuf::from(odd)));
        assert_eq!(environment.iter().count(), 0);
    }

    #[test]
    fn base_directories_follow_the_specification() {
        let environment = Environment::from_map([("HOME", "/home/a"), ("XDG_CACHE_HOME", "relative")]);
        assert_eq!(environment.xdg("XDG_CACHE_HOME", ".cache"), Some(PathBuf::from("/home/a/.cache")));
        let environment = Environment::from_map([("XDG_CACHE_HOME", "/var/cache")]);
        assert_eq!(environment.xdg("XDG_CACHE_HOME", ".cache"), Some(PathBuf::from("/var/cache")));
        assert_eq!(environment.xdg("XDG_CONFIG_HOME", ".config"), None);
    }

    #[test]
    fn flags_are_true_or_one() {
        for (value, expected) in [("true", true), ("TRUE", true), ("1", true), ("yes", false), ("0", false)] {
            assert_eq!(Environment::from_map([("AWS_X", value)]).flag("AWS_X"), expected, "{value}");
        }
    }

    #[test]
    fn debug_output_hides_values() {
        let environment = Environment::from_map([("AWS_SECRET_ACCESS_KEY", " hunter2\n")]);
        assert_eq!(format!("{environment:?}"), r#"{"AWS_SECRET_ACCESS_KEY"}"#);
        assert_eq!(environment.secret("AWS_SECRET_ACCESS_KEY").unwrap().expose_secret(), "hunter2");
    }
}
