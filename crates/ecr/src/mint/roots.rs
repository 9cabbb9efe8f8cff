//! Whose certificates prove that the other side is AWS.

use std::path::Path;

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::environment::Environment;
use crate::files::read_limited;

/// The variable that names a file with further root certificates
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html>).
const BUNDLE_VARIABLE: &str = "AWS_CA_BUNDLE";

/// The longest such file, in bytes; Mozilla's has 220,000.
const MAX_BUNDLE_BYTES: usize = 4 * 1024 * 1024;

/// The roots of this machine, those of Mozilla if it has none, and those that the user adds. Roots can be added, but
/// never taken away, and no setting turns the check off.
///
/// # Errors
/// If the user's file cannot be read or holds no certificates: said in words.
pub(super) fn tls_context(environment: &Environment) -> Result<TlsContext, String> {
    // The client library panics where a machine has no certificates at all, so that this is found out before. Both
    // look at SSL_CERT_FILE and SSL_CERT_DIR of the process.
    let has_own_roots = !rustls_native_certs::load_native_certs().certs.is_empty();
    let mut roots = TrustStore::empty().with_native_roots(has_own_roots);
    if !has_own_roots {
        roots.add_pem_certificate(mozilla_roots());
    }
    if let Some(path) = environment.path(BUNDLE_VARIABLE) {
        roots.add_pem_certificate(bundle(&path)?);
    }
    TlsContext::builder().with_trust_store(roots).build().map_err(|error| error.to_string())
}

/// A context that trusts nobody, for connections without TLS.
pub(super) fn no_tls_context() -> Result<TlsContext, String> {
    TlsContext::builder().with_trust_store(TrustStore::empty()).build().map_err(|error| error.to_string())
}

/// The content of the user's file, every certificate of which can be used: the client library panics otherwise.
fn bundle(path: &Path) -> Result<Vec<u8>, String> {
    let problem =
        |text: &str| format!("the file `{}`, which {BUNDLE_VARIABLE} names, {text}", path.display());
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

    #[test]
    fn mozilla_s_roots_can_all_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roots.pem");
        std::fs::write(&path, mozilla_roots()).unwrap();
        let content = bundle(&path).unwrap();
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
            bundle(&path).unwrap_err()
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
    fn a_context_can_always_be_made() {
        assert!(tls_context(&Environment::default()).is_ok());
        assert!(no_tls_context().is_ok());
        assert!(tls_context(&Environment::from_map([(BUNDLE_VARIABLE, "/nonexistent")])).is_err());
    }
}
