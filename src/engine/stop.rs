//! A clean stop: `offline` reaches the broker, or two seconds pass.

use std::time::Duration;

use super::{Effect, Engine, Now};
use crate::state::time::Mono;
use crate::topics::Topic;

/// How long the broker may take to acknowledge `offline`.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// A stop that is under way.
#[derive(Clone, Debug)]
pub struct Stopping {
    /// When to go without the acknowledgement.
    pub give_up_at: Mono,
    finished: bool,
    /// Why the process fails, where it was not asked to stop.
    refusal: Option<String>,
}

impl Engine {
    pub(super) fn stop(&mut self, now: Now) {
        self.begin_stop(now, None);
    }

    /// Ends the process as failed: it must not go on.
    pub(super) fn refuse(&mut self, now: Now, why: String) {
        self.begin_stop(now, Some(why));
    }

    fn begin_stop(&mut self, now: Now, refusal: Option<String>) {
        if self.stopping.is_some() {
            return;
        }
        self.log(log::Level::Info, "stopping");
        let give_up_at = now.mono.after(GOODBYE_MAX);
        self.stopping = Some(Stopping {
            give_up_at,
            finished: false,
            refusal,
        });
        self.answer_before_stop(now);
        self.outbox.say_last(Topic::Status);
    }

    /// Ends the process once nothing is left to say.
    pub(super) fn advance_stop(&mut self, now: Now) {
        let said = !self.broker.connected || !self.outbox.is_pending(&Topic::Status);
        let said = said && !self.owes_the_queue();
        let Some(stopping) = &mut self.stopping else {
            return;
        };
        if stopping.finished || !said && now.mono < stopping.give_up_at {
            return;
        }
        stopping.finished = true;
        stopping.give_up_at = Mono(Duration::MAX);
        let refusal = stopping.refusal.take();
        self.keep_meter_last();
        self.effects.push(Effect::Finish(refusal));
    }
}
