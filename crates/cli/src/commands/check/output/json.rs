//! One JSON object, whose members are a promise: docs/CHECK.md.

use serde_json::{Value, json};

use crate::commands::check::report::{
    CheckedImage, Credentials, Finding, Outcome, Place, Problem, Report, User,
};

pub(super) fn json(report: &Report) -> Value {
    json!({
        "version": 1,
        "jobs": report.jobs,
        "images": report.images.iter().map(image).collect::<Vec<_>>(),
        "unresolved": report.unresolved.iter().map(|image| json!({
            "image": image.written,
            "variables": image.variables,
            "used_by": users(&image.used_by),
        })).collect::<Vec<_>>(),
        "failed_jobs": report.failed_jobs.iter().map(finding).collect::<Vec<_>>(),
        "warnings": report.warnings.iter().map(finding).collect::<Vec<_>>(),
        "notes": report.notes,
    })
}

fn image(image: &CheckedImage) -> Value {
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
    json!({
        "image": image.name,
        "used_by": users(&image.used_by),
        "registry": image.registry.as_ref().map(|registry| json!({
            "host": registry.host(),
            "account": registry.account(),
            "region": registry.region(),
        })),
        "credentials": credentials(&image.credentials),
        "status": status,
        "digest": facts.and_then(|facts| facts.digest.as_ref()),
        "media_type": facts.and_then(|facts| facts.media_type.as_ref()),
        "platforms": facts.map(|facts| &facts.platforms),
        "size": facts.and_then(|facts| facts.size),
        "problem": problem.as_ref().map(describe),
    })
}

fn describe(problem: &Problem<'_>) -> Value {
    let missing = problem.error.and_then(|error| error.missing_permission());
    json!({
        "kind": problem.kind,
        "message": problem.message,
        "hints": problem.hints,
        "missing_action": missing.map(|missing| &missing.action),
        "principal": missing.and_then(|missing| missing.principal.as_ref()),
        "resource": missing.and_then(|missing| missing.resource.as_ref()),
    })
}

fn credentials(credentials: &Credentials) -> Value {
    match credentials {
        Credentials::Chosen(chosen) => json!({
            "source": chosen.source,
            "origin": chosen.origin,
            "server_address": chosen.server_address,
            "username": chosen.username,
            "identity": chosen.identity,
        }),
        _ => Value::Null,
    }
}

fn users(users: &[User]) -> Vec<Value> {
    users
        .iter()
        .map(|user| {
            let kind = if user.as_service { "service" } else { "image" };
            json!({ "job": user.job, "kind": kind, "file": user.place.file, "line": user.place.line })
        })
        .collect()
}

fn finding(finding: &Finding) -> Value {
    let Finding { place: Place { file, line }, job, kind, message, hint } = finding;
    json!({ "file": file, "line": line, "job": job, "kind": kind, "message": message, "hint": hint })
}
