//! Bad days: what goes wrong with which requests, and how often.

use serde_json::{Map, Value};

use super::refusal::Refusal;
use super::server::Answer;

/// Every operation.
pub const ANY: &str = "*";
/// Until [`Faults::clear`].
pub const FOREVER: usize = usize::MAX;
/// A page token that leads to the first page again.
pub const LOOP_TOKEN: &str = "round-and-round";

/// One thing that can go wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Too many requests, as the service says it, with `x-amz-retry-after` where given.
    Throttle {
        /// Milliseconds.
        retry_after_ms: Option<u32>,
    },
    /// An error of AWS's, as the service writes errors.
    Error {
        /// HTTP status.
        status: u16,
        /// AWS's code.
        code: &'static str,
        /// AWS's text.
        message: &'static str,
    },
    /// Any body with any status: an HTML page of a proxy, an empty object, no JSON at all.
    Page {
        /// HTTP status.
        status: u16,
        /// Media type.
        content_type: &'static str,
        /// The whole body.
        body: String,
    },
    /// 302 to this URL.
    Redirect(String),
    /// The right answer with every top-level member of a wrong JSON type.
    WrongTypes,
    /// The right answer with a token that leads to the first page again.
    LoopingToken,
    /// An answer that says there is nothing, in a coding nobody asked for.
    Gzip,
    /// The connection ends in the middle of the body.
    Truncated,
    /// A body that never ends.
    Endless,
    /// The right answer at one byte a second, from the status line on.
    Drip,
    /// The connection ends without an answer.
    Drop,
    /// No answer, and the connection stays open.
    Stall,
}

impl Fault {
    /// The error page of a gateway.
    pub fn html(status: u16) -> Fault {
        Fault::Page {
            status,
            content_type: "text/html",
            body: String::from("<html><body><h1>Bad Gateway</h1></body></html>"),
        }
    }

    /// A good status with a body that is not what was asked for.
    pub fn body(body: &str) -> Fault {
        Fault::Page {
            status: 200,
            content_type: "application/json",
            body: body.to_owned(),
        }
    }

    /// The answer in place of the right one; `None` when this fault is one of delivery.
    pub fn answer(&self, service: &str, right: &Answer) -> Option<Answer> {
        Some(match self {
            Fault::Throttle { retry_after_ms } => throttle(service, *retry_after_ms),
            Fault::Error {
                status,
                code,
                message,
            } => Refusal::new(*status, code, message).answer(service),
            Fault::Page {
                status,
                content_type,
                body,
            } => Answer::json(*status, body.clone()).with("Content-Type", content_type),
            Fault::Redirect(url) => Answer::json(302, String::new()).with("Location", url),
            Fault::WrongTypes => Answer::json(right.status, wrong_types(&right.body)),
            Fault::LoopingToken => Answer::json(right.status, looping(service, &right.body)),
            Fault::Gzip => {
                let mut answer = Answer::json(200, String::new());
                answer.body = GZIP_OF_NOTHING.to_vec();
                answer.with("Content-Encoding", "gzip")
            }
            Fault::Truncated | Fault::Endless | Fault::Drip | Fault::Drop | Fault::Stall => {
                return None;
            }
        })
    }
}

/// What is planned to go wrong, first come first served.
#[derive(Default)]
pub struct Faults(Vec<Planned>);

struct Planned {
    operation: String,
    times: usize,
    fault: Fault,
}

impl Faults {
    /// The next `times` requests of an operation (or [`ANY`]) fail so: `ListChannels` is that
    /// of every service, `mediapackagev2:ListChannels` that of one, `mediapackagev2:*` all of it.
    pub fn add(&mut self, operation: &str, times: usize, fault: Fault) {
        self.0.push(Planned {
            operation: operation.to_owned(),
            times,
            fault,
        });
    }

    /// All is well from here on.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether anything is planned for a request of this action.
    pub fn has(&self, action: &str) -> bool {
        self.0.iter().any(|planned| planned.befalls(action))
    }

    /// What happens to a request of this action, for example `cloudwatch:ListMetrics`.
    pub fn take(&mut self, action: &str) -> Option<Fault> {
        let planned = self.0.iter_mut().find(|p| p.befalls(action))?;
        let fault = planned.fault.clone();
        if planned.times != FOREVER {
            planned.times -= 1;
        }
        self.0.retain(|p| p.times > 0);
        Some(fault)
    }
}

