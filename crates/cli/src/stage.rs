//! Emulated AWS and the processes that play on it: what `ecru emulate` and `ecru demo` share.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ecru_docker::credential_helper::invoke::{Caller, InvokeError};
use ecru_docker::credential_helper::message::Credential;
use ecru_emulator::{AccountId, Addresses, CreateRepositoryError, Emulator, Options, Region, StartError};
use secrecy::ExposeSecret as _;

use crate::error::CommandError;
use crate::example_images::ExampleImage;
use crate::example_images::oci::{LoopbackRegistries, OciError};
use crate::exit_code;
use crate::job::helper_program::HELPER_NAME;
use crate::outside::Outside;

/// A helper on loopback answers in milliseconds; this is for a machine that is busy.
const HELPER_DEADLINE: Duration = Duration::from_secs(20);

/// An emulator, and a folder with what processes need to find it.
pub(crate) struct Stage {
    emulator: Emulator,
    ecru_config: PathBuf,
    programs: PathBuf,
}

/// What went wrong on the stage.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StageError {
    /// The emulator did not start.
    #[error("cannot emulate AWS: {0}")]
    Start(#[from] StartError),
    /// A repository was not created.
    #[error("cannot create a repository: {0}")]
    Repository(#[from] CreateRepositoryError),
    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The helper could not be run.
    #[error(transparent)]
    Helper(#[from] InvokeError),
    /// The helper has no credentials.
    #[error("the helper has no credentials for {registry}: {remarks}")]
    NoCredential {
        /// The registry.
        registry: String,
        /// What it said on standard error.
        remarks: String,
    },
    /// The emulator has no keys for an account.
    #[error("account {0} is not emulated")]
    NoSuchAccount(AccountId),
    /// The push failed.
    #[error(transparent)]
    Oci(#[from] OciError),
}

impl From<StageError> for CommandError {
    fn from(error: StageError) -> Self {
        let hint = match &error {
            StageError::Start(error) => error.hint(),
            StageError::Repository(error) => error.hint(),
            StageError::Helper(error) => error.hint(),
            _ => None,
        };
        Self::from_error(exit_code::EMULATOR_FAILED, &error).maybe_hint(hint)
    }
}

impl Stage {
    /// Starts an emulator, and writes ecru's configuration with an alias for each of its registries into `folder`,
    /// beside a folder of programs that holds the credential helper.
    pub(crate) async fn start(options: Options, folder: &Path) -> Result<Self, StageError> {
        let emulator = Emulator::start(options).await?;
        let ecru_config = folder.join("ecru.toml");
        let programs = folder.join("bin");
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StageError::Write { path, source }
        };
        std::fs::write(&ecru_config, alias_config(emulator.addresses())).map_err(failed(&ecru_config))?;
        std::fs::create_dir_all(&programs).map_err(failed(&programs))?;
        let helper = programs.join(HELPER_NAME);
        let _ = std::fs::remove_file(&helper);
        std::env::current_exe()
            .and_then(|program| std::os::unix::fs::symlink(program, &helper))
            .map_err(failed(&helper))?;
        Ok(Self { emulator, ecru_config, programs })
    }

    /// The emulator itself.
    pub(crate) fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// The folder whose only program is the credential helper.
    pub(crate) fn programs(&self) -> &Path {
        &self.programs
    }

    /// The `localhost:PORT` at which the registry of an account and region listens.
    pub(crate) fn registry(&self, account: AccountId, region: &Region) -> Option<&str> {
        let host = registry_host(account, region);
        self.emulator.addresses().registries.get(&host).map(String::as_str)
    }

    /// The variables that point AWS clients and ecru at the emulator; no keys, no region.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let mut variables = self.emulator.environment();
        variables.push(("ECRU_CONFIG".to_owned(), self.ecru_config.display().to_string()));
        variables
    }

    /// The keys of an account's user, as the variables that AWS clients read.
    pub(crate) fn user_variables(&self, account: AccountId) -> Result<[(String, String); 2], StageError> {
        let keys = self.emulator.user_keys(account).ok_or(StageError::NoSuchAccount(account))?;
        Ok([
            ("AWS_ACCESS_KEY_ID".to_owned(), keys.access_key_id.to_string()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), keys.secret_access_key.expose_secret().to_owned()),
        ])
    }

    /// How many calls AWS has answered: the APIs and the instance metadata, not the registries' data.
    pub(crate) fn aws_calls(&self) -> u64 {
        self.calls_of_aws().iter().map(|(_, count)| count).sum()
    }

    /// The same, one by one: `ecr:GetAuthorizationToken 2, imds:PutToken 1`.
    pub(crate) fn aws_call_list(&self) -> String {
        let calls = self.calls_of_aws();
        let calls: Vec<String> =
            calls.iter().map(|(operation, count)| format!("{operation} {count}")).collect();
        calls.join(", ")
    }

    fn calls_of_aws(&self) -> Vec<(String, u64)> {
        let calls = self.emulator.calls();
        let of_aws = calls.iter().filter(|(service, _, _)| !matches!(*service, "registry" | "s3"));
        of_aws.map(|(service, operation, count)| (format!("{service}:{operation}"), count)).collect()
    }

    /// Creates a repository and pushes an image into it; returns the manifest's digest.
    pub(crate) async fn publish(
        &self,
        account: AccountId,
        region: &Region,
        repository_and_tag: &str,
        image: &ExampleImage,
        publisher: &Process,
    ) -> Result<String, StageError> {
        let repository = repository_and_tag.split(':').next().unwrap_or(repository_and_tag);
        match self.emulator.create_repository(account, region, repository) {
            Ok(()) | Err(CreateRepositoryError::AlreadyExists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let registry = self.registry(account, region).ok_or(StageError::NoSuchAccount(account))?;
        let credential = publisher.credential(registry).await?;
        let name = format!("{registry}/{repository_and_tag}");
        Ok(LoopbackRegistries::new().push(&name, image, &credential).await?)
    }

    /// Lets requests in progress end, and ends.
    pub(crate) async fn stop(self) {
        self.emulator.stop().await;
    }
}

/// The ECR host name of an account and region.
pub(crate) fn registry_host(account: AccountId, region: &Region) -> String {
    format!("{account}.dkr.ecr.{region}.amazonaws.com")
}

fn alias_config(addresses: &Addresses) -> String {
    let mut text = "# The emulator's registries; written anew at every start.\n[alias]\n".to_owned();
    for (host, local) in &addresses.registries {
        text.push_str(&format!("\"{local}\" = \"{host}\"\n"));
    }
    text
}

/// A process of the story, by its environment: what it runs sees that and nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) outside: Outside,
}

impl Process {
    /// A process on `stage` with a home of its own and no AWS settings from outside, plus `variables`.
    pub(crate) fn on(
        stage: &Stage,
        outside: &Outside,
        home: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, StageError> {
        std::fs::create_dir_all(home)
            .map_err(|source| StageError::Write { path: home.to_owned(), source })?;
        let clean = outside.clone().without_prefix("AWS_").without_prefix("ECRU_").without_prefix("XDG_");
        let clean = clean.with("HOME", home).with("PATH", stage.programs());
        let outside = stage
            .variables()
            .into_iter()
            .chain(variables)
            .fold(clean, |outside, (name, value)| outside.with(&name, value));
        Ok(Self { outside })
    }

    /// What the helper answers this process for `registry`.
    pub(crate) async fn credential(&self, registry: &str) -> Result<Credential, StageError> {
        let caller = Caller {
            path: self.outside.search_path().to_owned(),
            environment: self.outside.variables(),
            deadline: HELPER_DEADLINE,
        };
        let key = registry.to_owned();
        let call = tokio::task::spawn_blocking(move || -> Result<Credential, StageError> {
            let completed = caller.get("ecr-login", &key)?;
            let credential = completed.credential()?;
            credential
                .ok_or_else(|| StageError::NoCredential { registry: key, remarks: completed.stderr.clone() })
        });
        call.await.unwrap_or_else(|error| {
            Err(StageError::NoCredential { registry: registry.to_owned(), remarks: error.to_string() })
        })
    }
}
