//! Runs the command line and maps its error to an exit code.

use std::process::ExitCode;

use dlmalloc::GlobalDlmalloc;

/// The same for every libc, so that what is measured on one machine holds on another.
#[global_allocator]
static HEAP: GlobalDlmalloc = GlobalDlmalloc;

fn main() -> ExitCode {
    mediapackage2mqtt::cli::run(std::env::args_os().skip(1))
}
