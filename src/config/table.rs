//! A config file as it is read: each question for a key gives a value or notes a fault with
//! its line, so that all faults of a file are told in one run.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::errors::Fault;
use super::near;
use super::syntax::Broken;
use super::{Env, Secret};
use super::{files, keys, value};

/// Longest text that is no secret; everything that is written by hand is far shorter.
const TEXT_BYTES_MAX: usize = 4096;

/// Most entries of one list.
const LIST_ENTRIES_MAX: usize = 256;

/// In place of a key: the table as a whole is meant.
pub(super) const WHOLE: &str = "";

/// So many faults are kept: a megabyte of nonsense must not become a gigabyte of messages.
const FAULTS_MAX: usize = 1000;

/// What all tables of one file share.
pub(super) struct Document<'a> {
    file: &'a Path,
    root: &'a DeTable<'a>,
    /// Variables that stand in for keys and in paths.
    pub env: &'a Env,
    /// Where each line begins.
    line_starts: Vec<usize>,
    /// Lines that are not TOML: what else seems wrong there is an echo.
    broken_lines: Vec<usize>,
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<Fault>>,
}

impl<'a> Document<'a> {
    /// A document of which nothing has been read.
    pub fn new(file: &'a Path, text: &str, root: &'a DeTable<'a>, env: &'a Env) -> Document<'a> {
        let newlines = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        Document {
            file,
            root,
            env,
            line_starts: std::iter::once(0)
                .chain(newlines.map(|(at, _)| at + 1))
                .collect(),
            broken_lines: Vec::new(),
            faults: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    /// Notes the lines that are not TOML.
    pub fn note_broken(&mut self, broken: &[Broken]) {
        for Broken { offset, reason } in broken {
            let line = self.line(*offset);
            let column = offset - self.line_starts[line - 1] + 1;
            self.faults.get_mut().push(Fault {
                line,
                place: String::new(),
                what: format!("column {column}: not TOML: {reason}"),
            });
            self.broken_lines.push(line);
        }
    }

    /// The keys before the first table.
    pub fn top(&'a self) -> Table<'a> {
        Table {
            document: self,
            name: "",
            line: 1,
            entries: Some(self.root),
        }
    }

    /// A table, where it is written; `a.b` is the table `b` of the table `a`.
    pub fn table(&'a self, name: &'static str) -> Option<Table<'a>> {
        let mut found = (self.root, 0);
        for part in name.split('.') {
            let (key, value) = found.0.get_key_value(part)?;
            // What is no table is told where unknown keys are.
            let DeValue::Table(entries) = value.get_ref() else {
                return None;
            };
            found = (entries, key.span().start);
        }
        Some(Table {
            document: self,
            name,
            line: self.line(found.1),
            entries: Some(found.0),
        })
    }

    /// A table whose every key has a default: one that is not written is an empty one.
    pub fn table_or_empty(&'a self, name: &'static str) -> Table<'a> {
        self.table(name).unwrap_or(Table {
            document: self,
            name,
            line: 1,
            entries: None,
        })
    }

    /// Notes every table and key that does not exist.
    pub fn note_unknown(&self) {
        self.note_unknown_in(self.root, "");
    }

    fn note_unknown_in(&self, entries: &DeTable<'_>, table: &str) {
        let known = keys::of_table(table).unwrap_or_default();
        for (key, value) in entries.iter() {
            let name: &str = key.get_ref();
            let full = keys::subtable(table, name);
            let line = self.line(key.span().start);
            if keys::of_table(&full).is_some() {
                match value.get_ref() {
                    DeValue::Table(entries) => self.note_unknown_in(entries, &full),
                    _ => self.fault(
                        line,
                        format!("[{full}]"),
                        format!("must be a table; write [{full}] and its keys below it"),
                    ),
                }
            } else if known.contains(&name) {
                continue;
            } else if is_table(value.get_ref()) && keys::has_subtables(table) {
                let place = format!("[{}]", value::shown_name(&full));
                self.fault(line, place, keys::unknown_table(&full));
            } else {
                self.fault(line, place(table, name), keys::unknown_key(table, name));
            }
        }
    }

    /// Notes a fault, unless the line is known to be broken.
    pub fn fault(&self, line: usize, place: String, what: String) {
        let mut faults = self.faults.borrow_mut();
        if faults.len() < FAULTS_MAX && !self.broken_lines.contains(&line) {
            faults.push(Fault { line, place, what });
        }
    }

    /// Notes what is right but deserves a word.
    pub fn warn(&self, line: usize, place: String, what: String) {
        self.warnings.borrow_mut().push(Fault { line, place, what });
    }

