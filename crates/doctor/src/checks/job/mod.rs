//! The container of a job.
