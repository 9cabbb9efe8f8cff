//! The AWS identity as it is *configured*, found out without network, runtime or SDK.
//!
//! A token in the cache belongs to the principal that it was minted for. Asking AWS who that is costs a round trip
//! on every `get`, and access keys of roles change with every session, so that a cache keyed by them never hits
//! (awslabs/amazon-ecr-credential-helper issue 269). Instead the cache is keyed by everything that decides which
//! principal the SDK's default chain would find: the variables it reads, the content of the files it reads, and, where
//! no key stands in the environment, the machine whose role it may get. If any of that changes, the entry is not found.
//!
//! What cannot be seen from here is not part of the key: another role attached to the same instance, another
//! person logged in to the same SSO session. Tokens of the former are then served until they are refreshed, at half of
//! their life. Where a profile names a `credential_process`, which may look at any variable, all of them are part of
//! the key; what else its answer depends on is not seen either.

pub(crate) mod configured;
mod machine;
mod named;
pub mod selection;
mod sole_source;
mod subject;

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

pub use self::machine::MachineFiles;
use self::named::Named;
use self::selection::Selection;
pub use self::sole_source::SoleSource;
use crate::environment::Environment;
use crate::files::{ReadError, read_limited};

/// The longest file that can be part of an identity, in bytes.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// The variables whose values decide, as they stand, which principal the SDK finds and where it asks for it
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>).
const VARIABLES: [&str; 15] = [
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_SSO",
    "AWS_ENDPOINT_URL_SSO_OIDC",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
];

/// The variables that name files with a token, of which the subject decides: the tokens themselves change.
const TOKEN_FILES: [&str; 2] = ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"];

/// The SDK's two files: the variable that names each, and its place in the home directory.
const SHARED_FILES: [(&str, &str); 2] =
    [("AWS_CONFIG_FILE", ".aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")];

/// How many token files the profiles may name. They are small, and most of those that profiles of others name are not
/// there.
const MAX_TOKEN_FILES: usize = 256;

/// The variables that say nothing to a process: they change from shell to shell.
const OF_SHELLS: [&str; 3] = ["_", "SHLVL", "OLDPWD"];

/// What the canonical form starts with; another form needs another number.
const CANONICAL_PREFIX: &[u8] = b"ecru identity 1";

/// Everything that selects the AWS identity. Absent inputs are left out; none of the values is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    inputs: BTreeMap<&'static str, Vec<u8>>,
    unknown: Option<String>,
}

impl Identity {
    /// Finds out how the identity is configured in `environment`, on the machine that `machine` describes. Reads at
    /// most six small files, and those with tokens that profiles name.
    #[must_use]
    pub fn read(environment: &Environment, machine: &MachineFiles) -> Self {
        Self::read_as_seen(environment, environment, machine)
    }

    /// The same where the SDK gets to see a part of the `whole` environment only. Processes that it starts see all.
    fn read_as_seen(environment: &Environment, whole: &Environment, machine: &MachineFiles) -> Self {
        let mut identity = Self { inputs: BTreeMap::new(), unknown: None };
        for variable in VARIABLES {
            identity.put(variable, environment.os(variable).map(OsStrExt::as_bytes));
        }
        let access_key = access_key(environment);
        let may_be_the_machine_s = access_key.is_none();
        identity.put("AWS_ACCESS_KEY_ID", access_key);
        identity.put(
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            environment
                .secret("AWS_CONTAINER_AUTHORIZATION_TOKEN")
                .map(|token| subject::of(token.expose_secret().as_bytes())),
        );
        for variable in TOKEN_FILES {
            if let Some(path) = environment.path(variable) {
                identity.put_file(subject_name(variable), &path, subject::of);
            }
        }
        identity.put_shared_files(environment, whole);
        // The SDK asks no other source where it finds a key in the environment.
        if may_be_the_machine_s {
            identity.put("machine", machine.read());
        }
        identity
    }

    /// Finds out how the identity that `selection` means is configured. Another selection is another identity, and
    /// what it takes out of sight is no part of it, unless a process may look at it.
    #[must_use]
    pub fn selected(selection: &Selection, environment: &Environment, machine: &MachineFiles) -> Self {
        let mut identity = Self::read_as_seen(&selection.restrict(environment), environment, machine);
        if *selection != Selection::default() {
            identity.put("selection", Some(selection.canonical()));
        }
        if let Some(variable) = selection.token_variable() {
            let token = environment.named_secret(variable);
            let subject = token.map(|token| subject::of(token.expose_secret().as_bytes()));
            identity.put("identity token", subject);
        }
        identity
    }

