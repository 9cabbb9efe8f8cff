//! Starting and stopping, and what is known of an emulator that runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, io};

use crate::accounts::{AccountId, Region, RegistryId};
use crate::addresses::Addresses;
use crate::calls::{CallCounts, Calls};
use crate::cloud::{Cloud, blocking};
use crate::container_credentials::Containers;
use crate::faults::{Fault, FaultState, Faults, TooManyFaults};
use crate::iam::policy::PolicyError;
use crate::iam::{Identities, IdentityName, InvalidIdentity};
use crate::imds::Instance;
use crate::layer_bucket::BucketAddresses;
use crate::listener::Listeners;
use crate::oidc::{GitLab, GitLabError, ProviderError, Providers};
use crate::options::{Identity, Options, RegistryAt};
use crate::principals::{AccessKeys, DEFAULT_USER, Principals};
use crate::registry::public::{self, PublicAliases};
use crate::registry::uploads::Uploads;
use crate::requests::{RequestLog, RequestRecord};
use crate::seal::Seal;
use crate::seed::{Seed, SeedError};
use crate::sockets::Sockets;
use crate::store::{RepositoryKey, Settings, StateFolder, Store, StoreError};
use crate::sts::is_role_name;
use crate::tls::TlsError;
use tokio_util::sync::CancellationToken;

/// An emulator that runs. Dropping it closes its ports and removes its temporary files at once;
/// [`Emulator::stop`] lets requests in progress end first.
pub struct Emulator {
    listeners: Listeners,
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) addresses: Addresses,
    pub(crate) folder: StateFolder,
}

impl Emulator {
    /// Starts an emulator inside the running Tokio runtime. It serves when this returns.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let registries = registries_of(&options)?;
        let identities = Identities::new(&options.users, &options.roles, options.cross_account)?;
        let faults = Faults::new(options.faults.clone())?;
        let state_dir = options.state_dir.clone();
        let open = move || {
            let folder = StateFolder::take(state_dir.as_deref())?;
            Store::open(&folder).map(|store| (folder, store))
        };
        let (folder, store) = blocking(open).await.map_err(|error| StartError::Runtime(error.into()))??;

        let sockets = Sockets::bind(&options, &registries, &folder).await?;
        let addresses = sockets.addresses.clone();
        let seal = Arc::new(Seal::generate().map_err(StartError::Random)?);
        let gitlab = GitLab::new(&options.gitlab, addresses.main, seal.clone())?;
        let cloud = Arc::new(Cloud {
            store,
            calls: Calls::default(),
            principals: principals_of(&options),
            identities,
            instance: Instance::new(RegistryId::default(), &options.instance_role, options.instance_metadata),
            containers: Containers::new(RegistryId::default().account, &options.container_role, &seal),
            providers: Providers::new(&options.identity_providers, gitlab)?,
            uploads: Uploads::default(),
            buckets: BucketAddresses {
                plain: addresses.blob,
                tls: addresses.tls.as_ref().map(|tls| tls.blob),
            },
            public_aliases: PublicAliases::new(options.public_aliases),
            quirks: options.quirks,
            clock: options.clock,
            faults,
            requests: RequestLog::default(),
            stop_requested: CancellationToken::new(),
            seal,
        });
        let listeners = sockets.serve(&cloud);
        Ok(Self { listeners, cloud, addresses, folder })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The environment variables that point AWS clients at it. Keys and a region are not among them: without more, a
    /// client finds the identity of the instance, and with those of `keys_environment`, `ecs_environment`,
    /// `ecs_file_environment`, `eks_environment` or `web_identity_environment` added, another one.
    pub fn environment(&self) -> Vec<(String, String)> {
        let url = format!("http://{}", self.addresses.main);
        [
            "AWS_ENDPOINT_URL_ECR",
            "AWS_ENDPOINT_URL_ECR_PUBLIC",
            "AWS_ENDPOINT_URL_STS",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        ]
        .map(|name| (name.to_owned(), url.clone()))
        .into()
    }

    /// The keys of an account's user, if the account is one of those that the emulator was started with.
    pub fn user_keys(&self, account: AccountId) -> Option<AccessKeys> {
        self.keys_of_user(account, DEFAULT_USER)
    }

    /// The keys of a user of [`Options::users`].
    pub fn keys_of_user(&self, account: AccountId, name: &str) -> Option<AccessKeys> {
        self.cloud.principals.user_keys(account, name)
    }

