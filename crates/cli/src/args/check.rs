//! `ecru check`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::DecisionArgs;

/// `ecru check`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 every image can be had or could not be checked, 1 one cannot, 80 a file is wrong."
)]
pub struct CheckArgs {
    /// The pipeline file
    #[arg(value_name = "FILE", default_value = ".gitlab-ci.yml")]
    pub file: PathBuf,
    /// Read this file instead: the merged YAML that GitLab's CI lint or pipeline editor gives, with all includes in it
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub merged: Option<PathBuf>,
    /// The project's top folder, where the paths of `include:local` start (the pipeline file's folder, if not given)
    #[arg(long, value_name = "DIR")]
    pub project: Option<PathBuf>,
    /// The runner's config.toml: its executor, environment, default image and services are applied
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which `[[runners]]` of the config.toml (its only one, if not given)
    #[arg(long, value_name = "NAME", requires = "config")]
    pub runner: Option<String>,
    /// The home directory whose `.docker/config.json` the runner reads (yours, if not given)
    #[arg(long, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// A CI/CD variable of the project, as set in GitLab's settings; KEY alone takes the value that it has here
    #[arg(long = "variable", short = 'e', value_name = "KEY[=VALUE]")]
    pub variables: Vec<String>,
    /// DOCKER_AUTH_CONFIG of the project: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub docker_auth_config: Option<OsString>,
    /// What decides besides.
    #[command(flatten)]
    pub decision: DecisionArgs,
    /// Let ecru answer as `docker-credential-ecr-login` where PATH has none, which no runner does
    #[arg(long)]
    pub stand_in: bool,
    /// The platform that jobs run on: sizes are told for it, and an image that is not for it fails (sizes for
    /// linux/amd64, if not given)
    #[arg(long, value_name = "OS/ARCH", value_parser = platform)]
    pub platform: Option<String>,
    /// Read files only: choose no credentials, run no helper and ask no registry
    #[arg(long)]
    pub offline: bool,
    /// What is printed on standard output
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub format: CheckFormat,
    /// Plain lines instead of progress bars
    #[arg(long)]
    pub plain: bool,
}

/// The forms of a report of `ecru check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// A table for people.
    Text,
    /// One JSON object, described in docs/CHECK.md.
    Json,
    /// JUnit XML, for `artifacts:reports:junit`.
    Junit,
    /// GitLab's Code Quality JSON, for `artifacts:reports:codequality`.
    Codequality,
}

/// An operating system, an architecture, and its variant if it has one, as Docker writes them.
fn platform(text: &str) -> Result<String, String> {
    let is_name = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    match text.split('/').count() {
        2 | 3 if text.split('/').all(is_name) => Ok(text.to_owned()),
        _ => Err("a platform is written like linux/amd64 or linux/arm64/v8".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::platform;

    #[test]
    fn a_platform_has_two_or_three_names() {
        for text in ["linux/amd64", "linux/arm64/v8", "windows/amd64"] {
            assert_eq!(platform(text).as_deref(), Ok(text));
        }
        for text in ["", "/", "linux", "linux/", "LINUX/AMD64", "linux/arm/v7/x", "foo"] {
            assert!(platform(text).is_err(), "{text}");
        }
    }
}
