//! What is wrong with a config file: every fault that was found, in line order.

use std::fmt;
use std::path::{Path, PathBuf};

/// So many faults are told in one run; the rest is counted.
const FAULTS_SHOWN_MAX: usize = 50;

/// One fault: where it is, what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Line in the file, from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// `[table] key`, or empty.
    pub place: String,
    /// `what is wrong; what to do`, never with the value of a secret.
    pub what: String,
}

impl Fault {
    /// One line: `FILE:LINE: [table] key: what is wrong; what to do`.
    pub fn show(&self, file: &Path) -> String {
        let mut shown = file.display().to_string();
        if self.line > 0 {
            shown = format!("{shown}:{}", self.line);
        }
        for part in [&self.place, &self.what] {
            if !part.is_empty() {
                shown = format!("{shown}: {part}");
            }
        }
        shown
    }
}

/// Everything that is wrong with one config file. Never empty.
///
/// `Display` writes one line for each fault,
/// `FILE:LINE: [table] key: what is wrong; what to do`, in line order and at most 50 of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    file: PathBuf,
    faults: Vec<Fault>,
}

impl Errors {
    /// Sorts the faults by line; those of one line keep their order.
    pub(super) fn new(file: &Path, mut faults: Vec<Fault>) -> Errors {
        faults.sort_by_key(|fault| fault.line);
        Errors {
            file: file.to_path_buf(),
            faults,
        }
    }

    /// One fault of the file as a whole, such as that it cannot be read.
    pub(super) fn of_file(file: &Path, what: impl Into<String>) -> Errors {
        let fault = Fault {
            line: 0,
            place: String::new(),
            what: what.into(),
        };
        Errors::new(file, vec![fault])
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.faults.iter().take(FAULTS_SHOWN_MAX).enumerate() {
            let newline = if at == 0 { "" } else { "\n" };
            write!(f, "{newline}{}", fault.show(&self.file))?;
        }
        match self.faults.len().saturating_sub(FAULTS_SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, "\n{}: and {more} more", self.file.display()),
        }
    }
}

impl std::error::Error for Errors {}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: usize, place: &str, what: &str) -> Fault {
        Fault {
            line,
            place: place.into(),
            what: what.into(),
        }
    }

    #[test]
    fn faults_are_told_one_to_a_line_and_in_line_order() {
        let faults = vec![
            fault(7, "[mqtt] url", "b"),
            fault(2, "", "a"),
            fault(7, "[mqtt] url", "c"),
        ];
        let shown = Errors::new(Path::new("x.toml"), faults).to_string();
        let wanted = "x.toml:2: a\nx.toml:7: [mqtt] url: b\nx.toml:7: [mqtt] url: c";
        assert_eq!(shown, wanted);
        let whole = Errors::of_file(Path::new("x.toml"), "cannot be read");
        assert_eq!(whole.to_string(), "x.toml: cannot be read");
    }

    #[test]
    fn the_number_of_lines_is_bounded() {
        let faults = (1..=FAULTS_SHOWN_MAX + 3).map(|line| fault(line, "", "a"));
        let shown = Errors::new(Path::new("x.toml"), faults.collect()).to_string();
        assert_eq!(shown.lines().count(), FAULTS_SHOWN_MAX + 1);
        assert!(shown.ends_with("x.toml: and 3 more"), "{shown}");
    }
}
