//! Where the files of an image are: in a folder, or in an archive that is read in place.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Take};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;
use tar::{Archive, EntryType};

use super::ImportError;

/// An image has at most some hundred layers, and three files for each.
const MAX_ENTRIES: usize = 100_000;
/// Headers that say more about an entry than the plain one; longer ones are no names or times.
const MAX_EXTENDED_HEADER: u64 = 64 * 1024;

/// The files of an image, by their names.
#[derive(Debug)]
pub(super) enum Source {
    Folder(PathBuf),
    Archive { file: File, entries: BTreeMap<String, Entry> },
}

/// A file of an archive.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry {
    File {
        position: u64,
        size: u64,
    },
    /// Never followed. Archives have links for readers of older formats, beside the files themselves.
    Link,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        if path.metadata()?.is_dir() {
            return Ok(Self::Folder(path.to_path_buf()));
        }
        let file = opened(path)?;
        let entries = entries_of(&file)?;
        Ok(Self::Archive { file, entries })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            // Only layouts are taken from folders: the names in them are the layout's own and lead nowhere else.
            Self::Folder(folder) => name == super::layout::INDEX && folder.join(name).is_file(),
            Self::Archive { entries, .. } => entries.contains_key(name),
        }
    }

    /// The content of a file, and how large it is.
    pub(super) fn content(&self, name: &str) -> Result<(Take<File>, u64), ImportError> {
        match self {
            Self::Folder(folder) => {
                let file = file_in(folder, name)?;
                let size = file.metadata()?.len();
                Ok((file.take(size), size))
            }
            Self::Archive { file, entries } => {
                let (position, size) = match entries.get(name) {
                    Some(Entry::File { position, size }) => (*position, *size),
                    Some(Entry::Link) => return Err(ImportError::Link(name.into())),
                    None => return Err(ImportError::Missing(name.into())),
                };
                let mut file = file.try_clone()?;
                file.seek(SeekFrom::Start(position))?;
                Ok((file.take(size), size))
            }
        }
    }

    /// A whole file, if it has at most `limit` bytes.
    pub(super) fn text(&self, name: &str, limit: u64) -> Result<Vec<u8>, ImportError> {
        let (mut content, size) = self.content(name)?;
        if size > limit {
            return Err(ImportError::TooLarge(limit));
        }
        let mut text = Vec::new();
        content.read_to_end(&mut text)?;
        if text.len() as u64 == size { Ok(text) } else { Err(ImportError::EndsEarly) }
    }
}

/// Opens a file, but waits for no pipe.
fn opened(path: &Path) -> Result<File, ImportError> {
    let file =
        OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(ImportError::NotAnImage) }
}

/// A file of a folder, if no link is on the way to it.
fn file_in(folder: &Path, name: &str) -> Result<File, ImportError> {
    let mut path = folder.to_path_buf();
    for part in name.split('/') {
        path.push(part);
        let metadata = path.symlink_metadata().map_err(|_| ImportError::Missing(name.into()))?;
        if metadata.is_symlink() {
            return Err(ImportError::Link(name.into()));
        }
    }
    opened(&path)
}

/// The files of a tar archive. Their names must stay within it, though nothing is unpacked: an archive with others was
/// made to harm those who do.
fn entries_of(file: &File) -> Result<BTreeMap<String, Entry>, ImportError> {
    let mut archive = Archive::new(file);
    let mut entries = BTreeMap::new();
    // Without `raw`, headers with long names are read into memory, however long they say that they are.
    for (number, entry) in archive.entries_with_seek()?.raw(true).enumerate() {
        if number >= MAX_ENTRIES {
            return Err(ImportError::TooManyEntries(MAX_ENTRIES));
        }
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {
                let (position, size) = (entry.raw_file_position(), entry.size());
                entries.insert(name_within(&name)?, Entry::File { position, size });
            }
            EntryType::Directory => {
                name_within(&name)?;
            }
            EntryType::Link | EntryType::Symlink => {
                entries.insert(name_within(&name)?, Entry::Link);
            }
            EntryType::XHeader | EntryType::XGlobalHeader if entry.size() <= MAX_EXTENDED_HEADER => {
                let mut records = Vec::new();
                entry.read_to_end(&mut records)?;
                check_extended(&records, name)?;
            }
            _ => return Err(ImportError::UnknownEntry(name)),
        }
    }
    Ok(entries)
}

/// Refuses extended headers that would change which file the next entry is or how long. Images need none: their names
/// are short, and layers of more than 8 GiB are rare enough.
fn check_extended(records: &[u8], name: String) -> Result<(), ImportError> {
    const DECISIVE: [&[u8]; 3] = [b" path=", b" linkpath=", b" size="];
    let is_decisive = |key: &&[u8]| records.windows(key.len()).any(|window| window == *key);
    if DECISIVE.iter().any(is_decisive) { Err(ImportError::UnknownEntry(name)) } else { Ok(()) }
}

fn name_within(name: &str) -> Result<String, ImportError> {
    let mut parts = Vec::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_string_lossy()),
            Component::CurDir => {}
            _ => return Err(ImportError::OutOfArchive(name.into())),
        }
    }
    Ok(parts.join("/"))
}
