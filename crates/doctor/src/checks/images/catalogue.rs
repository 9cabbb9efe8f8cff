//! What is checked of images, wherever they are pulled.

use crate::report::{Context, Definition, Station, Weight};

/// The checks of one context.
pub(super) struct Catalogue {
    pub(super) account: Definition,
    pub(super) image: Definition,
}

/// Ids are written out at compile time, since they must never change.
macro_rules! catalogue {
    ($context:ident, $prefix:literal) => {
        Catalogue {
            account: Definition {
                id: concat!($prefix, ".registry.account"),
                context: Context::$context,
                station: Station::Identity,
                weight: Weight::Error,
                title: "the registry's account lets the principal in",
                why: "A principal may use the registry of another account only where that account's repositories \
                      allow it, or through a role there.",
            },
            image: Definition {
                id: concat!($prefix, ".registry.image"),
                context: Context::$context,
                station: Station::Registry,
                weight: Weight::Error,
                title: "the image can be pulled",
                why: "A password opens the registry's door only; each repository has rights of its own.",
            },
        }
    };
}

static OF_RUNNER: Catalogue = catalogue!(Runner, "runner");
static OF_JOB: Catalogue = catalogue!(Job, "job");

/// What is checked of the images that a runner pulls.
pub static RUNNER: &[&Definition] = &[&OF_RUNNER.account, &OF_RUNNER.image];

/// What is checked of the images that a job pulls.
pub static JOB: &[&Definition] = &[&OF_JOB.account, &OF_JOB.image];

impl Catalogue {
    pub(super) fn of(context: Context) -> &'static Self {
        match context {
            Context::Runner | Context::JobHost => &OF_RUNNER,
            Context::Job => &OF_JOB,
        }
    }
}
