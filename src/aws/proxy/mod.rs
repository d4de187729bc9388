//! Which way a request goes out: directly, or through a proxy that opens a tunnel to AWS
//! (CONNECT, RFC 9110 section 9.3.6).
//!
//! The environment is read as curl does it (curl(1), "Environment"): small letters first, and
//! `NO_PROXY` with names, suffixes, addresses and networks; with ports besides, as others take
//! them. `HTTP_PROXY` is not looked at: it is for requests that are not encrypted.

mod tunnel;

use std::fmt;
use std::net::IpAddr;

use crate::config::{Env, Proxy, ServiceUrl};
use crate::state::fault::{Fault, FaultKind};

pub(super) use tunnel::{Trouble, Tunnel};

/// Where the environment may name a proxy for `https://`, the first that is set.
const PROXY_VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
/// Where it may name what is reached directly.
const NO_PROXY_VARIABLES: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The way to one service.
#[derive(Clone, Debug)]
pub enum Way {
    /// Directly; why, where that is not a matter of course.
    Direct(Option<&'static str>),
    /// Through a proxy.
    Through(Through),
}

/// A proxy, and who named it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Through {
    pub(super) proxy: ureq::Proxy,
    /// The variable of the environment, or `None` for the config.
    variable: Option<&'static str>,
}

impl Way {
    /// The way to `url`. What is on this machine or its own link is never asked through a
    /// proxy, whoever names one: nobody else can reach what is meant.
    ///
    /// # Errors
    ///
    /// [`FaultKind::Network`] for a proxy that cannot be used. No fault repeats its URL.
    pub fn of(proxy: &Proxy, url: &ServiceUrl, env: &Env) -> Result<Way, Fault> {
        let first = |names: &[&'static str]| {
            let set = |name: &&'static str| Some((*name, env.get(name)?));
            names.iter().find_map(set)
        };
        if url.loopback {
            return Ok(Way::Direct(Some("it is on this machine")));
        }
        if is_link_local(&url.host) {
            return Ok(Way::Direct(Some("it is a link-local address")));
        }
        match proxy {
            Proxy::None => Ok(Way::Direct(None)),
            Proxy::Env => {
                let Some((variable, text)) = first(&PROXY_VARIABLES) else {
                    return Ok(Way::Direct(None));
                };
                let list = first(&NO_PROXY_VARIABLES).map_or("", |(_, list)| list);
                if is_listed(list, &url.host, url.port) {
                    return Ok(Way::Direct(Some("NO_PROXY says so")));
                }
                Through::of_environment(variable, text).map(Way::Through)
            }
            Proxy::Url { .. } => Through::of_config(proxy).map(Way::Through),
        }
    }

    /// The proxy, where there is one.
    pub fn through(&self) -> Option<&Through> {
        match self {
            Way::Direct(_) => None,
            Way::Through(through) => Some(through),
        }
    }

    /// Whether a fault is of the proxy on this way.
    pub fn is_blamed_by(&self, fault: &Fault) -> bool {
        let through = self.through();
        through.is_some_and(|through| fault.what.contains(&format!("{through} ")))
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Direct(None) => write!(f, "directly"),
            Way::Direct(Some(why)) => write!(f, "directly: {why}"),
            Way::Through(through) => match through.variable {
                None => write!(f, "through {through}"),
                Some(variable) => write!(f, "through {through}, as {variable} says"),
            },
        }
    }
}

/// With host and port only: the rest may be secret.
impl fmt::Display for Through {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {}:{}", self.proxy.host(), self.proxy.port())
    }
}

impl fmt::Debug for Through {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Through {
    fn of_environment(variable: &'static str, text: &str) -> Result<Through, Fault> {
        let unusable = |why: &str| {
            let what = format!("the proxy in {variable} {why}");
            let remedy = format!(
                "write http://host:port into {variable}, or set proxy = \"none\" or proxy = \
                 \"http://host:port\""
            );
            Fault::new(FaultKind::Network, what, remedy)
        };
        let proxy = parsed(text).ok_or_else(|| unusable("is no URL of a proxy"))?;
        // With SOCKS, ureq would connect directly, past the proxy that was asked for.
        if !is_http(proxy.protocol()) {
            return Err(unusable("is not HTTP"));
        }
        Ok(Through {
            proxy,
            variable: Some(variable),
        })
    }

    fn of_config(proxy: &Proxy) -> Result<Through, Fault> {
        let unusable = |why: &str| {
            let remedy = "give an http:// proxy with host and port, or proxy = \"none\"";
            Fault::new(FaultKind::Network, why, remedy)
        };
        let Proxy::Url {
            url,
            username,
            password,
        } = proxy
        else {
            return Err(unusable("there is no proxy"));
        };
        let plain = parsed(url).ok_or_else(|| unusable("the proxy's URL is malformed"))?;
        if !is_http(plain.protocol()) {
            return Err(unusable("the proxy is not HTTP"));
        }
        let mut builder = ureq::Proxy::builder(plain.protocol())
            .host(plain.host())
            .port(plain.port());
        if let Some(username) = username {
            builder = builder.username(username);
        }
        if let Some(password) = password {
            builder = builder.password(password.expose());
        }
        let built = builder.build();
        let malformed = "the proxy's URL or its credentials are malformed";
        Ok(Through {
            proxy: built.map_err(|_| unusable(malformed))?,
            variable: None,
        })
    }

