//! Images on the engine: import, tag, pull, push, look up, remove.

mod error;
mod progress;
mod reference;

use std::future::Future;
use std::ops::RangeInclusive;

use bollard::errors::Error as ClientError;
use bollard::models::{CreateImageInfo, ImageInspect};
use bollard::query_parameters::{
    CreateImageOptionsBuilder, PushImageOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::time::timeout;

use crate::credential::{AuthHeader, RegistryCredential};
use crate::engine::{Engine, EngineError};
pub use error::ImageError;
use error::TRANSFER_SILENCE;
pub(crate) use error::Transfer;
pub use progress::TransferProgress;
use progress::{LayerProgress, LayerUpdate};
use reference::ImageReference;

/// What a container needs to know of its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalImage {
    /// The image id, `sha256:…`: a tag can be moved by others at any time.
    pub(crate) id: String,
    /// The TCP ports that the image declares (`EXPOSE`), in ascending order.
    pub(crate) tcp_ports: Vec<u16>,
    /// The platform that it was built for, such as `linux/arm64`.
    pub(crate) platform: String,
}

impl Engine {
    /// Makes an image of one layer from the tar archive `layer`, names it `reference`, and returns its id.
    ///
    /// `changes` are lines in the language of a Dockerfile, such as `EXPOSE 80` or `CMD ["httpd", "-f"]`.
    ///
    /// # Errors
    ///
    /// [`ImageError::InvalidReference`] for a bad name, else [`ImageError::Engine`].
    pub async fn import_image(
        &self,
        reference: &str,
        layer: Bytes,
        changes: &[&str],
    ) -> Result<String, ImageError> {
        let name = ImageReference::parse(reference)?;
        let options = CreateImageOptionsBuilder::default()
            .from_src("-")
            .repo(name.repository())
            .tag(name.tag()?)
            .changes(changes.iter().map(ToString::to_string).collect())
            .build();
        let layer = Some(bollard::body_full(layer));
        let mut answers = self.docker().create_image(Some(options), layer, None);
        let import = async {
            while let Some(answer) = answers.next().await {
                answer?;
            }
            Ok(())
        };
        self.call("import the image", import).await?;
        Ok(self.local_image(reference).await?.id)
    }

    /// Gives the image `source` the further name `target`.
    ///
    /// # Errors
    ///
    /// [`ImageError::InvalidReference`] for a bad name, [`ImageError::NotPresent`] if there is no such image, else
    /// [`ImageError::Engine`].
    pub async fn tag_image(&self, source: &str, target: &str) -> Result<(), ImageError> {
        let source = ImageReference::parse(source)?;
        let target = ImageReference::parse(target)?;
        let options = TagImageOptionsBuilder::default().repo(target.repository()).tag(target.tag()?).build();
        self.image_call(&source, "tag the image", self.docker().tag_image(source.as_str(), Some(options)))
            .await
    }

    /// Pulls the image `reference`, for `platform` (such as `linux/arm64`) or the engine's own.
    ///
    /// `progress` is called as often as the engine reports a change.
    ///
    /// # Errors
    ///
    /// [`ImageError::NotFound`], [`ImageError::Denied`] or [`ImageError::TransferFailed`] as the registry or the
    /// engine answers, [`ImageError::Stalled`] if there is no news for five minutes.
    pub async fn pull_image(
        &self,
        reference: &str,
        platform: Option<&str>,
        credential: Option<&RegistryCredential>,
        progress: &mut (dyn FnMut(TransferProgress) + Send),
    ) -> Result<(), ImageError> {
        let name = ImageReference::parse(reference)?;
        let options = CreateImageOptionsBuilder::default()
            .from_image(name.repository())
            .tag(name.tag_or_digest())
            .platform(platform.unwrap_or_default())
            .build();
        let docker = self.docker_with_auth(credential.map(AuthHeader::new));
        let answers = docker.create_image(Some(options), None, None);
        let transfer = Transfer::pull(reference, name.registry(), credential.is_some());
        follow(transfer, answers, progress).await
    }

    /// Pushes the image `reference`, which must have a tag or means `latest`, to its registry.
    ///
    /// # Errors
    ///
    /// As [`Engine::pull_image`], and [`ImageError::NotPresent`] if the engine has no such image.
    pub async fn push_image(
        &self,
        reference: &str,
        credential: Option<&RegistryCredential>,
        progress: &mut (dyn FnMut(TransferProgress) + Send),
    ) -> Result<(), ImageError> {
        let name = ImageReference::parse(reference)?;
        let options = PushImageOptionsBuilder::default().tag(name.tag()?).build();
        self.local_image(reference).await?;
        let auth = credential.map_or_else(AuthHeader::anonymous, AuthHeader::new);
        let docker = self.docker_with_auth(Some(auth));
        let answers = docker.push_image(name.repository(), Some(options), None).map(|answer| {
            // The engine names the layer in every message, but `bollard`'s type for pushes leaves the name out. The
            // size tells layers apart well enough for a progress bar.
            answer.map(|info| CreateImageInfo {
                id: info
                    .progress_detail
                    .as_ref()
                    .and_then(|detail| detail.total)
                    .map(|total| total.to_string()),
                status: info.status,
                progress_detail: info.progress_detail,
                error_detail: info.error_detail,
            })
        });
        follow(Transfer::push(reference, name.registry(), credential.is_some()), answers, progress).await
    }

