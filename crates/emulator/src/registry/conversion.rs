//! Manifests in the other of the two formats of an image.
//!
//! ECR stores a manifest as it was pushed. Asked for it by tag, it translates between Docker's format and OCI's if the
//! client accepts only the other ("Container image manifest format support in Amazon ECR", Amazon ECR user guide). An
//! index, or an image with parts that the other format has no name for, comes as it is. Asked by digest, everything
//! does: a translation has another digest, by which nothing is stored.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use serde::{Deserialize, Serialize};

pub(super) const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// What configs and layers are called in Docker's format and in OCI's.
const NAMES: [(&str, &str); 4] = [
    ("application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json"),
    ("application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.oci.image.layer.v1.tar+gzip"),
    ("application/vnd.docker.image.rootfs.diff.tar", "application/vnd.oci.image.layer.v1.tar"),
    (
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ),
];

/// A translated manifest.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translation {
    pub(super) media_type: &'static str,
    pub(super) text: Vec<u8>,
}

/// The manifest in the format that the headers accept, if that is not the one it has.
pub(super) fn translation(media_type: &str, text: &[u8], headers: &HeaderMap) -> Option<Translation> {
    let other = match media_type {
        DOCKER_IMAGE => OCI_IMAGE,
        OCI_IMAGE => DOCKER_IMAGE,
        _ => return None,
    };
    if accepts(headers, media_type) || !accepts(headers, other) {
        return None;
    }
    let text = translated(text, other)?;
    Some(Translation { media_type: other, text })
}

/// Whether `Accept` names a media type; a request without the header takes anything (RFC 9110 §12.5.1).
fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let mut values = headers.get_all(ACCEPT).iter().peekable();
    values.peek().is_none()
        || values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|range| {
            let essence = range.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case(media_type) || matches!(essence, "*/*" | "application/*")
        })
}

/// What both formats have. Annotations and the subject are OCI's alone and are lost on the way.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    config: Part,
    layers: Vec<Part>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    media_type: String,
    size: u64,
    digest: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    urls: Vec<String>,
}

fn translated(text: &[u8], to: &'static str) -> Option<Vec<u8>> {
    let mut image: Image = serde_json::from_slice(text).ok()?;
    for part in image.layers.iter_mut().chain([&mut image.config]) {
        let from = part.media_type.as_str();
        let (docker, oci) = NAMES.into_iter().find(|(docker, oci)| [*docker, *oci].contains(&from))?;
        part.media_type = if to == OCI_IMAGE { oci } else { docker }.into();
    }
    image.media_type = to.into();
    serde_json::to_vec(&image).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONFIG: (&str, &str) = NAMES[0];
    const LAYER: (&str, &str) = NAMES[1];

    fn image(media_type: &str, config: &str, layer: &str) -> String {
        serde_json::json!({
            "schemaVersion": 2, "mediaType": media_type,
            "config": { "mediaType": config, "size": 2, "digest": "sha256:00" },
            "layers": [{ "mediaType": layer, "size": 5, "digest": "sha256:01" }],
        })
        .to_string()
    }

    fn accept(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (ACCEPT, value.parse().unwrap())).collect()
    }

    #[test]
    fn an_image_is_translated_for_those_who_take_only_the_other_format() {
        let docker = image(DOCKER_IMAGE, CONFIG.0, LAYER.0);
        let oci = image(OCI_IMAGE, CONFIG.1, LAYER.1);
        for (stored, from, to, expected) in
            [(&docker, DOCKER_IMAGE, OCI_IMAGE, &oci), (&oci, OCI_IMAGE, DOCKER_IMAGE, &docker)]
        {
            let found = translation(from, stored.as_bytes(), &accept(&["text/html, a/b", to])).unwrap();
            assert_eq!(found.media_type, to);
            let text: serde_json::Value = serde_json::from_slice(&found.text).unwrap();
            assert_eq!(text, serde_json::from_str::<serde_json::Value>(expected).unwrap());
        }
    }

    #[test]
    fn a_manifest_that_is_accepted_or_has_no_other_form_stays() {
        let oci = image(OCI_IMAGE, CONFIG.1, LAYER.1);
        let both = format!("{DOCKER_IMAGE};q=0.5,{OCI_IMAGE}");
        for values in [vec![], vec!["*/*"], vec![both.as_str()], vec!["text/html"]] {
            assert_eq!(translation(OCI_IMAGE, oci.as_bytes(), &accept(&values)), None, "{values:?}");
        }
        let zstd = image(OCI_IMAGE, CONFIG.1, "application/vnd.oci.image.layer.v1.tar+zstd");
        assert_eq!(translation(OCI_IMAGE, zstd.as_bytes(), &accept(&[DOCKER_IMAGE])), None);
        let index = "application/vnd.oci.image.index.v1+json";
        assert_eq!(translation(index, b"{}", &accept(&[DOCKER_IMAGE])), None);
    }

    proptest! {
        #[test]
        fn any_text_is_translated_or_left(text: Vec<u8>, value in "[ -~]{0,40}") {
            let headers = accept(&[DOCKER_IMAGE, &value]);
            let _ = translation(OCI_IMAGE, &text, &headers);
        }
    }
}
