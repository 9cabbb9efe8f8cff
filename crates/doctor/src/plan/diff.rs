//! What of a change may be seen.
//!
//! A diff shows lines around the change that ecru did not write, and they hold passwords and tokens. So it does not
//! look for secrets: it shows what is known to be none, and masks all other values. Both sides are masked before they
//! are compared; edits never touch what is masked.

use similar::TextDiff;

use super::{Change, Content};
use crate::edit::{drop_in, ecru_config, masked_json, masked_toml, runner_config};

/// Stands for a text of which nothing can be shown.
const HIDDEN: &str = "…\n";

impl Change {
    /// The change as a unified diff, in which masks stand for what may be secret.
    #[must_use]
    pub fn diff(&self) -> String {
        let path = self.path.display();
        if self.content == Content::Program {
            let was = match (&self.link, &self.before) {
                (Some(target), _) => format!("link to {}", target.display()),
                (None, Some(before)) => format!("program of {} bytes", before.len()),
                (None, None) => "nothing".to_owned(),
            };
            return format!("--- {path}\n+++ {path}\n-{was}\n+program of {} bytes\n", self.after.len());
        }
        let before = self.before.as_deref().map(|content| self.visible(content)).unwrap_or_default();
        // A new file holds nothing but what ecru wrote.
        let after = match &self.before {
            Some(_) => self.visible(&self.after),
            None => String::from_utf8_lossy(&self.after).into_owned(),
        };
        let old = if self.before.is_some() { path.to_string() } else { "/dev/null".to_owned() };
        TextDiff::from_lines(&before, &after).unified_diff().header(&old, &path.to_string()).to_string()
    }

    fn visible(&self, content: &[u8]) -> String {
        let Ok(text) = std::str::from_utf8(content) else { return HIDDEN.to_owned() };
        if text.trim().is_empty() {
            return text.to_owned();
        }
        let masked = match &self.content {
            Content::DockerConfig => masked_json(text),
            Content::RunnerConfig => masked_toml(text, &runner_config::visible),
            Content::EcruConfig => masked_toml(text, &ecru_config::visible),
            Content::DropIn(variables) => Some(drop_in::masked(text, variables)),
            // What stood in its place may be anybody's.
            Content::WrittenByEcru => text.contains("# Written by ecru").then(|| text.to_owned()),
            Content::Program => None,
        };
        masked.unwrap_or_else(|| HIDDEN.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use ecru_testkit::assert_no_leak;

    use super::*;
    use crate::plan::Creation;

    const SECRET: &str = "hunter2-hunter2";

    fn diff(content: Content, before: &str, after: &str) -> String {
        let creation = Creation { owner: None, mode: 0o600, folder_mode: 0o700 };
        let (before, after) = (Some(before.into()), after.into());
        Change { path: "/f".into(), before, link: None, after, creation, content }.diff()
    }

    #[test]
    fn no_secret_of_any_kind_of_file_is_shown() {
        let json = format!(r#"{{"auths":{{"h":{{"password":"{SECRET}"}}}},"HttpHeaders":{{"A":"{SECRET}"}}"#);
        let toml = format!("[[runners]]\ntoken = '{SECRET}' # {SECRET}\nenvironment = ['S={SECRET}'");
        let unit = format!("[Service]\n# {SECRET}\nEnvironment=S={SECRET}\n{SECRET}\n");
        for (content, before, after) in [
            (Content::DockerConfig, format!("{json}}}"), format!("{json},\"credsStore\":\"x\"}}")),
            (Content::RunnerConfig, format!("{toml}]"), format!("{toml}, 'DOCKER_AUTH_CONFIG={{}}']")),
            (Content::RunnerConfig, format!("{toml}]"), format!("{toml}, 'DOCKER_AUTH_CONFIG={SECRET}']")),
            (
                Content::EcruConfig,
                format!("external_id = '{SECRET}'\n"),
                format!("a = 1\nexternal_id = '{SECRET}'\n"),
            ),
            (Content::DropIn(Vec::new()), unit.clone(), format!("{unit}[Unit]\n")),
            (Content::DockerConfig, SECRET.to_owned(), format!("{json}}}")),
            (Content::WrittenByEcru, format!("#!/bin/sh\n{SECRET}\n"), "# Written by ecru\n".to_owned()),
            (Content::Program, SECRET.to_owned(), format!("{SECRET}1")),
        ] {
            let shown = diff(content, &before, &after);
            assert!(shown.contains("--- /f"), "{shown}");
            assert_no_leak(&shown, &[SECRET]);
        }
    }
}