    /// Returns whether the engine has the image `reference`.
    ///
    /// # Errors
    ///
    /// [`ImageError::InvalidReference`] for a bad name, else [`ImageError::Engine`].
    pub async fn image_exists(&self, reference: &str) -> Result<bool, ImageError> {
        match self.local_image(reference).await {
            Ok(_) => Ok(true),
            Err(ImageError::NotPresent { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes the name `reference`, and the image if that was its last name. No error if there is no such image.
    ///
    /// # Errors
    ///
    /// [`ImageError::InvalidReference`] for a bad name, else [`ImageError::Engine`], also if a container uses it.
    pub async fn remove_image(&self, reference: &str) -> Result<(), ImageError> {
        let name = ImageReference::parse(reference)?;
        let options = RemoveImageOptionsBuilder::default().build();
        let removal = self.docker().remove_image(name.as_str(), Some(options), None);
        match self.image_call(&name, "remove the image", removal).await {
            Ok(_) | Err(ImageError::NotPresent { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns the facts of an image that the engine has.
    pub(crate) async fn local_image(&self, reference: &str) -> Result<LocalImage, ImageError> {
        let name = ImageReference::parse(reference)?;
        let inspection = self.docker().inspect_image(name.as_str());
        let image = self.image_call(&name, "inspect the image", inspection).await?;
        LocalImage::try_from(image)
            .map_err(|reason| EngineError::ConnectionLost { operation: "inspect the image", reason }.into())
    }

    async fn image_call<T>(
        &self,
        name: &ImageReference<'_>,
        operation: &'static str,
        call: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ImageError> {
        match self.call(operation, call).await {
            Err(error) if error.status() == Some(404) => {
                Err(ImageError::NotPresent { image: name.as_str().to_owned() })
            }
            answer => answer.map_err(ImageError::Engine),
        }
    }
}

impl TryFrom<ImageInspect> for LocalImage {
    type Error = String;

    fn try_from(image: ImageInspect) -> Result<Self, String> {
        let id = image.id.ok_or("the answer has no image id")?;
        let ports = image.config.and_then(|config| config.exposed_ports).unwrap_or_default();
        let platform = [image.os, image.architecture].into_iter().flatten().collect::<Vec<_>>().join("/");
        Ok(Self { id, tcp_ports: tcp_ports(&ports), platform })
    }
}

/// Returns the TCP ports of `EXPOSE` declarations such as `80/tcp` and `8000-8002`, ascending and without repeats.
fn tcp_ports(declarations: &[String]) -> Vec<u16> {
    let mut ports: Vec<u16> = declarations.iter().filter_map(|text| tcp_port_range(text)).flatten().collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn tcp_port_range(declaration: &str) -> Option<RangeInclusive<u16>> {
    let (range, protocol) = declaration.split_once('/').unwrap_or((declaration, "tcp"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    (protocol == "tcp").then_some(first.parse().ok()?..=last.parse().ok()?)
}

/// Reads a transfer's messages to their end. Engines report a failed transfer inside a stream that began with status
/// 200, so each message counts.
async fn follow(
    transfer: Transfer<'_>,
    mut answers: impl Stream<Item = Result<CreateImageInfo, ClientError>> + Unpin,
    progress: &mut (dyn FnMut(TransferProgress) + Send),
) -> Result<(), ImageError> {
    let mut layers = LayerProgress::default();
    loop {
        let Ok(answer) = timeout(TRANSFER_SILENCE, answers.next()).await else {
            return Err(transfer.stalled());
        };
        match answer {
            None => return Ok(()),
            Some(Err(error)) => {
                return Err(transfer.failed(EngineError::from_call(transfer.operation(), &error)));
            }
            Some(Ok(info)) => {
                if let Some(sum) = LayerUpdate::of(&info).and_then(|update| layers.apply(update)) {
                    progress(sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tcp_ports_count() {
        let declared =
            ["8080/tcp", "53/udp", "80", "9000-9002/tcp", "80/tcp", "x/tcp", "70000/tcp", "9-7/tcp"];
        let declared: Vec<String> = declared.iter().map(ToString::to_string).collect();
        assert_eq!(tcp_ports(&declared), [80, 8080, 9000, 9001, 9002]);
    }

    #[tokio::test]
    async fn an_error_inside_the_stream_fails_the_transfer() {
        let messages = futures_util::stream::iter([
            Ok(CreateImageInfo { status: Some("Pulling from team/app".to_owned()), ..Default::default() }),
            Err(ClientError::DockerStreamError { error: "unauthorized: authentication required".to_owned() }),
        ]);

        let outcome =
            follow(Transfer::pull("localhost:1/a", "localhost:1", false), messages, &mut |_| {}).await;

        assert!(matches!(outcome, Err(ImageError::Denied { .. })), "{outcome:?}");
    }
}
