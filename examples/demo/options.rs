//! The demo's command line.

use std::ffi::OsString;

use lexopt::{Arg, Parser, ValueExt};
use mediapackage2mqtt::error::Failure;

/// Printed for `--help`.
pub const HELP: &str = "\
The agent between a simulated AWS region and a broker, without AWS account.

Usage: cargo run --release --example demo -- [OPTIONS]

Options:
      --broker mqtt://HOST[:PORT]  Your broker (no password, no TLS) instead of the demo's own;
                                   the demo clears its topics there when it ends
      --port N                     Loopback port of the demo's own broker
      --seconds N                  End after so many seconds
  -h, --help                       This text

On a terminal it shows a live tree of topics, otherwise one line for each publication.
";

/// What the command line asks for.
pub enum Asked {
    /// The help text.
    Help,
    /// The demo.
    Demo(Options),
}

/// How the demo is run.
#[derive(Default)]
pub struct Options {
    /// Host and port of the user's broker.
    pub broker: Option<(String, u16)>,
    /// Port of the demo's own broker.
    pub port: Option<u16>,
    /// When it ends by itself.
    pub seconds: Option<u64>,
}

/// Reads the command line.
///
/// # Errors
///
/// For what is not an option of the demo, with the way to the help text.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Asked, Failure> {
    read(arguments).map_err(|error| Failure::config(format!("{error}; see --help")))
}

fn read(arguments: impl Iterator<Item = OsString>) -> Result<Asked, lexopt::Error> {
    let mut parser = Parser::from_args(arguments);
    let mut options = Options::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("broker") => options.broker = Some(broker(&parser.value()?.string()?)?),
            Arg::Long("port") => options.port = Some(parser.value()?.parse()?),
            Arg::Long("seconds") => options.seconds = Some(parser.value()?.parse()?),
            Arg::Short('h') | Arg::Long("help") => return Ok(Asked::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Asked::Demo(options))
}

fn broker(url: &str) -> Result<(String, u16), String> {
    let wrong = || format!("--broker takes mqtt://HOST[:PORT], not {url}");
    let place = url
        .strip_prefix("mqtt://")
        .ok_or_else(wrong)?
        .trim_end_matches('/');
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
        _ => (place, 1883),
    };
    if host.is_empty() || host.contains(['@', '/']) {
        return Err(wrong());
    }
    Ok((host.to_owned(), port))
}
