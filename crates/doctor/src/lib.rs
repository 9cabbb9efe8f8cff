//! The settings of other tools: where they are, and the edits that put them right.
//!
//! A set-up is a [`plan::Plan`]: files with what they hold and what they shall hold, shown as a diff without secrets,
//! applied whole, and taken back to the byte. Nothing else in ecru changes the files of other tools.
//!
//! A diagnosis looks at the same settings with the eyes of whoever uses them: [`diagnosis`] carries out the checks of
//! [`checks`] and gives a [`report::Report`].

pub mod apply;
pub mod checks;
pub mod context;
pub mod diagnosis;
pub mod edit;
pub mod emit;
mod files;
pub mod firewall;
pub mod helper_runs;
pub mod iam_policy;
pub mod page;
pub mod plan;
pub mod program_output;
pub mod report;
pub mod service;
pub mod setup_job;
pub mod setup_job_host;
pub mod setup_runner;
mod shell;
pub mod surroundings;
mod threads;
mod timestamp;
