//! Runs the command line and maps its error to an exit code.

fn main() {}
