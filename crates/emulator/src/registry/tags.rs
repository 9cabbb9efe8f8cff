//! The tags of a repository.

use axum::http::header::{CONTENT_TYPE, LINK};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Place;
use super::errors::RegistryError;
use super::names::Tag;

/// The tags in order, `n` of them after `last` where the query says so; `Link` leads to the next.
pub(super) fn list(place: &Place, query: Option<&str>) -> Result<Response, RegistryError> {
    let (mut size, mut last) = (usize::MAX, String::new());
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*name {
            "n" => size = value.parse().map_err(|_| RegistryError::PageSizeInvalid)?,
            "last" => last = value.into_owned(),
            _ => {}
        }
    }
    let mut rest = place.repository.tags.keys().map(Tag::as_str).filter(|tag| *tag > last.as_str());
    let tags: Vec<&str> = rest.by_ref().take(size).collect();
    let next = rest.next().and(tags.last()).map(|last| {
        let path = place.path("tags/list");
        [(LINK, format!("<{path}?last={last}&n={size}>; rel=\"next\""))]
    });
    let body = json!({ "name": place.path_name, "tags": tags });
    Ok((next, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response())
}
