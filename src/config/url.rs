//! The URLs of a config file. No error of this file repeats a URL: it may hold a password.
//!
//! Source: RFC 3986 section 3, narrowed to what the agent connects to.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::ServiceUrl;
use super::region;

/// Longest host name (RFC 1035 section 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// The keys to use instead of a user and a password in a URL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instead(pub &'static str);

/// A URL in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// In small letters.
    pub scheme: String,
    /// In small letters, without brackets.
    pub host: String,
    /// Where one is written.
    pub port: Option<u16>,
    /// Path, query and fragment as written.
    pub rest: &'a str,
}

impl Parts<'_> {
    /// Whether the host is this machine.
    pub fn loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// `scheme://host[:port]`, without the scheme's default port.
    fn origin(&self, default_port: u16) -> String {
        let (scheme, host) = (&self.scheme, &self.host);
        let port = match self.port.filter(|port| *port != default_port) {
            Some(port) => format!(":{port}"),
            None => String::new(),
        };
        if host.contains(':') {
            return format!("{scheme}://[{host}]{port}");
        }
        format!("{scheme}://{host}{port}")
    }
}

/// Whether a host, without brackets, is this machine: 127.0.0.0/8, ::1 or `localhost`.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback())
        || host.parse().is_ok_and(|ip: Ipv6Addr| ip.is_loopback())
}

/// Takes a URL apart.
///
/// # Errors
/// A user or password in it, no scheme, no valid host, no valid port.
pub(super) fn split(text: &str, instead: Instead) -> Result<Parts<'_>, String> {
    // Wherever the sign stands: a password may hold a slash, and then the host ends early.
    if text.contains('@') {
        return Err(format!(
            "a URL must not hold a user or a password; use {} instead",
            instead.0
        ));
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(String::from(
            "holds a character that no URL has, such as a space; write it percent-encoded",
        ));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(String::from("has no scheme; write scheme://host"));
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, port) = host_and_port(&rest[..end])?;
    Ok(Parts {
        scheme: scheme.to_ascii_lowercase(),
        host,
        port,
        rest: &rest[end..],
    })
}

