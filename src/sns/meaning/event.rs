//! Events of EventBridge: those of MediaPackage, of CloudWatch, and of CloudTrail.
//!
//! Sources: EventBridge reference, "AWS Elemental MediaPackage events"; MediaPackage user guides
//! v1 and v2, "Monitoring with EventBridge events"; CloudTrail user guide, "Record contents".

use super::facts::{self, any_text, fact, whole_text, word};
use super::{Told, alarm, other};
use crate::sns::json::{self, parts, pick};
use crate::sns::redact;
use crate::state::catalogue::arn_end;
use crate::state::push::{EventType, Meaning, MessageId, PushedEvent, Reference};
use crate::state::source::Source;

const CLOUDWATCH: &str = "aws.cloudwatch";
const STATE_CHANGE: &str = "CloudWatch Alarm State Change";
const CLOUDTRAIL: &str = "AWS API Call via CloudTrail";
/// Sources of MediaPackage begin so, and so do its services in CloudTrail.
const MEDIAPACKAGE: &str = "mediapackage";
/// ARNs of one event that are looked at.
const RESOURCES_MAX: usize = 8;
/// An id or a name, in characters (MediaPackage API: 256).
const ID_CHARS_MAX: usize = 256;
/// The host name of a service, in characters.
const SERVICE_CHARS_MAX: usize = 128;

/// The parts of the envelope that are looked at.
struct Envelope<'a> {
    told: &'a Told<'a>,
    detail: &'a str,
    detail_type: String,
    source: String,
    /// What the event is about, by ARN.
    resources: Vec<String>,
}

/// What an event kind says of itself.
struct Story {
    event_type: EventType,
    about: Vec<Reference>,
    state: Option<String>,
    summary: String,
}

/// What an event means.
pub fn of(told: &Told) -> Meaning {
    let names = ["detail-type", "source", "detail", "resources", "time", "id"];
    let [detail_type, source, detail, resources, time, id] = pick(told.message, names);
    // Whole, since secrets are only found in what is not cut; a sentence is short anyway.
    let (Some(detail_type), Some(source)) = (any_text(detail_type), any_text(source)) else {
        return Meaning::Event(Box::new(other(told)));
    };
    if source == CLOUDWATCH {
        let change = (detail_type == STATE_CHANGE).then(|| alarm::state_change(told));
        if let Some(change) = change.flatten() {
            return change;
        }
    }
    let arns = resources.into_iter().flat_map(parts).take(RESOURCES_MAX);
    let envelope = Envelope {
        told,
        detail: detail.filter(|d| json::is_object(d)).unwrap_or("{}"),
        detail_type,
        source,
        resources: arns.filter_map(|(_, arn)| facts::arn(Some(arn))).collect(),
    };
    let story = envelope.story();
    Meaning::Event(Box::new(PushedEvent {
        event_id: any_text(id).and_then(|id| MessageId::parse(&id)),
        event_type: story.event_type,
        time: facts::time(time).unwrap_or(told.timestamp),
        about: story.about,
        state: story.state,
        previous_state: None,
        summary: story.summary,
        detail: redact::object(envelope.detail),
        wakes: envelope.wakes(),
    }))
}

