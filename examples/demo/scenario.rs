//! The story of the simulated region: what happens when, over and over.

use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mediapackage2mqtt::aws::Stop;

use super::News;
use super::region::{Alarm, Clock, Region, World};

/// Where it takes place.
pub const REGION: &str = "eu-central-1";
/// What the alarms notify.
pub const TOPIC: &str = "mediapackage";
/// After this many seconds it begins again: a whole number of minutes, so that each minute of
/// metrics falls on the same steps every time.
const LENGTH_SECONDS: u64 = 120;
/// Second of the minute, by the region's clock, at which the demo starts. The minute under way
/// is complete 20 seconds later, and with it the first loss of ingest.
const START_SECOND: i64 = 40;

/// What live.concerts is when nothing special is on.
const CONCERTS: &str = "Concerts in UHD";

/// Something that happens.
struct Step {
    second: u64,
    says: &'static str,
    happens: fn(&Region),
}

const STORY: [Step; 12] = [
    Step {
        second: 2,
        says: "the encoder of sports-1 fails; a minute without ingest will show it",
        happens: |r| r.edit(|w| w.stop_ingest("sports-1", w.minute())),
    },
    Step {
        second: 8,
        says: "the v2 channel live.concerts gets another description",
        happens: |r| r.edit(|w| describe(w, "Tonight: the opening concert")),
    },
    Step {
        second: 14,
        says: "channel election-night goes on air",
        happens: |r| r.edit(|w| go_on_air(w, "election-night", 2)),
    },
    Step {
        second: 24,
        says: "CloudWatch raises the alarm sports-1-no-ingest; SNS tells it at once",
        happens: |r| set_alarms(r, "ALARM"),
    },
    Step {
        second: 35,
        says: "channel festival is deleted; two complete listings without it will clear it",
        happens: |r| r.edit(|w| w.remove_channel("festival")),
    },
    Step {
        second: 46,
        says: "the second input of the v2 channel live.concerts falls silent",
        happens: |r| r.edit(|w| w.stop_input("live.concerts", 1, w.minute())),
    },
    Step {
        second: 62,
        says: "the encoder of sports-1 is back, but the second input of news-hd falls silent",
        happens: |r| {
            r.edit(|w| {
                let minute = w.minute();
                w.start_ingest("sports-1", minute);
                w.stop_input("news-hd", 1, minute);
            });
        },
    },
    Step {
        second: 84,
        says: "the alarm sports-1-no-ingest is over",
        happens: |r| set_alarms(r, "OK"),
    },
    Step {
        second: 92,
        says: "the second input of news-hd is back",
        happens: |r| r.edit(|w| w.start_input("news-hd", 1, w.minute())),
    },
    Step {
        second: 100,
        says: "election-night is over, its channel is deleted",
        happens: |r| r.edit(|w| w.remove_channel("election-night")),
    },
    Step {
        second: 104,
        says: "the concert is over, and both inputs of live.concerts receive again",
        happens: |r| {
            r.edit(|w| {
                describe(w, CONCERTS);
                w.start_input("live.concerts", 1, w.minute());
            });
        },
    },
    Step {
        second: 108,
        says: "channel festival is on air again",
        happens: |r| r.edit(|w| go_on_air(w, "festival", 3)),
    },
];

/// The region when the curtain rises.
pub fn world() -> World {
    let mut world = World::new(REGION);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let second = now.map_or(0, |since| (since.as_secs() % 60) as i64);
    world.clock = Clock::Offset((START_SECOND - second) * 1000);
    for (channel, endpoints) in [
        ("news-hd", 4),
        ("sports-1", 3),
        ("weather", 1),
        ("festival", 3),
    ] {
        world.add_channel(channel, endpoints);
    }
    world.add_group("live");
    world.add_channel_v2("live", "concerts", 2);
    world.add_channel_v2("live", "theatre", 1);
    describe(&mut world, CONCERTS);
    let ingest = |channel| [("Channel", channel)];
    let mut alarm = Alarm::metric("sports-1-no-ingest", "IngressBytes", &ingest("sports-1"));
    alarm.description = Some(String::from("Nothing arrives from the encoder of sports-1"));
    world.put_alarm(alarm);
    world.put_alarm(Alarm::metric(
        "news-hd-no-ingest",
        "IngressBytes",
        &ingest("news-hd"),
    ));
    let rule = "ALARM(sports-1-no-ingest) OR ALARM(news-hd-no-ingest)";
    world.put_alarm(Alarm::composite("any-channel-down", rule));
    world.standard_metrics()
}

/// Plays the story until `stop` is requested, and tells each step.
pub fn play(region: &Region, stop: &Stop, tell: &SyncSender<News>) {
    let start = Instant::now();
    let rounds = (0..).map(|round| Duration::from_secs(round * LENGTH_SECONDS));
    let steps = rounds.flat_map(|begin| STORY.iter().map(move |step| (begin, step)));
    for (begin, step) in steps {
        let due = begin + Duration::from_secs(step.second);
        if stop.wait(due.saturating_sub(start.elapsed())) {
            return;
        }
        (step.happens)(region);
        if tell.send(News::Story(step.says)).is_err() {
            return;
        }
    }
}

/// Sets the alarm of sports-1 and the composite one that depends on it.
fn set_alarms(region: &Region, state: &str) {
    for name in ["sports-1-no-ingest", "any-channel-down"] {
        region.set_alarm_state(name, state, true);
    }
}

/// Subscribes the agent to what the alarms tell, which it then has to confirm.
pub fn subscribe(region: &Region, endpoint: &str) {
    let topic_arn = region.sns().topic(TOPIC);
    region.edit(|w| {
        for alarm in &mut w.alarms {
            alarm.actions.push(topic_arn.clone());
        }
    });
    region.sns().subscribe(&topic_arn, endpoint);
}

/// Gives live.concerts a description.
fn describe(world: &mut World, text: &str) {
    world.edit_channel_v2("live.concerts", |channel| {
        channel.common.description = Some(text.to_owned());
    });
}

/// Adds a channel whose metrics begin now.
fn go_on_air(world: &mut World, id: &str, endpoints: usize) {
    let minute = world.minute();
    world.add_channel(id, endpoints);
    world.add_metrics(id);
    for key in world.keys_of(id) {
        world.metrics.stop(&key, 0);
        world.metrics.start(&key, minute);
    }
}
