//! What a run reports while it goes on.

use std::time::Duration;

use ecru_gitlab::pull_policy::PullPolicy;

use crate::images::{ImageError, TransferProgress};

/// Receives the events of a run, in order, on the task that runs it. What it does with an event holds up the run.
pub trait Observer: Send {
    /// Takes one event.
    fn event(&mut self, event: Event<'_>);
}

/// Closures can watch a run.
impl<F: FnMut(Event<'_>) + Send> Observer for F {
    fn event(&mut self, event: Event<'_>) {
        self(event);
    }
}

/// One of the two output streams of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A script of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The script proper, whose exit code counts.
    Script,
    /// The after-script.
    AfterScript,
}

/// How an after-script ended. It never changes the outcome of the job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterScriptOutcome {
    /// It ended by itself.
    Exited {
        /// Its exit code.
        exit_code: i32,
    },
    /// It was ended when its time was over.
    TimedOut {
        /// The time that it had.
        limit: Duration,
    },
    /// It could not be run.
    Failed {
        /// Why.
        reason: String,
    },
}

/// Something that happened in a run. Services are named by [`crate::ServiceSpec::title`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The network of the run exists.
    NetworkCreated {
        /// Its name.
        network: &'a str,
    },
    /// An image is used as the engine has it.
    ImagePresent {
        /// The image.
        image: &'a str,
        /// The policy that allows it.
        policy: PullPolicy,
    },
    /// A pull begins.
    PullStarted {
        /// The image.
        image: &'a str,
        /// The policy that asks for it.
        policy: PullPolicy,
        /// The registry of the credential that is sent, as its source names it; `None` for an anonymous pull.
        credential_for: Option<&'a str>,
    },
    /// A pull goes on.
    PullProgress {
        /// The image.
        image: &'a str,
        /// How far it is.
        progress: TransferProgress,
    },
    /// A pull ended well.
    PullFinished {
        /// The image.
        image: &'a str,
        /// Its id on the engine.
        id: &'a str,
    },
    /// A pull policy did not give an image, and the next one is tried.
    PullPolicyFailed {
        /// The image.
        image: &'a str,
        /// The policy that failed.
        policy: PullPolicy,
        /// Why.
        error: &'a ImageError,
    },
    /// A service's container runs.
    ServiceStarted {
        /// The service.
        service: &'a str,
    },
    /// A service answers on a port.
    ServiceReady {
        /// The service.
        service: &'a str,
        /// The TCP port that answered first.
        port: u16,
    },
    /// A service declares no TCP port, so nothing can be waited for.
    ServiceWithoutPort {
        /// The service.
        service: &'a str,
    },
    /// A service is not waited for.
    ServiceUnchecked {
        /// The service.
        service: &'a str,
        /// Why not.
        reason: &'a str,
    },
    /// An image was built for another platform than the engine's own: it may not run at all.
    ForeignPlatform {
        /// The image.
        image: &'a str,
        /// The image's platform.
        platform: &'a str,
        /// The engine's platform.
        engine_platform: &'a str,
    },
    /// A script begins.
    StageStarted {
        /// Which one.
        stage: Stage,
    },
    /// A script wrote something: any bytes, cut anywhere.
    Output {
        /// Which script.
        stage: Stage,
        /// Where it wrote to.
        stream: OutputStream,
        /// What it wrote.
        bytes: &'a [u8],
    },
    /// The script ended.
    ScriptFinished {
        /// Its exit code.
        exit_code: i32,
    },
    /// The after-script ended.
    AfterScriptFinished {
        /// How.
        outcome: &'a AfterScriptOutcome,
    },
    /// Something that the run made could not be removed.
    NotRemoved {
        /// `container`, `network` or `volume`.
        kind: &'static str,
        /// Its name.
        name: &'a str,
        /// Why not.
        reason: &'a str,
    },
}
