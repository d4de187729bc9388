//! What the process ends with when it does not end well.

use std::fmt;
use std::process::ExitCode;

/// Exit code for wrong usage and for a wrong configuration.
pub const EXIT_CONFIG: u8 = 2;

/// Whose fault it is; it decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The world did not go along: exit code 1.
    Failed,
    /// The command line or the configuration is wrong: exit code 2.
    Config,
}

/// Why a command failed: one message that says what happened, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault it is.
    pub kind: FailureKind,
    /// The message; several lines only where several faults are told.
    pub message: String,
}

impl Failure {
    /// The world did not go along.
    pub fn failed(message: impl Into<String>) -> Failure {
        Failure {
            kind: FailureKind::Failed,
            message: message.into(),
        }
    }

    /// The configuration is wrong.
    pub fn config(message: impl Into<String>) -> Failure {
        Failure {
            kind: FailureKind::Config,
            message: message.into(),
        }
    }

    /// What the process exits with.
    pub fn exit_code(&self) -> ExitCode {
        match self.kind {
            FailureKind::Failed => ExitCode::FAILURE,
            FailureKind::Config => ExitCode::from(EXIT_CONFIG),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
