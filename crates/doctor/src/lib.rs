//! The settings of other tools: where they are, and the edits that put them right.
//!
//! A set-up is a [`plan::Plan`]: files with what they hold and what they shall hold, shown as a diff without secrets,
//! applied whole, and taken back to the byte. Nothing else in ecru changes the files of other tools.

pub mod apply;
pub mod edit;
mod files;
pub mod iam_policy;
pub mod plan;
pub mod report;
pub mod service;
pub mod setup_runner;
