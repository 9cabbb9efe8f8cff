//! Putting the job's files into its container.

use bollard::query_parameters::UploadToContainerOptionsBuilder;
use bytes::Bytes;

use super::RunError;
use super::containers::Container;
use crate::engine::{Engine, EngineError};

/// Everyone may write to the working directory, because images run as different users. GitLab Runner prepares it with
/// umask 0000 for the same reason (v19.3.0 shells/bash.go).
const WORKING_DIR_MODE: u32 = 0o777;

/// Opens the working directory for every user, and unpacks the tar archive `sources` into it.
pub(super) async fn unpack(
    engine: &Engine,
    container: &Container,
    working_dir: &str,
    sources: Option<Bytes>,
) -> Result<(), RunError> {
    let folder = archive_of_folder(working_dir).map_err(|error| EngineError::ConnectionLost {
        operation: "prepare the working directory",
        reason: error.to_string(),
    })?;
    upload(engine, container, "/", folder, "prepare the working directory").await?;
    if let Some(sources) = sources {
        upload(engine, container, working_dir, sources, "unpack the sources").await?;
    }
    Ok(())
}

async fn upload(
    engine: &Engine,
    container: &Container,
    path: &str,
    archive: Bytes,
    operation: &'static str,
) -> Result<(), EngineError> {
    let options = UploadToContainerOptionsBuilder::default().path(path).build();
    let upload =
        engine.docker().upload_to_container(&container.id, Some(options), bollard::body_full(archive));
    engine.call(operation, upload).await
}

/// Returns an archive that holds nothing but the folder itself: unpacking it sets the folder's mode.
fn archive_of_folder(path: &str) -> std::io::Result<Bytes> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_mode(WORKING_DIR_MODE);
    header.set_size(0);
    let mut archive = tar::Builder::new(Vec::new());
    let name = format!("{}/", path.trim_matches('/'));
    archive.append_data(&mut header, name, std::io::empty())?;
    Ok(archive.into_inner()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_holds_the_folder_alone() {
        let archive = archive_of_folder("/builds/group/project").unwrap();
        let mut archive = tar::Archive::new(archive.as_ref());
        let entries: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap())
            })
            .collect();
        assert_eq!(entries, [("builds/group/project/".to_owned(), WORKING_DIR_MODE)]);
    }
}
