//! What an emulator is started with.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::accounts::{AccountId, Region};
use crate::clock::Clock;
use crate::faults::Fault;
use crate::oidc::{GitLabIssuer, IdentityProvider};

/// How to start an emulator. The default listens on free ports of 127.0.0.1 and keeps nothing.
#[derive(Debug, Clone)]
pub struct Options {
    /// The main listener: AWS APIs, instance metadata and the default registry (account `000000000000`,
    /// `us-east-1`). Port 0 takes any free one. The other listeners use the same IP address, which must be loopback.
    pub listen: SocketAddr,
    /// Registries that get a port of their own, so that for example `localhost:5001` is one of them.
    pub registries: Vec<RegistryAt>,
    /// Accounts that get a user with keys besides those of the default registry and of `registries`.
    pub accounts: Vec<AccountId>,
    /// The port that blob downloads are redirected to; 0 takes any free one.
    pub blob_port: u16,
    /// The port on which `/v2/` is ECR Public, so that `localhost:PORT` stands for `public.ecr.aws`; 0 takes any free
    /// one. Without it, ECR Public is found by its host names only.
    pub public_port: Option<u16>,
    /// Names that accounts have in ECR Public, in place of `ecru-emulator-NN`.
    pub public_aliases: BTreeMap<String, AccountId>,
    /// A path at which to serve the same as on the main listener through a Unix socket.
    pub unix_socket: Option<PathBuf>,
    /// Serves everything over TLS as well.
    pub tls: Option<TlsOptions>,
    /// Where to keep repositories and images; a temporary folder, removed at the end, if not given.
    pub state_dir: Option<PathBuf>,
    /// The name of the role that the instance metadata hands out credentials for, in account `000000000000`.
    pub instance_role: String,
    /// How the instance metadata answers.
    pub instance_metadata: InstanceMetadata,
    /// The name of the role that the endpoints of ECS and EKS hand out credentials for, in account `000000000000`.
    pub container_role: String,
    /// Issuers of tokens for AssumeRoleWithWebIdentity, besides the emulated GitLab.
    pub identity_providers: Vec<IdentityProvider>,
    /// The emulated GitLab.
    pub gitlab: GitLabIssuer,
    /// Whether principals may use registries of other accounts.
    pub cross_account: CrossAccount,
    /// Users besides `ecru`, which every account has, or in its place. All have keys:
    /// [`Emulator::keys_of_user`](crate::Emulator::keys_of_user).
    pub users: Vec<Identity>,
    /// Roles that may do less than everything. Roles that are not listed exist too, and everybody may assume each.
    pub roles: Vec<Identity>,
    /// Where the registry deviates from the OCI distribution specification as ECR does.
    pub quirks: Quirks,
    /// What expiries are measured by.
    pub clock: Clock,
    /// What goes wrong from the start: [`Emulator::set_faults`](crate::Emulator::set_faults).
    pub faults: Vec<Fault>,
    /// The port of the control address, which gives out counters and requests and takes faults; 0 takes any free one.
    pub control: Option<u16>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            registries: Vec::new(),
            accounts: Vec::new(),
            blob_port: 0,
            public_port: None,
            public_aliases: BTreeMap::new(),
            unix_socket: None,
            tls: None,
            state_dir: None,
            instance_role: "ecru-emulator-instance".into(),
            instance_metadata: InstanceMetadata::default(),
            container_role: "ecru-emulator-container".into(),
            identity_providers: Vec::new(),
            gitlab: GitLabIssuer::default(),
            cross_account: CrossAccount::default(),
            users: Vec::new(),
            roles: Vec::new(),
            quirks: Quirks::default(),
            clock: Clock::system(),
            faults: Vec::new(),
            control: None,
        }
    }
}

/// A user or a role, with what it may do. Those that are not described may do everything in their own account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The account that it is in.
    pub account: AccountId,
    /// Its name: at most 64 letters, digits and characters of `_+=,.@-`.
    pub name: String,
    /// Its policies, each the JSON text of one document. Without any, it may do nothing.
    pub policies: Vec<String>,
    /// Its tags, for `aws:PrincipalTag` in conditions.
    pub tags: BTreeMap<String, String>,
    /// Of a role: who may assume it, as the JSON text of one document with a `Principal` that is `AWS` or
    /// `Federated`. Without one, a role trusts everybody. Users have none.
    pub trust_policy: Option<String>,
}

/// How the instance metadata service answers ("Configure the instance metadata options", EC2 user guide).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InstanceMetadata {
    /// Version 2 only: nothing is told without a token.
    #[default]
    V2,
    /// Both versions (`HttpTokens=optional`): a token may be missing, but not wrong.
    V1AndV2,
    /// As of before version 2: asked for a token, it answers 404.
    V1Only,
    /// From behind a network hop too many: an answer with a token never arrives, so that nothing is told.
    HopLimit,
    /// The same with `HttpTokens=optional`: what needs no token arrives.
    HopLimitV1AndV2,
    /// No instance: 404 for all of it, for its port is that of the APIs and cannot be closed.
    Absent,
    /// Switched off (`HttpEndpoint=disabled`): 403 for all of it.
    Disabled,
    /// Version 2, on an instance without a role.
    NoRole,
}

/// A registry with a port of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryAt {
    /// The account that owns the registry.
    pub account: AccountId,
    /// The region that it is in.
    pub region: Region,
    /// The port; 0 takes any free one.
    pub port: u16,
}

/// How to serve over TLS. The certificate authority is made at start and never signs again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// The port; 0 takes any free one. Which service or registry is meant follows from the host name.
    pub port: u16,
    /// Host names and IP addresses for the certificate besides those of the registries, the AWS APIs, `localhost`
    /// and `127.0.0.1`.
    pub names: Vec<String>,
}

/// What a principal of one account may do in a registry of another, if its own policies allow it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CrossAccount {
    /// Everything, as if each repository had a policy that allows all emulated accounts.
    #[default]
    Allow,
    /// What the policy of each repository says.
    Deny,
}

/// Behaviours of ECR that the OCI distribution specification does not have. All are on by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quirks {
    /// A chunk of an upload is answered with 201 where the specification says 202 (openai/tart issue 273).
    pub chunk_is_created: bool,
    /// Chunks after an upload's first are accepted and thrown away (aws/containers-roadmap issue 2831).
    pub later_chunks_are_dropped: bool,
}

impl Default for Quirks {
    fn default() -> Self {
        Self { chunk_is_created: true, later_chunks_are_dropped: true }
    }
}
