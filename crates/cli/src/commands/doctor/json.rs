//! One JSON object, whose members are a promise: docs/DOCTOR.md.

use ecru_doctor::report::Report;
use serde_json::{Value, json};

pub(super) fn document(report: &Report) -> Value {
    let first = report.first_error();
    json!({
        "version": 1,
        "healthy": first.is_none(),
        "first_failure": first.map(|check| check.definition.id),
        "sections": report.sections,
    })
}
