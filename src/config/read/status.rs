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

/// Checks that the two ports the agent opens are two. `check` would not see it: it opens one
/// after the other.
pub fn check_ports<'a>(document: &'a Document<'a>, config: &Config) {
    let (Some(status), Some(sns)) = (&config.status, &config.sns) else {
        return;
    };
    if take_each_other(status.listen, sns.listen) {
        let table = document.table_or_empty("status");
        table.fault(
            "listen",
            "has the port of [sns] listen; choose another port",
        );
    }
}

/// Whether only one of them can be had. The address of all takes that of each, and `[::]` those
/// of IPv4 too, as Linux has it unless `net.ipv6.bindv6only` is set.
fn take_each_other(one: SocketAddr, other: SocketAddr) -> bool {
    let all = |all: IpAddr, one: IpAddr| {
        all.is_unspecified() && (all.is_ipv6() || one.to_canonical().is_ipv4())
    };
    let (ip, ips) = (one.ip(), other.ip());
    let is_same = ip.to_canonical() == ips.to_canonical();
    one.port() == other.port() && one.port() != 0 && (is_same || all(ip, ips) || all(ips, ip))
}

fn host_name(text: &str) -> Result<String, String> {
    if url::is_host(text) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(String::from(
        "holds no host name; write the name alone, without scheme and port",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_taken_by_the_address_of_all() {
        // (one address, another, whether only one can be had)
        let cases = [
            ("127.0.0.1:2000", "127.0.0.1:2000", true),
            ("127.0.0.1:2000", "0.0.0.0:2000", true),
            ("127.0.0.1:2000", "[::]:2000", true),
            ("127.0.0.1:2000", "[::ffff:127.0.0.1]:2000", true),
            ("0.0.0.0:2000", "[::]:2000", true),
            ("[::1]:2000", "[::]:2000", true),
            ("0.0.0.0:2000", "[::ffff:10.0.0.1]:2000", true),
            ("127.0.0.1:2000", "[::1]:2000", false),
            ("0.0.0.0:2000", "[::1]:2000", false),
            ("127.0.0.1:2000", "10.0.0.1:2000", false),
            ("127.0.0.1:2080", "0.0.0.0:2000", false),
            ("127.0.0.1:0", "0.0.0.0:0", false),
        ];
        for (one, other, wanted) in cases {
            let (a, b) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(take_each_other(a, b), wanted, "{one} {other}");
            assert_eq!(take_each_other(b, a), wanted, "{other} {one}");
        }
    }
}
