//! One JSON object, whose members are a promise: docs/CHECK.md.
//!
//! It is written as it goes, because a tree of a large report takes many times the memory of its text.

use serde::{Serialize, Serializer};

use crate::commands::check::report::{
    CheckedImage, Chosen, Credentials, Finding, Outcome, Place, Problem, Report, Role, UnresolvedImage, User,
};

pub(super) fn json(report: &Report) -> String {
    let document = Document {
        version: 1,
        jobs: report.jobs,
        images: &report.images,
        unresolved: &report.unresolved,
        failed_jobs: &report.failed_jobs,
        warnings: &report.warnings,
        notes: &report.notes,
    };
    // Writing to memory does not fail, and no key is anything but a text.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    jobs: usize,
    #[serde(serialize_with = "write_images")]
    images: &'a [CheckedImage],
    #[serde(serialize_with = "write_unresolved")]
    unresolved: &'a [UnresolvedImage],
    #[serde(serialize_with = "write_findings")]
    failed_jobs: &'a [Finding],
    #[serde(serialize_with = "write_findings")]
    warnings: &'a [Finding],
    notes: &'a [String],
}

fn write_images<S: Serializer>(images: &&[CheckedImage], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(images.iter().map(ImageEntry::of))
}

fn write_unresolved<S: Serializer>(images: &&[UnresolvedImage], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(images.iter().map(|image| UnresolvedEntry {
        image: &image.written,
        variables: &image.variables,
        used_by: &image.used_by,
    }))
}

fn write_users<S: Serializer>(users: &&[User], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(users.iter().map(UserEntry::of))
}

fn write_findings<S: Serializer>(findings: &&[Finding], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(findings.iter().map(FindingEntry::of))
}

#[derive(Serialize)]
struct ImageEntry<'a> {
    image: &'a str,
    status: &'static str,
    #[serde(serialize_with = "write_users")]
    used_by: &'a [User],
    registry: Option<RegistryEntry<'a>>,
    credentials: Option<CredentialsEntry<'a>>,
    digest: Option<&'a str>,
    media_type: Option<&'a str>,
    platforms: Option<&'a [String]>,
    size: Option<u64>,
    problem: Option<ProblemEntry<'a>>,
    not_checked_because: Option<&'a str>,
}

impl<'a> ImageEntry<'a> {
    fn of(image: &'a CheckedImage) -> Self {
        let problem = image.problem();
        let status = match (&problem, &image.outcome) {
            (Some(_), _) => "failed",
            (None, Outcome::Exists(_)) => "ok",
            (None, _) => "not_checked",
        };
        let facts = match &image.outcome {
            Outcome::Exists(facts) => Some(facts),
            _ => None,
        };
        Self {
            image: &image.name,
            status,
            used_by: &image.used_by,
            registry: image.registry.as_ref().map(|registry| RegistryEntry {
                host: registry.host(),
                account: registry.account(),
                region: registry.region(),
            }),
            credentials: match &image.credentials {
                Credentials::Chosen(chosen) => Some(CredentialsEntry::of(chosen)),
                _ => None,
            },
            digest: facts.and_then(|facts| facts.digest.as_deref()),
            media_type: facts.and_then(|facts| facts.media_type.as_deref()),
            platforms: facts.map(|facts| facts.platforms.as_slice()),
            size: facts.and_then(|facts| facts.size),
            problem: problem.map(ProblemEntry::of),
            not_checked_because: match &image.outcome {
                Outcome::LeftOpen { reason, .. } => Some(reason),
                _ => None,
            },
        }
    }
}

#[derive(Serialize)]
struct UnresolvedEntry<'a> {
    image: &'a str,
    variables: &'a [String],
    #[serde(serialize_with = "write_users")]
    used_by: &'a [User],
}

#[derive(Serialize)]
struct RegistryEntry<'a> {
    host: String,
    account: Option<&'a str>,
    region: &'a str,
}

#[derive(Serialize)]
struct CredentialsEntry<'a> {
    source: &'a str,
    origin: &'a str,
    server_address: &'a str,
    username: &'a str,
    identity: Option<&'a str>,
}

impl<'a> CredentialsEntry<'a> {
    fn of(chosen: &'a Chosen) -> Self {
        Self {
            source: &chosen.source,
            origin: &chosen.origin,
            server_address: &chosen.server_address,
            username: &chosen.username,
            identity: chosen.identity.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct ProblemEntry<'a> {
    kind: &'a str,
    message: String,
    hints: Vec<String>,
    missing_action: Option<&'a str>,
    principal: Option<&'a str>,
    resource: Option<&'a str>,
}

impl<'a> ProblemEntry<'a> {
    fn of(problem: Problem<'a>) -> Self {
        let missing = problem.error.and_then(|error| error.missing_permission());
        Self {
            kind: problem.kind,
            message: problem.message,
            hints: problem.hints,
            missing_action: missing.map(|missing| missing.action.as_str()),
            principal: missing.and_then(|missing| missing.principal.as_deref()),
            resource: missing.and_then(|missing| missing.resource.as_deref()),
        }
    }
}

#[derive(Serialize)]
struct UserEntry<'a> {
    job: &'a str,
    kind: &'static str,
    names: Option<&'a [String]>,
    file: &'a str,
    line: usize,
}

impl<'a> UserEntry<'a> {
    fn of(user: &'a User) -> Self {
        let (kind, names) = match &user.role {
            Role::Image => ("image", None),
            Role::Service { names } => ("service", Some(names.as_slice())),
        };
        Self { job: &user.job, kind, names, file: &user.place.file, line: user.place.line }
    }
}

#[derive(Serialize)]
struct FindingEntry<'a> {
    file: &'a str,
    line: usize,
    job: Option<&'a str>,
    kind: &'static str,
    message: &'a str,
    hint: Option<&'a str>,
}

impl<'a> FindingEntry<'a> {
    fn of(finding: &'a Finding) -> Self {
        let Finding { place: Place { file, line }, job, kind, message, hint } = finding;
        Self { file, line: *line, job: job.as_deref(), kind, message, hint: hint.as_deref() }
    }
}
