//! Errors in the form of each protocol.

use serde_json::json;

use super::server::Answer;
use super::{sessions, sns, sqs};

/// A request that AWS would not serve.
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// AWS's error code.
    pub code: String,
    /// AWS's text.
    pub message: String,
    /// More members of the body, by which v2 says what exactly is wrong.
    pub details: Vec<(&'static str, &'static str)>,
}

impl Refusal {
    /// A refusal with AWS's status, code and text.
    pub fn new(status: u16, code: &str, message: &str) -> Refusal {
        Refusal {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            details: Vec::new(),
        }
    }

    /// With one more member in the body.
    pub fn naming(mut self, member: &'static str, value: &'static str) -> Refusal {
        self.details.push((member, value));
        self
    }

    /// As the service of this signing name writes it: `rest-json` carries the code in a header,
    /// AWS JSON in the body, with the code of the older query protocol in a header, and the
    /// query protocol itself writes XML.
    pub fn answer(&self, service: &str) -> Answer {
        let (code, message) = (&self.code, &self.message);
        match service {
            "sns" => return sns::api::error(self),
            "sqs" => return sqs::errors::answer(self),
            "sts" | "iot" | "imds" | "container" => return sessions::error(service, self),
            _ => {}
        }
        if service != "monitoring" {
            // API Gateway, which guards the REST services, writes its own refusals so.
            let is_capital = code == "AccessDeniedException" || service == "mediapackagev2";
            let member = if is_capital { "Message" } else { "message" };
            let mut body = json!({ member: message });
            for (name, value) in &self.details {
                body[*name] = json!(value);
            }
            return Answer::json(self.status, body.to_string()).with("x-amzn-ErrorType", code);
        }
        let fault = if self.status < 500 {
            "Sender"
        } else {
            "Receiver"
        };
        let body =
            json!({"__type": format!("com.amazon.coral.service#{code}"), "message": message});
        let legacy = match code.as_str() {
            "AccessDeniedException" => "AccessDenied",
            "ThrottlingException" => "Throttling",
            other => other,
        };
        Answer::json(self.status, body.to_string())
            .with("Content-Type", "application/x-amz-json-1.0")
            .with("x-amzn-query-error", &format!("{legacy};{fault}"))
    }
}
