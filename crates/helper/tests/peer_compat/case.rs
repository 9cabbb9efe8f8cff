//! The cases, as their files have them.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One case: what is asked, in which surroundings, and what comes of it with either program.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// Its name.
    pub(crate) id: String,
    /// What it shows, in a sentence.
    pub(crate) docs: String,
    /// How AWS answers; a name of `aws_behaviour`.
    #[serde(default = "proper")]
    pub(crate) aws: String,
    /// Files below the home directory. `@AWS@` stands for the address of AWS, `@HOME@` for the home directory.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
    /// Variables of all runs, with the same words; an empty value removes the variable.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// The runs, one after the other in the same home directory; one plain `get` if none is given.
    #[serde(default)]
    pub(crate) runs: Vec<Run>,
    /// Whether the outcome says whose key has signed the last call.
    #[serde(default)]
    pub(crate) signer: bool,
    /// The outcome of our helper, see `outcome`.
    pub(crate) ours: String,
    /// The outcome of the other one, where that is another.
    pub(crate) difference: Option<Difference>,
}

/// A difference and its reason.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Difference {
    /// The outcome of the other one.
    pub(crate) peer: String,
    /// Why ours does otherwise.
    pub(crate) because: String,
}

/// One run of the program.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Run {
    /// The arguments.
    pub(crate) argv: Vec<String>,
    /// What the program reads.
    pub(crate) stdin: String,
    /// Bytes that follow, where the request is no text.
    pub(crate) bytes: Vec<u8>,
    /// How often it is repeated, for requests that are long.
    pub(crate) times: usize,
    /// The name by which the program is called; its own if none is given.
    pub(crate) called: Option<String>,
    /// Variables of this run alone.
    pub(crate) env: BTreeMap<String, String>,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            argv: vec!["get".to_owned()],
            stdin: crate::stage::FRANKFURT.to_owned(),
            bytes: Vec::new(),
            times: 1,
            called: None,
            env: BTreeMap::new(),
        }
    }
}

impl Run {
    /// The whole request.
    pub(crate) fn request(&self) -> Vec<u8> {
        [self.stdin.as_bytes(), &self.bytes].concat().repeat(self.times)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

/// The cases of all files.
pub(crate) fn all() -> Vec<Case> {
    const FILES: [(&str, &str); 6] = [
        ("protocol", include_str!("cases/protocol.toml")),
        ("hosts", include_str!("cases/hosts.toml")),
        ("environment", include_str!("cases/environment.toml")),
        ("configuration", include_str!("cases/configuration.toml")),
        ("cache", include_str!("cases/cache.toml")),
        ("errors", include_str!("cases/errors.toml")),
    ];
    let read = |(name, text): (&str, &str)| {
        let file: File = toml::from_str(text).unwrap_or_else(|error| panic!("{name}.toml: {error}"));
        file.case
    };
    FILES.into_iter().flat_map(read).collect()
}

fn proper() -> String {
    "proper".to_owned()
}