    /// Gives a user other policies and tags, at once and for registry passwords handed out before too. Only users of
    /// [`Options::users`] and `ecru` have keys.
    pub fn set_user(&self, user: &Identity) -> Result<(), PolicyError> {
        self.cloud.identities.set(IdentityName::User(user.name.clone()), user)
    }

    /// Gives a role other policies and tags, at once and for its sessions and their registry passwords too.
    pub fn set_role(&self, role: &Identity) -> Result<(), PolicyError> {
        self.cloud.identities.set(IdentityName::Role(role.name.clone()), role)
    }

    /// Creates a repository without a request. It writes a small file if there is a state folder.
    pub fn create_repository(
        &self,
        account: AccountId,
        region: &Region,
        name: &str,
    ) -> Result<(), CreateRepositoryError> {
        let repository = name.parse().map_err(|_| CreateRepositoryError::InvalidName(name.into()))?;
        let registry = RegistryId { account, region: region.clone() };
        let key = RepositoryKey { registry: registry.clone().into(), name: repository };
        match self.cloud.store.create(key, Settings::default(), self.cloud.now()) {
            Ok(_) => Ok(()),
            Err(StoreError::RepositoryExists) => {
                Err(CreateRepositoryError::AlreadyExists { registry: registry.host(), name: name.into() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Sets registries and repositories to what a seed says, and imports its images. Identities and ports are for
    /// [`Seed::add_to`], before the start.
    pub async fn apply(&self, seed: &Seed) -> Result<(), SeedError> {
        let (cloud, seed) = (self.cloud.clone(), seed.clone());
        let apply = move || seed.apply(&cloud);
        blocking(apply).await.map_err(|error| SeedError::Runtime(error.into()))?
    }

    /// How often each operation has been called so far.
    pub fn calls(&self) -> CallCounts {
        self.cloud.calls.snapshot()
    }

    /// Forgets how often operations have been called.
    pub fn reset_calls(&self) {
        self.cloud.calls.take();
    }

    /// The last 1,000 requests, the oldest first, without secrets.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.cloud.requests.snapshot()
    }

    /// The faults that are set, with how many requests each has struck.
    pub fn faults(&self) -> Vec<FaultState> {
        self.cloud.faults.states()
    }

    /// Sets faults in place of all others. Of those that are for a request, the first whose turn it is strikes.
    pub fn set_faults(&self, faults: Vec<Fault>) -> Result<(), TooManyFaults> {
        self.cloud.faults.replace(faults)
    }

    /// Waits until somebody asks by the control address that the emulator end. [`Emulator::stop`] ends it.
    pub async fn stop_requested(&self) {
        self.cloud.stop_requested.cancelled().await;
    }

    /// Closes the ports, waits up to five seconds for requests in progress, and ends.
    pub async fn stop(mut self) {
        self.cloud.faults.end_waits();
        self.listeners.drain().await;
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// The registries with ports of their own, once everything that can be wrong with the options is ruled out.
fn registries_of(options: &Options) -> Result<BTreeMap<RegistryId, u16>, StartError> {
    if !options.listen.ip().is_loopback() {
        return Err(StartError::NotLoopback(options.listen));
    }
    let given = [&options.instance_role, &options.container_role];
    if let Some(role) = given.into_iter().find(|role| !is_role_name(role)) {
        return Err(StartError::InvalidRole(role.clone()));
    }
    if let Some(user) = options.users.iter().find(|user| !is_role_name(&user.name)) {
        return Err(StartError::InvalidUser(user.name.clone()));
    }
    if let Some(role) = options.roles.iter().find(|role| !is_role_name(&role.name)) {
        return Err(StartError::InvalidRole(role.name.clone()));
    }
    if let Some(alias) = options.public_aliases.keys().find(|alias| !public::is_alias(alias)) {
        return Err(StartError::InvalidAlias(alias.clone()));
    }
    let mut registries = BTreeMap::new();
    for RegistryAt { account, region, port } in &options.registries {
        let registry = RegistryId { account: *account, region: region.clone() };
        let host = registry.host();
        if registry == RegistryId::default() || registries.insert(registry, *port).is_some() {
            return Err(StartError::DuplicateRegistry(host));
        }
    }
    Ok(registries)
}

/// The default user of each account, and the users that were asked for.
fn principals_of(options: &Options) -> Principals {
    let of_registries = options.registries.iter().map(|registry| registry.account);
    let accounts =
        options.accounts.iter().copied().chain(of_registries).chain([RegistryId::default().account]);
    let users = options.users.iter().map(|user| (user.account, user.name.as_str()));
    Principals::with_users(accounts.map(|account| (account, DEFAULT_USER)).chain(users))
}

/// Why an emulator does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address could be reached from other machines.
    #[error("will not listen on {0}, which is not a loopback address")]
    NotLoopback(SocketAddr),
    /// A registry has two ports, or is the default one, which has the main port.
    #[error("registry `{0}` has a port already")]
    DuplicateRegistry(String),
    /// The role's name has letters that IAM does not take.
    #[error("`{0}` is not a role name")]
    InvalidRole(String),
    /// The user's name has letters that IAM does not take.
    #[error("`{0}` is not a user name")]
    InvalidUser(String),
    /// No name for an account in ECR Public.
    #[error("`{0}` is not an alias of ECR Public")]
    InvalidAlias(String),
    /// The policy of a user or a role is none, or has elements that the emulator does not evaluate.
    #[error("the policy of {kind} `{name}` in account {account} cannot be used")]
    InvalidPolicy {
        /// `user` or `role`.
        kind: &'static str,
        /// Whose policy it is.
        name: String,
        /// Where that is.
        account: AccountId,
        /// What is wrong with it.
        source: PolicyError,
    },
    /// An issuer of tokens cannot be used.
    #[error("cannot use an identity provider")]
    Provider(#[from] ProviderError),
    /// The emulated GitLab cannot be.
    #[error("cannot emulate GitLab")]
    GitLab(#[from] GitLabError),
    /// A port cannot be taken.
    #[error("cannot listen on {address} as {what}")]
    Bind {
        /// Which listener it would have been.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The Unix socket cannot be made.
    #[error("cannot listen on `{}`", path.display())]
    Unix {
        /// Where it would have been.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There are more faults than an emulator takes.
    #[error(transparent)]
    Faults(#[from] TooManyFaults),
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] StoreError),
    /// There is no certificate to serve TLS with.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system gives no random bytes.
    #[error("cannot read random bytes")]
    Random(#[source] getrandom::Error),
    /// The Tokio runtime is shutting down.
    #[error("cannot run in the runtime")]
    Runtime(#[source] io::Error),
}

impl From<InvalidIdentity> for StartError {
    fn from(invalid: InvalidIdentity) -> Self {
        let InvalidIdentity { kind, name, account, source } = invalid;
        Self::InvalidPolicy { kind, name, account, source }
    }
}

impl StartError {
    /// What to do about it, where something can be done.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotLoopback(address) => Some(format!("listen on 127.0.0.1:{}", address.port())),
            Self::DuplicateRegistry(_) => Some(
                "name each registry once, and the default one, 000000000000 in us-east-1, not at all".into(),
            ),
            Self::InvalidRole(_) | Self::InvalidUser(_) => {
                Some("use at most 64 letters, digits and characters of `_+=,.@-`".into())
            }
            Self::InvalidAlias(_) => Some(
                "use 2 to 50 lower-case letters, digits and single `.`, `_`, `-`, starting with a letter"
                    .into(),
            ),
            Self::Bind { source, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => Some("choose another port, or 0 for any that is free".into()),
                io::ErrorKind::PermissionDenied => {
                    Some("choose a port from 1024, or 0 for any that is free".into())
                }
                _ => None,
            },
            Self::State(error) => error.hint(),
            Self::Faults(error) => error.hint(),
            _ => None,
        }
    }
}

/// Why a repository is not created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateRepositoryError {
    /// Not a name that ECR takes.
    #[error("`{0}` is not a repository name")]
    InvalidName(String),
    /// It is there already.
    #[error("repository `{name}` already exists in `{registry}`")]
    AlreadyExists {
        /// The registry's host name.
        registry: String,
        /// The repository's name.
        name: String,
    },
    /// It cannot be written down.
    #[error(transparent)]
    State(#[from] StoreError),
}

impl CreateRepositoryError {
    /// What to do about it, where something can be done.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InvalidName(_) => {
                Some("use 2 to 256 lower-case letters, digits and `.`, `_`, `-`, `/`".into())
            }
            Self::AlreadyExists { .. } => None,
            Self::State(error) => error.hint(),
        }
    }
}
