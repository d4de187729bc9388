//! Runs `check` and reads what it prints.

use std::process::Command;

use crate::harness::{no_secret_in, program};
use crate::region::world::Alarm;
use crate::region::{self, Region, World};
use crate::support::config::ConfigFile;

/// Grade, part, and what must stand in the line.
pub type Line = (&'static str, &'static str, &'static str);

/// What a run of `check` printed.
pub struct Printed {
    pub code: Option<i32>,
    pub text: String,
}

impl Printed {
    pub fn of(command: &mut Command) -> Printed {
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        no_secret_in("stdout of check", &text);
        no_secret_in("stderr of check", &errors);
        for line in text.lines().rev().skip(1) {
            let columns: Vec<char> = line.chars().collect();
            let aligned = columns[5] == ' ' && columns[6] != ' ' && columns[22] == ' ';
            assert!(aligned && columns[23] != ' ', "not aligned: {line:?}");
        }
        Printed {
            code: output.status.code(),
            text,
        }
    }

    pub fn has(&self, (grade, part, what): &Line) -> bool {
        let begins = format!("{grade:<5} {part:<15}  ");
        let mut lines = self.text.lines();
        lines.any(|line| line.starts_with(&begins) && line.contains(what))
    }

    pub fn holds(&self, case: &str, lines: &[Line]) {
        for line in lines {
            assert!(self.has(line), "{case}: no line {line:?} in\n{}", self.text);
        }
    }

    /// The exit code, and that the last line counts the others.
    pub fn ends(&self, case: &str, code: i32) {
        assert_eq!(self.code, Some(code), "{case}:\n{}", self.text);
        let count = |grade: &str| {
            let lines = self
                .text
                .lines()
                .filter(|l| l.split(' ').next() == Some(grade));
            lines.count()
        };
        let grades = ["ok", "note", "warn", "fail"];
        let counted = grades.map(|grade| format!("{} {grade}", count(grade)));
        assert_eq!(
            self.text.lines().last(),
            Some(counted.join(", ").as_str()),
            "{case}"
        );
        assert_eq!(count("fail") > 0, code == 1, "{case}:\n{}", self.text);
    }
}

pub fn check(config: &ConfigFile) -> Printed {
    Printed::of(program().arg("check").arg("--config").arg(config.write()))
}

pub fn usual_world() -> World {
    let mut world = World::new("eu-central-1")
        .with_channels(3, 4)
        .standard_metrics();
    let silent = [("Channel", "ch-0000")];
    world.put_alarm(Alarm::metric("ch-0000-silent", "IngressBytes", &silent));
    world
}

pub fn config(region: &Region, broker: u16) -> ConfigFile {
    let mqtt = format!("mqtt://127.0.0.1:{broker}");
    ConfigFile::new(&region.url(), &mqtt, region::KEY)
}
