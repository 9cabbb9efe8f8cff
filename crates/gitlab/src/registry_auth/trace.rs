//! What the resolver saw and decided, for people and for tests.

use std::fmt;

use super::helpers::HelperCall;

/// Where credentials come from; `Display` is the name that the runner prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The job variable DOCKER_AUTH_CONFIG.
    DockerAuthConfig,
    /// A file in the home directory of the runner's process, by its path.
    HomeFile(String),
    /// The credentials that GitLab sends with the job.
    JobPayload,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DockerAuthConfig => formatter.write_str("$DOCKER_AUTH_CONFIG"),
            Self::HomeFile(path) => formatter.write_str(path),
            Self::JobPayload => formatter.write_str("job payload (GitLab Registry)"),
        }
    }
}

/// Which part of a source an entry comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Written down: in `auths`, or in the job's payload.
    Static,
    /// Listed by the `credsStore` and got from it.
    Store {
        /// The helper's name without `docker-credential-`.
        suffix: String,
    },
    /// Got from an entry of `credHelpers`.
    Helper {
        /// The helper's name without `docker-credential-`.
        suffix: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static => formatter.write_str("written down"),
            Self::Store { suffix } => write!(formatter, "credsStore `{suffix}`"),
            Self::Helper { suffix } => write!(formatter, "credHelpers `{suffix}`"),
        }
    }
}

/// What became of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceState {
    /// It is not set, does not exist, or holds nothing.
    Absent,
    /// It was read.
    Read,
    /// It exists, but a file that is looked at earlier hides it.
    Hidden {
        /// The path of that file.
        by: String,
    },
    /// This version does not read it: an earlier source was enough, or its kubernetes executor takes the job's payload
    /// alone.
    NotRead,
    /// An error made the runner drop all of it.
    Dropped {
        /// The error in the runner's words.
        error: String,
    },
}

/// One source and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceTrace {
    /// The source.
    pub source: Source,
    /// What became of it.
    pub state: SourceState,
}

/// What became of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// These credentials are sent.
    Chosen,
    /// It can be used, but was not asked about: all credentials were wanted, not those for one image; or a kubelet tries
    /// another one first.
    Usable,
    /// It is in the Secret that the kubernetes executor makes, which the pod does not get.
    Withheld,
    /// Its path is not the image's path nor a parent of it.
    OtherPath,
    /// It matches, but an entry with a longer path does too, and the longest wins whatever its source.
    LongerPathWon,
    /// An entry with the same path came first.
    SamePathCameFirst {
        /// The source of that entry.
        source: Source,
        /// Its key.
        key: String,
    },
    /// Another entry under the same key of the same document took its place.
    Replaced {
        /// Where that entry came from.
        by: Origin,
    },
    /// The helper has no credentials for this key, so nothing matches it.
    NotFound,
    /// This version runs a helper that DOCKER_AUTH_CONFIG names only where a setting allows it.
    NotPermitted,
    /// Its whole source was dropped.
    SourceDropped,
    /// Its helper failed, for which its whole source was dropped.
    DroppedTheSource,
}

impl Verdict {
    /// Whether the entry is in the table that images are looked up in.
    pub(super) fn is_usable(&self) -> bool {
        matches!(self, Self::Usable | Self::Chosen | Self::OtherPath | Self::LongerPathWon)
    }
}

/// One entry of a source and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The source.
    pub source: Source,
    /// The key under which the entry stands, as written.
    pub key: String,
    /// The path that the key stands for.
    pub path: String,
    /// Which part of the source it comes from.
    pub origin: Origin,
    /// What became of it.
    pub verdict: Verdict,
}

/// Everything that happened on the way to a decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// The sources in the order in which they are asked.
    pub sources: Vec<SourceTrace>,
    /// All entries, source by source.
    pub entries: Vec<Entry>,
    /// What the runner prints to the job log, each after `WARNING: `.
    pub warnings: Vec<String>,
    /// What the runner hides.
    pub swallowed: Vec<String>,
    /// What is not known of this version, or not from what was given, so that its decision may be another one.
    pub unknown: Vec<String>,
    /// What a person can do about what went wrong.
    pub hints: Vec<String>,
    /// The helper processes in the order in which they ran.
    pub helper_calls: Vec<HelperCall>,
}

impl Trace {
    pub(crate) fn note_source(&mut self, source: Source, state: SourceState) {
        self.sources.push(SourceTrace { source, state });
    }

    pub(crate) fn note_entry(
        &mut self,
        source: &Source,
        key: &str,
        path: String,
        origin: Origin,
        verdict: Verdict,
    ) {
        self.entries.push(Entry { source: source.clone(), key: key.to_owned(), path, origin, verdict });
    }
}
