//! What all listeners of one emulator share.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::accounts::RegistryId;
use crate::calls::Calls;
use crate::clock::Clock;
use crate::iam::Identities;
use crate::imds::Instance;
use crate::layer_bucket::BucketAddresses;
use crate::options::Quirks;
use crate::principals::Principals;
use crate::registry::uploads::Uploads;
use crate::seal::Seal;
use crate::store::Store;

pub(crate) struct Cloud {
    pub(crate) clock: Clock,
    pub(crate) seal: Seal,
    pub(crate) calls: Calls,
    pub(crate) principals: Principals,
    pub(crate) instance: Instance,
    pub(crate) store: Store,
    pub(crate) uploads: Uploads,
    pub(crate) buckets: BucketAddresses,
    pub(crate) identities: Identities,
    pub(crate) quirks: Quirks,
}

impl Cloud {
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }
}

/// A listener's way into the cloud.
#[derive(Clone)]
pub(crate) struct Entrance {
    pub(crate) cloud: Arc<Cloud>,
    /// The registry that `/v2/` is when the host names none.
    pub(crate) registry: RegistryId,
    /// Whether requests arrive over TLS, and blob downloads are to go on so.
    pub(crate) secure: bool,
}

/// Runs work that waits for files, off the threads that serve connections.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    tokio::task::spawn_blocking(work).await
}
