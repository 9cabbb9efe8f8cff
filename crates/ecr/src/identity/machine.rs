//! The machine whose role the SDK may get from its metadata service.

use std::path::{Path, PathBuf};

use crate::files::read_limited;
use crate::identity::append;

/// The longest of the files, in bytes.
const MAX_BYTES: usize = 4096;

/// The files that tell one machine from another. A home directory can be shared by instances with different roles.
#[derive(Debug, Clone)]
pub struct MachineFiles {
    /// The identifier of the installed system (machine-id(5)).
    pub machine_id: PathBuf,
    /// The firmware's asset tag: the instance id on EC2's Nitro instances, also inside containers.
    pub asset_tag: PathBuf,
}

impl MachineFiles {
    /// The files of this machine.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self {
            machine_id: PathBuf::from("/etc/machine-id"),
            asset_tag: PathBuf::from("/sys/class/dmi/id/board_asset_tag"),
        }
    }

    /// What the files say, in one row; a file that cannot be read counts as empty.
    pub(super) fn read(&self) -> Option<Vec<u8>> {
        let mut row = Vec::new();
        for file in [&self.machine_id, &self.asset_tag] {
            append(&mut row, &content(file));
        }
        Some(row)
    }
}

fn content(file: &Path) -> Vec<u8> {
    read_limited(file, MAX_BYTES).ok().flatten().unwrap_or_default()
}
