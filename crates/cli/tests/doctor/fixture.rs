//! One of the folders of `examples/broken`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ecru_emulator::{Fault, InstanceMetadata, Options, Seed};
use toml::Table;

/// The runner's file in each of their machines, by which a person names one.
pub(crate) const CONFIG_FILE: &str = "etc/gitlab-runner/config.toml";

/// A set-up that does not work.
#[derive(Debug, Clone)]
pub(crate) struct Fixture {
    /// The name of its folder.
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) title: String,
    pub(crate) context: String,
    pub(crate) first_failure: String,
    pub(crate) fix: Fix,
    pub(crate) helper: Option<String>,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) user: String,
    pub(crate) metadata: String,
    pub(crate) faults: Vec<String>,
}

/// How it is put right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fix {
    Doctor,
    Lines,
    Command,
    Aws,
}

const KEYS: [&str; 10] = [
    "title",
    "context",
    "first_failure",
    "fix",
    "helper",
    "arguments",
    "environment",
    "metadata",
    "faults",
    "user",
];

impl Fixture {
    fn read(folder: &Path) -> Self {
        let path = folder.join("fixture.toml");
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let table: Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let unknown: Vec<&String> = table.keys().filter(|key| !KEYS.contains(&key.as_str())).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?} means nothing", path.display());
        let optional = |key: &str| table.get(key).map(|value| value.as_str().expect("a text").to_owned());
        let needed = |key: &str| optional(key).unwrap_or_else(|| panic!("{}: no {key}", path.display()));
        let list = |key: &str| -> Vec<String> {
            let values = table.get(key).map(|value| value.as_array().expect("a list").clone());
            let texts = values.unwrap_or_default().into_iter();
            texts.map(|value| value.as_str().expect("a text").to_owned()).collect()
        };
        let environment = table.get("environment").map(|value| value.as_table().expect("a table").clone());
        Self {
            name: folder.file_name().expect("a name").to_string_lossy().into_owned(),
            folder: folder.to_owned(),
            title: needed("title"),
            context: needed("context"),
            first_failure: needed("first_failure"),
            fix: match needed("fix").as_str() {
                "doctor" => Fix::Doctor,
                "lines" => Fix::Lines,
                "command" => Fix::Command,
                "aws" => Fix::Aws,
                other => panic!("{}: `{other}` is no fix", path.display()),
            },
            helper: optional("helper"),
            arguments: list("arguments"),
            environment: environment
                .unwrap_or_default()
                .into_iter()
                .map(|(name, value)| (name, value.as_str().expect("a text").to_owned()))
                .collect(),
            user: optional("user").unwrap_or_else(|| "ecru".to_owned()),
            metadata: optional("metadata").unwrap_or_else(|| "v2".to_owned()),
            faults: list("faults"),
        }
    }

    /// The emulator that this one needs, and what it begins with.
    pub(crate) fn emulator(&self) -> (Options, Option<Seed>) {
        let faults: Vec<Fault> = self.faults.iter().map(|fault| fault.parse().expect("a fault")).collect();
        let instance_metadata = match self.metadata.as_str() {
            "v2" => InstanceMetadata::default(),
            "hop-limit" => InstanceMetadata::HopLimit,
            "no-role" => InstanceMetadata::NoRole,
            "disabled" => InstanceMetadata::Disabled,
            other => panic!("{}: `{other}` is no way to answer", self.name),
        };
        let mut options = Options { faults, instance_metadata, ..Options::default() };
        let seed = self.seed("seed.toml");
        if let Some(seed) = &seed {
            seed.add_to(&mut options);
        }
        (options, seed)
    }

    /// A file of this one that describes a world of the emulator.
    pub(crate) fn seed(&self, name: &str) -> Option<Seed> {
        let seed = self.folder.join(name);
        seed.exists().then(|| Seed::read(&seed).expect("a seed"))
    }
}

/// All of them, in the order of their names.
pub(crate) fn all() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/broken");
    let entries =
        std::fs::read_dir(folder).expect("the examples").map(|entry| entry.expect("an entry").path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.iter().map(|folder| Fixture::read(folder)).collect()
}
