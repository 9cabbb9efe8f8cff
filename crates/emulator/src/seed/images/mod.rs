//! Images from outside: OCI layouts and what `docker save` writes.
//!
//! Nothing is unpacked. Names inside an archive or a layout choose what is read, never where something is written:
//! content goes into the store under the digest that it turns out to have.

mod docker_archive;
mod layout;
mod source;

use std::io::{self, Read, Write as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::SeededImage;
use crate::registry::RegistryError;
use crate::registry::manifests;
use crate::registry::names::Digest;
use crate::registry::uploads::MAX_BLOB;
use crate::store::{RepositoryKey, Store, StoreError};
use source::Source;

/// How much of a layer is in memory at once.
const CHUNK: usize = 256 * 1024;

/// What an image consists of, its content already in the store; manifests come after those that they name.
#[derive(Debug, Default)]
struct Parts {
    blobs: Vec<(Digest, u64)>,
    manifests: Vec<Manifest>,
}

#[derive(Debug)]
struct Manifest {
    media_type: String,
    text: Vec<u8>,
}

/// Imports an image and gives it its tags.
pub(super) fn import(
    store: &Store,
    key: &RepositoryKey,
    image: &SeededImage,
    pushed: i64,
) -> Result<(), ImportError> {
    let parts = parts_of(store, &image.from, image.reference.as_deref())?;
    store.change(key, |repository| {
        repository.blobs.extend(parts.blobs);
        let mut last = None;
        for manifest in &parts.manifests {
            last = Some(manifests::import(store, repository, &manifest.media_type, &manifest.text, pushed)?);
        }
        // The last one is what was asked for; the others are its parts.
        let digest = last.ok_or(ImportError::NotAnImage)?;
        repository.tags.extend(image.tags.iter().map(|tag| (tag.clone(), digest)));
        Ok(())
    })
}

/// Puts the content of an image into the store.
fn parts_of(store: &Store, path: &Path, reference: Option<&str>) -> Result<Parts, ImportError> {
    let source = Source::open(path)?;
    if source.has(docker_archive::LIST) {
        return docker_archive::parts(store, &source, reference);
    }
    if source.has(layout::INDEX) {
        return layout::parts(store, &source, reference);
    }
    Err(ImportError::NotAnImage)
}

/// Copies a file of an image into the store, and tells its digest and size.
fn kept(store: &Store, mut content: impl Read, size: u64) -> Result<Digest, ImportError> {
    if size > MAX_BLOB {
        return Err(ImportError::TooLarge(MAX_BLOB));
    }
    let path = store.new_upload_file()?;
    let mut file = std::fs::OpenOptions::new().append(true).open(&path)?;
    let (mut hasher, mut chunk, mut arrived) = (Sha256::new(), vec![0; CHUNK], 0);
    loop {
        let length = content.read(&mut chunk)?;
        if length == 0 {
            break;
        }
        hasher.update(&chunk[..length]);
        file.write_all(&chunk[..length])?;
        arrived += length as u64;
    }
    if arrived != size {
        return Err(ImportError::EndsEarly);
    }
    let digest = Digest::from_sha256(hasher.finalize().into());
    store.keep_content(path, digest)?;
    Ok(digest)
}

/// The one entry of `found` that `reference` means, or the only one there is.
fn chosen<T>(found: Vec<(Vec<String>, T)>, reference: Option<&str>) -> Result<T, ImportError> {
    let names = || found.iter().flat_map(|(names, _)| names.clone()).collect();
    let position = match reference {
        None if found.len() == 1 => Some(0),
        None if found.is_empty() => return Err(ImportError::NotAnImage),
        None => return Err(ImportError::Several(names())),
        Some(wanted) => found.iter().position(|(names, _)| names.iter().any(|name| name == wanted)),
    };
    let unknown =
        || ImportError::NoSuchReference { reference: reference.unwrap_or_default().into(), found: names() };
    let position = position.ok_or_else(unknown)?;
    found.into_iter().nth(position).map(|(_, entry)| entry).ok_or(ImportError::NotAnImage)
}

/// Why an image is not imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file cannot be read, or nothing can be written to the state folder.
    #[error("cannot read or write")]
    Io(#[from] io::Error),
    /// There is neither an OCI layout nor what `docker save` writes.
    #[error("this is neither a folder with an OCI layout nor an archive of `docker save`")]
    NotAnImage,
    /// A file of the image is a link.
    #[error("`{0}` is a link, and links are not followed")]
    Link(String),
    /// A name in an archive leads out of it.
    #[error("`{0}` leads out of the archive")]
    OutOfArchive(String),
    /// An archive has entries that are neither files nor folders, or are of a kind that is not read.
    #[error("`{0}` is an entry of a kind that is not read")]
    UnknownEntry(String),
    /// An archive has more entries than any image has files.
    #[error("the archive has more than {0} entries")]
    TooManyEntries(usize),
    /// A file of the image is larger than it may be.
    #[error("a file of the image is larger than {0} bytes")]
    TooLarge(u64),
    /// A file that the image names is not there.
    #[error("there is no `{0}`")]
    Missing(String),
    /// A file is shorter than the archive says.
    #[error("a file ends early")]
    EndsEarly,
    /// A file has another content than its name says.
    #[error("the content of {0} is another")]
    Altered(String),
    /// There are several images.
    #[error("there are several images: {}", .0.join(", "))]
    Several(Vec<String>),
    /// None of the images has the name.
    #[error("there is no image `{reference}`, but these: {}", found.join(", "))]
    NoSuchReference {
        /// The name.
        reference: String,
        /// The names that there are.
        found: Vec<String>,
    },
    /// A manifest or a list of images is not understood.
    #[error("{0}")]
    Manifest(String),
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] StoreError),
}

impl ImportError {
    /// What to do about it, where something can be done.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Several(found) => {
                Some(format!("reference = \"{}\"", found.first().map_or("NAME", String::as_str)))
            }
            Self::NotAnImage => Some("docker save --output image.tar NAME:TAG".into()),
            Self::State(error) => error.hint(),
            _ => None,
        }
    }
}

impl From<RegistryError> for ImportError {
    fn from(error: RegistryError) -> Self {
        Self::Manifest(error.to_string())
    }
}

impl From<serde_json::Error> for ImportError {
    fn from(error: serde_json::Error) -> Self {
        Self::Manifest(error.to_string())
    }
}

#[cfg(test)]
mod tests;
