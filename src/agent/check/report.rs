//! What `check` prints: one line for each finding, counted, each at once so that a part that
//! takes its time does not look like the whole standing still.

use std::io::Write;

use crate::error::Failure;
use crate::state::fault::Fault;

/// Room for the longest name of a part.
const PART_COLUMNS: usize = 15;
/// Longest text of a finding; some of it is quoted from outside.
const FOUND_CHARS_MAX: usize = 600;

/// How good or bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// As it should be.
    Ok,
    /// Good to know; nothing has to be done.
    Note,
    /// The agent runs, but not as it could.
    Warn,
    /// This part does not work.
    Fail,
}

impl Grade {
    /// All, in the order in which the last line counts them.
    const ALL: [Grade; 4] = [Grade::Ok, Grade::Note, Grade::Warn, Grade::Fail];

    fn as_str(self) -> &'static str {
        match self {
            Grade::Ok => "ok",
            Grade::Note => "note",
            Grade::Warn => "warn",
            Grade::Fail => "fail",
        }
    }
}

/// Writes lines and counts them.
pub struct Report<W: Write> {
    out: W,
    /// In the order of [`Grade::ALL`].
    counts: [usize; 4],
}

impl<W: Write> Report<W> {
    /// Nothing is written yet.
    pub fn new(out: W) -> Report<W> {
        Report {
            out,
            counts: [0; 4],
        }
    }

    /// One line: grade, part, what was found, and the remedy where there is one.
    pub fn line(&mut self, grade: Grade, part: &str, found: &str, remedy: &str) {
        self.counts[grade as usize] += 1;
        let found = one_line(found);
        let mut line = format!("{:<5} {part:<PART_COLUMNS$}  {found}", grade.as_str());
        if !remedy.is_empty() {
            line = format!("{line} - {}", one_line(remedy));
        }
        // Whoever reads may have seen enough; the exit code is counted all the same.
        let _ = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
    }

    /// As it should be.
    pub fn ok(&mut self, part: &str, found: &str) {
        self.line(Grade::Ok, part, found, "");
    }

    /// Good to know.
    pub fn note(&mut self, part: &str, found: &str) {
        self.line(Grade::Note, part, found, "");
    }

    /// Works, but not as it could.
    pub fn warn(&mut self, part: &str, found: &str, remedy: &str) {
        self.line(Grade::Warn, part, found, remedy);
    }

    /// Does not work.
    pub fn fail(&mut self, part: &str, found: &str, remedy: &str) {
        self.line(Grade::Fail, part, found, remedy);
    }

    /// A call that failed, with AWS's own code.
    pub fn fault(&mut self, part: &str, fault: &Fault) {
        let found = match &fault.code {
            Some(code) => format!("{code}: {}", fault.what),
            None => fault.what.clone(),
        };
        self.fail(part, &found, &fault.remedy);
    }

    /// The last line, which counts the others.
    ///
    /// # Errors
    ///
    /// When any part failed.
    pub fn finish(mut self) -> Result<(), Failure> {
        let counted = Grade::ALL.map(|grade| {
            let count = self.counts[grade as usize];
            format!("{count} {}", grade.as_str())
        });
        let _ = writeln!(self.out, "{}", counted.join(", ")).and_then(|()| self.out.flush());
        match self.counts[Grade::Fail as usize] {
            0 => Ok(()),
            1 => Err(Failure::failed("1 part does not work, see its line")),
            failed => Err(Failure::failed(format!(
                "{failed} parts do not work, see their lines"
            ))),
        }
    }
}

/// Texts from outside may hold anything; a finding is one line.
fn one_line(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(FOUND_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fault::FaultKind;

    fn printed(write: impl FnOnce(&mut Report<&mut Vec<u8>>)) -> (String, bool) {
        let mut out = Vec::new();
        let mut report = Report::new(&mut out);
        write(&mut report);
        let well = report.finish().is_ok();
        (String::from_utf8(out).unwrap(), well)
    }

    #[test]
    fn lines_are_aligned_and_counted() {
        let (text, well) = printed(|report| {
            report.ok("config", "a file");
            report.note("clock", "not\nknown");
            report.warn("mediapackage v1", "no channels", "check the region");
        });
        let wanted = "\
ok    config           a file
note  clock            not known
warn  mediapackage v1  no channels - check the region
1 ok, 1 note, 1 warn, 0 fail
";
        assert_eq!(text, wanted);
        assert!(well);
    }

    #[test]
    fn one_failed_part_fails_the_whole() {
        let fault = Fault {
            kind: FaultKind::Permission,
            code: Some("AccessDeniedException".to_owned()),
            what: "no".to_owned(),
            remedy: "allow it".to_owned(),
        };
        let (text, well) = printed(|report| report.fault("DescribeAlarms", &fault));
        let wanted = "\
fail  DescribeAlarms   AccessDeniedException: no - allow it
0 ok, 0 note, 0 warn, 1 fail
";
        assert_eq!((text.as_str(), well), (wanted, false));
    }
}
