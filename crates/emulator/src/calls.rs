//! How often each operation was called.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::operations::Operation;

/// Counts since the emulator started. Calls that were refused count too: AWS bills and throttles them alike.
#[derive(Debug, Default)]
pub(crate) struct Calls(Mutex<BTreeMap<Operation, u64>>);

impl Calls {
    pub(crate) fn count(&self, service: &'static str, operation: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry((service, operation)).or_default() += 1;
    }

    /// What was counted so far, from which on it counts anew.
    pub(crate) fn take(&self) -> CallCounts {
        CallCounts(std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    pub(crate) fn snapshot(&self) -> CallCounts {
        CallCounts(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// How often each operation was called, as of one moment.
///
/// Operations are named `service:Operation`, for example `ecr:GetAuthorizationToken`, `sts:AssumeRole`,
/// `imds:GetRoleCredentials`, `registry:GetManifest` or, for the bucket behind blob redirects, `s3:GetObject`.
/// Serializes as a map from these names to numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallCounts(BTreeMap<Operation, u64>);

impl CallCounts {
    /// How often `operation` (`service:Operation`) was called; 0 for one never called.
    pub fn get(&self, operation: &str) -> u64 {
        operation
            .split_once(':')
            .and_then(|(service, name)| self.iter().find(|call| (call.0, call.1) == (service, name)))
            .map_or(0, |(_, _, count)| count)
    }

    /// Service, operation and count of everything called, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        self.0.iter().map(|(&(service, operation), &count)| (service, operation, count))
    }

    /// The sum over all operations.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// What was called after `earlier` was taken, without operations that were not.
    pub fn since(&self, earlier: &CallCounts) -> CallCounts {
        let new = |(operation, &count): (&Operation, &u64)| {
            let before = earlier.0.get(operation).copied().unwrap_or_default();
            (count > before).then_some((*operation, count - before))
        };
        CallCounts(self.0.iter().filter_map(new).collect())
    }
}

impl Serialize for CallCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (service, operation, count) in self.iter() {
            map.serialize_entry(&format!("{service}:{operation}"), &count)?;
        }
        map.end()
    }
}

/// One line, `ecr:GetAuthorizationToken 1, registry:Ping 2`; empty when nothing was called.
impl fmt::Display for CallCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (service, operation, count)) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{service}:{operation} {count}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_snapshot_tells_what_a_step_cost() {
        let calls = Calls::default();
        calls.count("registry", "Ping");
        let before = calls.snapshot();
        calls.count("registry", "Ping");
        calls.count("ecr", "GetAuthorizationToken");
        let step = calls.snapshot().since(&before);
        assert_eq!(step.to_string(), "ecr:GetAuthorizationToken 1, registry:Ping 1");
        assert_eq!(
            serde_json::to_string(&step).unwrap(),
            r#"{"ecr:GetAuthorizationToken":1,"registry:Ping":1}"#
        );
        assert_eq!((step.get("registry:Ping"), step.get("registry:GetBlob"), step.total()), (1, 0, 2));
        assert_eq!(before.since(&before), CallCounts::default());
    }
}
