//! Long polls: a request that waits for a message, with neither a worker nor the world held up.

use std::sync::PoisonError;
use std::time::Instant;

use super::super::sqs;
use super::{Clients, Inside, Reply, Request, Seen, action, lock};

impl Inside {
    /// Waits until the queue has a message for this request, its time is over, or a fault is
    /// planned for it. `None` when the region stops, or when the client has left: then no
    /// message is taken for it.
    pub fn poll(&self, request: &Request, seen: &mut Seen, clients: &Clients) -> Option<Reply> {
        let until = Instant::now() + sqs::api::wait(seen)?;
        let mut world = lock(&self.world);
        world.sqs.count_waiting(&seen.queue, 1);
        let reply = loop {
            if *lock(&self.stop) || !clients.is_there(request.port) {
                break None;
            }
            let now = Instant::now();
            if world.sqs.settle(now) {
                self.changed.notify_all();
            }
            let answer = sqs::api::serve(&world, request, seen);
            let waits = answer.is_ok() && sqs::api::wait(seen).is_some() && now < until;
            if !waits || world.faults.has(&action(seen)) {
                break Some(self.conclude(&mut world, request, seen, answer));
            }
            let queue = world.sqs.find(&seen.queue);
            let visible = queue.and_then(|queue| queue.until_visible(now));
            let left = until - now;
            let next = visible.map_or(left, |visible| left.min(visible));
            let waited = self.changed.wait_timeout(world, next);
            world = waited.unwrap_or_else(PoisonError::into_inner).0;
        };
        world.sqs.count_waiting(&seen.queue, -1);
        reply
    }
}
