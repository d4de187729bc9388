//! Finds what is not TOML, and makes the rest of the file readable for all that.

use std::ops::Range;

use toml::de::DeTable;

/// The parser gives up at a line that is no `key = value`; so many of those are taken out.
const REPAIRS_MAX: usize = 20;

/// So many broken lines are kept; who has more of them has given the wrong file.
const BROKEN_LINES_MAX: usize = 100;

/// A line that is not TOML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Where in the text.
    pub offset: usize,
    /// The parser's reason. It never repeats the text.
    pub reason: String,
}

/// The text without the lines at which the parser would stop (blanks stand in for them, so
/// that every offset still holds), and the first thing that is wrong in each broken line.
pub(super) fn repair(text: &str) -> (String, Vec<Broken>) {
    let mut text = text.to_string();
    let mut broken: Vec<(usize, Broken)> = Vec::new();
    for _ in 0..=REPAIRS_MAX {
        let (_, errors) = DeTable::parse_recoverable(&text);
        let mut stop = None;
        for error in &errors {
            let offset = error.span().unwrap_or_default().start;
            let line = line_around(&text, offset);
            if broken.len() < BROKEN_LINES_MAX && broken.iter().all(|(at, _)| *at != line.start) {
                let reason = error.message().to_string();
                broken.push((line.start, Broken { offset, reason }));
            }
            if stop.is_none() && stops_the_parser(&text[line.clone()]) {
                stop = Some(line);
            }
        }
        let Some(line) = stop else {
            break;
        };
        let blanks = " ".repeat(line.len());
        text.replace_range(line, &blanks);
    }
    (text, broken.into_iter().map(|(_, broken)| broken).collect())
}

fn stops_the_parser(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.contains('=') && !line.starts_with('[')
}

/// The line that holds `offset`, without its end.
fn line_around(text: &str, offset: usize) -> Range<usize> {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..]
        .find('\n')
        .map_or(text.len(), |length| at + length);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_line_does_not_hide_those_behind_it() {
        let cases = [
            ("a = 1\nb = 2\n", vec![]),
            ("a = 1\nb \"x\"\nc = é\n[d]\nf \"x\"\n", vec![2, 3, 5]),
            ("a = \"x\nb = 1\nc = \n", vec![1, 3]),
            ("a = 1\na = 2\n", vec![2]),
            ("é", vec![1]),
            ("a = '''\nb", vec![2]),
        ];
        for (text, wanted) in cases {
            let (repaired, broken) = repair(text);
            assert_eq!(repaired.len(), text.len(), "{text:?}: offsets hold");
            let line = |broken: &Broken| text[..broken.offset].matches('\n').count() + 1;
            let mut lines: Vec<usize> = broken.iter().map(line).collect();
            lines.sort_unstable();
            assert_eq!(lines, wanted, "{text:?}: {broken:?}");
        }
    }
}
