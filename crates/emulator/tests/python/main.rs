//! The AWS CLI of version 1 and boto3, of the Python at ECRU_TEST_PYTHON, against the emulator: clients that nobody here
//! wrote, by every way in which they find an identity.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "functions that help tests fail as tests do")]

mod client;
mod identities;
mod instance_metadata;
mod web_identity;
