//! Boards without the boards: qemu runs a binary for another processor as a process of this
//! machine.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder with the binaries, from `tests/run`.
const FOLDER: &str = "ARM_BINARIES";
/// What it is when they are not wanted.
const NOT_WANTED: &str = "none";

/// What a binary is for, and the emulator with the processor that it is held against.
pub struct Board {
    name: &'static str,
    emulator: &'static str,
    processor: &'static str,
    /// `cross/build` makes its binary only when it is named.
    on_demand: bool,
}

/// Raspberry Pi 3 and later, and nearly all boards of these years.
pub const AARCH64: Board = Board {
    name: "aarch64",
    emulator: "qemu-aarch64-static",
    processor: "cortex-a53",
    on_demand: false,
};

/// Raspberry Pi 2, BeagleBone, and other boards of 32 bits. The Cortex-A8 is the oldest of them.
pub const ARMV7: Board = Board {
    name: "armv7",
    emulator: "qemu-arm-static",
    processor: "cortex-a8",
    on_demand: false,
};

/// Raspberry Pi 1 and Zero.
pub const ARMV6: Board = Board {
    name: "armv6",
    emulator: "qemu-arm-static",
    processor: "arm1176",
    on_demand: true,
};

/// A binary that is there.
pub struct Binary<'a> {
    board: &'a Board,
    path: PathBuf,
}

impl Board {
    /// The board's binary; `None` where none is asked for, which is said.
    ///
    /// # Panics
    ///
    /// When it is asked for and not there.
    pub fn binary(&self) -> Option<Binary<'_>> {
        let folder = std::env::var_os(FOLDER).filter(|folder| folder != NOT_WANTED);
        let Some(folder) = folder else {
            return self.skipped();
        };
        let path = Path::new(&folder).join(format!("mediapackage2mqtt-{}", self.name));
        if self.on_demand && !path.exists() {
            return self.skipped();
        }
        assert!(path.is_file(), "{FOLDER} lacks {}", path.display());
        Some(Binary { board: self, path })
    }

    fn skipped(&self) -> Option<Binary<'_>> {
        let first = match self.on_demand {
            true => format!("`cross/build {}`, then ", self.name),
            false => String::new(),
        };
        let remedy = format!("{first}`tests/run --test arm`");
        let line = format!("SKIPPED: no binary for {}: {remedy}", self.name);
        // Past the test harness, which keeps what is printed to itself.
        let _ = writeln!(std::io::stderr(), "{line}");
        None
    }
}

impl Binary<'_> {
    /// The emulated program, still without arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.board.emulator);
        command
            .args(["-cpu", self.board.processor])
            .arg(&self.path)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", "/nonexistent")
            .stdin(Stdio::null());
        command
    }

    /// The emulated agent with its config.
    pub fn running(&self, config: &Path) -> Command {
        let mut command = self.command();
        command.arg("run").arg("--config").arg(config);
        command
    }
}
