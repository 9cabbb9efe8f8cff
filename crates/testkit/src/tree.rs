//! What stands below a folder, to be compared with what stood there before.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A file, a folder or a link: its mode with its type, and the content of a file.
pub type Entry = (u32, Vec<u8>);

/// Everything below `root`, links not followed, but for `records` and what stands below it.
#[must_use]
pub fn tree(root: &Path, records: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path == records {
                continue;
            }
            let metadata = path.symlink_metadata().expect("metadata");
            let content = if metadata.is_file() { fs::read(&path).expect("a file") } else { Vec::new() };
            if metadata.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, (metadata.mode(), content));
        }
    }
    found
}
