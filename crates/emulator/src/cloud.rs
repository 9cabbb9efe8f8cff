//! What all listeners of one emulator share.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::calls::Calls;
use crate::clock::Clock;
use crate::iam::Identities;
use crate::imds::Instance;
use crate::layer_bucket::BucketAddresses;
use crate::options::Quirks;
use crate::principals::Principals;
use crate::registry::Door;
use crate::registry::public::PublicAliases;
use crate::registry::uploads::Uploads;
use crate::seal::Seal;
use crate::sites::Site;
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
    pub(crate) public_aliases: PublicAliases,
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
