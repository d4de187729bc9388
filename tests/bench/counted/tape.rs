//! Answers in the order in which they are asked for, made in one process and used in another.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;

/// Each answer with its length before it, in a file.
#[derive(Default)]
pub struct Tape(VecDeque<Vec<u8>>);

impl Tape {
    pub fn push(&mut self, answer: Vec<u8>) {
        self.0.push_back(answer);
    }

    /// # Panics
    ///
    /// When more is asked for than was when the tape was made.
    pub fn next(&mut self) -> Vec<u8> {
        self.0.pop_front().expect("the tape is at its end")
    }

    pub fn write(&self, path: &Path) {
        let mut bytes = Vec::new();
        for answer in &self.0 {
            bytes.extend((answer.len() as u64).to_le_bytes());
            bytes.extend_from_slice(answer);
        }
        fs::write(path, bytes).unwrap();
    }

    pub fn read(path: &Path) -> Tape {
        let bytes = fs::read(path).unwrap();
        let mut rest = bytes.as_slice();
        let mut tape = Tape::default();
        while let Some((length, behind)) = rest.split_first_chunk() {
            let (answer, behind) = behind.split_at(u64::from_le_bytes(*length) as usize);
            tape.push(answer.to_vec());
            rest = behind;
        }
        tape
    }
}
