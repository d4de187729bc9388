//! `event/<type>`: what happened, told once.

use serde::Serialize;

use super::spliced;
use crate::state::model::Id;
use crate::state::push::Passed;
use crate::state::time::UnixMs;

/// Every type there is: the last level of the topic.
pub const TYPES: [&str; 12] = [
    "alarm",
    "ingest",
    "input_switch",
    "max_ingest_streams",
    "key_provider",
    "harvest_job",
    "vod_ingest",
    "channel_added",
    "channel_removed",
    "endpoint_added",
    "endpoint_removed",
    "other",
];

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    /// Its own id, where what told it gave one; it stays the same when it is told again.
    pub id: Option<String>,
    /// Its type, the last level of the topic.
    pub event_type: &'static str,
    /// When, by AWS's word where it has one.
    pub time: UnixMs,
    /// Where it was learned.
    pub source: &'static str,
    /// The channel it is about.
    pub channel_id: Option<Id>,
    /// The endpoint it is about.
    pub endpoint_id: Option<Id>,
    /// The alarm it is about.
    pub alarm: Option<Id>,
    /// The state after it.
    pub state: Option<String>,
    /// The state before it.
    pub previous_state: Option<String>,
    /// One sentence.
    pub summary: String,
    /// What else is known of it, a JSON object; `None`: nothing.
    pub detail: Option<Passed>,
}

/// `event/<type>`; `number` and the time of start make an id unique that is not given.
pub fn event(happening: &Happening, started_at: UnixMs, number: u64) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        id: String,
        event_type: &'a str,
        time: String,
        source: &'a str,
        channel_id: Option<&'a str>,
        endpoint_id: Option<&'a str>,
        alarm: Option<&'a str>,
        state: Option<&'a str>,
        previous_state: Option<&'a str>,
        summary: &'a str,
    }
    let id = happening.id.clone();
    let head = Payload {
        id: id.unwrap_or_else(|| format!("{:x}-{number}", started_at.0)),
        event_type: happening.event_type,
        time: happening.time.rfc3339_ms(),
        source: happening.source,
        channel_id: happening.channel_id.as_deref(),
        endpoint_id: happening.endpoint_id.as_deref(),
        alarm: happening.alarm.as_deref(),
        state: happening.state.as_deref(),
        previous_state: happening.previous_state.as_deref(),
        summary: &happening.summary,
    };
    let detail = happening.detail.as_ref();
    spliced(&head, &[("detail", detail.map_or("{}", |d| &d.json))])
}
