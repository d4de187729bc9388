//! `[sns]` and `[sqs]`: what AWS sends by itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{proxy, service_url};
use crate::config::table::{Document, Table};
use crate::config::{Sns, Sqs, arn, url, value};

const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 2000);

/// `[sns]`.
pub fn sns<'a>(document: &'a Document<'a>, region: &str, home: Option<&str>) -> Option<Sns> {
    let table = document.table("sns")?;
    let topic_arns = topic_arns(table, home);
    // FIFO topics are not delivered over HTTP (SNS developer guide, "FIFO topics").
    if topic_arns.iter().any(|arn| arn.ends_with(".fifo")) {
        table.fault(
            "topic_arns",
            "holds a FIFO topic, which SNS does not deliver over HTTP; take it by [sqs]",
        );
    }
    let (tls_cert_file, tls_key_file) = table.path_pair("tls_cert_file", "tls_key_file");
    let version = table.integer("min_signature_version", 1..=2);
    Some(Sns {
        listen: table
            .parsed("listen", value::listen)
            .unwrap_or(LISTEN_DEFAULT),
        public_url: table.parsed("public_url", url::public),
        topic_arns,
        url: service_url(table, "url", "sns", region, home),
        proxy: proxy(table),
        tls_cert_file,
        tls_key_file,
        path_secret: table.secret("path_secret"),
        min_signature_version: if version == Some(2) { 2 } else { 1 },
    })
}

/// `[sqs]`.
pub fn sqs<'a>(document: &'a Document<'a>, region: &str, home: Option<&str>) -> Option<Sqs> {
    let table = document.table("sqs")?;
    if !table.has("queue_url") {
        table.missing("queue_url", "write the URL of the queue, as SQS shows it");
    }
    let queue_url = table.parsed("queue_url", |text| url::queue(text, home));
    let topic_arns = topic_arns(table, home);
    let url = service_url(table, "url", "sqs", region, home);
    let proxy = proxy(table);
    let (queue_url, origin) = queue_url?;
    // A queue on this machine is a mock server's.
    let is_mock = origin.loopback && !table.has("url");
    Some(Sqs {
        queue_url,
        topic_arns,
        url: if is_mock { origin } else { url },
        proxy,
    })
}

/// The topics, each once.
fn topic_arns(table: Table<'_>, home: Option<&str>) -> Vec<String> {
    const WHY: &str = "list the ARNs of the topics whose messages are taken";
    if !table.has("topic_arns") {
        table.missing("topic_arns", WHY);
    }
    let mut topics = table
        .list("topic_arns", |text| arn::topic(text, home))
        .unwrap_or_default();
    if table.is_empty_list("topic_arns") {
        table.fault("topic_arns", format!("is empty; {WHY}"));
    }
    topics.sort();
    topics.dedup();
    topics
}

#[cfg(test)]
mod tests {
    use crate::config::{Env, parse};

    #[test]
    fn a_queue_at_a_mock_server_is_asked_for_there() {
        let topics = "topic_arns = [\"arn:aws:sns:eu-central-1:123456789012:t\"]";
        let regional = "https://sqs.eu-central-1.amazonaws.com";
        let cases = [
            ("http://127.0.0.1:5055/1/q", "", "http://127.0.0.1:5055"),
            (
                "http://127.0.0.1:5055/1/q",
                "url = \"http://localhost:1\"",
                "http://localhost:1",
            ),
            ("https://sqs.eu-central-1.amazonaws.com/1/q", "", regional),
            ("https://vpce-1.example.net/1/q", "", regional),
        ];
        for (queue_url, more, wanted) in cases {
            let text = format!(
                "region = \"eu-central-1\"\n[sqs]\nqueue_url = \"{queue_url}\"\n{topics}\n{more}\n"
            );
            let env: Env = std::iter::empty::<(&str, &str)>().collect();
            let config = parse("config.toml".as_ref(), &text, &env).unwrap();
            assert_eq!(config.sqs.unwrap().url.text, wanted, "{queue_url} {more}");
        }
    }
}
