//! Under which name a token is kept.

use std::fmt;
use std::os::unix::ffi::OsStrExt;

use sha2::{Digest, Sha256};

use crate::environment::Environment;
use crate::identity::{Fingerprint, append, write_digits};
use crate::registry::Registry;

/// What every name starts with, so that another version with other rules finds none of these files.
pub(crate) const NAME_PREFIX: &str = "v1-";

/// What the names of entries end with.
pub(crate) const ENTRY_SUFFIX: &str = ".json";

/// What the names of locks end with.
pub(crate) const LOCK_SUFFIX: &str = ".lock";

/// What the names of files that are still being written end with.
pub(crate) const TEMPORARY_SUFFIX: &str = ".tmp";

/// The variables that choose another endpoint for the request, beside those that belong to the identity.
const ENDPOINT_VARIABLES: [&str; 4] = [
    "AWS_ENDPOINT_URL_ECR",
    "AWS_ENDPOINT_URL_ECR_PUBLIC",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
];

/// The digest of everything that a token depends on: who asks, where, and under which restriction. The account of
/// the registry is not among it, since one token opens the registries of all accounts that its principal may read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of the token that `identity` gets for `registry` in `environment`.
    #[must_use]
    pub fn new(identity: &Fingerprint, registry: &Registry, environment: &Environment) -> Self {
        let mut row = b"ecru cache 1".to_vec();
        append(&mut row, identity.as_bytes());
        append(&mut row, if registry.is_public() { b"public" } else { b"private" });
        append(&mut row, registry.partition().name().as_bytes());
        if let Some(added) = registry.partition().added() {
            for domain in [Some(&added.api_suffix), added.dual_stack_api_suffix.as_ref()] {
                append(&mut row, domain.map_or(b"", |domain| domain.as_bytes()));
            }
        }
        append(&mut row, registry.region().as_bytes());
        append(&mut row, &[u8::from(registry.fips()), u8::from(registry.dual_stack())]);
        for variable in ENDPOINT_VARIABLES {
            let value = environment.os(variable);
            append(&mut row, &[u8::from(value.is_some())]);
            append(&mut row, value.map_or(b"", |value| value.as_bytes()));
        }
        // The place of a session policy's digest; tokens are not restricted further yet.
        append(&mut row, b"");
        Self(Sha256::digest(&row).into())
    }

    /// The key of the record of what last went wrong with `registry`.
    pub(crate) fn of_failure(registry: &Registry) -> Self {
        let mut row = b"ecru failure 1".to_vec();
        append(&mut row, registry.host().as_bytes());
        Self(Sha256::digest(&row).into())
    }

    /// The name of the entry's file.
    pub(crate) fn entry_name(&self) -> String {
        format!("{NAME_PREFIX}{self}{ENTRY_SUFFIX}")
    }

    /// The name of the entry's lock in this line.
    pub(crate) fn lock_name(&self, line: u32) -> String {
        match line {
            0 => Self::lock_name_of(&self.to_string()),
            _ => format!("{NAME_PREFIX}{self}-{line}{LOCK_SUFFIX}"),
        }
    }

    /// The name of the lock of the entry whose key is written as `key`.
    pub(crate) fn lock_name_of(key: &str) -> String {
        format!("{NAME_PREFIX}{key}{LOCK_SUFFIX}")
    }

    /// The name of the `attempt`th file that process `pid` tries to write the entry to.
    pub(crate) fn temporary_name(&self, pid: u32, attempt: u32) -> String {
        format!("{NAME_PREFIX}{self}.{pid}-{attempt}{TEMPORARY_SUFFIX}")
    }

    /// The written key of the entry that a temporary file is for; `None` if it is no temporary file.
    pub(crate) fn of_temporary(name: &str) -> Option<&str> {
        let (key, _) = name.strip_prefix(NAME_PREFIX)?.strip_suffix(TEMPORARY_SUFFIX)?.split_once('.')?;
        Some(key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits(formatter, &self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