    /// What to look at when the proxy cannot be reached.
    fn remedy(&self) -> String {
        match self.variable {
            Some(variable) => {
                format!("check {variable} and the proxy, or set proxy = \"none\" to go past it")
            }
            None => String::from("check proxy and whether the proxy runs"),
        }
    }

    /// What to look at when it wants to know who asks.
    fn remedy_of_credentials(&self) -> String {
        match self.variable {
            Some(variable) => format!(
                "write user and password into {variable}, or set proxy, proxy_username and \
                 proxy_password"
            ),
            None => String::from("check proxy_username and proxy_password"),
        }
    }
}

/// The proxy that a text names, with its port if it has one: ureq takes 80 for what is no port.
fn parsed(text: &str) -> Option<ureq::Proxy> {
    let proxy = ureq::Proxy::new(text).ok()?;
    let (_, authority) = text.split_once("://").unwrap_or(("", text));
    let authority = authority.split(['/', '?', '#']).next()?;
    let host_and_port = authority.rsplit(['@', ']']).next()?;
    match host_and_port.split_once(':') {
        Some((_, port)) if port.parse() != Ok(proxy.port()) => None,
        _ => Some(proxy),
    }
}

fn is_http(protocol: ureq::ProxyProtocol) -> bool {
    matches!(
        protocol,
        ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https
    )
}

/// Whether a host is an address of the link it is asked on (RFC 3927, RFC 4291 section 2.5.6),
/// or one of those that AWS gives its own services on a machine (`fd00:ec2::/32`).
fn is_link_local(host: &str) -> bool {
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => address.is_link_local(),
        Ok(IpAddr::V6(address)) => {
            address.is_unicast_link_local() || address.segments()[..2] == [0xfd00, 0x0ec2]
        }
        Err(_) => false,
    }
}

/// Whether `NO_PROXY` lists a host: entries stand between commas or blanks.
fn is_listed(list: &str, host: &str, port: u16) -> bool {
    let entries = list.split(|c: char| c == ',' || c.is_whitespace());
    let mut entries = entries.filter(|entry| !entry.is_empty());
    entries.any(|entry| entry == "*" || names(entry, host, port))
}

/// A name means itself and all below it; with a dot or `*.` in front too.
fn names(entry: &str, host: &str, port: u16) -> bool {
    let entry = entry.to_ascii_lowercase();
    if let Some((network, bits)) = entry.split_once('/') {
        let (network, host) = (network.parse(), host.parse());
        return match (network, host, bits.parse()) {
            (Ok(network), Ok(host), Ok(bits)) => is_within(network, host, bits),
            _ => false,
        };
    }
    // An IPv6 address has colons of its own, and brackets where a port follows.
    let unbracketed = |text: &str| text.trim_matches(['[', ']']).to_owned();
    let (name, only_port) = match entry.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') || name.ends_with(']') => {
            (unbracketed(name), digits.parse().ok())
        }
        _ => (unbracketed(&entry), Some(port)),
    };
    if only_port != Some(port) {
        return false;
    }
    if let Ok(host) = host.parse::<IpAddr>() {
        return name.parse() == Ok(host);
    }
    let name = name.strip_prefix('*').unwrap_or(&name);
    let name = name.trim_start_matches('.').trim_end_matches('.');
    let above = host.strip_suffix(name);
    !name.is_empty() && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

