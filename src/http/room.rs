//! The memory of all bodies together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How much of it is left, for one front.
#[derive(Clone, Debug)]
pub(super) struct Room {
    left: Arc<AtomicUsize>,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Room {
        Room {
            left: Arc::new(AtomicUsize::new(bytes)),
        }
    }

    /// A share of nothing, which can grow.
    pub(super) fn share(&self) -> Held {
        Held {
            room: self.clone(),
            bytes: 0,
        }
    }

    pub(super) fn has(&self, bytes: usize) -> bool {
        self.left.load(Ordering::Relaxed) >= bytes
    }
}

/// A share of the room. It comes back when this is dropped, on whichever thread.
#[derive(Debug)]
pub(super) struct Held {
    room: Room,
    bytes: usize,
}

impl Held {
    /// Takes more. False when there is not as much.
    pub(super) fn grow(&mut self, more: usize) -> bool {
        let order = Ordering::Relaxed;
        let less = |left: usize| left.checked_sub(more);
        let taken = self.room.left.fetch_update(order, order, less).is_ok();
        self.bytes += if taken { more } else { 0 };
        taken
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_missing_until_it_is_dropped() {
        let room = Room::new(10);
        let (mut first, mut second) = (room.share(), room.share());
        assert!(first.grow(4) && first.grow(2) && second.grow(4));
        assert!(!room.has(1) && !first.grow(1));
        assert_eq!((first.bytes(), second.bytes()), (6, 4));
        std::thread::scope(|scope| {
            scope.spawn(move || drop(first));
        });
        assert!(room.has(6) && !room.has(7) && second.grow(6));
        drop(second);
        assert!(room.has(10) && !room.has(11));
    }
}
