//! A certificate authority made for one emulator, and the certificate that its listeners show.

use std::collections::BTreeSet;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use time::{Duration, OffsetDateTime};
use tokio_rustls::TlsAcceptor;

use crate::accounts::RegistryId;
use crate::registry::public;

const LIFETIME: Duration = Duration::days(30);
/// Tolerates a client whose clock is behind.
const BACKDATED: Duration = Duration::days(1);

/// What serving over TLS needs. The authority's key is gone: nothing else can be signed with it.
pub(crate) struct Identity {
    /// The authority's certificate, for clients to trust.
    pub(crate) authority_pem: String,
    pub(crate) acceptor: TlsAcceptor,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A name is neither a host name nor an IP address, or the certificate cannot be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The certificate cannot be used.
    #[error("cannot serve with the certificate")]
    Server(#[from] rustls::Error),
}

/// The host names that a certificate for these registries is for, and `extra`.
pub(crate) fn names<'a>(
    registries: impl Iterator<Item = &'a RegistryId>,
    extra: &[String],
) -> BTreeSet<String> {
    let fixed = ["localhost", "127.0.0.1", "::1", "sts.amazonaws.com", public::HOST, public::DUAL_STACK_HOST]
        .map(String::from);
    let public_apis =
        ["us-east-1", "us-west-2"].map(|region| format!("api.ecr-public.{region}.amazonaws.com"));
    let of_registries = registries.flat_map(names_of);
    fixed.into_iter().chain(public_apis).chain(of_registries).chain(extra.iter().cloned()).collect()
}

/// The host names of a registry and of the APIs of its region.
pub(crate) fn names_of(registry: &RegistryId) -> [String; 3] {
    let region = &registry.region;
    [registry.host(), format!("api.ecr.{region}.amazonaws.com"), format!("sts.{region}.amazonaws.com")]
}

/// A new authority, and a certificate by it for `names`.
pub(crate) fn identity(names: BTreeSet<String>, now: OffsetDateTime) -> Result<Identity, TlsError> {
    let mut authority = params(Vec::new(), "ecru-emulator authority", now)?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let mut server = params(names.into_iter().collect(), "ecru-emulator", now)?;
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &authority)?;

    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    Ok(Identity { authority_pem: authority.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) })
}

fn params(
    names: Vec<String>,
    common_name: &str,
    now: OffsetDateTime,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = now - BACKDATED;
    params.not_after = now + LIFETIME;
    Ok(params)
}
