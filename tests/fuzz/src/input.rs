//! An input as a row of decisions: what is left of it says what comes next.

use serde_json::Value;

/// Texts as messages have them, and such that could be mistaken for something else.
const TEXTS: [&str; 16] = [
    "a",
    "ch-1",
    "OK",
    "ALARM",
    "INSUFFICIENT_DATA",
    "",
    "AWS/MediaPackage",
    "IngressBytes",
    "Channel",
    "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:a",
    "arn:aws:cloudwatch:us-east-1:210987654321:alarm:a",
    "eu-central-1",
    "123456789012",
    "\u{e9}\u{0}\n\"\\",
    "a@210987654321.us-east-1",
    "2026-11-22T10:00:00.000Z",
];

/// Bytes that decisions are taken from; when there are none left, every decision is the first.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All of it.
    pub fn new(bytes: &'a [u8]) -> Input<'a> {
        Input(bytes)
    }

    /// Whether nothing is left to decide.
    pub fn at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte; 0 at the end.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// One of so many.
    pub fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Yes in one of so many cases.
    pub fn rarely(&mut self, one_in: usize) -> bool {
        self.below(one_in) == one_in - 1
    }

    /// So many of the next bytes, or what is left.
    pub fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A text: one that is known, or any.
    pub fn text(&mut self) -> String {
        let choice = self.below(TEXTS.len() + 2);
        if let Some(known) = TEXTS.get(choice) {
            return (*known).to_owned();
        }
        let count = self.below(40);
        let text = String::from_utf8_lossy(self.bytes(count)).into_owned();
        match choice == TEXTS.len() {
            true => text,
            false => text.repeat(1 + self.below(300)),
        }
    }

    /// A value: most often this one.
    pub fn value(&mut self, usual: Value) -> Value {
        match self.below(16) {
            0..12 => usual,
            12 => Value::Null,
            13 => Value::from(self.text()),
            14 => Value::from(f64::from(self.byte()) * 1e300),
            _ => Value::from_iter([(self.text(), Value::from(self.text()))]),
        }
    }
}
