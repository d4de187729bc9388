//! SQS: queues, their messages, and long polls.
//!
//! ```ignore
//! let queue = region.sqs().queue("edge");            // http://127.0.0.1:…/123456789012/edge
//! let id = region.sqs().send(&queue, "hello");       // a poll that waits gets it at once
//! region.edit(|w| w.sqs.expire(&queue));             // in flight no more, without waiting
//! assert!(region.sqs().messages(&queue).is_empty()); // once the agent has deleted it
//! ```
//!
//! A queue is named by its URL, its ARN or its name. Visibility timeouts and long polls run on
//! this machine's clock, timestamps are those of the region's. What is not here: delays,
//! deduplication, the end of the retention period, message attributes, and MD5 sums; policies
//! are kept and told, nothing is held against them.
//!
//! Sources: service model of SQS of 2012-11-05; SQS developer guide.

pub mod api;
pub mod errors;
pub mod input;
pub mod queue;
pub mod receipt;

use std::time::Instant;

use super::server::Region;
use super::sns::uuid;
use super::world::{ACCOUNT, World};

use input::is_name;
use queue::{Message, Queue, Redrive};

/// Bytes of a message (service model: `MaximumMessageSize`).
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// SQS as AWS holds it.
#[derive(Default)]
pub struct Sqs {
    /// Base of the URLs of queues. The region's own, until a test says otherwise.
    pub url: String,
    /// Queues.
    pub queues: Vec<Queue>,
    /// An answer without messages has the member `Messages`, an empty list. AWS leaves it out,
    /// and has not always done so.
    pub tells_empty: bool,
}

impl Sqs {
    /// The queue of this URL, ARN or name.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn queue(&mut self, which: &str) -> &mut Queue {
        let name = name_of(which);
        let found = self.queues.iter_mut().find(|q| q.name == name);
        found.unwrap_or_else(|| panic!("the region has no queue {which}"))
    }

    /// The queue of this name, if there is one.
    pub fn find(&self, name: &str) -> Option<&Queue> {
        self.queues.iter().find(|q| q.name == name)
    }

    /// Takes a queue away, and all that is in it.
    pub fn remove(&mut self, which: &str) {
        let name = name_of(which);
        self.queues.retain(|q| q.name != name);
    }

    /// Makes whatever is in flight visible, as when its visibility timeout had ended.
    ///
    /// # Panics
    ///
    /// When there is no such queue.
    pub fn expire(&mut self, which: &str) {
        self.queue(which).expire();
    }

    /// The next message that is deleted comes once more, as standard queues may do it.
    ///
    /// # Panics
    ///
    /// When there is no such queue.
    pub fn duplicate_next(&mut self, which: &str) {
        self.queue(which).duplicates += 1;
    }

    /// Counts long polls that begin (1) or end (-1) to wait.
    pub fn count_waiting(&mut self, name: &str, change: isize) {
        if let Some(queue) = self.queues.iter_mut().find(|q| q.name == name) {
            queue.waiting = queue.waiting.saturating_add_signed(change);
        }
    }

    /// Moves what was received too often to the dead-letter queues; true when there was any.
    pub fn settle(&mut self, now: Instant) -> bool {
        let names: Vec<String> = self.queues.iter().map(|q| q.name.clone()).collect();
        let is_there = |target: &Redrive| names.iter().any(|n| n == name_of(&target.target_arn));
        let mut moved = Vec::new();
        for queue in &mut self.queues {
            let Some(redrive) = queue.redrive.clone().filter(is_there) else {
                continue;
            };
            for letter in queue.take_exhausted(redrive.receives_max, now) {
                moved.push((redrive.target_arn.clone(), queue.name.clone(), letter));
            }
        }
        let any = !moved.is_empty();
        for (target, source, letter) in moved {
            self.queue(&target).take_letter(&source, letter);
        }
        any
    }
}

/// The last part of a URL or an ARN.
pub fn name_of(which: &str) -> &str {
    which.rsplit(['/', ':']).next().unwrap_or(which)
}

