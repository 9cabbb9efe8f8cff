//! The checks: one folder or file per group, each with its catalogue and a function that carries it out.
//!
//! A group has `pub static DEFINITIONS: &[&Definition]`, in the order in which its checks are to be read, and a
//! function that gives the checks; those that wait for others are `async`. `diagnosis` runs the groups of a context at
//! the same time and puts the checks into the order of [`of`].

pub mod failures;
mod hints;
pub mod identity;
pub mod images;
pub mod job;
pub mod job_host;
pub mod pulls;
pub mod runner;

use crate::report::{Context, Definition};

/// The catalogue of a context, in the order in which it is read: causes before what follows from them.
#[must_use]
pub fn of(context: Context) -> Vec<&'static Definition> {
    let identity = identity::definitions(context);
    let images = images::definitions(context);
    let failures = failures::definitions(context);
    match context {
        Context::Runner => {
            let settings = [runner::SETTINGS, runner::LOGINS].concat();
            [&settings, identity, runner::ANSWERS, images, failures, runner::RISKS].concat()
        }
        Context::JobHost => job_host::DEFINITIONS.to_vec(),
        Context::Job => [job::SETTINGS, identity, job::NETWORK, images, failures, job::ENGINE].concat(),
    }
}

/// All definitions.
#[must_use]
pub fn all() -> Vec<&'static Definition> {
    [Context::Runner, Context::JobHost, Context::Job].into_iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_begin_with_their_context() {
        let mut seen = BTreeSet::new();
        for context in [Context::Runner, Context::JobHost, Context::Job] {
            let prefix = match context {
                Context::Runner => "runner.",
                Context::JobHost => "job-host.",
                Context::Job => "job.",
            };
            for definition in of(context) {
                let id = definition.id;
                assert_eq!(definition.context, context, "{id}");
                assert!(id.starts_with(prefix), "{id}");
                assert!(id.split('.').count() >= 3, "{id} is context, subject and property");
                let is_plain =
                    |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
                assert!(id.bytes().all(is_plain), "{id}");
                assert!(seen.insert(id), "{id} stands twice");
                assert!(!definition.title.ends_with('.') && definition.why.ends_with('.'), "{id}");
            }
        }
    }
}
