//! One long text for many readers, so that neither the asking nor the reading has a price.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Text;
use crate::engine::outbox::Change;
use crate::state::time::Mono;

/// Texts of before that are still on their way to somebody. While there are so many no other is
/// made: peers that do not read shall not have memory filled for them.
const OLD_TEXTS_MAX: usize = 2;

/// The newest text, and those that others still read.
#[derive(Debug)]
pub(super) struct Shelf {
    /// Without a question for this long the newest is let go.
    keep: Duration,
    newest: Option<Kept>,
    old: Vec<(Change, Weak<Vec<u8>>)>,
    /// Bytes of the newest, also when it is let go.
    pub(super) bytes: usize,
}

/// A text that is there.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// The look that it shows.
    pub(super) change: Change,
    pub(super) text: Text,
    /// When it was made.
    pub(super) made: Mono,
    asked: Mono,
}

impl Shelf {
    /// Keeps nothing yet.
    pub(super) fn new(keep: Duration) -> Shelf {
        Shelf {
            keep,
            newest: None,
            old: Vec::new(),
            bytes: 0,
        }
    }

    /// The newest text if it is `good`, or if no other may be made now.
    pub(super) fn take(
        &mut self,
        now: Mono,
        good: impl Fn(&Kept) -> bool,
    ) -> Option<(Change, Text)> {
        self.old.retain(|(_, text)| text.strong_count() > 0);
        let is_full = self.old.len() >= OLD_TEXTS_MAX;
        match &mut self.newest {
            Some(newest) if is_full || good(newest) => {
                newest.asked = now;
                Some((newest.change, newest.text.clone()))
            }
            None if is_full => {
                let (change, text) = self.old.last()?;
                Some((*change, text.upgrade()?))
            }
            _ => None,
        }
    }

    /// Has a newer one from now on.
    pub(super) fn put(&mut self, now: Mono, change: Change, text: Vec<u8>) -> Text {
        self.let_go();
        self.bytes = text.len();
        let text = Arc::new(text);
        self.newest = Some(Kept {
            change,
            text: text.clone(),
            made: now,
            asked: now,
        });
        text
    }

    /// When it is to be tidied.
    pub(super) fn deadline(&self) -> Option<Mono> {
        let newest = self.newest.as_ref()?;
        Some(newest.asked.after(self.keep))
    }

    /// Lets go what nobody asked for in a while.
    pub(super) fn tidy(&mut self, now: Mono) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.let_go();
        }
    }

    fn let_go(&mut self) {
        self.old.retain(|(_, text)| text.strong_count() > 0);
        let newest = self.newest.take();
        self.old
            .extend(newest.map(|newest| (newest.change, Arc::downgrade(&newest.text))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono(Duration::from_secs(seconds))
    }

    #[test]
    fn readers_that_do_not_read_hold_two_old_texts_at_the_most() {
        let mut shelf = Shelf::new(Duration::from_secs(60));
        let never = |_: &Kept| false;
        let mut readers: Vec<Text> = Vec::new();
        let mut made = 0;
        for second in 0..10 {
            let text = shelf.take(at(second), never).map(|(_, text)| text);
            readers.push(text.unwrap_or_else(|| {
                made += 1;
                shelf.put(at(second), made, vec![b'x'])
            }));
        }
        assert_eq!(made, 3);
        // Also when the newest is let go meanwhile.
        shelf.tidy(at(100));
        assert_eq!(shelf.deadline(), None);
        let (change, text) = shelf.take(at(100), never).unwrap();
        assert_eq!((change, text), (3, readers[9].clone()));
        readers.clear();
        assert!(shelf.take(at(101), never).is_none());
    }

    #[test]
    fn a_text_is_kept_while_somebody_asks_for_it() {
        let mut shelf = Shelf::new(Duration::from_secs(60));
        shelf.put(at(0), 1, vec![b'x']);
        let good = |kept: &Kept| kept.change == 1;
        for second in [59, 118, 177] {
            shelf.tidy(at(second));
            assert!(shelf.take(at(second), good).is_some(), "{second}");
            assert!(shelf.take(at(second), |_| false).is_none(), "{second}");
        }
        shelf.tidy(at(237));
        assert!(shelf.take(at(237), good).is_none());
    }
}
