//! Whether the host's user data has run, as cloud-init tells it (cloud-init documentation, "Report format" of
//! `status.json` and `result.json`).

use std::path::Path;

use serde_json::Value;

use crate::files::read_limited;
use crate::report::{Check, Context, Definition, Fix, Station, Weight};
use crate::service::below;
use crate::shell::shell_word;

pub(super) static ARRIVED: Definition = Definition {
    id: "job-host.user-data.arrived",
    context: Context::JobHost,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "the host's user data has run without errors",
    why: "A host whose user data failed half-way has no firewall, no helper or no Docker, and takes jobs all the same.",
};

const RESULTS: [&str; 2] = ["/run/cloud-init/result.json", "/var/lib/cloud/data/result.json"];
const FOLDERS: [&str; 2] = ["/run/cloud-init", "/var/lib/cloud"];
const USER_DATA: &str = "/var/lib/cloud/instance/user-data.txt";

/// What the user data printed.
const OUTPUT: &str = "/var/log/cloud-init-output.log";

/// The longest report, in bytes.
const MAX_REPORT_BYTES: usize = 1024 * 1024;

pub(super) fn arrived(root: &Path) -> Check {
    if !FOLDERS.iter().any(|folder| below(root, Path::new(folder)).is_dir()) {
        return Check::not_applicable(&ARRIVED, "this host has no cloud-init");
    }
    let is_empty = below(root, Path::new(USER_DATA)).metadata().is_ok_and(|found| found.len() == 0);
    if is_empty {
        return Check::not_applicable(&ARRIVED, "this host was started without user data");
    }
    // cloud-init tells of the machine on which it is started, and of no other.
    let status = |option: &str| match root == Path::new("/") {
        true => Fix::command(format!("cloud-init status {option}")),
        false => Fix::advice(format!("on that host: `cloud-init status {option}`")),
    };
    for path in RESULTS {
        match read_limited(&below(root, Path::new(path)), MAX_REPORT_BYTES) {
            Ok(None) => {}
            Ok(Some(report)) => return of_report(&report, root).about(path),
            Err(error) => {
                return Check::skipped(&ARRIVED, format!("cannot read `{path}`: {error}"))
                    .fix(status("--long"));
            }
        }
    }
    Check::skipped(&ARRIVED, "cloud-init has not ended yet").fix(status("--wait"))
}

/// Errors are counted and not shown, because they repeat what was run, with all that stood in it.
fn of_report(report: &[u8], root: &Path) -> Check {
    let report: Value = serde_json::from_slice(report).unwrap_or_default();
    let Some(errors) = report["v1"]["errors"].as_array() else {
        return Check::skipped(&ARRIVED, "its report is in a form that is not known here");
    };
    let check = match errors.len() {
        0 => Check::pass(&ARRIVED),
        1 => Check::fail(&ARRIVED, "cloud-init ended with an error"),
        count => Check::fail(&ARRIVED, format!("cloud-init ended with {count} errors")),
    };
    let check = match report["v1"]["datasource"].as_str() {
        Some(source) => check.seen(format!("its data is from {}", source.escape_debug())),
        None => check,
    };
    if errors.is_empty() {
        return check;
    }
    let log = below(root, Path::new(OUTPUT)).display().to_string();
    check.fix(Fix::command(format!("less {}", shell_word(&log))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::Outcome;

    fn host(files: &[(&str, &str)]) -> Check {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = below(root.path(), Path::new(path));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        arrived(root.path())
    }

    #[test]
    fn a_report_without_errors_passes_and_one_with_errors_fails() {
        let report =
            |errors: &str| format!(r#"{{"v1": {{"datasource": "DataSourceEc2Local", "errors": {errors}}}}}"#);
        let check = host(&[(USER_DATA, "x"), (RESULTS[0], &report("[]"))]);
        assert_eq!(check.outcome, Outcome::Pass);
        assert_eq!(check.evidence, ["its data is from DataSourceEc2Local"]);
        let check = host(&[(USER_DATA, "x"), (RESULTS[1], &report(r#"["curl -H 'token: hunter2'"]"#))]);
        assert!(check.is_error());
        assert!(!format!("{check:?}").contains("hunter2"), "{check:?}");
    }

    #[test]
    fn a_host_that_has_none_is_not_judged() {
        assert!(matches!(host(&[]).outcome, Outcome::NotApplicable(_)));
        assert!(matches!(host(&[(USER_DATA, "")]).outcome, Outcome::NotApplicable(_)));
        assert!(matches!(host(&[(USER_DATA, "x")]).outcome, Outcome::Skipped(_)));
        assert!(matches!(host(&[(USER_DATA, "x"), (RESULTS[0], "[]")]).outcome, Outcome::Skipped(_)));
    }

    proptest! {
        #[test]
        fn no_report_is_too_odd(report in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = of_report(&report, Path::new("/"));
        }
    }
}
