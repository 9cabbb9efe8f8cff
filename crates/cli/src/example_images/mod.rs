//! The images that the demo and the examples use, made at run time from files of this machine.

pub(crate) mod oci;
pub(crate) mod rootfs;

use std::io::{Read as _, Seek as _};

use bytes::Bytes;
use oci_client::client::ImageLayer;

use self::rootfs::{GUEST_PROGRAM, Ingredients, RootfsError};

/// What a copy of `ecru` is called inside the example images.
pub(crate) const GUEST_NAME: &str = "demo-guest";

/// The port that the example's service listens on.
pub(crate) const SERVICE_PORT: u16 = 8080;

/// An image of one layer, ready to be pushed.
pub(crate) struct ExampleImage {
    pub(crate) layer: Bytes,
    pub(crate) config: serde_json::Value,
}

/// The image that a job's script runs in: a shell, the guest program, and a docker client where this machine has one
/// and `with_docker_client` asks for it.
pub(crate) fn job_image(
    ingredients: &Ingredients,
    with_docker_client: bool,
) -> Result<ExampleImage, RootfsError> {
    image(ingredients, with_docker_client, serde_json::json!({ "Cmd": ["/bin/sh"], "Env": [SEARCH_PATH] }))
}

/// The image of a service that answers each connection with one line.
pub(crate) fn service_image(ingredients: &Ingredients) -> Result<ExampleImage, RootfsError> {
    let settings = serde_json::json!({
        "Env": [SEARCH_PATH],
        "Entrypoint": [GUEST_PROGRAM, "serve", SERVICE_PORT.to_string()],
        "ExposedPorts": { (format!("{SERVICE_PORT}/tcp")): {} },
    });
    image(ingredients, false, settings)
}

const SEARCH_PATH: &str = "PATH=/usr/local/bin:/usr/bin:/bin";

fn image(
    ingredients: &Ingredients,
    with_docker_client: bool,
    settings: serde_json::Value,
) -> Result<ExampleImage, RootfsError> {
    let failed = |source| RootfsError::File { path: "a temporary file".to_owned(), source };
    let mut file = tempfile::tempfile().map_err(failed)?;
    ingredients.write_layer(with_docker_client, &mut file)?;
    file.rewind().map_err(failed)?;
    let mut layer = Vec::new();
    file.read_to_end(&mut layer).map_err(failed)?;
    let layer = ImageLayer::oci_v1(layer, None);
    let config = serde_json::json!({
        "architecture": go_architecture(),
        "os": "linux",
        "config": settings,
        "rootfs": { "type": "layers", "diff_ids": [layer.sha256_digest()] },
    });
    Ok(ExampleImage { layer: layer.data, config })
}

/// This machine's architecture as Go and so OCI images name it.
fn go_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
