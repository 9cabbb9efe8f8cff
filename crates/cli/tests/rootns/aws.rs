//! AWS inside the namespaces: the emulator at the real names and the real port.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ecru_emulator::{
    AccessKeys, AccountId, Emulator, GitLabClaims, Identity, Options, Region, RegistryAt, TlsOptions,
};
use secrecy::ExposeSecret as _;
use tokio::runtime::Runtime;

/// The registry of the job's image: the caller's own.
pub(crate) const HOME_REGISTRY: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";
/// The registry of the service's image: another account, another region.
pub(crate) const OTHER_REGISTRY: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com";

const REGISTRIES: [&str; 2] = [HOME_REGISTRY, OTHER_REGISTRY];

/// What the names lead to; the stage's script sends on from there to the emulator.
const ADDRESS: &str = "192.0.2.1";

/// The role of the instance. By its usual name it looks like what is secret of the emulator.
pub(crate) const INSTANCE_ROLE: &str = "runner";

const API_HOSTS: [&str; 7] = [
    "public.ecr.aws",
    "api.ecr-public.us-east-1.amazonaws.com",
    "api.ecr.us-east-1.amazonaws.com",
    "api.ecr.eu-west-1.amazonaws.com",
    "sts.amazonaws.com",
    "sts.us-east-1.amazonaws.com",
    "sts.eu-west-1.amazonaws.com",
];

/// The names of AWS that are used here, with their addresses.
pub(crate) fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    REGISTRIES.into_iter().chain(API_HOSTS).map(|name| (name, ADDRESS))
}

/// Emulated AWS, at its real names for every program in these namespaces.
pub(crate) struct Aws {
    runtime: Runtime,
    emulator: Emulator,
    authority: PathBuf,
}

impl Aws {
    /// Starts it with the repositories of the stories.
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let (account, region): (AccountId, Region) =
            ("000000000001".parse().unwrap(), "eu-west-1".parse().unwrap());
        let options = Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            registries: vec![RegistryAt { account, region: region.clone(), port: 0 }],
            tls: Some(TlsOptions { port: 443, ..TlsOptions::default() }),
            instance_role: INSTANCE_ROLE.to_owned(),
            ..Options::default()
        };
        let emulator = runtime.block_on(Emulator::start(options)).unwrap();
        for name in ["team/job", "team/catalog", "team/result"] {
            emulator.create_repository(AccountId::default(), &Region::default(), name).unwrap();
        }
        emulator.create_repository(account, &region, "team/catalog").unwrap();
        let authority = emulator.addresses().tls.as_ref().unwrap().ca.clone();
        let aws = Self { runtime, emulator, authority };
        aws.take_the_real_names();
        aws
    }

    fn take_the_real_names(&self) {
        let hosts = names().map(|(name, address)| format!("{address} {name}\n"));
        let hosts: String = std::iter::once("127.0.0.1 localhost\n".to_owned()).chain(hosts).collect();
        std::fs::write("/etc/hosts", hosts).unwrap();
        for host in REGISTRIES {
            let folder = PathBuf::from("/etc/docker/certs.d").join(host);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::copy(&self.authority, folder.join("ca.crt")).unwrap();
        }
    }

    /// What a process needs to be somebody in the home account and to trust the authority: no region, no endpoint.
    pub(crate) fn identity(&self) -> [(&'static str, String); 3] {
        [
            ("AWS_ACCESS_KEY_ID", self.keys().access_key_id.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_key()),
            ("AWS_CA_BUNDLE", self.authority.display().to_string()),
        ]
    }

    /// The secret part of that identity.
    pub(crate) fn secret_key(&self) -> String {
        self.keys().secret_access_key.expose_secret().to_owned()
    }

    fn keys(&self) -> AccessKeys {
        self.emulator.user_keys(AccountId::default()).unwrap()
    }

    /// How often ECR was asked for a token.
    pub(crate) fn token_calls(&self) -> u64 {
        self.emulator.calls().get("ecr:GetAuthorizationToken")
    }

    /// The file with the certificate of the authority that its names have theirs from.
    pub(crate) fn authority(&self) -> &Path {
        &self.authority
    }

    /// The port on which it is on loopback by plain HTTP, the instance metadata included.
    pub(crate) fn main_port(&self) -> u16 {
        self.emulator.addresses().main.port()
    }

    /// From now on a role of the home account may do what `policies` say and nothing else.
    pub(crate) fn limit_role(&self, name: &str, policies: Vec<String>) {
        let role = Identity { name: name.to_owned(), policies, ..Identity::default() };
        self.emulator.set_role(&role).unwrap();
    }

    /// The ID token that GitLab gives a job.
    pub(crate) fn id_token(&self) -> String {
        self.emulator.gitlab_id_token(&GitLabClaims::default()).unwrap().expose_secret().to_owned()
    }

    /// Ends it.
    pub(crate) fn stop(self) {
        self.runtime.block_on(self.emulator.stop());
    }
}