impl World {
    /// The URL of a queue, as `GetQueueUrl` tells it.
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.sqs.url)
    }

    /// The ARN of a queue.
    pub fn queue_arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{ACCOUNT}:{name}", self.region)
    }

    /// Puts a message into a queue: its id.
    ///
    /// # Panics
    ///
    /// When there is no such queue, or when SQS would not take the message.
    pub fn send_message(&mut self, queue: &str, body: &str) -> String {
        let (length, at_ms) = (body.len(), self.now_ms());
        assert!(length <= BODY_BYTES_MAX, "{length} bytes are too many");
        assert!(!body.is_empty(), "SQS takes no empty message");
        let is_taken = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        assert!(body.chars().all(is_taken), "SQS takes no such characters");
        let message = Message::new(&uuid(), body, at_ms);
        let id = message.id.clone();
        self.sqs.queue(queue).push(message);
        id
    }
}

impl Region {
    /// SQS, as whoever owns the queues uses it.
    pub fn sqs(&self) -> Service<'_> {
        Service { region: self }
    }
}

/// What the owner of queues can do.
pub struct Service<'a> {
    region: &'a Region,
}

/// A message that a queue holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its id.
    pub id: String,
    /// Its body.
    pub body: String,
    /// The next receive gets it; otherwise it is in flight.
    pub visible: bool,
    /// How often it was received, by `ReceiveMessage`.
    pub receives: u32,
}

impl Service<'_> {
    /// Makes a queue, once: its URL. A name that ends in `.fifo` makes a FIFO queue.
    ///
    /// # Panics
    ///
    /// When SQS would not take the name.
    pub fn queue(&self, name: &str) -> String {
        assert!(is_name(name), "SQS takes no name like {name}");
        self.region.edit(|world| {
            if world.sqs.find(name).is_none() {
                let queue = Queue::new(name, world.now_ms());
                world.sqs.queues.push(queue);
            }
            world.queue_url(name)
        })
    }

    /// The ARN of a queue.
    pub fn arn(&self, queue: &str) -> String {
        self.region.edit(|world| world.queue_arn(name_of(queue)))
    }

    /// Puts a message into a queue: its id.
    ///
    /// # Panics
    ///
    /// When there is no such queue, or when SQS would not take the message.
    pub fn send(&self, queue: &str, body: &str) -> String {
        self.region.edit(|world| world.send_message(queue, body))
    }

    /// What is in a queue, in the order in which it was sent.
    ///
    /// # Panics
    ///
    /// When there is no such queue.
    pub fn messages(&self, queue: &str) -> Vec<Held> {
        let now = Instant::now();
        self.region.edit(|world| {
            let all = world.sqs.queue(queue).messages.iter();
            let held = |message: &Message| Held {
                id: message.id.clone(),
                body: message.body.clone(),
                visible: message.is_visible(now),
                receives: message.receives,
            };
            all.map(held).collect()
        })
    }

    /// Gives a queue a dead-letter queue, `<name>-dead`, for what was received this often and
    /// is still there: the URL of that queue.
    ///
    /// # Panics
    ///
    /// When there is no such queue.
    pub fn dead_letters(&self, queue: &str, receives_max: u32) -> String {
        let name = name_of(queue);
        let dead = match name.strip_suffix(".fifo") {
            Some(plain) => format!("{plain}-dead.fifo"),
            None => format!("{name}-dead"),
        };
        let url = self.queue(&dead);
        let target_arn = self.arn(&dead);
        let redrive = Redrive {
            target_arn,
            receives_max,
        };
        self.region
            .edit(|world| world.sqs.queue(queue).redrive = Some(redrive));
        url
    }

    /// Sets the policy of a queue, JSON as its owner wrote it.
    ///
    /// # Panics
    ///
    /// When there is no such queue.
    pub fn set_policy(&self, queue: &str, policy: &str) {
        self.region
            .edit(|world| world.sqs.queue(queue).policy = Some(policy.to_owned()));
    }

    /// How many long polls wait at a queue now.
    ///
    /// # Panics
    ///
    /// When there is no such queue.
    pub fn waiting(&self, queue: &str) -> usize {
        self.region.edit(|world| world.sqs.queue(queue).waiting)
    }
}