impl Envelope<'_> {
    fn is_mediapackage(&self) -> bool {
        let service = self.source.strip_prefix("aws.");
        service.is_some_and(|service| service.starts_with(MEDIAPACKAGE))
    }

    fn is_call(&self) -> bool {
        self.detail_type == CLOUDTRAIL
    }

    /// The source that should look again. Calls that only read are left out: our own polls are
    /// such calls, and would wake themselves for ever.
    fn wakes(&self) -> Option<Source> {
        if self.is_call() {
            let [service, name, read_only] =
                pick(self.detail, ["eventSource", "eventName", "readOnly"]);
            let service = word_with_dots(service)?;
            let name = word(name).unwrap_or_default();
            let reads = ["Get", "List", "Describe"]
                .iter()
                .any(|verb| name.starts_with(verb));
            let changes = service.starts_with(MEDIAPACKAGE)
                && !reads
                && !matches!(read_only, Some("true" | "\"true\""));
            return changes.then_some(Source::MediaPackage);
        }
        if self.source == CLOUDWATCH && self.detail_type.starts_with("CloudWatch Alarm") {
            return Some(Source::Alarms);
        }
        self.is_mediapackage().then_some(Source::MediaPackage)
    }

    fn story(&self) -> Story {
        if self.is_call() {
            return self.call();
        }
        if !self.is_mediapackage() {
            return self.unknown();
        }
        let names = ["event", "harvest_job", "harvestJob"];
        let [event, old_job, job] = pick(self.detail, names);
        let event = word(event).unwrap_or_default();
        match &*event {
            "InputSwitchEvent" => self.input_switch(),
            "MaxIngestStreamsError" => Story {
                event_type: EventType::MaxIngestStreams,
                about: self.arns(),
                state: None,
                summary: format!(
                    "Channel {} gets more streams than it takes.",
                    self.first("channels")
                ),
            },
            "KeyProviderError" => self.key_provider(),
            "IngestStart" | "IngestError" | "IngestComplete" | "VodAssetPlayable" => {
                self.vod_ingest(event)
            }
            _ if self.detail_type.contains("Key Provider") => self.key_provider(),
            _ => match (job, old_job) {
                (Some(job), _) if json::is_object(job) => self.harvest_v2(job),
                (_, Some(job)) if json::is_object(job) => self.harvest_v1(job),
                _ => self.unknown(),
            },
        }
    }

    fn arns(&self) -> Vec<Reference> {
        self.resources.iter().cloned().map(Reference::Arn).collect()
    }

    /// The end of the first resource of a kind, as a word in a sentence.
    fn first(&self, kind: &str) -> String {
        let of_kind = |arn: &&String| arn.contains(&format!(":{kind}/"));
        let end = self.resources.iter().find(of_kind);
        fact(
            end.and_then(|arn| arn_end(Some(arn)))
                .unwrap_or("(unknown)"),
        )
    }

    fn input_switch(&self) -> Story {
        let [details] = pick(self.detail, ["EventDetails"]);
        let names = ["Channel", "PreviousIngestEndpoint", "CurrentIngestEndpoint"];
        let [channel, before, after] = pick(details.unwrap_or_default(), names);
        let mut about = self.arns();
        let mut summary = format!("Origin endpoint {}", self.first("origin_endpoints"));
        if let Some(channel) = whole_text(channel, ID_CHARS_MAX) {
            summary.push_str(&format!(" of channel {}", fact(&channel)));
            about.push(Reference::Channel(channel.into()));
        }
        summary.push_str(" switched its input");
        for (word, value) in [("from", before), ("to", after)] {
            if let Some(input) = whole_text(value, ID_CHARS_MAX) {
                summary.push_str(&format!(" {word} {}", fact(&input)));
            }
        }
        Story {
            event_type: EventType::InputSwitch,
            about,
            state: None,
            summary: format!("{summary}."),
        }
    }

    fn key_provider(&self) -> Story {
        let endpoint = self.first("origin_endpoints");
        Story {
            event_type: EventType::KeyProvider,
            about: self.arns(),
            state: None,
            summary: format!("The key provider of origin endpoint {endpoint} failed."),
        }
    }

    fn vod_ingest(&self, event: String) -> Story {
        let asset = self.first("assets");
        let [packaging] = pick(self.detail, ["packaging_configuration_id"]);
        let packaging = whole_text(packaging, ID_CHARS_MAX);
        let summary = match (&*event, packaging) {
            ("IngestStart", _) => format!("Ingest of asset {asset} has begun."),
            ("IngestError", _) => format!("Ingest of asset {asset} failed."),
            ("IngestComplete", _) => format!("Ingest of asset {asset} is complete."),
            (_, Some(packaging)) => {
                format!(
                    "Asset {asset} can be played, packaged by {}.",
                    fact(&packaging)
                )
            }
            (_, None) => format!("Asset {asset} can be played."),
        };
        Story {
            event_type: EventType::VodIngest,
            about: self.arns(),
            state: Some(event),
            summary,
        }
    }

    fn harvest_v1(&self, job: &str) -> Story {
        let [id, status, endpoint] = pick(job, ["id", "status", "origin_endpoint_id"]);
        let endpoint = whole_text(endpoint, ID_CHARS_MAX);
        let mut about = self.arns();
        let named = endpoint.as_deref().map(|id| Reference::Endpoint(id.into()));
        about.extend(named);
        self.harvest(about, id, status, endpoint.as_deref())
    }

    /// The names in the job are believed first; the ARN has the same in another order of words.
    fn harvest_v2(&self, job: &str) -> Story {
        let names = [
            "harvestJobName",
            "status",
            "channelGroupName",
            "channelName",
        ];
        let [id, status, group, channel] = pick(job, names);
        let [endpoint] = pick(job, ["originEndpointName"]);
        let read = |name| whole_text(name, ID_CHARS_MAX);
        let named = (read(group), read(channel), read(endpoint));
        let mut about = self.arns();
        let mut names = Vec::new();
        if let (Some(group), Some(channel), endpoint) = named {
            names.push((group, channel, endpoint));
        }
        names.extend(self.resources.iter().filter_map(|arn| names_in_arn(arn)));
        for (group, channel, endpoint) in &names {
            let id = |endpoint: &String| format!("{group}.{channel}.{endpoint}");
            about.extend(endpoint.as_ref().map(|e| Reference::Endpoint(id(e).into())));
        }
        if let Some((group, channel, _)) = names.first() {
            about.push(Reference::Channel(format!("{group}.{channel}").into()));
        }
        let shown = about.iter().find_map(|reference| match reference {
            Reference::Endpoint(id) => Some(id.to_string()),
            _ => None,
        });
        self.harvest(about, id, status, shown.as_deref())
    }

    fn harvest(
        &self,
        about: Vec<Reference>,
        id: Option<&str>,
        status: Option<&str>,
        endpoint: Option<&str>,
    ) -> Story {
        let state = word(status);
        let job = match whole_text(id, ID_CHARS_MAX) {
            Some(id) => format!("Harvest job {}", fact(&id)),
            None => String::from("A harvest job"),
        };
        let of = endpoint.map(|id| format!(" of origin endpoint {}", fact(id)));
        let end = match state.as_deref() {
            Some("SUCCEEDED" | "COMPLETED") => String::from("is complete"),
            Some("FAILED") => String::from("failed"),
            Some(state) => format!("is now {state}"),
            None => String::from("has news"),
        };
        Story {
            event_type: EventType::HarvestJob,
            about,
            state,
            summary: format!("{job}{} {end}.", of.unwrap_or_default()),
        }
    }

    fn call(&self) -> Story {
        let [name, service, request] = pick(
            self.detail,
            ["eventName", "eventSource", "requestParameters"],
        );
        let name = word(name).unwrap_or_else(|| String::from("An operation"));
        let service = word_with_dots(service).unwrap_or_else(|| self.source.clone());
        let mut about = self.arns();
        let [id] = pick(request.unwrap_or_default(), ["id"]);
        if let Some(id) = whole_text(id, ID_CHARS_MAX) {
            match &*name {
                name if name.ends_with("OriginEndpoint") => {
                    about.push(Reference::Endpoint(id.into()));
                }
                name if name.ends_with("Channel") => about.push(Reference::Channel(id.into())),
                _ => {}
            }
        }
        Story {
            event_type: EventType::Other,
            about,
            state: None,
            summary: format!("{} was called at {}.", name, fact(&service)),
        }
    }

    fn unknown(&self) -> Story {
        let summary = match self.told.subject.filter(|s| !s.trim().is_empty()) {
            Some(subject) => fact(subject),
            None => format!("{} from {}.", fact(&self.detail_type), fact(&self.source)),
        };
        Story {
            event_type: EventType::Other,
            about: self.arns(),
            state: None,
            summary,
        }
    }
}

/// The host name of a service.
fn word_with_dots(value: Option<&str>) -> Option<String> {
    let text = whole_text(value, SERVICE_CHARS_MAX)?;
    let well = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    text.bytes().all(well).then_some(text)
}

/// Group, channel and endpoint of a v2 ARN:
/// `…:channelGroup/<group>/channel/<channel>/originEndpoint/<endpoint>/…`.
fn names_in_arn(arn: &str) -> Option<(String, String, Option<String>)> {
    let mut levels = arn.split_once(":channelGroup/")?.1.split('/');
    let group = levels.next().filter(|name| !name.is_empty())?;
    (levels.next()? == "channel").then_some(())?;
    let channel = levels.next().filter(|name| !name.is_empty())?;
    let endpoint = match levels.next() {
        Some("originEndpoint") => levels.next().filter(|name| !name.is_empty()),
        _ => None,
    };
    Some((
        group.to_owned(),
        channel.to_owned(),
        endpoint.map(str::to_owned),
    ))
}
