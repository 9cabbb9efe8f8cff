//! A stage to play on: ECR, ECR Public, STS, instance metadata and a registry, on loopback.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use ecru_emulator::{AccountId, Emulator, Options, Region};
//!
//! let emulator = Emulator::start(Options::default()).await?;
//! emulator.create_repository(AccountId::default(), &Region::default(), "team/app")?;
//! for (name, value) in emulator.environment() {
//!     // Set these for an AWS client.
//! }
//! emulator.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! It shares no code with ecru's clients, so that one mistake cannot hide in both. Nothing that it says can pass
//! for real: its accounts are `000000000000` to `000000000099`, its registry passwords start with `ecru-emulator`,
//! and it listens on loopback only. What one emulator hands out, another does not accept.
//!
//! # What is served where
//! * The main listener, at `/`: the ECR and ECR Public APIs and STS. At `/latest/`: instance metadata. At `/v2/`:
//!   the registry of account `000000000000` in `us-east-1`.
//! * The listener of a registry: the same, except that `/v2/` is that registry.
//! * Both obey an AWS host name: a request for `000000000001.dkr.ecr.eu-west-1.amazonaws.com` is for that registry
//!   on every listener. AWS hosts that are not emulated are answered with 421.
//! * The blob listener: what blob downloads are redirected to, by links that expire.
//!
//! # What is not imitated
//! Policies do not exist: roles trust everybody, and a principal may do everything in its own account. Presigned
//! requests (a signature in the query) and signatures of version 4a are not read. Manifests are returned as they were pushed, not converted, and Docker's
//! schema 1 is refused. Nothing can be deleted. There are no referrers, no catalog and no public data plane.

mod accounts;
mod addresses;
mod aws_json;
mod aws_query;
mod calls;
mod clock;
mod cloud;
mod cross_account;
mod ecr;
mod ecr_public;
mod emulator;
mod imds;
mod layer_bucket;
mod listener;
mod options;
mod principals;
mod registry;
mod request_body;
mod routes;
mod seal;
mod sigv4;
mod sites;
mod sockets;
mod store;
mod sts;
mod tls;
mod tokens;

pub use accounts::{AccountId, PlaceError, Region};
pub use addresses::{Addresses, TlsAddresses};
pub use calls::CallCounts;
pub use clock::Clock;
pub use emulator::{CreateRepositoryError, Emulator, StartError};
pub use options::{CrossAccount, Options, Quirks, RegistryAt, TlsOptions};
pub use principals::AccessKeys;
pub use store::StoreError;
pub use tls::TlsError;
