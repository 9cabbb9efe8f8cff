//! ecru's own configuration.
//!
//! It is read from the system's file, the user's, and the one that `ECRU_CONFIG` names, in this order; lists grow,
//! and of two settings of the same thing the later one wins. A file that is there and cannot be read whole is an
//! error for everything that depends on the configuration: the system's file is where rules are laid down that
//! must not be widened, and half of a set of rules is none.

mod file;
mod pattern;
mod policy;
mod trust;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

pub use self::file::{Fallback, OnError, Rule};
pub use self::pattern::Pattern;
pub use self::policy::{Policy, PolicyError};
use self::trust::{Distrust, ensure_absence};
use crate::environment::Environment;
use crate::files::{ReadError, read_limited};
use crate::identity::selection::{Selection, SelectionError};
use crate::registry::{Address, Partitions, Registry, RegistryError};

/// The system's configuration file.
pub const SYSTEM_FILE: &str = "/etc/ecru/config.toml";

/// The variable that names a further configuration file.
pub const FILE_VARIABLE: &str = "ECRU_CONFIG";

/// The number of the user who owns the system's file.
const ROOT: u32 = 0;

/// The longest configuration file, in bytes.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// What the configuration says, all files together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    registries: Vec<Registry>,
    aliases: BTreeMap<Address, Registry>,
    on_error: OnError,
    rules: Vec<Rule>,
    profiles: BTreeMap<String, Selection>,
    partitions: Partitions,
    policy: Option<Policy>,
    fallback: Option<Fallback>,
}

/// A configuration file that may be there or must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// Whether its absence is an error.
    pub required: bool,
    /// The number of the user who must own it, with nobody else able to write it: only such a file may lay down a
    /// policy. `None` for files of the user's own.
    pub owner: Option<u32>,
}

/// A registry as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The registry.
    pub registry: Registry,
    /// The path behind its name, without slashes around it; mostly empty.
    pub path: String,
}

/// Which identity is meant for a request, and what says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The identity.
    pub selection: Selection,
    /// What chose it.
    pub by: ChosenBy,
}

/// What chose an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChosenBy {
    /// The name of the program, which ends in the name of a profile of ecru's.
    ProgramName(String),
    /// The first rule with a pattern that matches.
    Rule(String),
    /// The `ECRU_` variables.
    Variables,
    /// Nothing: the SDK's default chain.
    Default,
}

impl fmt::Display for ChosenBy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProgramName(name) => {
                write!(formatter, "the program's name, with the profile `{name}` of ecru")
            }
            Self::Rule(pattern) => write!(formatter, "the rule `{pattern}`"),
            Self::Variables => formatter.write_str("the ECRU_ variables"),
            Self::Default => formatter.write_str("the default chain of the AWS SDK"),
        }
    }
}

/// Why no identity can be chosen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceError {
    /// The program is called by a name that ends in no profile's.
    #[error("the program's name asks for the profile `{name}`, which the configuration does not have")]
    NoProfile {
        /// The profile.
        name: String,
    },
    /// The `ECRU_` variables contradict each other.
    #[error("the ECRU_ variables select no identity: {0}")]
    Variables(#[from] SelectionError),
}

impl ChoiceError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoProfile { name } => {
                let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                let key = if name.bytes().all(is_bare) { name.clone() } else { format!("{name:?}") };
                Some(format!("add [profile.{key}] to {SYSTEM_FILE}"))
            }
            Self::Variables(_) => None,
        }
    }
}

impl Source {
    /// The files that count in `environment`, in the order in which they are read, after the system's at `system`. That
    /// one is read once, under its own strict rules, also where it is the user's or is named.
    #[must_use]
    pub fn all(system: &Path, environment: &Environment) -> Vec<Self> {
        let of_user = |path, required| Self { path, required, owner: None };
        let user =
            environment.xdg("XDG_CONFIG_HOME", ".config").map(|directory| directory.join("ecru/config.toml"));
        let named = environment.path(FILE_VARIABLE);
        let required = named.as_deref() == Some(system);
        let others = [user.map(|path| of_user(path, false)), named.map(|path| of_user(path, true))];
        let others = others.into_iter().flatten().filter(|source| source.path != system);
        let system = Self { path: system.to_owned(), required, owner: Some(ROOT) };
        std::iter::once(system).chain(others).collect()
    }
}

