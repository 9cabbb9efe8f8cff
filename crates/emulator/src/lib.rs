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
//! * The main listener, at `/`: the ECR and ECR Public APIs and STS. At `/latest/`: instance metadata. At
//!   `/ecs/credentials/<id>` and `/eks/v1/credentials`: the credentials of containers. At `/gitlab/`: the discovery
//!   document and the keys of an emulated GitLab, whose ID tokens STS takes. At `/v2/`: the registry of account
//!   `000000000000` in `us-east-1`.
//! * The listener of a registry: the same, except that `/v2/` is that registry.
//! * The listener of ECR Public ([`Options::public_port`]): the same, except that `/v2/` is what `public.ecr.aws`
//!   serves, and `/token/` hands out the tokens for it. Clients are sent to `/token/` by the name and port that they
//!   asked; those that asked as `public.ecr.aws`, to `https://public.ecr.aws/token/`, as by AWS.
//! * Both obey an AWS host name: a request for `000000000001.dkr.ecr.eu-west-1.amazonaws.com` is for that registry
//!   on every listener. AWS hosts that are not emulated are answered with 421.
//! * The blob listener: what blob downloads are redirected to, by links that expire.
//!
//! # A world from a file
//! [`Seed::read`] reads accounts, identities, registries, repositories and images from TOML; `docs/EMULATOR.md` has the
//! table of its keys and `examples/emulator/seed.toml` is one. [`Seed::add_to`] belongs before [`Emulator::start`] and
//! [`Emulator::apply`] after it.
//!
//! # What is verified and enforced
//! Every signed request: key, session token, scope, clock and signature. Every API call and every request to a
//! registry: identity policies ([`Options::users`], [`Options::roles`]), session policies, repository policies, by the
//! policies as they are at that moment. Elements of policies that are not evaluated are refused, never ignored.
//!
//! # What can go wrong, and be seen
//! [`Fault`]s let requests fail, from the start ([`Options::faults`]) or later ([`Emulator::set_faults`]).
//! [`Emulator::calls`] and [`Emulator::requests`] tell what was asked. [`Options::control`] opens an address by which
//! others can do the same.
//!
//! # What is not imitated
//! * Signatures: presigned requests (a signature in the query) and version 4a are not read.
//! * IAM: users and roles that [`Options`] does not describe exist and may do everything in their own account. Roles
//!   without a [trust policy](Identity::trust_policy) trust every account and every identity provider of their own,
//!   so only the caller's own policies decide who assumes them. There are no permissions boundaries, organizations,
//!   transitive tags or registry policies, and of managed policies only the four for ECR and AdministratorAccess, for
//!   sessions. Conditions have the four case-sensitive string operators on `aws:PrincipalTag`, `aws:ResourceTag`,
//!   `ecr:ResourceTag`, `aws:PrincipalArn` and `aws:PrincipalAccount`, and in trust policies on `<issuer>:sub` and
//!   `<issuer>:aud`. A wildcard in a resource may span the colons of an ARN.
//! * STS: web identities are tokens of OpenID Connect signed by RS256, RS384, RS512, ES256 or ES384, whose keys are
//!   configured, not fetched; their session tags are refused. How much of a session's space its policies and tags
//!   take is an estimate, since AWS does not tell how it packs them.
//! * ECR: a repository policy that locks its author out is accepted without `force`. A tag of an immutable repository
//!   may be pushed again for the image that has it. Docker's schema 1 is refused. What is deleted leaves its content in
//!   the state folder. There is no catalog.
//! * ECR Public: images are listed by `/v2/` only, and the gallery's data of repositories is neither kept nor shown.

mod accounts;
mod addresses;
mod aws_json;
mod aws_query;
mod calls;
mod clock;
mod cloud;
mod container_credentials;
mod control;
mod ecr;
mod ecr_public;
mod emulator;
mod environments;
mod faults;
#[doc(hidden)]
pub mod fuzzing;
mod iam;
mod imds;
mod layer_bucket;
mod listener;
mod oidc;
mod operations;
mod options;
mod principals;
mod registry;
mod renewed_session;
mod request_body;
mod requests;
mod routes;
mod seal;
mod seats;
mod seed;
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
pub use faults::{Fault, FaultError, FaultState, TooManyFaults};
pub use iam::policy::PolicyError;
pub use oidc::{GitLabClaims, GitLabError, GitLabIssuer, IdentityProvider, ProviderError, SigningAlgorithm};
pub use options::{CrossAccount, Identity, InstanceMetadata, Options, Quirks, RegistryAt, TlsOptions};
pub use principals::AccessKeys;
pub use requests::RequestRecord;
pub use seed::{ImportError, Seed, SeedError};
pub use store::StoreError;
pub use tls::TlsError;
