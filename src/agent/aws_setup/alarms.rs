//! An alarm for each channel that gets no input.
//!
//! Source: CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data".

use std::time::Duration;

use super::cfn;
use super::names::{ALARM_CHARS_MAX, digest, fitted};
use crate::agent::node::Node;
use crate::state::catalogue::Catalogue;
use crate::state::inventory::Inventory;
use crate::state::measure::{Measure, Resource};
use crate::state::model::Id;
use crate::state::polled::Dimensions;
use crate::state::wish::MetricsLevel;

/// The condition that there are such alarms.
pub const ALARMS_WANTED: &str = "AlarmsWanted";

const PERIOD_SECONDS: u64 = 60;

/// A channel, and how CloudWatch names the series of what comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The channel's id.
    pub channel: Id,
    /// In the order of the names.
    pub dimensions: Dimensions,
}

/// Every channel that is taken, in the order of the ids.
pub fn watched(inventory: &Inventory, catalogue: &Catalogue) -> Vec<Watched> {
    let channels = inventory.channels().filter_map(|channel| {
        let plan = catalogue.plan(channel, inventory, MetricsLevel::Channels);
        let input = plan.into_iter().find(|series| {
            matches!(series.resource, Resource::Channel(_))
                && series.measure == Measure::IngressBytes
        });
        Some(Watched {
            channel: channel.id.clone(),
            dimensions: input?.query.dimensions,
        })
    });
    channels.collect()
}

/// The alarm of a channel, with its logical id, which stays the same for the channel.
pub fn input_lost(instance: &str, watched: &Watched, after: Duration) -> (String, Node) {
    let channel = &*watched.channel;
    let minutes = after.as_secs().div_ceil(PERIOD_SECONDS).max(1);
    let head = format!("{instance}-");
    let name = fitted(&head, channel, "-input-lost", ALARM_CHARS_MAX);
    // A name that had to be cut stands for the id here too.
    let called = fitted("", channel, "", ALARM_CHARS_MAX);
    let description = format!(
        "No input for {minutes} min: CloudWatch has no IngressBytes of the MediaPackage channel \
         {called}."
    );
    let dimension = |(name, value): &(&'static str, Id)| {
        Node::object([("Name", Node::from(*name)), ("Value", Node::from(&**value))])
    };
    let dimensions = watched.dimensions.iter().map(dimension);
    let properties = Node::object([
        ("AlarmName", name.into()),
        ("AlarmDescription", description.into()),
        ("Namespace", "AWS/MediaPackage".into()),
        ("MetricName", "IngressBytes".into()),
        ("Dimensions", Node::list(dimensions)),
        ("Statistic", "Sum".into()),
        ("Period", PERIOD_SECONDS.into()),
        ("EvaluationPeriods", minutes.into()),
        ("DatapointsToAlarm", minutes.into()),
        ("ComparisonOperator", "LessThanOrEqualToThreshold".into()),
        ("Threshold", 0.into()),
        ("TreatMissingData", "breaching".into()),
    ]);
    let made = cfn::resource("AWS::CloudWatch::Alarm", Some(ALARMS_WANTED), properties);
    (format!("InputLost{}", digest(channel)), made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(channel: &str, after_seconds: u64) -> (String, serde_json::Value) {
        let watched = Watched {
            channel: channel.into(),
            dimensions: [("Channel", "c".into()), ("ChannelGroup", "g".into())]
                .into_iter()
                .collect(),
        };
        let after = Duration::from_secs(after_seconds);
        let (id, node) = input_lost("edge", &watched, after);
        (
            id,
            serde_json::to_value(node).unwrap()["Properties"].clone(),
        )
    }

    #[test]
    fn an_alarm_follows_the_config_and_names_the_real_series() {
        for (seconds, minutes) in [(1, 1), (60, 1), (61, 2), (300, 5), (3 * 3600, 180)] {
            let (_, alarm) = alarm("g.c", seconds);
            assert_eq!(alarm["EvaluationPeriods"], minutes, "{seconds}");
            assert_eq!(alarm["DatapointsToAlarm"], minutes, "{seconds}");
        }
        let (_, alarm) = alarm("g.c", 300);
        assert_eq!(alarm["AlarmName"], "edge-g.c-input-lost");
        let said = "No input for 5 min: CloudWatch has no IngressBytes of the MediaPackage \
                    channel g.c.";
        assert_eq!(alarm["AlarmDescription"], said);
        let dimensions = r#"[{"Name":"Channel","Value":"c"},{"Name":"ChannelGroup","Value":"g"}]"#;
        assert_eq!(alarm["Dimensions"].to_string(), dimensions);
        assert_eq!(alarm["TreatMissingData"], "breaching");
    }

    #[test]
    fn a_logical_id_is_alphanumeric_and_of_one_channel_only() {
        let channels = [
            "a",
            "A",
            "a.b",
            "a/b#c",
            "Größe \"1\"\nzwei",
            "..",
            &"x".repeat(300),
        ];
        let mut ids: Vec<String> = channels.map(|channel| alarm(channel, 60).0).into();
        for (channel, id) in channels.iter().zip(&ids) {
            assert!(id.bytes().all(|b| b.is_ascii_alphanumeric()), "{id}");
            let name = alarm(channel, 60).1["AlarmName"]
                .as_str()
                .unwrap()
                .to_owned();
            assert!(name.chars().count() <= ALARM_CHARS_MAX, "{name}");
            assert!(!name.contains(char::is_control), "{name}");
            assert_eq!(alarm(channel, 60).0, *id);
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), channels.len());
    }
}