impl Config {
    /// Reads the files in their order.
    ///
    /// # Errors
    /// If a required file is missing, or any cannot be read whole.
    pub fn load(sources: &[Source]) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for source in sources {
            config.add(source)?;
        }
        Ok(config)
    }

    /// What `content` would say as the system's file.
    ///
    /// # Errors
    /// If no program of ecru's would read it.
    pub fn of_system_file(content: &[u8]) -> Result<Self, Fault> {
        let mut config = Self::default();
        config.add_text(content, true)?;
        Ok(config)
    }

    fn add(&mut self, source: &Source) -> Result<(), ConfigError> {
        let path = || source.path.clone();
        let unreadable = |source| ConfigError::Unreadable { path: path(), source };
        let Some(content) = read_limited(&source.path, MAX_FILE_BYTES).map_err(unreadable)? else {
            if source.required {
                return Err(ConfigError::Missing { path: path() });
            }
            return match source.owner {
                // A policy that is out of reach is not one that allows everything.
                Some(_) => ensure_absence(&source.path).map_err(|error| unreadable(error.into())),
                None => Ok(()),
            };
        };
        if let Some(owner) = source.owner
            && let Some(Distrust { culprit, reason }) = Distrust::of(&source.path, owner)
        {
            return Err(ConfigError::Untrusted { path: path(), culprit, reason });
        }
        self.add_text(&content, source.owner.is_some())
            .map_err(|fault| ConfigError::Invalid { path: path(), fault })
    }

    /// Adds what a file says; only the system's may lay down a policy.
    pub(crate) fn add_text(&mut self, content: &[u8], is_system: bool) -> Result<(), Fault> {
        let file = file::parse(content, self.partitions.clone(), is_system)?;
        for registry in file.registries {
            // Regions differ sooner than accounts: many registries are many comparisons.
            let is_it = |known: &Registry| known.region() == registry.region() && *known == registry;
            if !self.registries.iter().any(is_it) {
                self.registries.push(registry);
            }
        }
        self.aliases.extend(file.aliases);
        self.on_error = file.on_error.unwrap_or(self.on_error);
        self.rules.extend(file.rules);
        self.profiles.extend(file.profiles);
        self.partitions = file.partitions;
        self.policy = file.policy.or(self.policy.take());
        self.fallback = file.fallback.or(self.fallback.take());
        Ok(())
    }

    /// The registry that a caller means, with the path behind it.
    ///
    /// # Errors
    /// As [`Config::registry`].
    pub fn request(&self, text: &str) -> Result<Request, RegistryError> {
        let path = Address::parse(text)?.path().to_owned();
        Ok(Request { registry: self.registry(text)?, path })
    }

    /// The identity that is meant for `request`: by the profile that the program's name asks for, else by the first
    /// rule that matches, else by the `ECRU_` variables.
    ///
    /// # Errors
    /// If there is no such profile, or the variables contradict each other.
    pub fn choice(
        &self,
        request: &Request,
        profile: Option<&str>,
        environment: &Environment,
    ) -> Result<Choice, ChoiceError> {
        if let Some(rule) = self.rule(&request.registry, &request.path, profile) {
            let by = ChosenBy::Rule(rule.pattern.as_str().to_owned());
            return Ok(Choice { selection: rule.selection.clone(), by });
        }
        self.own_choice(profile, environment)
    }

    /// The first rule for `registry` with `path` behind it; none has a say where the program's name asks for a
    /// `profile`.
    #[must_use]
    pub fn rule(&self, registry: &Registry, path: &str, profile: Option<&str>) -> Option<&Rule> {
        self.rules.iter().find(|rule| profile.is_none() && rule.pattern.matches(registry, path))
    }

    /// The identity where no rule has a say: that of the profile that the program's name asks for, else that of the
    /// `ECRU_` variables.
    ///
    /// # Errors
    /// As [`Config::choice`].
    pub fn own_choice(
        &self,
        profile: Option<&str>,
        environment: &Environment,
    ) -> Result<Choice, ChoiceError> {
        if let Some(name) = profile {
            let selection = self.profiles.get(name).cloned();
            let selection = selection.ok_or_else(|| ChoiceError::NoProfile { name: name.to_owned() })?;
            return Ok(Choice { selection, by: ChosenBy::ProgramName(name.to_owned()) });
        }
        let selection = Selection::from_environment(environment)?;
        let by = if selection == Selection::default() { ChosenBy::Default } else { ChosenBy::Variables };
        Ok(Choice { selection, by })
    }

    /// What the machine allows; everything, where there is no policy.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// Makes sure that the machine's policy allows `registry`.
    ///
    /// # Errors
    /// If it does not.
    pub fn permit(&self, registry: &Registry) -> Result<(), PolicyError> {
        self.policy.as_ref().map_or(Ok(()), |policy| policy.permit(registry))
    }

    /// The rules, in the order in which they are tried.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Who is asked for registries of others.
    #[must_use]
    pub fn fallback(&self) -> Option<&Fallback> {
        self.fallback.as_ref()
    }

    /// The partitions whose registries are recognised.
    #[must_use]
    pub fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    /// The registry that a caller means: that of an alias, or the one that the text names itself.
    ///
    /// # Errors
    /// If it is neither.
    pub fn registry(&self, text: &str) -> Result<Registry, RegistryError> {
        let address = Address::parse(text)?;
        match self.aliases.get(&address) {
            Some(registry) => Ok(registry.clone()),
            None => self.partitions.registry(&address),
        }
    }

    /// The registries that `list` offers, in the order of the files.
    #[must_use]
    pub fn registries(&self) -> &[Registry] {
        &self.registries
    }

    /// The addresses that stand for registries.
    #[must_use]
    pub fn aliases(&self) -> &BTreeMap<Address, Registry> {
        &self.aliases
    }

    /// What the helper tells its caller when it fails.
    #[must_use]
    pub fn on_error(&self) -> OnError {
        self.on_error
    }

    /// Whether it names any registry.
    #[must_use]
    pub fn names_registries(&self) -> bool {
        let in_a_rule = self.rules.iter().any(|rule| rule.pattern.server().is_some());
        !self.registries.is_empty() || !self.aliases.is_empty() || in_a_rule
    }
}