    /// Whether everything that selects the identity is known. If not, nothing may be kept under its fingerprint.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.unknown.is_none()
    }

    /// Why it is not known, if so.
    #[must_use]
    pub fn unknown(&self) -> Option<&str> {
        self.unknown.as_deref()
    }

    /// A digest that two identities share only if they are equal.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Sha256::digest(self.canonical()).into())
    }

    fn put(&mut self, name: &'static str, value: Option<impl AsRef<[u8]>>) {
        if let Some(value) = value {
            self.inputs.insert(name, value.as_ref().to_vec());
        }
    }

    /// Puts in what `describe` makes of a file's content. That a file cannot be read is as good as its absence for
    /// the SDK too; one that is no file, or too long to be looked at, leaves the identity unknown.
    fn put_file(&mut self, name: &'static str, path: &Path, describe: impl FnOnce(&[u8]) -> Vec<u8>) {
        // The usual way to say "no file".
        if path == Path::new("/dev/null") {
            return;
        }
        match read_limited(path, MAX_FILE_BYTES) {
            Ok(Some(content)) => self.put(name, Some(describe(&content))),
            Ok(None) | Err(ReadError::Io(_)) => {}
            Err(error) => self.leave_unknown(path, &error),
        }
    }

    fn leave_unknown(&mut self, path: &Path, error: &ReadError) {
        self.unknown = Some(format!("`{}` cannot be looked at: {error}", path.display()));
    }

    fn put_shared_files(&mut self, environment: &Environment, whole: &Environment) {
        let mut named = Named::default();
        for (variable, default) in SHARED_FILES {
            self.put_file(variable, &shared_file(environment, variable, default), |content| {
                named.add(content);
                digest(content)
            });
        }
        self.put_named(&named, whole);
        // SSO tokens are kept in the home directory, so that it decides as well, but only if a profile can use them.
        if SHARED_FILES.iter().any(|(variable, _)| self.inputs.contains_key(variable)) {
            self.put("HOME", environment.os("HOME").map(OsStrExt::as_bytes));
        }
    }

    /// Puts in whom the tokens are about that profiles name, and what their processes may look at: all variables, since
    /// the SDK starts them in the environment of this program, and the token that one of them names.
    fn put_named(&mut self, named: &Named, whole: &Environment) {
        if named.token_files.len() > MAX_TOKEN_FILES {
            self.unknown = Some(format!("the profiles name more than {MAX_TOKEN_FILES} files with tokens"));
            return;
        }
        let mut subjects = Vec::new();
        for path in &named.token_files {
            append(&mut subjects, path.as_os_str().as_bytes());
            match read_limited(path, MAX_FILE_BYTES) {
                Ok(content) => {
                    append(&mut subjects, &content.map(|token| subject::of(&token)).unwrap_or_default());
                }
                Err(ReadError::Io(_)) => append(&mut subjects, b""),
                Err(error) => self.leave_unknown(path, &error),
            }
        }
        self.put("web identities of profiles", (!subjects.is_empty()).then_some(subjects));
        if named.has_process {
            let [web_identity, _] = TOKEN_FILES;
            if let Some(path) = whole.path(web_identity) {
                self.put_file(subject_name(web_identity), &path, subject::of);
            }
            let mut variables = whole.of_child();
            variables.retain(|(name, _)| !OF_SHELLS.iter().any(|other| name == other));
            variables.sort_unstable();
            let mut row = Vec::new();
            for (name, value) in variables {
                append(&mut row, name.as_bytes());
                append(&mut row, value.as_bytes());
            }
            self.put("environment of processes", Some(digest(&row)));
        }
    }

    /// The inputs in one row of bytes, each with its length before it, so that no two identities share a row.
    fn canonical(&self) -> Vec<u8> {
        let mut canonical = CANONICAL_PREFIX.to_vec();
        for (name, value) in &self.inputs {
            append(&mut canonical, name.as_bytes());
            append(&mut canonical, value);
        }
        canonical
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.inputs.keys().collect();
        formatter.debug_struct("Identity").field("inputs", &names).field("unknown", &self.unknown).finish()
    }
}

/// The digest of an [`Identity`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The digest's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits(formatter, &self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Appends a value after its length.
pub(crate) fn append(row: &mut Vec<u8>, value: &[u8]) {
    row.extend_from_slice(&(value.len() as u64).to_be_bytes());
    row.extend_from_slice(value);
}

/// Writes a digest in hexadecimal digits.
pub(crate) fn write_digits(formatter: &mut fmt::Formatter<'_>, digest: &[u8; 32]) -> fmt::Result {
    let mut digits = [0; 64];
    hex::encode_to_slice(digest, &mut digits).map_err(|_| fmt::Error)?;
    formatter.write_str(str::from_utf8(&digits).map_err(|_| fmt::Error)?)
}

/// The digest of the access key in the environment, which the SDK only uses together with a secret key.
fn access_key(environment: &Environment) -> Option<Vec<u8>> {
    environment.secret("AWS_SECRET_ACCESS_KEY").or_else(|| environment.secret("SECRET_ACCESS_KEY"))?;
    let key = environment.secret("AWS_ACCESS_KEY_ID")?;
    Some(digest(key.expose_secret().as_bytes()))
}

/// The name under which the subject of a token file is put in, beside the file's name.
fn subject_name(variable: &str) -> &'static str {
    if variable == TOKEN_FILES[0] { "web identity" } else { "container authorization" }
}

/// Where the SDK looks for one of its files: `~` at the start is the home directory, and is itself where none is
/// known (aws-runtime's `env_config`).
fn shared_file(environment: &Environment, variable: &str, default: &str) -> PathBuf {
    let path = environment.path(variable).unwrap_or_else(|| Path::new("~").join(default));
    match (path.strip_prefix("~"), environment.path("HOME")) {
        (Ok(below_home), Some(home)) => home.join(below_home),
        _ => path,
    }
}

fn digest(content: &[u8]) -> Vec<u8> {
    Sha256::digest(content).to_vec()
}

#[cfg(test)]
mod tests;