impl Planned {
    fn befalls(&self, action: &str) -> bool {
        let operation = action.rsplit(':').next().unwrap_or(action);
        self.operation == operation || covers(&self.operation, action)
    }
}

/// Whether an action is meant, by its name, its service or [`ANY`].
pub fn covers(meant: &str, action: &str) -> bool {
    let of_service = meant.strip_suffix(ANY);
    meant == action || of_service.is_some_and(|service| action.starts_with(service))
}

fn throttle(service: &str, retry_after_ms: Option<u32>) -> Answer {
    let (status, code) = match service {
        "monitoring" => (400, "ThrottlingException"),
        "sns" => (400, "Throttling"),
        "sqs" => (403, "RequestThrottled"),
        "mediapackagev2" => (429, "ThrottlingException"),
        _ => (429, "TooManyRequestsException"),
    };
    let answer = Refusal::new(status, code, "Rate exceeded").answer(service);
    match retry_after_ms {
        Some(ms) => answer.with("x-amz-retry-after", &ms.to_string()),
        None => answer,
    }
}

fn wrong_types(body: &[u8]) -> String {
    // An answer that is no JSON becomes some.
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
        return String::from("[{}]");
    };
    // One that says nothing could be of the right types.
    if value.as_object().is_some_and(Map::is_empty) {
        return String::from("[{}]");
    }
    for member in value
        .as_object_mut()
        .into_iter()
        .flat_map(|o| o.values_mut())
    {
        *member = match member {
            Value::String(_) => Value::from(7),
            Value::Array(_) => Value::from("many"),
            _ => Value::from(vec![true]),
        };
    }
    value.to_string()
}

fn looping(service: &str, body: &[u8]) -> String {
    if service == "sns" {
        return looping_xml(&String::from_utf8_lossy(body));
    }
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
        return String::from("[{}]");
    };
    let member = match service {
        "monitoring" | "mediapackagev2" => "NextToken",
        _ => "nextToken",
    };
    value[member] = Value::from(LOOP_TOKEN);
    value.to_string()
}

fn looping_xml(body: &str) -> String {
    // Whatever lists nothing becomes something else.
    let Some((told, rest)) = body.split_once("</Subscriptions>") else {
        return String::from("[{}]");
    };
    let end = rest.find("</List").unwrap_or_default();
    let next = format!("<NextToken>{LOOP_TOKEN}</NextToken>");
    format!("{told}</Subscriptions>{next}{}", &rest[end..])
}

/// Every list that any service has, each empty, as gzip: who decodes it unasked takes everything
/// for gone.
const GZIP_OF_NOTHING: &[u8] = &[
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xab, 0x56, 0x4a, 0xce, 0x48, 0xcc,
    0xcb, 0x4b, 0xcd, 0x29, 0x56, 0xb2, 0x8a, 0x8e, 0xd5, 0x51, 0xca, 0x2f, 0xca, 0x4c, 0xcf, 0xcc,
    0x73, 0xcd, 0x4b, 0x29, 0xc8, 0xcf, 0xcc, 0x2b, 0x81, 0x0a, 0x66, 0x24, 0x16, 0x95, 0xa5, 0x16,
    0x97, 0x78, 0xe5, 0x27, 0x41, 0x05, 0x0a, 0x12, 0x93, 0xb3, 0x13, 0x81, 0xea, 0xd2, 0xdd, 0x8b,
    0xf2, 0x4b, 0x0b, 0xd0, 0x05, 0x9d, 0xf3, 0xf3, 0xd2, 0x32, 0xd3, 0x4b, 0x8b, 0x12, 0x4b, 0x32,
    0xf3, 0xf3, 0xa0, 0x92, 0x9e, 0x25, 0xa9, 0xb9, 0x50, 0xa6, 0x6f, 0x6a, 0x49, 0x51, 0x66, 0xb2,
    0x4b, 0x62, 0x49, 0x62, 0x50, 0x6a, 0x71, 0x69, 0x4e, 0x09, 0x8a, 0x30, 0x0a, 0xc7, 0x31, 0x27,
    0xb1, 0x08, 0xa2, 0xab, 0x16, 0x00, 0x57, 0xc7, 0xaf, 0xcb, 0xa8, 0x00, 0x00, 0x00,
];