/// Why the configuration could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file that `ECRU_CONFIG` names does not exist.
    #[error("the configuration file `{}`, which {FILE_VARIABLE} names, does not exist", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("the configuration file `{}` cannot be read: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What stands against it.
        source: ReadError,
    },
    /// Somebody else than the administrator can change the system's file.
    #[error("the configuration file `{}` does not count: {reason}", .path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// The file, folder or link that others can change.
        culprit: PathBuf,
        /// Who can change it.
        reason: String,
    },
    /// The file says something that it cannot mean.
    #[error("the configuration file `{}` is not valid at {fault}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        fault: Fault,
    },
}

/// What is wrong with a configuration file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Fault {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

impl ConfigError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some(format!("create the file or unset {FILE_VARIABLE}")),
            Self::Untrusted { path, culprit, .. } if path.starts_with(culprit) => {
                Some(format!("chown root: {0} && chmod go-w {0}", culprit.display()))
            }
            // A link leads to where others can write, which may well be right there.
            Self::Untrusted { path, .. } => Some(format!(
                "put the file itself in place of the link: cp --remove-destination \"$(realpath {0})\" {0}",
                path.display()
            )),
            Self::Unreadable { path, .. } => Some(format!("ls -l {}", path.display())),
            Self::Invalid { path, fault } => Some(format!("mend line {} of {}", fault.line, path.display())),
        }
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod system_file;
#[cfg(test)]
mod tests;