/// Reads `host`, `host:port`, `[address]` or `[address]:port`.
///
/// # Errors
/// No valid host or port.
pub(super) fn host_and_port(authority: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let Some((host, after)) = bracketed.split_once(']') else {
                return Err(String::from("has an opening bracket and no closing one"));
            };
            if host.parse::<Ipv6Addr>().is_err() {
                return Err(String::from("has no valid IPv6 address in its brackets"));
            }
            match after {
                "" => (host, None),
                after => (host, Some(after.strip_prefix(':').unwrap_or(after))),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if !authority.starts_with('[') && !is_host(&host) {
        return Err(String::from(
            "has no valid host; write a name, an IPv4 address or an IPv6 address in brackets",
        ));
    }
    let port = match port {
        None => None,
        Some(digits) => match digits.parse::<u16>() {
            Ok(port) if port > 0 && !digits.starts_with('+') => Some(port),
            _ => return Err(String::from("has no valid port; write one from 1 to 65535")),
        },
    };
    Ok((host, port))
}

/// Whether a text is a host name or an IPv4 address in its common form.
pub(super) fn is_host(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let labels = || text.split('.');
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(allowed);
    // `127.1` and `300.1.1.1` are addresses to some resolvers and names to none.
    let numeric = labels().all(|label| label.bytes().all(|b| b.is_ascii_digit()));
    text.len() <= HOST_BYTES_MAX
        && labels().all(is_label)
        && (!numeric || text.parse::<Ipv4Addr>().is_ok())
}

/// Reads the origin of a service.
///
/// # Errors
/// Besides those of [`split`]: not `https`, or `http` to another machine; a path, a query or a
/// fragment; an AWS host of another region than `home`, which `table` is told to agree with.
pub(super) fn service(
    text: &str,
    home: Option<&str>,
    (table, key): (&str, &str),
) -> Result<ServiceUrl, String> {
    let instead = Instead("[credentials] access_key_id and secret_access_key");
    let parts = split(text, instead)?;
    let url = origin(&parts)?;
    if !matches!(parts.rest, "" | "/") {
        return Err(String::from(
            "must end after host and port; leave out path, query and fragment",
        ));
    }
    same_region(&parts.host, home, (table, key))?;
    Ok(url)
}

/// Reads an origin that is not in the config file, of whatever region.
///
/// # Errors
/// As [`service`].
pub fn origin_url(text: &str) -> Result<ServiceUrl, String> {
    let parts = split(text, Instead("credentials of their own place"))?;
    match parts.rest {
        "" | "/" => origin(&parts),
        _ => Err(String::from(
            "must end after host and port; leave out path, query and fragment",
        )),
    }
}

/// Reads a URL that is not in the config file: an origin, `http` to any host too, and what
/// stands behind it.
///
/// # Errors
/// Besides those of [`split`]: neither `https` nor `http`.
pub fn any_url(text: &str) -> Result<(ServiceUrl, String), String> {
    let parts = split(text, Instead("credentials of their own place"))?;
    let (tls, default_port) = match parts.scheme.as_str() {
        "https" => (true, 443),
        "http" => (false, 80),
        _ => return Err(String::from("must begin with https:// or http://")),
    };
    let target = parts.rest.split('#').next().unwrap_or_default();
    Ok((service_url(&parts, tls, default_port), target.to_owned()))
}

/// Reads the URL of an SQS queue: an origin as of [`service`], which is given besides, then
/// account and name.
///
/// # Errors
/// As [`service`], and a path that names no queue.
pub(super) fn queue(text: &str, home: Option<&str>) -> Result<(String, ServiceUrl), String> {
    let instead = Instead("[credentials] access_key_id and secret_access_key");
    let parts = split(text, instead)?;
    let url = origin(&parts)?;
    let levels: Vec<&str> = parts.rest.split('/').skip(1).collect();
    let named = levels.len() >= 2 && levels.iter().all(|level| !level.is_empty());
    if !named || parts.rest.contains(['?', '#']) {
        return Err(String::from(
            "names no queue; write https://sqs.<region>.amazonaws.com/<account>/<queue name>",
        ));
    }
    same_region(&parts.host, home, ("sqs", "queue_url"))?;
    Ok((format!("{}{}", url.text, parts.rest), url))
}

/// Reads the URL under which AWS reaches the listener.
///
/// # Errors
/// Besides those of [`split`]: neither `http` nor `https`; a query or a fragment.
pub(super) fn public(text: &str) -> Result<String, String> {
    let parts = split(text, Instead("[sns] path_secret"))?;
    let default_port = match parts.scheme.as_str() {
        "https" => 443,
        "http" => 80,
        _ => return Err(String::from("must begin with https:// or http://")),
    };
    if parts.rest.contains(['?', '#']) {
        return Err(String::from("must have no query and no fragment"));
    }
    let path = parts.rest.trim_end_matches('/');
    Ok(format!("{}{path}", parts.origin(default_port)))
}

/// Reads `http://host:port` of a proxy.
///
/// # Errors
/// Besides those of [`split`]: another scheme, no port, a path.
pub(super) fn proxy(text: &str) -> Result<String, String> {
    let instead = Instead("proxy_username and proxy_password");
    let forms = "must be \"env\", \"none\" or \"http://host:port\"";
    if !text.contains("://") && !text.contains('@') {
        return Err(format!("{forms}; write one of them"));
    }
    let parts = split(text, instead)?;
    if parts.scheme != "http" {
        return Err(format!(
            "{forms}; the proxy is spoken to in plain HTTP, what goes through it stays encrypted"
        ));
    }
    if parts.port.is_none() {
        return Err(String::from("has no port; write http://host:port"));
    }
    if !matches!(parts.rest, "" | "/") {
        return Err(String::from("must end after the port; leave out the path"));
    }
    // 0 is no port's default: a proxy's port is always written.
    Ok(parts.origin(0))
}

/// Reads `mqtt://host[:port]` or `mqtts://host[:port]`.
///
/// # Errors
/// Besides those of [`split`]: another scheme, a path.
pub(super) fn broker(text: &str) -> Result<Parts<'_>, String> {
    let parts = split(text, Instead("[mqtt] username and password"))?;
    let hint = match parts.scheme.as_str() {
        "mqtt" | "mqtts" => None,
        "tcp" => Some("write mqtt:// for tcp://"),
        "ssl" | "tls" => Some("write mqtts:// for TLS"),
        "ws" | "wss" => Some("MQTT over WebSocket is not spoken; use the broker's MQTT port"),
        _ => Some("write mqtt://host:port, or mqtts:// for TLS"),
    };
    if let Some(hint) = hint {
        return Err(format!("must begin with mqtt:// or mqtts://; {hint}"));
    }
    if !matches!(parts.rest, "" | "/") {
        return Err(String::from(
            "must end after host and port; the topics' beginning is base_topic",
        ));
    }
    Ok(parts)
}

