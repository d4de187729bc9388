//! The command line: what is asked for, and what the process answers and exits with.

use std::ffi::OsString;
use std::fmt;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::Arg;

use crate::agent;
use crate::agent::aws_setup::Part;
use crate::agent::signals::Signals;
use crate::aws::Stop;
use crate::config::{self, Config, Env, near};
use crate::error::{EXIT_CONFIG, Failure, FailureKind};
use crate::log::{Log, Style};

/// The config file unless `--config` names another.
pub const CONFIG_FILE: &str = "/etc/mediapackage2mqtt/config.toml";

const NAME: &str = env!("CARGO_PKG_NAME");

const HELP: &str = "\
mediapackage2mqtt keeps a live picture of AWS Elemental MediaPackage in retained MQTT topics.

Usage: mediapackage2mqtt COMMAND [OPTIONS]

Commands:
  run             The agent: polls AWS and publishes, until it is told to stop
  check           Tries the config and every part, one line each, with the remedy
  once            Polls once and prints topic and payload; needs no broker
  clean           Clears every retained topic of this instance
  subscribe-url   Prints the URL to give to SNS
  aws-setup       Prints the IAM policy and a CloudFormation template

Options:
  -c, --config FILE   The config file [default: /etc/mediapackage2mqtt/config.toml]
      --take-over     run: take the topics over from another agent
      --offline       check: the config alone, without network
      --force         clean: even while the agent is online
      --policy        aws-setup: the IAM policy alone, as JSON
      --template      aws-setup: the CloudFormation template alone, as JSON
  -h, --help          This text
  -V, --version       The version

Exit code: 0 well, 1 failed, 2 usage or configuration.
";

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The agent.
    Run {
        /// The config file.
        config: PathBuf,
        /// Take the topics over from another agent.
        take_over: bool,
    },
    /// The config and every part, one line each.
    Check {
        /// The config file.
        config: PathBuf,
        /// The config alone.
        offline: bool,
    },
    /// One poll, printed.
    Once {
        /// The config file.
        config: PathBuf,
    },
    /// Clears the instance's topics.
    Clean {
        /// The config file.
        config: PathBuf,
        /// Even while the agent is online.
        force: bool,
    },
    /// The URL to give to SNS.
    SubscribeUrl {
        /// The config file.
        config: PathBuf,
    },
    /// IAM policy and CloudFormation template.
    AwsSetup {
        /// The config file.
        config: PathBuf,
        /// One of them alone, or both.
        part: Part,
    },
    /// The help text.
    Help,
    /// The version.
    Version,
}

/// A command line that was not understood: what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

impl From<lexopt::Error> for Usage {
    fn from(error: lexopt::Error) -> Usage {
        Usage(error.to_string())
    }
}

/// Each command with the options it takes besides `--config`, `--help` and `--version`.
const COMMANDS: [(&str, &[&str]); 6] = [
    ("run", &["take-over"]),
    ("check", &["offline"]),
    ("once", &[]),
    ("clean", &["force"]),
    ("subscribe-url", &[]),
    ("aws-setup", &["policy", "template"]),
];

const EVERYWHERE: [&str; 3] = ["config", "help", "version"];

/// Reads the arguments, without the program's name.
///
/// # Errors
/// An unknown command or option, with the nearest known one; an option of another command; a
/// value that is missing.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, Usage> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut command: Option<&'static str> = None;
    let mut config = PathBuf::from(CONFIG_FILE);
    let mut flags: Vec<&'static str> = Vec::new();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Version),
            Arg::Short('c') | Arg::Long("config") => config = parser.value()?.into(),
            Arg::Short(letter) => return Err(unknown_option(&format!("-{letter}"))),
            Arg::Long(name) => flags.push(flag(name)?),
            Arg::Value(word) => match command {
                None => command = Some(command_name(&word.to_string_lossy())?),
                Some(command) => {
                    let word = word.to_string_lossy();
                    return Err(Usage(format!("{command} takes no argument {word:?}")));
                }
            },
        }
    }
    let Some(name) = command else {
        return Err(Usage(format!(
            "no command is given; {NAME} run starts the agent"
        )));
    };
    check_flags(name, &flags)?;
    let given = |flag| flags.contains(&flag);
    Ok(match name {
        "run" => Command::Run {
            config,
            take_over: given("take-over"),
        },
        "check" => Command::Check {
            config,
            offline: given("offline"),
        },
        "once" => Command::Once { config },
        "clean" => Command::Clean {
            config,
            force: given("force"),
        },
        "subscribe-url" => Command::SubscribeUrl { config },
        _ => Command::AwsSetup {
            config,
            part: part(given("policy"), given("template"))?,
        },
    })
}

