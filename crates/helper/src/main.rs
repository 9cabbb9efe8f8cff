//! The program `docker-credential-ecr-login`.

use std::process::ExitCode;

use dlmalloc::GlobalDlmalloc;

/// A `get` from the cache needs some 30 KB of memory, a page at a time by musl's own allocator, which maps pages for
/// each size of block: a fifth of the time of the process. This one takes 64 KiB at once.
#[global_allocator]
static HEAP: GlobalDlmalloc = GlobalDlmalloc;

fn main() -> ExitCode {
    ecru_helper::main()
}
