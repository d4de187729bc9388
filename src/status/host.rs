//! By which names the page may be asked.
//!
//! A page of somebody else's whose name comes to resolve to this machine (DNS rebinding) is of
//! the same origin as ours to a browser. What gives it away is the name it asks by: so that is an
//! address, `localhost`, or one that the config names.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether a request may be answered: the authority of its target, if it has one, and its `Host`
/// are names of ours. `hosts` are in lower case.
pub(super) fn is_ours(target: &str, host: Option<&str>, hosts: &[String]) -> bool {
    let ours = |authority: &str| is_name_of_ours(authority, hosts);
    let of_target = match split(target) {
        Some((authority, _)) => ours(authority),
        None => true,
    };
    of_target && host.is_some_and(ours)
}

/// Path and query of a target, also of one that names its server (RFC 9112 section 3.2.2).
pub(super) fn path(target: &str) -> &str {
    split(target).map_or(target, |(_, path)| path)
}

/// Authority and the rest of a target that names its server.
fn split(target: &str) -> Option<(&str, &str)> {
    const SCHEME: &str = "http://";
    let head = target.get(..SCHEME.len())?;
    let rest = target.get(SCHEME.len()..)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    head.eq_ignore_ascii_case(SCHEME)
        .then(|| match rest.split_at(end) {
            (authority, "") => (authority, "/"),
            parts => parts,
        })
}

/// Of `host` or `host:port`, as RFC 3986 section 3.2 writes them.
fn is_name_of_ours(authority: &str, hosts: &[String]) -> bool {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else {
            return false;
        };
        let is_end = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return is_end && address.parse::<Ipv6Addr>().is_ok();
    }
    let (name, port) = authority.split_once(':').unwrap_or((authority, ""));
    let known = name.parse::<Ipv4Addr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(|host| host.eq_ignore_ascii_case(name));
    known && is_port(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_localhost_and_names_of_the_config_are_ours() {
        let hosts = ["box.local".to_owned()];
        let cases = [
            ("localhost", true),
            ("LOCALHOST:2080", true),
            ("localhost:", true),
            ("127.0.0.1", true),
            ("127.0.0.1:2080", true),
            ("192.168.1.7:80", true),
            ("[::1]", true),
            ("[::1]:2080", true),
            ("[2001:DB8::1]:2080", true),
            ("[::ffff:127.0.0.1]", true),
            ("box.local", true),
            ("Box.Local:2080", true),
            ("evil.example", false),
            ("evil.example:2080", false),
            ("localhost.evil.example", false),
            ("evillocalhost", false),
            ("127.0.0.1.nip.io", false),
            ("127.1", false),
            ("0x7f000001", false),
            ("2130706433", false),
            ("127.0.0.01", false),
            ("sub.box.local", false),
            ("xbox.local", false),
            ("box.local.", false),
            ("localhost.", false),
            ("127.0.0.1.", false),
            ("", false),
            (":2080", false),
            ("localhost:2080:1", false),
            ("localhost:http", false),
            ("localhost@evil.example", false),
            ("evil.example@localhost", false),
            ("localhost/", false),
            ("localhost,evil.example", false),
            ("localhost evil.example", false),
            ("::1", false),
            ("[::1", false),
            ("[::1]x", false),
            ("[::1]evil.example", false),
            ("[localhost]", false),
            ("[fe80::1%25eth0]", false),
            ("[::1%lo]", false),
            ("[v1.localhost]", false),
            ("[127.0.0.1]", false),
            ("0x7f.1", false),
            ("0177.0.0.1", false),
            ("127.0.0.1%2eevil.example", false),
            ("127.0.0.1@evil.example", false),
            ("user:80@127.0.0.1", false),
            ("\u{ff4c}ocalhost", false),
            ("127\u{3002}0\u{3002}0\u{3002}1", false),
            ("\u{661}27.0.0.1", false),
            ("localhost:\u{668}\u{660}", false),
            ("localhost:-1", false),
            ("localhost\t", false),
            ("localhost;", false),
        ];
        for (name, wanted) in cases {
            assert_eq!(is_ours("/", Some(name), &hosts), wanted, "{name}");
            let target = format!("http://{name}/api/state");
            // As a target it counts beside a good Host.
            let both = is_ours(&target, Some("localhost"), &hosts);
            // A slash ends it there.
            let wanted = wanted || name == "localhost/";
            assert_eq!(both, wanted, "{target}");
        }
        assert!(!is_ours("/", None, &hosts), "missing");
        assert!(!is_ours("http://localhost/", None, &hosts), "missing");
        assert!(!is_ours("http://localhost/", Some("evil.example"), &hosts));
        assert!(!is_ours("HTTP://evil.example", Some("localhost"), &hosts));
    }

    #[test]
    fn the_path_is_what_follows_the_server() {
        let cases = [
            ("/a?b", "/a?b"),
            ("http://localhost/a?b", "/a?b"),
            ("http://localhost", "/"),
            ("HTTP://[::1]:1?b", "?b"),
            ("https://localhost/", "https://localhost/"),
            ("*", "*"),
            ("", ""),
        ];
        for (target, wanted) in cases {
            assert_eq!(path(target), wanted, "{target}");
        }
    }
}
