//! Whose certificates prove that the other side is AWS.

use std::path::PathBuf;

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use aws_types::os_shim_internal::Env;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::retries;
use crate::environment::Environment;
use crate::files::read_limited;

/// The variable that names a file with further root certificates, and the key of the same meaning in a profile
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html>). Rust's SDK knows neither.
const BUNDLE_VARIABLE: &str = "AWS_CA_BUNDLE";
const BUNDLE_KEY: &str = "ca_bundle";

/// The longest such file, in bytes; Mozilla's has 220,000.
const MAX_BUNDLE_BYTES: usize = 4 * 1024 * 1024;

/// A file with further root certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bundle {
    path: PathBuf,
    /// What names it, in words.
    named_by: &'static str,
}

impl Bundle {
    /// The file that the variable names, else the profile in use.
    pub(super) async fn of(environment: &Environment, sdk_environment: &Env) -> Option<Self> {
        if let Some(path) = environment.path(BUNDLE_VARIABLE) {
            return Some(Self { path, named_by: BUNDLE_VARIABLE });
        }
        let profiles = retries::profiles(sdk_environment).await?;
        let path = profiles.get(BUNDLE_KEY).filter(|path| !path.is_empty())?;
        Some(Self { path: path.into(), named_by: "`ca_bundle` of the profile" })
    }

    /// Its content, every certificate of which can be used: the client library panics otherwise.
    fn content(&self) -> Result<Vec<u8>, String> {
        let Self { path, named_by } = self;
        let problem = |text: &str| format!("the file `{}`, which {named_by} names, {text}", path.display());
        let content = read_limited(path, MAX_BUNDLE_BYTES)
            .map_err(|error| problem(&format!("cannot be read: {error}")))?
            .ok_or_else(|| problem("does not exist"))?;
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&content)
            .collect::<Result<_, _>>()
            .map_err(|_| problem("is not in PEM format"))?;
        if certificates.is_empty() {
            return Err(problem("holds no certificate in PEM format"));
        }
        let mut store = RootCertStore::empty();
        for certificate in certificates {
            store.add(certificate).map_err(|_| problem("holds a certificate that cannot be used"))?;
        }
        Ok(content)
    }
}

/// The roots of this machine, those of Mozilla if it has none, and those that the user adds. Roots can be added, but
/// never taken away, and no setting turns the check off.
///
/// # Errors
/// If the user's file cannot be read or holds no certificates: said in words.
pub(super) fn tls_context(bundle: Option<&Bundle>) -> Result<TlsContext, String> {
    // The client library panics where a machine has no certificates at all, so that this is found out before. Both
    // look at SSL_CERT_FILE and SSL_CERT_DIR of the process.
    let has_own_roots = !rustls_native_certs::load_native_certs().certs.is_empty();
    let mut roots = TrustStore::empty().with_native_roots(has_own_roots);
    if !has_own_roots {
        roots.add_pem_certificate(mozilla_roots());
    }
    if let Some(bundle) = bundle {
        roots.add_pem_certificate(bundle.content()?);
    }
    TlsContext::builder().with_trust_store(roots).build().map_err(|error| error.to_string())
}

/// A context that trusts nobody, for connections without TLS.
pub(super) fn no_tls_context() -> Result<TlsContext, String> {
    TlsContext::builder().with_trust_store(TrustStore::empty()).build().map_err(|error| error.to_string())
}

fn mozilla_roots() -> Vec<u8> {
    let mut pem = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        pem.push_str(&STANDARD.encode(certificate));
        pem.push_str("\n-----END CERTIFICATE-----\n");
    }
    pem.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(path: impl Into<PathBuf>) -> Bundle {
        Bundle { path: path.into(), named_by: BUNDLE_VARIABLE }
    }

    #[test]
    fn mozilla_s_roots_can_all_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roots.pem");
        std::fs::write(&path, mozilla_roots()).unwrap();
        let content = bundle(path).content().unwrap();
        assert!(CertificateDer::pem_slice_iter(&content).count() > 100);
    }

    #[test]
    fn a_bundle_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle.pem");
        let with = |content: Option<&str>| {
            let _ = std::fs::remove_file(&path);
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            bundle(&path).content().unwrap_err()
        };
        for (content, problem) in [
            (None, "does not exist"),
            (Some(""), "holds no certificate in PEM format"),
            (Some("-----BEGIN CERTIFICATE-----\n!"), "is not in PEM format"),
            (
                Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                "holds a certificate that cannot be used",
            ),
        ] {
            let error = with(content);
            assert!(error.ends_with(problem) && error.contains("AWS_CA_BUNDLE"), "{error}");
        }
    }

    #[test]
    fn the_variable_counts_before_the_profile() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, "[default]\nca_bundle = /of/default.pem\n[profile other]\nregion = a\n")
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let path = |variables: &[(&str, &str)]| {
            let files =
                [("AWS_CONFIG_FILE", file.to_str().unwrap()), ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")];
            let variables: Vec<(&str, &str)> = files.into_iter().chain(variables.iter().copied()).collect();
            let environment = Environment::from_map(variables.clone());
            let bundle = runtime.block_on(Bundle::of(&environment, &Env::from_slice(&variables)));
            bundle.map(|bundle| (bundle.path.display().to_string(), bundle.named_by))
        };
        let of_default = Some(("/of/default.pem".to_owned(), "`ca_bundle` of the profile"));
        assert_eq!(path(&[]), of_default);
        assert_eq!(path(&[(BUNDLE_VARIABLE, "")]), of_default);
        assert_eq!(path(&[(BUNDLE_VARIABLE, "/a.pem")]), Some(("/a.pem".to_owned(), BUNDLE_VARIABLE)));
        assert_eq!(path(&[("AWS_PROFILE", "other")]), None);
        assert_eq!(path(&[("AWS_PROFILE", "none")]), None);
    }

    #[test]
    fn a_context_can_always_be_made() {
        assert!(tls_context(None).is_ok());
        assert!(no_tls_context().is_ok());
        assert!(tls_context(Some(&bundle("/nonexistent"))).is_err());
    }
}
