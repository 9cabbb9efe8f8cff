//! Reading files that others wrote: regular ones, of limited size, without waiting.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is a directory, a pipe, a device or the like.
    #[error("it is not a regular file")]
    NotRegular,
    /// It is longer than expected.
    #[error("it is longer than {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The content of the regular file at `path`, of at most `limit` bytes; `None` if there is no file.
///
/// # Errors
/// If there is something else, something longer, or something that this process may not read.
pub fn read_limited(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, ReadError> {
    // Without O_NONBLOCK, opening a pipe waits for a writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => read_all(File::from(fd), limit).map(Some),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

fn read_all(file: File, limit: usize) -> Result<Vec<u8>, ReadError> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(ReadError::NotRegular);
    }
    // Files of /proc and /sys tell no length; reading one byte more than allowed finds the limit for all.
    let mut content = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(limit).min(limit));
    file.take(limit as u64 + 1).read_to_end(&mut content)?;
    if content.len() > limit {
        return Err(ReadError::TooLong { limit });
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_files_within_the_limit_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(read_limited(&path, 4).unwrap().is_none());
        std::fs::write(&path, "1234").unwrap();
        assert_eq!(read_limited(&path, 4).unwrap().unwrap(), b"1234");
        assert!(matches!(read_limited(&path, 3), Err(ReadError::TooLong { limit: 3 })));
        assert!(read_limited(&path.join("below"), 4).unwrap().is_none());
    }

    #[test]
    fn pipes_directories_and_devices_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        for path in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
            assert!(matches!(read_limited(path, 4), Err(ReadError::NotRegular)), "{}", path.display());
        }
    }
}