    /// All faults and, in line order, all warnings.
    pub fn into_findings(self) -> (Vec<Fault>, Vec<String>) {
        let mut warnings = self.warnings.into_inner();
        warnings.sort_by_key(|warning| warning.line);
        let shown = warnings.iter().map(|warning| warning.show(self.file));
        (self.faults.into_inner(), shown.collect())
    }

    fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }
}

/// One table of a document.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    document: &'a Document<'a>,
    name: &'static str,
    /// Line of its header, for what is missing.
    line: usize,
    entries: Option<&'a DeTable<'a>>,
}

impl<'a> Table<'a> {
    /// The document it belongs to.
    pub fn document(self) -> &'a Document<'a> {
        self.document
    }

    /// Its name, without brackets.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Whether there are tables below it.
    pub fn holds_tables(self) -> bool {
        let mut values = self.entries.into_iter().flat_map(DeTable::values);
        values.any(|value| is_table(value.get_ref()))
    }

    /// The value of a key as the parser read it.
    pub fn value(self, key: &str) -> Option<&'a DeValue<'a>> {
        self.entry(key).map(|(_, value)| value.get_ref())
    }

    /// Whether the key is written, whatever its value.
    pub fn has(self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// Notes a fault at a key that is written, or at the table's header.
    pub fn fault(self, key: &str, what: impl Into<String>) {
        self.fault_at(self.key_line(key), key, what);
    }

    /// Notes a fault of a secret, in whichever way it is given.
    pub fn fault_secret(self, key: &str, what: impl Into<String>) {
        let twin = format!("{key}_file");
        self.fault(if self.has(&twin) { &twin } else { key }, what);
    }

    /// Notes that a key must be there. With lines that are not TOML it may be on one of them.
    pub fn missing(self, key: &str, what_to_do: &str) {
        if self.document.broken_lines.is_empty() {
            self.fault_at(self.line, key, format!("is missing; {what_to_do}"));
        }
    }

    /// Notes a warning at a key, or at the table's header where the key is not written.
    pub fn warn(self, key: &str, what: impl Into<String>) {
        let place = place(self.name, key);
        self.document.warn(self.key_line(key), place, what.into());
    }

    /// A text that is not empty.
    pub fn text(self, key: &str) -> Option<&'a str> {
        let text = self.any_text(key)?;
        match self.check_text(text) {
            Ok(()) => Some(text),
            Err(what) => {
                self.fault(key, what);
                None
            }
        }
    }

    /// A text as `read` understands it.
    pub fn parsed<T>(
        self,
        key: &str,
        read: impl FnOnce(&'a str) -> Result<T, String>,
    ) -> Option<T> {
        let read = read(self.text(key)?);
        read.map_err(|what| self.fault(key, what)).ok()
    }

    /// A list of texts, each as `read` understands it. Texts that are refused are left out.
    pub fn list<T>(
        self,
        key: &str,
        mut read: impl FnMut(&'a str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let (_, value) = self.entry(key)?;
        let DeValue::Array(entries) = value.get_ref() else {
            self.wrong_type(
                key,
                "a list of texts such as [\"a\", \"b\"]",
                value.get_ref(),
            );
            return None;
        };
        if entries.len() > LIST_ENTRIES_MAX {
            self.fault(
                key,
                format!("has too many entries; at most {LIST_ENTRIES_MAX} are taken"),
            );
            return None;
        }
        let mut list = Vec::new();
        for entry in entries.iter() {
            let read = match entry.get_ref().as_str() {
                Some(text) => self.check_text(text).and_then(|()| read(text)),
                None => Err(format!("holds {}; write texts only", kind(entry.get_ref()))),
            };
            match read {
                Ok(value) => list.push(value),
                Err(what) => self.fault_at(self.document.line(entry.span().start), key, what),
            }
        }
        Some(list)
    }

    /// Whether the key is a list with nothing in it.
    pub fn is_empty_list(self, key: &str) -> bool {
        let list = self.value(key).and_then(DeValue::as_array);
        list.is_some_and(|entries| entries.is_empty())
    }

    /// One of a few words.
    pub fn choice<T: Copy>(self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        self.parsed(key, |text| choose(text, choices))
    }

    /// True or false.
    pub fn flag(self, key: &str) -> Option<bool> {
        let (_, value) = self.entry(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, "true or false", value.get_ref());
        }
        flag
    }

    /// A whole number within bounds.
    pub fn integer(self, key: &str, bounds: RangeInclusive<i64>) -> Option<i64> {
        let (_, value) = self.entry(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, "a whole number", value.get_ref());
            return None;
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.filter(|number| bounds.contains(number));
        if number.is_none() {
            let (start, end) = bounds.into_inner();
            self.fault(
                key,
                format!("is out of range; from {start} to {end} is taken"),
            );
        }
        number
    }

    /// A number, whole or not; infinity and "not a number" are for the caller to refuse.
    pub fn number(self, key: &str) -> Option<f64> {
        let (_, value) = self.entry(key)?;
        let digits = match value.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            other => {
                self.wrong_type(key, "a number", other);
                return None;
            }
        };
        let number = digits.parse().ok();
        if number.is_none() {
            self.fault(key, "is not a number; write one such as 25 or 0.01");
        }
        number
    }

