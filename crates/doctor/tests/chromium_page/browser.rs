//! A headless Chromium without any network.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A slow machine may take its time, but not for ever (timeout(1)).
const DEADLINE_SECONDS: &str = "120";

/// A browser with a profile of its own.
pub(crate) struct Browser {
    folder: TempDir,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder for a profile") }
    }

    /// A picture of a page, beside it.
    pub(crate) fn screenshot(&self, page: &Path, form: &str, size: (u32, u32), more: &[&str]) -> PathBuf {
        let file = page.with_extension(format!("{form}.png"));
        let size = format!("--window-size={},{}", size.0, size.1);
        let screenshot = format!("--screenshot={}", file.display());
        self.run(page, &[&[size.as_str(), &screenshot], more].concat());
        file
    }

    /// The document as it is after loading.
    pub(crate) fn dom(&self, page: &Path, more: &[&str]) -> String {
        self.run(page, &[&["--dump-dom"], more].concat())
    }

    /// How many sheets of paper a page takes.
    pub(crate) fn pages_printed(&self, page: &Path) -> usize {
        let file = page.with_extension("pdf");
        self.run(page, &["--no-pdf-header-footer", &format!("--print-to-pdf={}", file.display())]);
        let pdf = std::fs::read(&file).expect("a PDF was made");
        // Chromium writes the objects of pages in the clear, a line for each entry (ISO 32000-1, 7.7.3.3).
        pdf.split(|byte| *byte == b'\n').filter(|line| *line == b"<</Type /Page").count()
    }

    /// The addresses with `host` that were asked for while a page was loaded, as Chromium's own log of its network
    /// stack tells. (Connections that it makes in advance, before it looks at a frame's policy, ask for nothing.)
    pub(crate) fn addresses_asked(&self, page: &Path, host: &str) -> Vec<String> {
        let log = self.folder.path().join("network.json");
        self.run(page, &["--dump-dom", &format!("--log-net-log={}", log.display())]);
        let log: serde_json::Value =
            serde_json::from_reader(File::open(&log).expect("the log is there")).expect("the log is JSON");
        let events = log["events"].as_array().expect("the log has events");
        let start = &log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"];
        let requests = events.iter().filter(|event| event["type"] == *start);
        let addresses = requests.filter_map(|event| event["params"]["url"].as_str());
        assert!(addresses.clone().count() > 0, "the log tells of requests");
        let asked: BTreeSet<_> = addresses.filter(|address| address.contains(host)).collect();
        asked.into_iter().map(str::to_owned).collect()
    }

    fn run(&self, page: &Path, arguments: &[&str]) -> String {
        let output = Command::new("timeout")
            .args([DEADLINE_SECONDS, "unshare", "--net", "--", "chromium", "--headless", "--no-sandbox"])
            .args(["--disable-gpu", "--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync", "--hide-scrollbars"])
            // The namespace is what keeps it silent; this spares it waiting for names.
            .arg("--host-resolver-rules=MAP * ~NOTFOUND")
            .arg(format!("--user-data-dir={}", self.folder.path().join("profile").display()))
            .args(arguments)
            .arg(format!("file://{}", page.display()))
            .stdin(Stdio::null())
            .output()
            .expect("`timeout` runs");
        assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("chromium writes UTF-8")
    }
}
