//! What a diagnosis says: checks, each with its outcome, what was seen, and what puts it right.
//!
//! Checks are values; what looks at the machine makes them, and what shows them (text, JSON, JUnit, a page) reads only
//! these types. A check is described once, by a [`Definition`] in the catalogue of its context, so that its id, its
//! title and its reason are the same in every form and in the documentation.

use serde::Serialize;

/// One of the three places that need a helper, a configuration, a `PATH` and an identity of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Context {
    /// The process of gitlab-runner, which has the credentials for `image:` and `services:`.
    Runner,
    /// The host whose Docker engine runs the jobs.
    JobHost,
    /// The container of a job, whose script calls `docker`.
    Job,
}

/// A station on the way of a credential; the picture draws the checks of a context along it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Station {
    /// The process or machine itself: its user, its version, its disk.
    Place,
    /// The files and variables that say where credentials come from.
    Configuration,
    /// The credential helper's program.
    Helper,
    /// The AWS identity, and what may be had with it.
    Identity,
    /// Names, routes and proxies.
    Network,
    /// The Docker engine.
    Engine,
    /// The registry and its images.
    Registry,
}

/// What a failed check means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Something does not work. It decides the exit code.
    Error,
    /// Everything works, but others can misuse it, or it will break with a later version.
    Risk,
}

/// What a check is, wherever it is carried out.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Definition {
    /// The stable id, such as `runner.helper.found`: context, subject and property, in lower case. It is never reused.
    pub id: &'static str,
    /// Where it is carried out.
    pub context: Context,
    /// Where the picture draws it.
    pub station: Station,
    /// What its failure means.
    pub weight: Weight,
    /// What is true where it passes, in a few words: "the helper is on the service's PATH".
    pub title: &'static str,
    /// Why it matters, in one sentence.
    pub why: &'static str,
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "reason", rename_all = "kebab-case")]
pub enum Outcome {
    /// It is as it should be.
    Pass,
    /// It is not, and this is what is wrong.
    Fail(String),
    /// It could not be found out, for this reason: another check failed before it, or a right is missing.
    Skipped(String),
    /// It has no meaning here, for this reason.
    NotApplicable(String),
}

/// What puts a failed check right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Fix {
    /// A command to type, exactly.
    Command {
        /// The command.
        command: String,
        /// Whether `--fix` may carry it out by itself: only plans of `ecru setup` are.
        by_setup: bool,
    },
    /// Lines to write into a file.
    Lines {
        /// Where they belong.
        place: String,
        /// The lines.
        lines: String,
    },
    /// What to do in words, where neither a command nor lines can say it.
    Advice {
        /// The words.
        text: String,
    },
}

/// One check, carried out. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is.
    #[serde(flatten)]
    pub definition: &'static Definition,
    /// The registry, image or file that it is about, where there can be several.
    pub subject: Option<String>,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What was seen, in the words of what was looked at, a line each.
    pub evidence: Vec<String>,
    /// What puts it right; the first is the best.
    pub fixes: Vec<Fix>,
    /// Whether it follows from whatever failed before it, so that its own fixes would lead astray there.
    #[serde(skip)]
    pub is_consequence: bool,
}

/// All checks of one context, in the order in which they are to be read: causes before what follows from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Section {
    /// The context.
    pub context: Context,
    /// How it is known that this is that context, or that it was asked for.
    pub known_by: Vec<String>,
    /// The checks.
    pub checks: Vec<Check>,
}

/// A diagnosis. A machine can be several contexts at once; most are one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The contexts that were looked at.
    pub sections: Vec<Section>,
}

impl Fix {
    /// A command that only a person carries out.
    #[must_use]
    pub fn command(command: impl Into<String>) -> Self {
        Self::Command { command: command.into(), by_setup: false }
    }

    /// What to do in words.
    #[must_use]
    pub fn advice(text: impl Into<String>) -> Self {
        Self::Advice { text: text.into() }
    }
}

impl Outcome {
    /// What was said about it, unless it passed.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Pass => None,
            Self::Fail(reason) | Self::Skipped(reason) | Self::NotApplicable(reason) => Some(reason),
        }
    }
}

impl Check {
    /// A check that is as it should be.
    #[must_use]
    pub fn pass(definition: &'static Definition) -> Self {
        Self::with(definition, Outcome::Pass)
    }

    /// A check that failed because of `reason`.
    #[must_use]
    pub fn fail(definition: &'static Definition, reason: impl Into<String>) -> Self {
        Self::with(definition, Outcome::Fail(reason.into()))
    }

    /// A check that could not be carried out because of `reason`.
    #[must_use]
    pub fn skipped(definition: &'static Definition, reason: impl Into<String>) -> Self {
        Self::with(definition, Outcome::Skipped(reason.into()))
    }

    /// A check that has no meaning here because of `reason`.
    #[must_use]
    pub fn not_applicable(definition: &'static Definition, reason: impl Into<String>) -> Self {
        Self::with(definition, Outcome::NotApplicable(reason.into()))
    }

    fn with(definition: &'static Definition, outcome: Outcome) -> Self {
        Self {
            definition,
            subject: None,
            outcome,
            evidence: Vec::new(),
            fixes: Vec::new(),
            is_consequence: false,
        }
    }

    /// The same about `subject`.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The same with one more line of what was seen.
    #[must_use]
    pub fn seen(mut self, line: impl Into<String>) -> Self {
        self.evidence.push(line.into());
        self
    }

    /// The same with one more way to put it right.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fixes.push(fix);
        self
    }

    /// The same, but skipped where something else fails before it.
    #[must_use]
    pub fn unless_told(mut self) -> Self {
        self.is_consequence = true;
        self
    }

    /// Whether it failed and something does not work because of it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.definition.weight == Weight::Error && matches!(self.outcome, Outcome::Fail(_))
    }
}

impl Report {
    /// The first check that failed with [`Weight::Error`]: the cause to look at.
    #[must_use]
    pub fn first_error(&self) -> Option<&Check> {
        self.sections.iter().flat_map(|section| &section.checks).find(|check| check.is_error())
    }
}
