//! Which crates are tested.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use cargo_metadata::{MetadataCommand, TargetKind};

use super::classes::Class;
use crate::workspace;

/// The crates of one run.
#[derive(Debug)]
pub(super) struct Selection {
    /// Their names; none stands for all.
    names: Vec<String>,
    /// The classes that their test targets belong to.
    pub(super) classes: Vec<Class>,
}

impl Selection {
    /// The crates of the workspace that `topics` name, with or without the prefix `ecru-`; all of them without a
    /// topic.
    ///
    /// # Errors
    /// Fails when a topic is no crate.
    pub(super) fn of(topics: &[String]) -> Result<Self> {
        let metadata = MetadataCommand::new()
            .manifest_path(workspace::root().join("Cargo.toml"))
            .no_deps()
            .exec()
            .context("cannot read the workspace")?;
        let all: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
        let topics = topics.iter().flat_map(|topic| crates_of(topic));
        let names = topics.map(|topic| crate_of(topic, &all)).collect::<Result<Vec<_>>>()?;

        let chosen = metadata
            .packages
            .iter()
            .filter(|package| names.is_empty() || names.iter().any(|name| package.name.as_str() == name));
        let targets: Vec<_> = chosen
            .flat_map(|package| &package.targets)
            .filter(|target| target.is_kind(TargetKind::Test))
            .filter_map(|target| Class::of(&target.name))
            .collect();
        let classes = Class::ALL.into_iter().filter(|class| targets.contains(class)).collect();
        Ok(Self { names, classes })
    }

    /// Whether it is the whole workspace.
    pub(super) fn is_all(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether the crate `name` is in it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.is_all() || self.names.iter().any(|chosen| chosen == name)
    }

    /// The selection for cargo; `all` is its option for the whole workspace.
    pub(super) fn for_cargo(&self, all: &'static str) -> Vec<String> {
        if self.is_all() {
            return vec![all.to_owned()];
        }
        self.names.iter().flat_map(|name| ["-p".to_owned(), name.clone()]).collect()
    }
}

/// Topics that are spread over several crates.
const TOPICS_OF_CRATES: [(&str, &[&str]); 2] = [
    // What is wrong with a machine: the checks, and the command that carries them out.
    ("doctor", &["doctor", "cli"]),
    // How credentials are chosen: the rules, and the command that explains them.
    ("resolution", &["docker", "gitlab", "cli"]),
];

/// The crates that `topic` stands for, if it is not one itself.
fn crates_of(topic: &str) -> Vec<&str> {
    let known = TOPICS_OF_CRATES.into_iter().find(|(name, _)| *name == topic);
    known.map_or_else(|| vec![topic], |(_, crates)| crates.to_vec())
}

fn crate_of(topic: &str, all: &BTreeSet<&str>) -> Result<String> {
    let candidates = [format!("ecru-{topic}"), topic.to_owned()];
    let Some(name) = candidates.into_iter().find(|name| all.contains(name.as_str())) else {
        // A topic can be called as one of its crates.
        let spread = TOPICS_OF_CRATES.iter().map(|(name, _)| *name);
        let spread = spread.filter(|name| !all.contains(format!("ecru-{name}").as_str()));
        let crates = all.iter().map(|name| name.strip_prefix("ecru-").unwrap_or(name));
        let topics: Vec<_> = crates.chain(spread).collect();
        bail!("`{topic}` is no topic; there are {}", topics.join(", "));
    };
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_a_crate_with_or_without_its_prefix() {
        let all = BTreeSet::from(["ecru-ecr", "xtask"]);
        assert_eq!(crate_of("ecr", &all).unwrap(), "ecru-ecr");
        assert_eq!(crate_of("ecru-ecr", &all).unwrap(), "ecru-ecr");
        assert_eq!(crate_of("xtask", &all).unwrap(), "xtask");
        let message = crate_of("erc", &all).unwrap_err().to_string();
        assert_eq!(message, "`erc` is no topic; there are ecr, xtask, doctor, resolution");
        assert_eq!(crates_of("ecr"), ["ecr"]);
        assert_eq!(crates_of("doctor"), ["doctor", "cli"]);
        assert_eq!(crates_of("resolution"), ["docker", "gitlab", "cli"]);
    }
}
