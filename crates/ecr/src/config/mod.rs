//! ecru's own configuration.
//!
//! It is read from the system's file, the user's, and the one that `ECRU_CONFIG` names, in this order; lists grow,
//! and of two settings of the same thing the later one wins. A file that is there and cannot be read whole is an
//! error for everything that depends on the configuration: the system's file is where rules are laid down that
//! must not be widened, and half of a set of rules is none.

mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use self::file::OnError;
use crate::environment::Environment;
use crate::files::{ReadError, read_limited};
use crate::registry::{Address, Registry, RegistryError};

/// The system's configuration file.
pub const SYSTEM_FILE: &str = "/etc/ecru/config.toml";

/// The variable that names a further configuration file.
pub const FILE_VARIABLE: &str = "ECRU_CONFIG";

/// The longest configuration file, in bytes.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// What the configuration says, all files together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    registries: Vec<Registry>,
    aliases: BTreeMap<Address, Registry>,
    on_error: OnError,
}

/// A configuration file that may be there or must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// Whether its absence is an error.
    pub required: bool,
}

impl Source {
    /// The files that count in `environment`, in the order in which they are read, after the system's at `system`.
    #[must_use]
    pub fn all(system: &Path, environment: &Environment) -> Vec<Self> {
        let optional = |path| Self { path, required: false };
        let user =
            environment.xdg("XDG_CONFIG_HOME", ".config").map(|directory| directory.join("ecru/config.toml"));
        let named = environment.path(FILE_VARIABLE).map(|path| Self { path, required: true });
        [Some(optional(system.to_owned())), user.map(optional), named].into_iter().flatten().collect()
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

    fn add(&mut self, source: &Source) -> Result<(), ConfigError> {
        let path = || source.path.clone();
        let content = read_limited(&source.path, MAX_FILE_BYTES)
            .map_err(|source| ConfigError::Unreadable { path: path(), source })?;
        let Some(content) = content else {
            return if source.required { Err(ConfigError::Missing { path: path() }) } else { Ok(()) };
        };
        let file = file::parse(&content).map_err(|fault| ConfigError::Invalid { path: path(), fault })?;
        for registry in file.registries {
            if !self.registries.contains(&registry) {
                self.registries.push(registry);
            }
        }
        self.aliases.extend(file.aliases);
        self.on_error = file.on_error.unwrap_or(self.on_error);
        Ok(())
    }

    /// The registry that a caller means: that of an alias, or the one that the text names itself.
    ///
    /// # Errors
    /// If it is neither.
    pub fn registry(&self, text: &str) -> Result<Registry, RegistryError> {
        let address = Address::parse(text)?;
        match self.aliases.get(&address) {
            Some(registry) => Ok(registry.clone()),
            None => Registry::from_address(&address),
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
        !self.registries.is_empty() || !self.aliases.is_empty()
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
            Self::Unreadable { path, .. } => Some(format!("ls -l {}", path.display())),
            Self::Invalid { path, fault } => Some(format!("mend line {} of {}", fault.line, path.display())),
        }
    }
}

#[cfg(test)]
mod tests;
