//! mediapackage2mqtt keeps a live picture of AWS Elemental MediaPackage in retained MQTT topics.
//!
//! # The story
//!
//! Pollers ask AWS and hand over complete observations. One [`engine`] owns all state: it joins
//! what it hears, decides what subscribers should see, and says what to do next. What they
//! should see is a map of retained topics, a pure function of state; the outbox holds it
//! against what the broker has acknowledged and sends the difference. So a reconnect, a broker
//! that lost its store, a restart and a removal are one and the same case: wanted, held, sent.
//!
//! ```text
//! poll-mp ─────┐                               ┌─▶ mqtt ─────▶ broker
//! poll-metrics ┤   sync_channel (bounded)      ├─▶ mqtt-read ◀ its retained store
//! poll-alarms ─┤                               ├─▶ poll-…, sqs (the next job)
//! sns-…, sqs ──┼─▶ Engine::handle(now, event) ─┼─▶ http (the answer), sns-aws, spool
//! mqtt, stop ──┘        -> effects             └─▶ log, systemd, finish
//! AWS -> complete snapshot -> state -> wanted topics -> difference -> publishes
//! ```
//!
//! What AWS pushes comes by the same door: a message is judged by a worker, joined with the
//! state by the engine, and answered when the broker or the spool has it. A message of the
//! queue is deleted when the broker has it; until then the queue is its spool.
//!
//! Who looks at the local page asks the engine too, and is shown the wanted topics as the broker
//! gets them: so the page is right also while the broker is away.
//!
//! # Who may import whom
//!
//! `main` → [`cli`] → [`agent`] → [`aws`], [`mqtt`], [`http`], [`sns`], [`status`] → [`engine`]
//! → [`topics`] → [`state`] → [`texts`]. No arrow goes back. [`config`], [`error`], [`log`] and
//! `pem` serve everything left of `engine`.
//! `texts`, `state`, `topics` and `engine` are pure: no clock, no randomness, no file, socket,
//! thread or environment; `tests/tidy.rs` holds them to it.
//!
//! # Threads
//!
//! | name | owner | what it does | how it ends |
//! |---|---|---|---|
//! | main | `cli` | the engine's loop: waits for an event or the next deadline | `Effect::Finish` |
//! | `poll-mp`, `poll-metrics`, `poll-alarms` | `agent` | one job in, one outcome out | its channel is dropped; requests in flight are interrupted |
//! | `mqtt` | `agent` | one session after the other, as asked | DISCONNECT, its channel is dropped |
//! | `mqtt-read` | `agent` | reads the retained store, as asked | its channel is dropped |
//! | `mqtt-check` | `agent` | the sessions of `check` | its channel is dropped |
//! | `check-limit` | `agent` | ends what AWS has not answered in time | the switch |
//! | `http` | `agent` | gathers the requests of all connections, writes the answers | `Answers::stop` |
//! | `sns-1`, `sns-2` | `agent` | judge requests | `http` drops their channel |
//! | `sns-aws` | `agent` | fetches certificates, confirms subscriptions | its channel is dropped; requests in flight are interrupted |
//! | `status` | `agent` | gathers the requests of the local page, answers them or asks the engine | `Answers::stop` |
//! | `sqs` | `agent` | one job of the queue in, one outcome out | its channel is dropped; a long poll is interrupted |
//! | `spool` | `agent` | keeps messages on disk | its channel is dropped |
//! | `meter` | `agent` | keeps the month's meter on disk | its channel is dropped, all is written |
//! | `stop` | `agent` | turns the thrown switch into an event | the switch |
//! | `signals` | `cli` | SIGTERM and SIGINT throw the switch | its handle is closed |
//!
//! The engine never waits for anybody: what it sends to a thread goes through a channel that
//! has room by construction (one job of a kind, `IN_FLIGHT_MAX` publications). Whoever sends
//! to the engine may wait.
//!
//! # What holds
//!
//! - A snapshot is complete or it is none: a failed page changes nothing.
//! - A payload names its fields one by one; what is not named cannot leak.
//! - A publication counts when its PUBACK came. Nothing rests on the client's own queue.
//! - Points are not queued: the minute that the broker acknowledged last is remembered, and
//!   CloudWatch is asked again from there. So memory is flat while the broker is away.
//! - A message that was answered 200 is with the broker or on disk. What tells of a change goes
//!   out before the retained state that would hide it after a crash.
//! - Home Assistant's documents are topics like the others, one for each device. They wait for
//!   the first whole picture, so that no entity moves between devices; flat topics go out with
//!   the topic that they are of.
//! - What AWS IoT Core keeps is asked for by name: the names of what was published are noted in
//!   the state folder, for that broker only.
//! - systemd's watchdog is fed only while everybody who owes the engine an answer moves; the log
//!   is told of lasting trouble once an hour.
//! - A deadline lies in the future, and every queue and list has a limit with a name.
//!
//! # Where this differs from the first design
//!
//! - Alarms have a thread of their own (`poll-alarms`), so that a long metric poll never
//!   delays an alarm; reading the store has one too (`mqtt-read`), since it happens beside the
//!   session.
//! - All timers are the engine's. A poller has none: it answers jobs. That makes every rule
//!   about time a table test.
//! - A metric poll goes batch by batch, a batch being whole channels with their endpoints, and
//!   packaging configurations after those: a snapshot is complete for its channels, and memory
//!   is bounded by a batch.
//! - What is asked of MediaPackage comes in short jobs, one at a time, the one that waits longest
//!   first: so that a long listing of v2, or the details of its resources, holds up nothing.
//! - The queue is asked by jobs, one at a time: what it gave is settled before it is asked for
//!   more. So a long poll and a delete need no second thread, and at most ten messages are held.
//! - Acknowledgements come by the dozen, as one reading of the socket brings them, and the engine
//!   publishes as many again at once: told one by one they cost a fifth of a poll.
//! - The texts read and written by the thousand at every poll have a crate of their own,
//!   [`texts`], compiled for speed where nearly all else is compiled for size. So a poll takes a
//!   fifth less CPU time, and the binary 10 KB more room.
//! - Of past minutes a fingerprint is kept, not the values: enough to tell a revision, and a
//!   fraction of the memory.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        reason = "a test that meets a surprise shall stop there"
    )
)]

pub mod agent;
pub mod aws;
pub mod cli;
pub mod config;
pub mod engine;
pub mod error;
pub mod http;
pub mod log;
pub mod mqtt;
mod pem;
pub mod sns;
pub mod state;
pub mod status;
pub mod topics;