/// What of `aws-setup` is asked for.
fn part(policy: bool, template: bool) -> Result<Part, Usage> {
    match (policy, template) {
        (false, false) => Ok(Part::Both),
        (true, false) => Ok(Part::Policy),
        (false, true) => Ok(Part::Template),
        (true, true) => Err(Usage(String::from(
            "--policy and --template each ask for one thing alone; leave out one of them, or both",
        ))),
    }
}

fn command_name(word: &str) -> Result<&'static str, Usage> {
    let names = || COMMANDS.iter().map(|(name, _)| *name);
    if let Some(name) = names().find(|name| *name == word) {
        return Ok(name);
    }
    let nearest = near::nearest(word, names()).unwrap_or_default();
    Err(Usage(format!(
        "unknown command {word:?}; the nearest is {nearest}"
    )))
}

fn flag(name: &str) -> Result<&'static str, Usage> {
    let flags = || COMMANDS.iter().flat_map(|(_, flags)| flags.iter().copied());
    let known = flags().find(|flag| *flag == name);
    known.ok_or_else(|| unknown_option(&format!("--{name}")))
}

fn unknown_option(option: &str) -> Usage {
    let flags = COMMANDS.iter().flat_map(|(_, flags)| flags.iter().copied());
    let word = option.trim_start_matches('-');
    let nearest = near::nearest(word, EVERYWHERE.into_iter().chain(flags)).unwrap_or_default();
    Usage(format!(
        "unknown option {option:?}; the nearest is --{nearest}"
    ))
}

fn check_flags(command: &str, given: &[&str]) -> Result<(), Usage> {
    let owner = |flag| COMMANDS.iter().find(|(_, flags)| flags.contains(flag));
    for flag in given {
        if let Some((owner, _)) = owner(flag).filter(|(owner, _)| *owner != command) {
            return Err(Usage(format!(
                "--{flag} is an option of {owner}, not of {command}"
            )));
        }
    }
    Ok(())
}

/// Does what the arguments ask for, and says what to exit with: 0 well, 1 failed, 2 usage or
/// configuration.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let command = match parse(args) {
        Ok(command) => command,
        Err(usage) => {
            complain(&format!("{NAME}: {usage}\nSee {NAME} --help"));
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    match carry_out(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Faults of the config begin with the name of the file.
            match failure.kind {
                FailureKind::Config => complain(&failure.message),
                FailureKind::Failed => complain(&format!("{NAME}: {failure}")),
            }
            failure.exit_code()
        }
    }
}

fn carry_out(command: Command) -> Result<(), Failure> {
    match command {
        Command::Help => print(HELP),
        Command::Version => print(&format!("{NAME} {}\n", env!("CARGO_PKG_VERSION"))),
        Command::Run { config, take_over } => {
            let config = start(&config)?;
            let stop = Stop::new();
            let signals = Signals::watch(&stop)?;
            let ended = agent::run(config, take_over, stop);
            signals.join();
            ended
        }
        Command::Once { config } => agent::once(&start(&config)?),
        Command::Check { config, offline } => {
            let config = load(&config)?;
            agent::check(&config, offline)
        }
        Command::Clean { config, force } => agent::clean(&start(&config)?, force),
        Command::SubscribeUrl { config } => print(&agent::subscribe_url(&load(&config)?)?),
        Command::AwsSetup { config, part } => print(&agent::aws_setup(&load(&config)?, part)?),
    }
}

/// The config and a log; what is doubtful in the one is said in the other.
fn start(path: &Path) -> Result<Config, Failure> {
    let config = load(path)?;
    for warning in &config.warnings {
        log::warn!("{warning}");
    }
    Ok(config)
}

