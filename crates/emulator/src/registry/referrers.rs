//! The manifests that name another as their subject, such as signatures (OCI distribution specification 1.1, listing
//! referrers).

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Place;
use super::errors::RegistryError;
use super::names::Digest;
use crate::store::ManifestRecord;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// An index of the referrers, of one artifact type where the query says so. A manifest that is not there has none.
pub(super) fn list(place: &Place, digest: &str, query: Option<&str>) -> Result<Response, RegistryError> {
    let subject: Digest = digest.parse().map_err(|_| RegistryError::DigestInvalid)?;
    let wanted = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find_map(|(name, value)| (name == "artifactType").then(|| value.into_owned()));
    let of_subject = place.repository.manifests.iter().filter(|(_, record)| record.subject == Some(subject));
    let referrers: Vec<Value> = of_subject
        .filter(|(_, record)| wanted.is_none() || record.artifact_type == wanted)
        .map(|(digest, record)| descriptor(*digest, record))
        .collect();
    let body = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": referrers });
    let filtered = wanted.map(|_| [("oci-filters-applied", "artifactType")]);
    Ok((filtered, [(CONTENT_TYPE, INDEX)], body.to_string()).into_response())
}

fn descriptor(digest: Digest, record: &ManifestRecord) -> Value {
    let mut descriptor = json!({ "mediaType": record.media_type, "size": record.size, "digest": digest });
    if let Some(artifact_type) = &record.artifact_type {
        descriptor["artifactType"] = json!(artifact_type);
    }
    if !record.annotations.is_empty() {
        descriptor["annotations"] = json!(record.annotations);
    }
    descriptor
}
