//! What all listeners of one emulator share.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};
use tokio_util::sync::CancellationToken;

use crate::calls::Calls;
use crate::clock::Clock;
use crate::container_credentials::Containers;
use crate::faults::Faults;
use crate::iam::Identities;
use crate::imds::Instance;
use crate::layer_bucket::BucketAddresses;
use crate::oidc::Providers;
use crate::options::Quirks;
use crate::principals::Principals;
use crate::registry::Door;
use crate::registry::public::PublicAliases;
use crate::registry::uploads::Uploads;
use crate::requests::RequestLog;
use crate::seal::Seal;
use crate::sites::Site;
use crate::store::Store;

pub(crate) struct Cloud {
    pub(crate) clock: Clock,
    pub(crate) seal: Arc<Seal>,
    pub(crate) calls: Calls,
    pub(crate) principals: Principals,
    pub(crate) instance: Instance,
    pub(crate) containers: Containers,
    pub(crate) providers: Providers,
    pub(crate) store: Store,
    pub(crate) uploads: Uploads,
    pub(crate) buckets: BucketAddresses,
    pub(crate) identities: Identities,
    pub(crate) public_aliases: PublicAliases,
    pub(crate) quirks: Quirks,
    pub(crate) faults: Faults,
    pub(crate) requests: RequestLog,
    /// Cancelled when somebody asks by the control address that the emulator end.
    pub(crate) stop_requested: CancellationToken,
}

tokio::task_local! {
    /// How far the clock is off for the request that this task handles.
    static CLOCK_ERROR: Duration;
}

/// What `handle` gives when every look at the clock in it is off by `error`.
pub(crate) async fn with_clock_off_by<T>(error: Duration, handle: impl Future<Output = T>) -> T {
    CLOCK_ERROR.scope(error, handle).await
}

impl Cloud {
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.clock.now() + CLOCK_ERROR.try_with(|error| *error).unwrap_or_default()
    }
}

/// A listener's way into the cloud.
#[derive(Clone)]
pub(crate) struct Entrance {
    pub(crate) cloud: Arc<Cloud>,
    /// What `/v2/` is when the host does not say.
    pub(crate) door: Door,
    /// Whether requests arrive over TLS, and blob downloads are to go on so.
    pub(crate) secure: bool,
}

impl Entrance {
    /// What `/v2/` is for a request to this site; nothing, if the site is an API.
    pub(crate) fn door_of(&self, site: &Site) -> Option<Door> {
        match site {
            Site::Any => Some(self.door.clone()),
            Site::Registry(registry) => Some(Door::Private(registry.clone())),
            Site::Public => Some(Door::Public),
            Site::EcrApi(_) | Site::EcrPublicApi(_) | Site::StsApi(_) => None,
        }
    }
}

/// Runs work that waits for files, off the threads that serve connections.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    tokio::task::spawn_blocking(work).await
}
