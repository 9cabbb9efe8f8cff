//! Pushes and pulls without a Docker engine, by an OCI client inside this program.

use std::time::Duration;

use ecru_docker::credential_helper::message::Credential;
use oci_client::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{IMAGE_LAYER_GZIP_MEDIA_TYPE, IMAGE_LAYER_MEDIA_TYPE};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use secrecy::ExposeSecret as _;

use super::ExampleImage;
use crate::error::CommandError;
use crate::exit_code;

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const READ_DEADLINE: Duration = Duration::from_secs(30);

/// A client of registries that speak plain HTTP: the emulator's, on loopback.
#[derive(Clone)]
pub(crate) struct LoopbackRegistries {
    client: Client,
}

/// Why an image could not be pushed or pulled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OciError {
    /// The reference is none.
    #[error("`{0}` is not an image reference")]
    BadReference(String),
    /// The registry is not on this machine, so plain HTTP would be wrong.
    #[error("registry `{0}` is not on loopback")]
    NotLoopback(String),
    /// The registry refused, or could not be reached.
    #[error("{action} {image}: {source}")]
    Registry {
        /// What was attempted.
        action: &'static str,
        /// On which image.
        image: String,
        /// What went wrong.
        source: Box<OciDistributionError>,
    },
}

/// An image as it was pulled.
#[derive(Debug)]
pub(crate) struct Pulled {
    pub(crate) digest: String,
    pub(crate) layer_bytes: u64,
}

impl From<OciError> for CommandError {
    fn from(error: OciError) -> Self {
        Self::from_error(exit_code::DEMO_STEP_FAILED, &error)
    }
}

impl LoopbackRegistries {
    pub(crate) fn new() -> Self {
        // The client wants a TLS provider even where it speaks HTTP only; an earlier one is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::new(ClientConfig {
            protocol: ClientProtocol::Http,
            // ECR drops the bodies of all but the first PATCH (aws/containers-roadmap#2831).
            use_monolithic_push: true,
            connect_timeout: Some(CONNECT_DEADLINE),
            read_timeout: Some(READ_DEADLINE),
            no_proxy: Some("localhost,127.0.0.0/8".to_owned()),
            ..ClientConfig::default()
        });
        Self { client }
    }

    /// Pushes `content` as `image`; returns the digest of its manifest.
    pub(crate) async fn push(
        &self,
        image: &str,
        content: &ExampleImage,
        credential: &Credential,
    ) -> Result<String, OciError> {
        let reference = loopback_reference(image)?;
        let auth = basic_auth(credential);
        let config = Config::oci_v1(content.config.to_string(), None);
        let layers = [ImageLayer::oci_v1(content.layer.clone(), None)];
        let failed = registry_error("push", image);
        self.client.push(&reference, &layers, config, &auth, None).await.map_err(&failed)?;
        self.client.fetch_manifest_digest(&reference, &auth).await.map_err(failed)
    }

    /// Pulls an image with all its layers, whose digests the client checks.
    pub(crate) async fn pull(&self, image: &str, credential: &Credential) -> Result<Pulled, OciError> {
        let reference = loopback_reference(image)?;
        let accepted = vec![IMAGE_LAYER_MEDIA_TYPE, IMAGE_LAYER_GZIP_MEDIA_TYPE];
        let data = self
            .client
            .pull(&reference, &basic_auth(credential), accepted)
            .await
            .map_err(registry_error("pull", image))?;
        Ok(Pulled {
            digest: data.digest.unwrap_or_default(),
            layer_bytes: data.layers.iter().map(|layer| layer.data.len() as u64).sum(),
        })
    }

    /// The digest that `image` has in its registry now.
    pub(crate) async fn digest(&self, image: &str, credential: &Credential) -> Result<String, OciError> {
        let reference = loopback_reference(image)?;
        self.client
            .fetch_manifest_digest(&reference, &basic_auth(credential))
            .await
            .map_err(registry_error("look up", image))
    }
}

fn loopback_reference(image: &str) -> Result<Reference, OciError> {
    let reference: Reference = image.parse().map_err(|_| OciError::BadReference(image.to_owned()))?;
    let registry = reference.registry();
    let host = registry.rsplit_once(':').map_or(registry, |(host, _port)| host);
    match host {
        "localhost" | "127.0.0.1" => Ok(reference),
        _ => Err(OciError::NotLoopback(registry.to_owned())),
    }
}

fn basic_auth(credential: &Credential) -> RegistryAuth {
    RegistryAuth::Basic(credential.username.clone(), credential.secret.expose_secret().to_owned())
}

fn registry_error<'a>(
    action: &'static str,
    image: &'a str,
) -> impl Fn(OciDistributionError) -> OciError + 'a {
    move |source| OciError::Registry { action, image: image.to_owned(), source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        assert!(loopback_reference("localhost:5000/team/job:1").is_ok());
        assert!(loopback_reference("127.0.0.1:5000/team/job:1").is_ok());
        for elsewhere in ["registry.example.org/team/job:1", "localhost.example.org:5000/a:1", "team/job:1"] {
            assert!(matches!(loopback_reference(elsewhere), Err(OciError::NotLoopback(_))), "{elsewhere}");
        }
    }
}
