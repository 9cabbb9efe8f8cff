//! GitLab's Code Quality report: a list of findings at lines (GitLab, "Code Quality", "Code Quality report format").

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::commands::check::report::{Place, Report};

pub(super) fn codequality(report: &Report) -> Value {
    let mut findings = Vec::new();
    for image in &report.images {
        if let (Some(problem), Some(place)) = (image.problem(), image.place()) {
            let text = format!("{}: {}", image.name, problem.message);
            // One image is there once for each DOCKER_AUTH_CONFIG of its jobs.
            let job = image.used_by.first().map(|user| user.job.as_str()).unwrap_or_default();
            let subject = format!("{} in {job}", image.name);
            findings.push(finding(problem.kind, &text, "critical", place, &subject));
        }
    }
    for job in &report.failed_jobs {
        let name = job.job.as_deref().unwrap_or_default();
        findings.push(finding(job.kind, &format!("{name}: {}", job.message), "blocker", &job.place, name));
    }
    for image in &report.unresolved {
        if let Some(user) = image.used_by.first() {
            let text = format!("{}: not known here: {}", image.written, image.variables.join(", "));
            findings.push(finding("unresolved", &text, "info", &user.place, &text));
        }
    }
    for warning in &report.warnings {
        let text = match &warning.job {
            Some(job) => format!("{job}: {}", warning.message),
            None => warning.message.clone(),
        };
        findings.push(finding(warning.kind, &text, "minor", &warning.place, &text));
    }
    Value::Array(findings)
}

/// The fingerprint leaves out the line, by which GitLab would take a moved finding for a new one.
fn finding(kind: &str, text: &str, severity: &str, place: &Place, subject: &str) -> Value {
    let fingerprint = Sha256::digest(format!("ecru/{kind}/{}/{subject}", place.file));
    json!({
        "description": text,
        "check_name": format!("ecru/{kind}"),
        "fingerprint": hex::encode(fingerprint),
        "severity": severity,
        "location": { "path": place.file, "lines": { "begin": place.line } },
    })
}
