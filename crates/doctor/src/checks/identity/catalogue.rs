//! What is checked of an identity, wherever it is used.

use crate::report::{Context, Definition, Station, Weight};

/// The checks of one context.
pub(super) struct Catalogue {
    pub(super) configured: Definition,
    pub(super) login: Definition,
    pub(super) metadata: Definition,
    pub(super) found: Definition,
    pub(super) clock: Definition,
    pub(super) principal: Definition,
    pub(super) permitted: Definition,
    pub(super) token: Definition,
}

/// Ids are written out at compile time, since they must never change.
macro_rules! catalogue {
    ($context:ident, $prefix:literal) => {
        Catalogue {
            configured: definition!(
                $context,
                $prefix,
                "configured",
                Configuration,
                "the identity that is configured is the one that is used",
                "The AWS SDK takes the first source that has credentials and passes over half a setting without a \
                 word, so that somebody else's rights count."
            ),
            login: definition!(
                $context,
                $prefix,
                "login",
                Identity,
                "the login that the profile uses is valid",
                "A login of IAM Identity Center ends after some hours, and only a person can renew it."
            ),
            metadata: definition!(
                $context,
                $prefix,
                "metadata",
                Identity,
                "the instance's metadata service answers",
                "Its answers travel as many network hops as the instance's hop limit says; a container is one hop \
                 further than its host."
            ),
            found: definition!(
                $context,
                $prefix,
                "found",
                Identity,
                "an AWS identity is found",
                "Without an identity there is no password for a private registry."
            ),
            clock: definition!(
                $context,
                $prefix,
                "clock",
                Place,
                "the clock agrees with that of AWS",
                "AWS refuses requests that were signed more than some minutes ago or ahead."
            ),
            principal: definition!(
                $context,
                $prefix,
                "principal",
                Identity,
                "AWS knows the principal",
                "Whose rights count is decided by the principal, and not by what a machine was meant to be."
            ),
            permitted: definition!(
                $context,
                $prefix,
                "permitted",
                Configuration,
                "the machine's policy allows the registry",
                "The helper gives nothing for a registry that [policy] of the system's configuration leaves out."
            ),
            token: definition!(
                $context,
                $prefix,
                "token",
                Identity,
                "AWS gives a password for the registry",
                "Every pull from a private registry needs one; it comes from ecr:GetAuthorizationToken."
            ),
        }
    };
}

macro_rules! definition {
    ($context:ident, $prefix:literal, $property:literal, $station:ident, $title:literal, $why:literal) => {
        Definition {
            id: concat!($prefix, ".identity.", $property),
            context: Context::$context,
            station: Station::$station,
            weight: Weight::Error,
            title: $title,
            why: $why,
        }
    };
}

static OF_RUNNER: Catalogue = catalogue!(Runner, "runner");
static OF_JOB: Catalogue = catalogue!(Job, "job");

/// What is checked of the runner's identity.
pub static RUNNER: &[&Definition] = &OF_RUNNER.all();

/// What is checked of a job's identity.
pub static JOB: &[&Definition] = &OF_JOB.all();

impl Catalogue {
    /// Causes before what follows from them.
    const fn all(&'static self) -> [&'static Definition; 8] {
        [
            &self.configured,
            &self.login,
            &self.metadata,
            &self.found,
            &self.clock,
            &self.principal,
            &self.permitted,
            &self.token,
        ]
    }

    /// The checks of `context`; on a job host nothing asks AWS but the runner's helper, if it is there too.
    pub(super) fn of(context: Context) -> &'static Self {
        match context {
            Context::Runner | Context::JobHost => &OF_RUNNER,
            Context::Job => &OF_JOB,
        }
    }
}