    /// A duration within bounds.
    pub fn duration(self, key: &str, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        self.parsed(key, |text| value::duration(text, &bounds))
    }

    /// A path, expanded and relative to the config file.
    pub fn path(self, key: &str) -> Option<PathBuf> {
        let (folder, env) = (self.document.folder(), self.document.env);
        self.parsed(key, |text| files::expand(text, folder, env))
    }

    /// Two paths that are given together or not at all.
    pub fn path_pair(self, one: &str, other: &str) -> (Option<PathBuf>, Option<PathBuf>) {
        self.needs(one, other);
        self.needs(other, one);
        (self.path(one), self.path(other))
    }

    /// Notes a fault when `key` is given without `other`.
    pub fn needs(self, key: &str, other: &str) {
        if self.has(key) && !self.has(other) {
            self.fault(key, format!("needs {other} beside it"));
        }
    }

    /// Notes a fault when a secret is given, in either way, without `other`.
    pub fn secret_needs(self, key: &str, other: &str) {
        self.needs(key, other);
        self.needs(&format!("{key}_file"), other);
    }

    /// A secret, from the key itself or from the file that its twin names.
    pub fn secret(self, key: &str) -> Option<Secret> {
        let twin = format!("{key}_file");
        if self.has(key) && self.has(&twin) {
            let what = format!("{key} and {twin} are both given; keep one of them");
            self.fault(&twin, what);
            return None;
        }
        if self.has(&twin) {
            let read = files::read_secret(&self.path(&twin)?);
            return read.map_err(|what| self.fault(&twin, what)).ok();
        }
        match self.any_text(key)? {
            "" => {
                self.fault(key, "is empty; write the secret or leave the key out");
                None
            }
            text => Some(Secret::new(text)),
        }
    }

    /// Whether a secret is given in either way.
    pub fn has_secret(self, key: &str) -> bool {
        self.has(key) || self.has(&format!("{key}_file"))
    }

    fn any_text(self, key: &str) -> Option<&'a str> {
        let (_, value) = self.entry(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(key, "a text in quotes", value.get_ref());
        }
        text
    }

    fn check_text(self, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return Err(String::from("is empty; write a value or leave it out"));
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(format!(
                "is too long; at most {TEXT_BYTES_MAX} bytes are taken"
            ));
        }
        if text.chars().any(char::is_control) {
            return Err(String::from(
                "holds a control character, such as a line break; leave it out",
            ));
        }
        Ok(())
    }

    /// The value itself is never repeated: it may be a secret without quotes.
    fn wrong_type(self, key: &str, wanted: &str, got: &DeValue<'_>) {
        self.fault(key, format!("must be {wanted}, not {}", kind(got)));
    }

    fn fault_at(self, line: usize, key: &str, what: impl Into<String>) {
        self.document
            .fault(line, place(self.name, key), what.into());
    }

    fn key_line(self, key: &str) -> usize {
        if key == WHOLE {
            return self.line;
        }
        match self.entry(key) {
            Some((key, _)) => self.document.line(key.span().start),
            None => self.line,
        }
    }

    fn entry(self, key: &str) -> Option<Entry<'a>> {
        let known = keys::of_table(self.name).unwrap_or_default();
        debug_assert!(
            known.contains(&key),
            "[{}] {key} is missing in the list of keys",
            self.name
        );
        self.entries?.get_key_value(key)
    }
}

type Entry<'a> = (
    &'a Spanned<toml::de::DeString<'a>>,
    &'a Spanned<DeValue<'a>>,
);

/// Reads one of a few words.
pub(super) fn choose<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    let names = || choices.iter().map(|(name, _)| *name);
    let all: Vec<String> = names().map(|name| format!("{name:?}")).collect();
    let nearest = near::nearest(text, names()).unwrap_or_default();
    Err(format!(
        "{} is not one of {}; the nearest is {nearest:?}",
        value::quoted(text),
        all.join(", ")
    ))
}

fn place(table: &str, key: &str) -> String {
    let key = value::shown_name(key);
    match table {
        "" => key,
        table => format!("[{table}] {key}").trim_end().to_string(),
    }
}

fn is_table(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Table(_) => true,
        DeValue::Array(entries) => entries
            .iter()
            .next()
            .is_some_and(|e| e.get_ref().is_table()),
        _ => false,
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
