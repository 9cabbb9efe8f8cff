//! `#cloud-config`, for images whose user data cloud-init reads and merges.

use crate::setup_job_host::{HostFile, JobHost};

/// The script that is run at the end.
const SCRIPT: &str = "/usr/local/sbin/ecru-job-host";

/// The `#cloud-config` that makes a machine a job host.
#[must_use]
pub fn cloud_init(host: &JobHost) -> String {
    let script = format!(
        "#!/bin/sh\n# Written by ecru: makes this machine a host for CI jobs.\nset -eu\n\n{}",
        host.script()
    );
    let mut files = host.files();
    files.push(HostFile { path: SCRIPT, mode: 0o755, content: script });
    let entries: String = files.iter().map(entry).collect();
    format!(
        "#cloud-config\n# Written by ecru: makes this machine a host for CI jobs.\nwrite_files:\n{entries}runcmd:\n  - [{SCRIPT}]\n"
    )
}

/// The mode is quoted, because YAML would read it as a number.
fn entry(file: &HostFile) -> String {
    let HostFile { path, mode, content } = file;
    let mut text =
        format!("  - path: {path}\n    owner: root:root\n    permissions: '{mode:04o}'\n    content: |\n");
    for line in content.lines() {
        // A block scalar knows its lines by their indentation; empty ones need none (YAML 1.2, 8.1.2).
        let indent = if line.is_empty() { "" } else { "      " };
        text.push_str(&format!("{indent}{line}\n"));
    }
    text
}
