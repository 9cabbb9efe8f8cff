//! What people see of a job that runs: its output, and lines for what happens around it.

use std::sync::Arc;

use ecru_executor::{AfterScriptOutcome, Event, Observer, OutputStream, Stage};

use crate::terminal::{Pull, Screen};

/// Shows a job on the screen.
pub(crate) struct JobOnScreen {
    screen: Arc<Screen>,
    pull: Option<Pull>,
}

impl JobOnScreen {
    pub(crate) fn new(screen: Arc<Screen>) -> Self {
        Self { screen, pull: None }
    }

    fn say(&self, text: &str) {
        self.screen.line(text);
    }

    fn write(&self, stream: OutputStream, bytes: &[u8]) {
        self.screen.without_bars(|| {
            // Whoever closed our output does not want it; the job goes on.
            let _ = match stream {
                OutputStream::Stdout => write_all(&mut std::io::stdout(), bytes),
                OutputStream::Stderr => write_all(&mut std::io::stderr(), bytes),
            };
        });
    }
}

fn write_all(stream: &mut impl std::io::Write, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}

impl Observer for JobOnScreen {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::PullStarted { image, credential_for, .. } => {
                let with = match credential_for {
                    Some(server) => format!("with the credentials for {server}"),
                    None => "without credentials".to_owned(),
                };
                self.say(&format!("pulling {image} {with}"));
                self.pull = Some(self.screen.pull(image));
            }
            Event::PullProgress { progress, .. } => {
                if let Some(pull) = &mut self.pull {
                    pull.progress(progress.bytes, progress.total);
                }
            }
            Event::PullFinished { .. } => {
                if let Some(pull) = self.pull.take() {
                    let line = pull.finished_line();
                    drop(pull);
                    self.say(&line);
                }
            }
            Event::ImagePresent { image, policy } => {
                self.say(&format!("using {image} as the engine has it (pull policy {policy})"));
            }
            Event::PullPolicyFailed { image, policy, error } => {
                self.pull = None;
                self.say(&format!("pull policy {policy} gave no {image}: {error}"));
            }
            Event::ServiceReady { service, port } => {
                self.say(&format!("service {service} listens on port {port}"));
            }
            Event::ServiceWithoutPort { service } => {
                self.say(&format!(
                    "WARNING: the image of service {service} exposes no port, so nothing is waited for"
                ));
            }
            Event::ServiceUnchecked { service, reason } => {
                self.say(&format!("WARNING: service {service} is not waited for: {reason}"));
            }
            Event::ForeignPlatform { image, platform, engine_platform } => {
                self.say(&format!(
                    "WARNING: {image} is for {platform}, and the engine for {engine_platform}"
                ));
            }
            Event::StageStarted { stage: Stage::AfterScript } => self.say("running after_script"),
            Event::Output { stream, bytes, .. } => self.write(stream, bytes),
            Event::AfterScriptFinished { outcome } => self.after_script(outcome),
            Event::NotRemoved { kind, name, reason } => {
                self.say(&format!("WARNING: {kind} {name} could not be removed: {reason}"));
            }
            _ => {}
        }
    }
}

impl JobOnScreen {
    fn after_script(&self, outcome: &AfterScriptOutcome) {
        match outcome {
            AfterScriptOutcome::Exited { exit_code: 0 } => {}
            AfterScriptOutcome::Exited { exit_code } => {
                self.say(&format!(
                    "WARNING: after_script failed with exit code {exit_code}, which does not count"
                ));
            }
            AfterScriptOutcome::TimedOut { limit } => {
                self.say(&format!(
                    "WARNING: after_script was stopped after {} s, which does not count",
                    limit.as_secs()
                ));
            }
            AfterScriptOutcome::Failed { reason } => {
                self.say(&format!("WARNING: after_script could not run, which does not count: {reason}"));
            }
            _ => {}
        }
    }
}
