//! A table for people.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use ecru_docker::credential_helper::serve::printable as one_line;
use indicatif::HumanBytes;

use crate::commands::check::report::{CheckedImage, Credentials, Finding, Outcome, Report, Role, User};

/// How many jobs are named in one cell.
const MAX_NAMED_JOBS: usize = 3;

/// The names of the columns, and how they stand beside their values where the table does not fit.
const HEADINGS: [(&str, &str); 4] = [
    ("IMAGE", ""),
    ("USED BY", "  used by      "),
    ("CREDENTIALS", "  credentials  "),
    ("RESULT", "  result       "),
];

pub(super) fn text(report: &Report, columns: Option<usize>) -> String {
    let mut text = String::new();
    if !report.images.is_empty() {
        let _ = writeln!(text, "{}\n", table(report, columns).trim_end());
    }
    for identity in identities(report) {
        let _ = writeln!(text, "AWS identity of `ecr-login` here: {identity}");
    }
    for image in &report.images {
        let Some(problem) = image.problem() else { continue };
        let _ = writeln!(text, "FAILED {}: {}", one_line(&image.name), problem.message);
        for hint in &problem.hints {
            let _ = writeln!(text, "  hint: {hint}");
        }
    }
    for job in &report.failed_jobs {
        let _ = writeln!(text, "FAILED {}", finding(job));
    }
    for image in &report.images {
        let Outcome::LeftOpen { reason, hint } = &image.outcome else { continue };
        let (image, users) = (one_line(&image.name), users(&image.used_by));
        let _ = writeln!(text, "NOT CHECKED {image}, used by {users}: {reason}");
        let _ = writeln!(text, "  hint: {hint}");
    }
    for image in &report.unresolved {
        let variables: Vec<String> = image.variables.iter().map(|name| format!("`${name}`")).collect();
        let _ = writeln!(
            text,
            "NOT CHECKED {}, used by {}: {}",
            one_line(&image.written),
            users(&image.used_by),
            match variables.len() {
                0 => "its `$[[ inputs ]]` are not evaluated".to_owned(),
                1 => format!("{} is not known here", variables.concat()),
                _ => format!("{} are not known here", variables.join(", ")),
            }
        );
        for name in &image.variables {
            let _ = writeln!(text, "  hint: --variable {name}=VALUE");
        }
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "WARNING {}", finding(warning));
    }
    for note in &report.notes {
        let _ = writeln!(text, "{note}");
    }
    let _ = write!(text, "{}", summary(report));
    text
}

fn finding(finding: &Finding) -> String {
    let mut text = format!("{}:{}: ", one_line(&finding.place.file), finding.place.line);
    if let Some(job) = &finding.job {
        let _ = write!(text, "{}: ", one_line(job));
    }
    text.push_str(&finding.message);
    if let Some(hint) = &finding.hint {
        let _ = write!(text, "\n  hint: {hint}");
    }
    text
}

/// One line for each image, or one for each of its columns where those do not fit beside each other.
fn table(report: &Report, columns: Option<usize>) -> String {
    let row = |image: &CheckedImage| {
        [one_line(&image.name).into(), users(&image.used_by), short(&image.credentials), result(image)]
    };
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(HEADINGS.map(|(heading, _)| heading));
    table.add_rows(report.images.iter().map(row));
    let table = table.trim_fmt();
    let width = table.lines().map(|line| line.chars().count()).max().unwrap_or_default();
    if columns.is_none_or(|columns| width <= columns) {
        return table;
    }
    let stacked = |image: &CheckedImage| {
        let lines = HEADINGS.iter().zip(row(image)).filter(|(_, value)| !value.is_empty());
        lines.map(|((_, before), value)| format!("{before}{value}\n")).collect::<String>()
    };
    report.images.iter().map(stacked).collect()
}

/// Where credentials come from, as far as a column of a table takes it.
fn short(credentials: &Credentials) -> String {
    match credentials {
        Credentials::NotChosen => "not chosen".to_owned(),
        Credentials::None { .. } => "none".to_owned(),
        Credentials::Aborted { .. } => "the runner aborts".to_owned(),
        Credentials::Chosen(chosen) => format!("{} ({})", chosen.origin, chosen.source),
    }
}

/// The AWS identities that ecru's helper has here, each once.
fn identities(report: &Report) -> Vec<&str> {
    let mut identities = Vec::new();
    for image in &report.images {
        if let Credentials::Chosen(chosen) = &image.credentials
            && let Some(identity) = chosen.identity.as_deref()
            && !identities.contains(&identity)
        {
            identities.push(identity);
        }
    }
    identities
}

fn users(users: &[User]) -> String {
    let named = users.iter().take(MAX_NAMED_JOBS).map(|user| {
        let job = one_line(&user.job);
        match &user.role {
            Role::Image => job.into(),
            Role::Service { names } => match short_name(names) {
                Some(name) => format!("{job} (service {})", one_line(name)),
                None => format!("{job} (service)"),
            },
        }
    });
    let mut text = named.collect::<Vec<_>>().join(", ");
    if users.len() > MAX_NAMED_JOBS {
        let _ = write!(text, " and {} more", users.len() - MAX_NAMED_JOBS);
    }
    text
}

/// The name by which a script would reach a service: the last, which `alias` gives if it gives any, unless it is made
/// of a registry's whole name.
fn short_name(names: &[String]) -> Option<&str> {
    names.iter().rev().map(String::as_str).find(|name| !name.contains('.'))
}

fn result(image: &CheckedImage) -> String {
    if let Some(problem) = image.problem() {
        let action = problem.error.and_then(|error| Some(error.missing_permission()?.action.clone()));
        return match action {
            Some(action) => format!("FAILED: {} ({action})", problem.kind),
            None => format!("FAILED: {}", problem.kind),
        };
    }
    let Outcome::Exists(facts) = &image.outcome else { return "not checked".to_owned() };
    let digest = facts.digest.as_deref().unwrap_or_default();
    // As many characters of a digest as engines show.
    let short = digest.char_indices().nth("sha256:".len() + 12).map_or(digest, |(end, _)| &digest[..end]);
    let mut text = format!("ok {short}");
    if let Some(size) = facts.size {
        let _ = write!(text, " {}", HumanBytes(size));
    }
    if !facts.platforms.is_empty() {
        let _ = write!(text, " {}", facts.platforms.join(", "));
    }
    text
}

fn summary(report: &Report) -> String {
    let count = |is: fn(&CheckedImage) -> bool| report.images.iter().filter(|image| is(image)).count();
    let good = count(|image| image.problem().is_none() && matches!(image.outcome, Outcome::Exists(_)));
    let failed = count(|image| image.problem().is_some());
    let (jobs, images) = (counted(report.jobs, "job"), counted(report.images.len(), "image"));
    let mut text = format!("{jobs}, {images}: {good} ok, {failed} failed");
    let open = report.images.len() - good - failed + report.unresolved.len();
    if open > 0 {
        let _ = write!(text, ", {open} not checked");
    }
    if !report.failed_jobs.is_empty() {
        let _ = write!(text, "; {} cannot be read", counted(report.failed_jobs.len(), "job"));
    }
    text
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
