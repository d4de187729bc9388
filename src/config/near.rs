//! The nearest known word to a mistyped one.

/// Longer words are compared by their beginning: nobody mistypes a key of this length.
const COMPARED_CHARS_MAX: usize = 64;

/// Score of a word that holds the other whole, as `user` and `username`.
const CONTAINED_SCORE: usize = 2;

/// The one of `known` that `word` was most likely meant to be; the first of equals.
///
/// `None` only when `known` is empty.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known.into_iter().min_by_key(|candidate| {
        let distance = distance(&word, candidate);
        let contained = word.len() > 2 && (candidate.contains(&word) || word.contains(candidate));
        let score = if contained {
            distance.min(CONTAINED_SCORE)
        } else {
            distance
        };
        (score, distance)
    })
}

/// How many characters must be added, dropped, changed or swapped with their neighbour to
/// make `b` of `a` (the optimal string alignment distance).
pub fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(COMPARED_CHARS_MAX).collect();
    let b: Vec<char> = b.chars().take(COMPARED_CHARS_MAX).collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_single_slips() {
        let cases = [
            ("", "", 0),
            ("url", "url", 0),
            ("intervall", "interval", 1),
            ("inteval", "interval", 1),
            ("intevral", "interval", 1),
            ("unterval", "interval", 1),
            ("", "url", 3),
            ("élan", "elan", 1),
        ];
        for (a, b, wanted) in cases {
            assert_eq!(distance(a, b), wanted, "{a:?} to {b:?}");
            assert_eq!(distance(b, a), wanted, "{b:?} to {a:?}");
        }
    }

    #[test]
    fn the_nearest_word_is_the_one_a_reader_would_name() {
        let known = ["url", "username", "password", "password_file", "cert_file"];
        let cases = [
            ("uri", "url"),
            ("user", "username"),
            ("pasword", "password"),
            ("PASSWORD", "password"),
            ("cert", "cert_file"),
            ("passwordfile", "password_file"),
        ];
        for (word, wanted) in cases {
            assert_eq!(nearest(word, known), Some(wanted), "{word:?}");
        }
        assert_eq!(nearest("url", []), None);
    }
}
