//! Runs the command line and maps its error to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    mediapackage2mqtt::cli::run(std::env::args_os().skip(1))
}
