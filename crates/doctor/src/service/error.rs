//! Why a service is not known, and what is wrong with one that is.

use std::fmt;
use std::path::PathBuf;

use super::NAME;

/// Why the service is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// There is neither a unit nor a process.
    #[error("no {NAME} service was found: neither a unit of systemd nor a process, and this is no container")]
    NotFound,
    /// The unit is masked, so that nothing starts it.
    #[error("`{}` is masked: systemd does not start it", path.display())]
    Masked {
        /// The unit.
        path: PathBuf,
    },
    /// A value needs systemd to be understood.
    #[error("`{setting}` in `{}` has a specifier that is not known here", path.display())]
    Specifier {
        /// The setting, or the variable.
        setting: String,
        /// The file.
        path: PathBuf,
    },
    /// The unit starts another program, whose doings are not known, and nothing runs.
    #[error(
        "`{}` starts `{program}`, which can give {NAME} another HOME, PATH and configuration, and no process of it is \
         running",
        path.display()
    )]
    Wrapper {
        /// The file with the command.
        path: PathBuf,
        /// The program that is started.
        program: String,
    },
    /// The process has another `/`.
    #[error("process {number}, `{NAME} run`, is in a container: its files are not those of this machine")]
    InContainer {
        /// The process.
        number: u32,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The user has no entry among the machine's accounts.
    #[error("the user `{user}` of the {NAME} service is not in /etc/passwd")]
    NoUser {
        /// The user.
        user: String,
    },
    /// The user is made when the service starts, and nothing runs.
    #[error(
        "the user of the {NAME} service is made when it starts (DynamicUser= in `{}`), and no process of it is running",
        path.display()
    )]
    DynamicUser {
        /// The unit or drop-in that says so.
        path: PathBuf,
    },
    /// The process has no `PATH`.
    #[error("the {NAME} service has no PATH with absolute folders")]
    NoPath,
}

impl ServiceError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NotFound => {
                "run this where gitlab-runner runs, or name the folder of its user with --home DIR"
            }
            Self::Masked { .. } => return self.command(),
            Self::Specifier { setting, .. } if setting == "PATH" => {
                "write the folders themselves in place of the specifier"
            }
            Self::Specifier { .. } | Self::NoUser { .. } => "name the folder of its user with --home DIR",
            Self::Wrapper { .. } => {
                "start the service and run this again, or name both with --home DIR --config FILE"
            }
            Self::DynamicUser { .. } => {
                "start the service and run this again, or name the folder of its user with --home DIR"
            }
            Self::InContainer { number } => {
                return Some(format!("run this in the container, or with --root /proc/{number}/root"));
            }
            Self::Unreadable { .. } => "run this as root",
            Self::NoPath => "set PATH in the service's environment",
        };
        Some(text.to_owned())
    }

    /// The command that puts it right, where there is one.
    #[must_use]
    pub fn command(&self) -> Option<String> {
        matches!(self, Self::Masked { .. }).then(|| format!("systemctl unmask {NAME}"))
    }
}

/// What is wrong with a service that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// What runs is not what would be started.
    Differs {
        /// The process.
        number: u32,
        /// What differs, such as `HOME`.
        what: Vec<String>,
    },
    /// Without this file systemd does not start the service.
    MissingFile {
        /// The file, or the pattern, of `EnvironmentFile=`.
        file: String,
        /// The unit or drop-in that names it.
        unit: PathBuf,
    },
    /// The service does not see its HOME, and so none of the files there.
    HiddenHome {
        /// The folder.
        home: PathBuf,
        /// What hides it, as it stands in the unit.
        setting: String,
        /// The unit or drop-in.
        unit: PathBuf,
    },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs { number, what } => {
                write!(f, "process {number} does not run as its unit says: {} differs", what.join(", "))
            }
            Self::MissingFile { file, unit } => write!(
                f,
                "there is no `{file}`, and without it systemd does not start the service (EnvironmentFile= in `{}`)",
                unit.display()
            ),
            Self::HiddenHome { home, setting, unit } => write!(
                f,
                "the service does not see its HOME `{}`, nor what is written there (`{setting}` in `{}`)",
                home.display(),
                unit.display()
            ),
        }
    }
}

impl Trouble {
    /// The command that puts it right, where there is one.
    #[must_use]
    pub fn command(&self) -> Option<String> {
        match self {
            Self::Differs { .. } => {
                Some(format!("systemctl daemon-reload && systemctl restart {NAME}.service"))
            }
            Self::MissingFile { .. } | Self::HiddenHome { .. } => None,
        }
    }

    /// What to do, where several things would help.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        let Self::HiddenHome { setting, .. } = self else { return None };
        let key = setting.split('=').next().unwrap_or_default();
        let taken_back = if key == "ProtectHome" { "no" } else { "" };
        Some(format!(
            "by `systemctl edit {NAME}`, take back what hides the folder (`{key}={taken_back}`) or give the service a \
             HOME that it sees (`Environment=HOME=DIR`), then `systemctl restart {NAME}`"
        ))
    }
}