/// The config and a log. `check` tells the warnings itself, among its other lines.
fn load(path: &Path) -> Result<Config, Failure> {
    let loaded = config::load(path, &Env::of_process());
    let config = loaded.map_err(|errors| Failure::config(errors.to_string()))?;
    Log::new(Style::of_process(), config.log).install();
    Ok(config)
}

/// Prints to stdout. That a reader has had enough and closed the pipe is no failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let what = format!("cannot write to stdout: {error}");
            Err(Failure::failed(what))
        }
        _ => Ok(()),
    }
}

/// Tells on stderr why it ends; where that cannot be written, the exit code has to do.
fn complain(text: &str) {
    let priority = match Style::of_process() {
        Style::Journal => "<3>",
        Style::Plain => "",
    };
    let lines: String = text
        .lines()
        .map(|line| format!("{priority}{line}\n"))
        .collect();
    let _ = std::io::stderr().write_all(lines.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(line: &str) -> Result<Command, Usage> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn commands_are_read_with_their_options() {
        let here = || PathBuf::from(CONFIG_FILE);
        let other = || PathBuf::from("x.toml");
        let cases = [
            (
                "run",
                Command::Run {
                    config: here(),
                    take_over: false,
                },
            ),
            (
                "run --config x.toml --take-over",
                Command::Run {
                    config: other(),
                    take_over: true,
                },
            ),
            (
                "--config=x.toml run",
                Command::Run {
                    config: other(),
                    take_over: false,
                },
            ),
            (
                "check",
                Command::Check {
                    config: here(),
                    offline: false,
                },
            ),
            (
                "check -c x.toml --offline",
                Command::Check {
                    config: other(),
                    offline: true,
                },
            ),
            ("once --config x.toml", Command::Once { config: other() }),
            (
                "clean --force",
                Command::Clean {
                    config: here(),
                    force: true,
                },
            ),
            ("subscribe-url", Command::SubscribeUrl { config: here() }),
            (
                "aws-setup",
                Command::AwsSetup {
                    config: here(),
                    part: Part::Both,
                },
            ),
            (
                "aws-setup --policy",
                Command::AwsSetup {
                    config: here(),
                    part: Part::Policy,
                },
            ),
            (
                "aws-setup --template",
                Command::AwsSetup {
                    config: here(),
                    part: Part::Template,
                },
            ),
            ("-h", Command::Help),
            ("run --help", Command::Help),
            ("--version", Command::Version),
            ("-V", Command::Version),
        ];
        for (line, wanted) in cases {
            assert_eq!(parse_words(line), Ok(wanted), "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_names_the_nearest() {
        let cases = [
            ("", "no command is given"),
            ("rnu", "unknown command \"rnu\"; the nearest is run"),
            ("subscribe", "the nearest is subscribe-url"),
            (
                "run --confg x",
                "unknown option \"--confg\"; the nearest is --config",
            ),
            ("run --takeover", "the nearest is --take-over"),
            ("run -x", "unknown option \"-x\""),
            (
                "run --offline",
                "--offline is an option of check, not of run",
            ),
            (
                "aws-setup --policy --template",
                "leave out one of them, or both",
            ),
            ("run x.toml", "run takes no argument \"x.toml\""),
            ("run --config", "missing argument for option '--config'"),
            (
                "run --take-over=yes",
                "unexpected argument for option '--take-over'",
            ),
        ];
        for (line, wanted) in cases {
            let said = parse_words(line).expect_err(line).to_string();
            assert!(said.contains(wanted), "{line}: {said}");
        }
    }

    #[test]
    fn the_help_names_every_command_and_option() {
        for (command, flags) in COMMANDS {
            assert!(HELP.contains(&format!("\n  {command} ")), "{command}");
            for flag in flags.iter().chain(&EVERYWHERE) {
                assert!(HELP.contains(&format!("--{flag}")), "--{flag}");
            }
        }
        assert!(HELP.contains(CONFIG_FILE));
        assert!(HELP.lines().all(|line| line.len() <= 100));
    }
}
