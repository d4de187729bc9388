//! Which messages have been delivered: AWS delivers at least once.

use std::collections::HashMap;
use std::time::Duration;

use heapless::Deque;

use crate::state::push::MessageId;
use crate::state::time::Mono;

/// Messages remembered.
pub const MESSAGES_MAX: usize = 8192;
/// Events of EventBridge remembered.
pub const EVENTS_MAX: usize = 1024;
/// How long: AWS tries for an hour, and a person may replay what was recorded.
const REMEMBERED_TIME: Duration = Duration::from_secs(2 * 3600);

/// The window of up to `N` ids that are not told again.
#[derive(Debug, Default)]
pub struct Repeats<const N: usize> {
    /// Oldest first. Made when the first one comes: it takes room.
    order: Option<Box<Deque<MessageId, N>>>,
    since: HashMap<MessageId, Mono>,
}

impl<const N: usize> Repeats<N> {
    /// Forgets what has not been told after all.
    pub fn forget(&mut self, id: MessageId) {
        // Its place in the order goes with time.
        self.since.remove(&id);
    }

    /// Whether the message was delivered not long ago.
    pub fn contains(&self, id: MessageId, now: Mono) -> bool {
        let since = self.since.get(&id);
        since.is_some_and(|since| now.since(*since) < REMEMBERED_TIME)
    }

    /// Remembers a message; the oldest goes where there is no room.
    pub fn insert(&mut self, id: MessageId, now: Mono) {
        if self.since.insert(id, now).is_some() {
            return;
        }
        let order = self.order.get_or_insert_default();
        while let Some(oldest) = order.front().copied() {
            let stays = self
                .since
                .get(&oldest)
                .is_some_and(|since| now.since(*since) < REMEMBERED_TIME);
            if stays && !order.is_full() {
                break;
            }
            order.pop_front();
            self.since.remove(&oldest);
        }
        // There is room: the loop above made it.
        let _ = order.push_back(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> MessageId {
        MessageId::parse(&format!("00000000-0000-0000-0000-{n:012x}")).unwrap()
    }

    fn at(seconds: u64) -> Mono {
        Mono(Duration::from_secs(seconds))
    }

    #[test]
    fn a_message_is_remembered_for_two_hours() {
        let mut repeats = Repeats::<MESSAGES_MAX>::default();
        assert!(!repeats.contains(id(1), at(0)));
        repeats.insert(id(1), at(0));
        assert!(repeats.contains(id(1), at(7199)));
        assert!(!repeats.contains(id(1), at(7200)));
        repeats.insert(id(2), at(7200));
        assert_eq!(repeats.since.len(), 1);
    }

    #[test]
    fn the_oldest_goes_where_there_is_no_room() {
        let mut repeats = Repeats::<MESSAGES_MAX>::default();
        let all = MESSAGES_MAX as u64 + 3;
        (0..all).for_each(|n| repeats.insert(id(n), at(n / 1000)));
        assert_eq!(repeats.since.len(), MESSAGES_MAX);
        let known = |n| repeats.contains(id(n), at(10));
        assert_eq!([known(2), known(3), known(all - 1)], [false, true, true]);
    }
}
