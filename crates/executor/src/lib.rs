//! The bridge from GitLab to Docker: one job with its services on a Docker engine.
//!
//! [`Engine`] is a connection to a Docker engine; [`run_job`] runs one [`JobSpec`] on it in the order of GitLab
//! Runner's docker executor: a network, the services, a wait for their ports, the job container, the script on its
//! standard input. Whatever happens, everything that a run made is removed again; images that it pulled stay.
//!
//! # What differs from GitLab Runner, and why
//!
//! - A service that exits or never listens **fails** the run ([`RunError::ServiceExited`],
//!   [`RunError::ServiceNeverListened`]). GitLab Runner prints a warning and starts the job, which then fails in
//!   some other place. This crate proves set-ups, so it stops where the cause is.
//! - Each run always has its own network, as GitLab Runner does with `FF_NETWORK_PER_BUILD`. Without that feature
//!   flag services cannot resolve each other or the job; a job that works on GitLab works here.
//! - There is no helper container: the ports of services are dialled by this process. Where it cannot reach
//!   containers (a remote or rootless engine, Docker Desktop), the check is skipped, and said so
//!   ([`Event::ServiceUnchecked`]).
//!
//! # Cleaning up
//!
//! Containers, volumes and networks carry the label [`RUN_LABEL`] with the id of their run, and are found again by
//! it. They are removed after success, failure, cancellation and time-out, within [`Limits::cleanup`]; what could
//! not be removed is reported as [`Event::NotRemoved`]. If the future of [`run_job`] is dropped, the removal goes on
//! as a task of the Tokio runtime, and fails only if the runtime ends first: cancel by the token and await the
//! result wherever you can. After `kill -9`, `docker ps -a --filter label=io.ecru.run` shows what is left.
//!
//! # Secrets
//!
//! Registry passwords are [`secrecy::SecretString`] until they become one request header. No error, event or
//! `Debug` text of this crate contains a password, the value of a variable, or a script. The engine client
//! (`bollard`) writes request bodies, with the variables of the job, to the `log` facade at level `debug`: a program
//! that installs a `log` back end must keep the target `bollard` out of it.

mod credential;
mod engine;
mod images;
mod inventory;
mod job;
mod observer;
mod run;

pub use credential::{CredentialLookup, LookupError, LookupFuture, RegistryCredential};
pub use ecru_gitlab::pull_policy::PullPolicy;
pub use engine::{Engine, EngineDescription, EngineError};
pub use images::{ImageError, TransferProgress};
pub use inventory::Inventory;
pub use job::{ContainerImage, JobSpec, Limits, Mount, ServiceSpec};
pub use observer::{AfterScriptOutcome, Event, Observer, OutputStream, Stage};
pub use run::{ContainerRole, JobResult, RUN_LABEL, RunError, run_job};
