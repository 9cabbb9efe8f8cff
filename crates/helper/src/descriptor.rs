//! A descriptor that is written to as it is.

use std::io::{self, Write};
use std::os::fd::BorrowedFd;

/// Writes to a descriptor without the standard library's own handles. Those of standard output take a descriptor that
/// cannot be written to (EBADF) for one that takes everything, so that an answer that nobody got would be a success; and
/// they have locks, which another thread may hold that panics.
pub(crate) struct Descriptor<'a>(pub(crate) BorrowedFd<'a>);

impl Write for Descriptor<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