/// Whether an address lies in a network of `bits`.
fn is_within(network: IpAddr, address: IpAddr, bits: u32) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) if bits <= 32 => {
            let apart = network.to_bits() ^ address.to_bits();
            apart.leading_zeros() >= bits
        }
        (IpAddr::V6(network), IpAddr::V6(address)) if bits <= 128 => {
            let apart = network.to_bits() ^ address.to_bits();
            apart.leading_zeros() >= bits
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn url(host: &str, port: u16) -> ServiceUrl {
        ServiceUrl {
            text: format!("https://{host}:{port}"),
            tls: true,
            host: host.to_owned(),
            port,
            loopback: matches!(host, "localhost" | "127.0.0.1" | "::1"),
        }
    }

    fn given() -> Proxy {
        Proxy::Url {
            url: String::from("http://proxy.example.net:3128"),
            username: Some(String::from("us:er")),
            password: Some(Secret::new("p@ss/word")),
        }
    }

    const AWS: &str = "monitoring.eu-central-1.amazonaws.com";

    #[test]
    fn the_environment_names_a_proxy_as_it_does_for_curl() {
        let through =
            |shown: &str, name: &str| format!("through the proxy {shown}, as {name} says");
        let cases: [(&[(&str, &str)], String); 10] = [
            (&[], String::from("directly")),
            (&[("HTTPS_PROXY", "")], String::from("directly")),
            (&[("HTTP_PROXY", "http://p:1")], String::from("directly")),
            (
                &[("HTTPS_PROXY", "http://p:1")],
                through("p:1", "HTTPS_PROXY"),
            ),
            (&[("ALL_PROXY", "http://p:1/")], through("p:1", "ALL_PROXY")),
            (&[("HTTPS_PROXY", "p:1")], through("p:1", "HTTPS_PROXY")),
            (
                &[("HTTPS_PROXY", "http://p")],
                through("p:80", "HTTPS_PROXY"),
            ),
            (
                &[("HTTPS_PROXY", "http://u:hunter2@p:1")],
                through("p:1", "HTTPS_PROXY"),
            ),
            (
                &[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "http://b:2")],
                through("b:2", "https_proxy"),
            ),
            (
                &[("ALL_PROXY", "http://a:1"), ("HTTPS_PROXY", "http://b:2")],
                through("b:2", "HTTPS_PROXY"),
            ),
        ];
        for (env, wanted) in cases {
            let env = Env::from_iter(env.iter().copied());
            let way = Way::of(&Proxy::Env, &url(AWS, 443), &env).unwrap();
            assert_eq!(way.to_string(), wanted, "{env:?}");
        }
    }

    #[test]
    fn no_proxy_lists_names_suffixes_addresses_networks_and_ports() {
        let cases = [
            ("", AWS, false),
            ("*", AWS, true),
            (AWS, AWS, true),
            ("MONITORING.eu-central-1.amazonaws.com.", AWS, true),
            ("amazonaws.com", AWS, true),
            (".amazonaws.com", AWS, true),
            ("*.amazonaws.com", AWS, true),
            ("azonaws.com", AWS, false),
            ("amazonaws.com.example.net", AWS, false),
            ("a,b example.net\tamazonaws.com", AWS, true),
            (",, ,.,", AWS, false),
            ("amazonaws.com:443", AWS, true),
            ("amazonaws.com:8443", AWS, false),
            ("amazonaws.com:x", AWS, false),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1:443", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.10", false),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.0.0.0/33", "10.0.0.0", false),
            ("0.0.0.0/0", "11.1.2.3", true),
            ("10.0.0.0/8", AWS, false),
            ("0.0.1", "10.0.0.1", false),
            ("2001:db8::1", "2001:db8::1", true),
            ("[2001:db8::1]", "2001:db8::1", true),
            ("[2001:db8::1]:443", "2001:db8::1", true),
            ("[2001:db8::1]:8443", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ];
        for (list, host, wanted) in cases {
            assert_eq!(is_listed(list, host, 443), wanted, "{list:?} {host}");
        }
    }

    #[test]
    fn this_machine_and_its_own_link_are_never_reached_through_a_proxy() {
        let env = Env::from_iter([("HTTPS_PROXY", "http://p:1")]);
        let near = [
            "localhost",
            "127.0.0.1",
            "::1",
            "169.254.169.254",
            "169.254.170.2",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
        ];
        let far = [AWS, "10.0.0.1", "170.254.0.1", "fd00:ec3::1", "2001:db8::1"];
        for proxy in [Proxy::Env, given()] {
            let way = |host: &str| Way::of(&proxy, &url(host, 443), &env).unwrap();
            for host in near {
                assert!(way(host).through().is_none(), "{host}");
            }
            for host in far {
                assert!(way(host).through().is_some(), "{host}");
            }
        }
        let none = Way::of(&Proxy::None, &url(AWS, 443), &env).unwrap();
        assert_eq!(none.to_string(), "directly");
    }

    #[test]
    fn a_proxy_is_taken_with_its_credentials_and_shown_without_them() {
        let way = Way::of(&given(), &url(AWS, 443), &Env::default()).unwrap();
        let through = way.through().unwrap();
        assert_eq!(through.proxy.username(), Some("us:er"));
        assert_eq!(through.proxy.password(), Some("p@ss/word"));
        let wanted = "through the proxy proxy.example.net:3128";
        assert_eq!(way.to_string(), wanted);
        assert_eq!(
            format!("{way:?}"),
            "Through(the proxy proxy.example.net:3128)"
        );
    }

    #[test]
    fn a_proxy_of_another_kind_or_a_malformed_one_is_refused_and_not_repeated() {
        let bad = [
            "socks5://u:hunter2@p:1",
            "not a url hunter2",
            "ftp://hunter2",
            "http://u:hunter2@p:99999",
            "u:hunter2@p:x",
            "http://u:hunter2@[::1]:70000/",
        ];
        for text in bad {
            let env = Env::from_iter([("HTTPS_PROXY", text)]);
            let given = Proxy::Url {
                url: text.to_owned(),
                username: None,
                password: None,
            };
            for proxy in [Proxy::Env, given] {
                let fault = Way::of(&proxy, &url(AWS, 443), &env).unwrap_err();
                assert_eq!(fault.kind, FaultKind::Network, "{text}");
                assert!(!fault.to_string().contains("hunter2"), "{fault}");
            }
        }
    }
}