/// The origin of a URL, which must be `https`, or `http` on this machine.
fn origin(parts: &Parts<'_>) -> Result<ServiceUrl, String> {
    let loopback = parts.loopback();
    let (tls, default_port) = match parts.scheme.as_str() {
        "https" => (true, 443),
        "http" if loopback => (false, 80),
        "http" => {
            return Err(String::from(
                "must be https://; http:// is for loopback addresses only (127.0.0.0/8, ::1, \
                 localhost)",
            ));
        }
        _ => return Err(String::from("must begin with https://")),
    };
    Ok(service_url(parts, tls, default_port))
}

fn service_url(parts: &Parts<'_>, tls: bool, default_port: u16) -> ServiceUrl {
    ServiceUrl {
        text: parts.origin(default_port),
        tls,
        host: parts.host.clone(),
        port: parts.port.unwrap_or(default_port),
        loopback: parts.loopback(),
    }
}

/// The same-region rule: everything that one instance watches lies in one region.
fn same_region(host: &str, home: Option<&str>, (table, key): (&str, &str)) -> Result<(), String> {
    let (Some(home), Some(there)) = (home, region::of_host(host)) else {
        return Ok(());
    };
    if home == there {
        return Ok(());
    }
    Err(format!(
        "is in {there}, but region is {home}; both must be the same: change [{table}] {key} or \
         region, or run a second instance for {there}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: (&str, &str) = ("cloudwatch", "url");

    /// `Ok`: what it is read as; `Err`: what the refusal says.
    fn check(cases: &[(&str, Result<&str, &str>)], read: impl Fn(&str) -> Result<String, String>) {
        for (text, wanted) in cases {
            match (read(text), wanted) {
                (Ok(got), Ok(wanted)) => assert_eq!(got, *wanted, "{text}"),
                (Err(said), Err(wanted)) => {
                    assert!(said.contains(wanted), "{text}: {said}");
                    assert!(!said.contains("hunter2"), "{text} leaks: {said}");
                }
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_service_is_https_or_on_this_machine() {
        let cases = [
            (
                "https://monitoring.eu-central-1.amazonaws.com",
                Ok("https://monitoring.eu-central-1.amazonaws.com"),
            ),
            ("HTTPS://Example.NET:443/", Ok("https://example.net")),
            ("https://example.net.:8443", Ok("https://example.net:8443")),
            ("http://localhost:5000", Ok("http://localhost:5000")),
            ("http://127.8.0.1:80/", Ok("http://127.8.0.1")),
            ("http://[::1]:5000", Ok("http://[::1]:5000")),
            (
                "http://127.0.0.1.example.net",
                Err("loopback addresses only"),
            ),
            (
                "http://localhost.example.net",
                Err("loopback addresses only"),
            ),
            ("http://[::2]", Err("loopback addresses only")),
            ("http://127.1", Err("no valid host")),
            ("http://2130706433", Err("no valid host")),
            ("ftp://example.net", Err("begin with https://")),
            ("example.net", Err("no scheme")),
            ("https://", Err("no valid host")),
            ("https://a..b", Err("no valid host")),
            ("https://a b", Err("no URL has")),
            ("https://a:0", Err("no valid port")),
            ("https://a:65536", Err("no valid port")),
            ("https://a:+1", Err("no valid port")),
            ("https://a:", Err("no valid port")),
            ("https://[::1", Err("no closing")),
            ("https://[::g]", Err("IPv6")),
            ("https://[::1]x", Err("no valid port")),
            ("https://a/path", Err("end after host")),
            ("https://a?b", Err("end after host")),
            ("https://a#b", Err("end after host")),
            ("https://user:hunter2@a", Err("[credentials] access_key_id")),
            ("https://user:hunt/er2@a", Err("user or a password")),
            ("https://AKIA:hunter2#@a", Err("user or a password")),
        ];
        check(&cases, |text| {
            service(text, Some("eu-central-1"), KEY).map(|url| url.text)
        });
    }

    #[test]
    fn an_aws_host_of_another_region_is_refused_with_both_names() {
        let said = "is in eu-west-1, but region is eu-central-1";
        let cases = [
            ("https://monitoring.eu-west-1.amazonaws.com", Err(said)),
            ("https://Monitoring-FIPS.EU-West-1.amazonaws.com", Err(said)),
            ("https://monitoring.eu-west-1.api.aws", Err(said)),
            (
                "https://monitoring.eu-west-1.example.net",
                Ok("https://monitoring.eu-west-1.example.net"),
            ),
        ];
        check(&cases, |text| {
            service(text, Some("eu-central-1"), KEY).map(|url| url.text)
        });
        let anywhere = service("https://sns.eu-west-1.amazonaws.com", None, KEY);
        assert!(
            anywhere.is_ok(),
            "with no region known there is nothing to compare"
        );
    }

    #[test]
    fn a_broker_is_mqtt_or_mqtts() {
        let cases = [
            ("mqtt://localhost", Ok("localhost None")),
            (
                "mqtts://Broker.example:8883/",
                Ok("broker.example Some(8883)"),
            ),
            ("mqtt://[fe80::1]:1883", Ok("fe80::1 Some(1883)")),
            ("tcp://localhost:1883", Err("write mqtt:// for tcp://")),
            ("ssl://localhost:8883", Err("write mqtts:// for TLS")),
            ("ws://localhost", Err("WebSocket")),
            ("localhost:1883", Err("no scheme")),
            ("mqtt://localhost/base", Err("base_topic")),
            (
                "mqtt://user:hunter2@localhost",
                Err("[mqtt] username and password"),
            ),
            (
                "user:hunter2@localhost",
                Err("[mqtt] username and password"),
            ),
        ];
        check(&cases, |text| {
            broker(text).map(|parts| format!("{} {:?}", parts.host, parts.port))
        });
    }

    #[test]
    fn a_queue_has_an_account_and_a_name() {
        let cases = [
            (
                "https://sqs.eu-central-1.amazonaws.com/123456789012/edge",
                Ok("https://sqs.eu-central-1.amazonaws.com/123456789012/edge"),
            ),
            (
                "http://127.0.0.1:9324/000000000000/edge",
                Ok("http://127.0.0.1:9324/000000000000/edge"),
            ),
            (
                "https://sqs.eu-west-1.amazonaws.com/123456789012/edge",
                Err("[sqs] queue_url"),
            ),
            (
                "https://sqs.eu-central-1.amazonaws.com/",
                Err("names no queue"),
            ),
            (
                "https://sqs.eu-central-1.amazonaws.com/1/edge?x=1",
                Err("names no queue"),
            ),
            (
                "https://u:hunter2@sqs.eu-central-1.amazonaws.com/1/edge",
                Err("[credentials]"),
            ),
        ];
        check(&cases, |text| Ok(queue(text, Some("eu-central-1"))?.0));
    }

    #[test]
    fn the_public_url_and_a_proxy_are_origins_of_their_own_kind() {
        let cases = [
            (
                "https://edge.example.net:2000/",
                Ok("https://edge.example.net:2000"),
            ),
            (
                "http://edge.example.net/sns/",
                Ok("http://edge.example.net/sns"),
            ),
            ("edge.example.net", Err("no scheme")),
            ("mqtt://edge.example.net", Err("https:// or http://")),
            ("https://u:hunter2@edge.example.net", Err("path_secret")),
            ("https://edge.example.net/?x", Err("no query")),
        ];
        check(&cases, public);
        let cases = [
            ("http://proxy:3128", Ok("http://proxy:3128")),
            ("http://proxy:80/", Ok("http://proxy:80")),
            ("http://proxy", Err("no port")),
            ("https://proxy:3128", Err("plain HTTP")),
            ("proxy:3128", Err("must be \"env\", \"none\"")),
            ("http://proxy:3128/x", Err("end after the port")),
            (
                "http://u:hunter2@proxy:3128",
                Err("proxy_username and proxy_password"),
            ),
        ];
        check(&cases, proxy);
    }
}
