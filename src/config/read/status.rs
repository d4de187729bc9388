//! `[status]`, the local page.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::config::table::Document;
use crate::config::{Config, Status, url};

const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2080);

/// `[status]`.
pub fn status<'a>(document: &'a Document<'a>) -> Option<Status> {
    let table = document.table("status")?;
    let listen = table.parsed("listen", crate::config::value::listen);
    let listen = listen.unwrap_or(LISTEN_DEFAULT);
    if !listen.ip().is_loopback() {
        table.warn(
            "listen",
            "the page has no login and anybody who reaches this address can read it",
        );
    }
    let hosts = table.list("hosts", host_name).unwrap_or_default();
    Some(Status { listen, hosts })
}

/// Checks that the two ports the agent opens are two.
pub fn check_ports<'a>(document: &'a Document<'a>, config: &Config) {
    let (Some(status), Some(sns)) = (&config.status, &config.sns) else {
        return;
    };
    if status.listen == sns.listen && status.listen.port() != 0 {
        let table = document.table_or_empty("status");
        table.fault(
            "listen",
            "is the address of [sns] listen; choose another port",
        );
    }
}

fn host_name(text: &str) -> Result<String, String> {
    if url::is_host(text) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(String::from(
        "holds no host name; write the name alone, without scheme and port",
    ))
}
