//! Doors to the records of failures, for the fuzz targets only.

use std::io;

use super::LastFailure;
use super::record::{self, Written};
use crate::registry::Partitions;

/// The record in a file of this content.
#[must_use]
pub fn read_last_failure(content: &[u8]) -> Option<LastFailure> {
    record::read(content, &Partitions::default())
}

/// The content of the file for a record.
///
/// # Errors
/// If it is no JSON.
pub fn written_last_failure(failure: &LastFailure) -> io::Result<Vec<u8>> {
    Written::of(failure).to_json()
}
