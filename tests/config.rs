//! The config from the outside: a folder of good and bad files, the environment, the files it
//! names, and that it survives any input.
//!
//! `NAME.ok.toml` must load. `NAME.bad.toml` must be refused with exactly the faults that its
//! head lists. Lines at the head of a fixture:
//!
//! ```text
//! #! 12: text     a fault at line 12 that holds this text (bad), or such a warning (ok)
//! #env NAME=text  a variable of the environment
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use mediapackage2mqtt::config::{self, Config, Env, Errors, Proxy};

/// Stands in the fixtures wherever a secret does; no message may hold it.
const PLANTED_SECRET: &str = "hunter2";

struct Fixture {
    path: PathBuf,
    text: String,
    env: Env,
    /// Line and text of each fault or warning.
    wanted: Vec<(usize, String)>,
}

fn fixture(path: &Path) -> Fixture {
    let text = std::fs::read_to_string(path).expect("a fixture is UTF-8");
    let mut env = Vec::new();
    let mut wanted = Vec::new();
    for line in text.lines().take_while(|line| line.starts_with('#')) {
        if let Some(pair) = line.strip_prefix("#env ") {
            env.push(pair.split_once('=').expect("#env NAME=text"));
        } else if let Some(fault) = line.strip_prefix("#! ") {
            let (line, text) = fault.split_once(": ").expect("#! LINE: text");
            wanted.push((line.parse().expect("a line number"), text.to_string()));
        }
    }
    let env = Env::from_iter(env);
    Fixture {
        path: path.to_path_buf(),
        text,
        env,
        wanted,
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config")
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/config.toml")
}

fn fixtures(ending: &str) -> Vec<Fixture> {
    let entries = std::fs::read_dir(folder()).expect("the folder of fixtures");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.retain(|path| path.to_string_lossy().ends_with(ending));
    paths.sort();
    paths.iter().map(|path| fixture(path)).collect()
}

fn ok_fixtures() -> Vec<Fixture> {
    let mut all = fixtures(".ok.toml");
    all.push(fixture(&shipped()));
    all
}

impl Fixture {
    fn parse(&self) -> Result<Config, Errors> {
        config::parse(&self.path, &self.text, &self.env)
    }

    /// What is wrong with the messages, if anything: each wanted one once, and no other.
    fn compare(&self, told: &[String]) -> Vec<String> {
        let prefix = format!("{}:", self.path.display());
        let mut unwanted: Vec<&str> = told
            .iter()
            .map(|line| {
                line.strip_prefix(&prefix)
                    .expect("a message names its file")
            })
            .collect();
        let mut wrong = Vec::new();
        for (line, text) in &self.wanted {
            let fits = |told: &&str| {
                let told = told.strip_prefix(&format!("{line}: "));
                told.is_some_and(|told| told.contains(text))
            };
            match unwanted.iter().position(fits) {
                Some(at) => drop(unwanted.remove(at)),
                None => wrong.push(format!("not told: {line}: {text}")),
            }
        }
        wrong.extend(unwanted.iter().map(|told| format!("not wanted: {told}")));
        wrong
    }
}

fn report(path: &Path, wrong: &[String]) -> String {
    format!("{}:\n  {}\n", path.display(), wrong.join("\n  "))
}

#[test]
fn good_files_load_with_the_warnings_they_list_and_bad_ones_tell_every_fault() {
    let mut failures = String::new();
    let (ok, bad) = (ok_fixtures(), fixtures(".bad.toml"));
    assert!(ok.len() >= 13 && bad.len() >= 20, "fixtures are missing");
    for fixture in &ok {
        let wrong = match fixture.parse() {
            Ok(config) => fixture.compare(&config.warnings),
            Err(errors) => vec![errors.to_string()],
        };
        if !wrong.is_empty() {
            failures += &report(&fixture.path, &wrong);
        }
    }
    for fixture in &bad {
        let told = match fixture.parse() {
            Ok(_) => Vec::new(),
            Err(errors) => errors.to_string().lines().map(String::from).collect(),
        };
        let mut wrong = fixture.compare(&told);
        if fixture.wanted.is_empty() {
            wrong.push(String::from("lists no fault"));
        }
        if !wrong.is_empty() {
            failures += &report(&fixture.path, &wrong);
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn no_message_and_no_debug_output_holds_a_secret() {
    let mut with_secret = 0;
    for fixture in fixtures(".bad.toml").iter().chain(&ok_fixtures()) {
        with_secret += usize::from(fixture.text.contains(PLANTED_SECRET));
        let shown = match fixture.parse() {
            Ok(config) => format!("{config:?} {config:#?}"),
            Err(errors) => format!("{errors} {errors:?}"),
        };
        assert!(
            !shown.contains(PLANTED_SECRET),
            "{} leaks: {shown}",
            fixture.path.display()
        );
    }
    assert!(with_secret >= 5, "too few fixtures have a planted secret");
}

#[test]
fn the_shipped_example_has_every_key_with_its_default() {
    let path = shipped();
    let text = std::fs::read_to_string(&path).expect("the shipped example");
    let shown = |text: &str| {
        let config = config::parse(&path, text, &Env::default()).expect("valid");
        let config = Config {
            warnings: Vec::new(),
            ..config
        };
        format!("{config:#?}")
    };
    assert_eq!(shown(&text), shown("region = \"eu-central-1\""));

    // With every comment sign before a key taken away no key is unknown and none is missing.
    let uncommented: Vec<&str> = text.lines().map(uncomment).collect();
    let errors = config::parse(&path, &uncommented.join("\n"), &Env::default());
    let errors = errors.expect_err("secret files are not there").to_string();
    let expected = [
        "cannot be read",
        "is not set",
        "cannot stand beside",
        "needs proxy =",
    ];
    for line in errors.lines() {
        assert!(expected.iter().any(|text| line.contains(text)), "{line}");
    }
    for (table, keys) in config::all_keys() {
        let own = section(&uncommented, table);
        for key in keys {
            let written = |line: &&str| {
                line.starts_with(&format!("{key} = ")) || line.contains(&format!("# or {key}"))
            };
            // A table explains the twins; another may refer to it.
            let base = key.strip_suffix("_file").unwrap_or(key);
            let twin = format!("{base}_file = ");
            let told = own.iter().any(written) || own.iter().any(|line| line.starts_with(&twin));
            assert!(told, "[{table}] {key} is not in the example");
        }
    }
}

/// A line of the example with its key switched on.
fn uncomment(line: &str) -> &str {
    match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => key,
        _ => line,
    }
}

/// The lines of one table, `""` being those before the first.
fn section<'a>(lines: &[&'a str], table: &str) -> Vec<&'a str> {
    let mut current = "";
    let mut own = Vec::new();
    for line in lines {
        if let Some(header) = line.strip_prefix('[') {
            current = header.trim_end_matches(']');
        } else if current == table {
            own.push(*line);
        }
    }
    own
}

fn parse_with(text: &str, env: &[(&str, &str)]) -> Result<Config, String> {
    let env = Env::from_iter(env.iter().copied());
    config::parse(Path::new("/etc/m/config.toml"), text, &env).map_err(|errors| errors.to_string())
}

/// What a test looks at.
type Shown = fn(&Config) -> String;

const HERE: &str = "region = \"eu-central-1\"\n";

fn region(config: &Config) -> String {
    config.region.clone()
}

fn state_dir(config: &Config) -> String {
    config.state_dir.display().to_string()
}

fn ca_file(config: &Config) -> String {
    format!("{:?}", config.ca_file)
}

/// What is looked at, the file, the environment, and the value or what the refusal says.
type EnvCase = (
    Shown,
    &'static str,
    &'static [(&'static str, &'static str)],
    Result<&'static str, &'static str>,
);

const ENV_CASES: &[EnvCase] = &[
    (region, "", &[("AWS_REGION", "eu-west-1")], Ok("eu-west-1")),
    (
        region,
        "",
        &[("AWS_DEFAULT_REGION", "eu-west-2")],
        Ok("eu-west-2"),
    ),
    (
        region,
        "",
        &[
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu-west-2"),
        ],
        Ok("eu-west-1"),
    ),
    (
        region,
        HERE,
        &[("AWS_REGION", "eu-west-1")],
        Ok("eu-central-1"),
    ),
    (
        region,
        "",
        &[("AWS_REGION", "")],
        Err("config.toml:1: region: is missing"),
    ),
    (
        region,
        "",
        &[("AWS_REGION", "moon")],
        Err("taken from AWS_REGION"),
    ),
    (state_dir, HERE, &[], Ok("/var/lib/mediapackage2mqtt")),
    (
        state_dir,
        HERE,
        &[("STATE_DIRECTORY", "/var/lib/x")],
        Ok("/var/lib/x"),
    ),
    (state_dir, HERE, &[("STATE_DIRECTORY", "/a:/b")], Ok("/a")),
    (
        state_dir,
        "region = \"eu-central-1\"\nstate_dir = \"state\"",
        &[("STATE_DIRECTORY", "/var/lib/x")],
        Ok("/etc/m/state"),
    ),
    (
        state_dir,
        "region = \"eu-central-1\"\nstate_dir = \"${STATE_DIRECTORY}/y\"",
        &[("STATE_DIRECTORY", "/var/lib/x")],
        Ok("/var/lib/x/y"),
    ),
    (ca_file, HERE, &[], Ok("None")),
    (
        ca_file,
        HERE,
        &[("AWS_CA_BUNDLE", "/ca.pem")],
        Ok("Some(\"/ca.pem\")"),
    ),
    (
        ca_file,
        "region = \"eu-central-1\"\nca_file = \"mine.pem\"",
        &[("AWS_CA_BUNDLE", "/ca.pem")],
        Ok("Some(\"/etc/m/mine.pem\")"),
    ),
    (
        ca_file,
        "region = \"eu-central-1\"\nca_file = \"${CREDENTIALS_DIRECTORY}/ca\"",
        &[],
        Err("config.toml:2: ca_file: CREDENTIALS_DIRECTORY is not set"),
    ),
];

#[test]
fn what_the_file_leaves_out_is_taken_from_the_environment() {
    for (show, text, env, wanted) in ENV_CASES {
        match (parse_with(text, env), wanted) {
            (Ok(config), Ok(wanted)) => assert_eq!(show(&config), *wanted, "{text} {env:?}"),
            (Err(said), Err(wanted)) => assert!(said.contains(wanted), "{text} {env:?}: {said}"),
            (got, _) => panic!("{text} {env:?}: {got:?}"),
        }
    }
}

/// What stands in the file besides the region, what is looked at, and its value.
const DEFAULT_CASES: &[(&str, Shown, &str)] = &[
    ("", |c| c.instance.clone(), "eu-central-1"),
    (
        "",
        |c| c.mqtt.client_id.clone(),
        "mediapackage2mqtt-eu-central-1",
    ),
    (
        "",
        |c| format!("{}:{}", c.mqtt.host, c.mqtt.port),
        "localhost:1883",
    ),
    (
        "",
        |c| c.mediapackage.v2_url.host.clone(),
        "mediapackagev2.eu-central-1.amazonaws.com",
    ),
    (
        "",
        |c| c.cloudwatch.url.text.clone(),
        "https://monitoring.eu-central-1.amazonaws.com",
    ),
    ("", |c| format!("{:?}", c.cloudwatch.interval), "300s"),
    (
        "",
        |c| format!("{:?}", c.mediapackage.apis),
        "Apis { v1: true, v2: true, vod: false }",
    ),
    ("", |c| c.cloudwatch.monthly_budget_usd.to_string(), "25"),
    (
        "instance = \"a\"",
        |c| c.mqtt.client_id.clone(),
        "mediapackage2mqtt-a",
    ),
    (
        "[mqtt]\nurl = \"mqtts://b\"",
        |c| c.mqtt.port.to_string(),
        "8883",
    ),
    (
        "[mqtt]\nurl = \"mqtt://[::1]\"",
        |c| c.mqtt.host.clone(),
        "::1",
    ),
    (
        "[mqtt]\nurl = \"mqtt://b\"",
        |c| c.mqtt.max_publishes_per_second.to_string(),
        "0",
    ),
    (
        "[mqtt]\nurl = \"mqtts://a-ats.iot.eu-west-1.amazonaws.com\"",
        |c| c.mqtt.max_publishes_per_second.to_string(),
        "80",
    ),
    (
        "[mqtt]\nurl = \"mqtts://a-ats.iot.eu-west-1.amazonaws.com\"\n\
             max_publishes_per_second = 0",
        |c| c.mqtt.max_publishes_per_second.to_string(),
        "0",
    ),
    (
        "[cloudwatch]\nproxy = \"none\"",
        |c| (c.cloudwatch.proxy == Proxy::None && c.mediapackage.proxy == Proxy::Env).to_string(),
        "true",
    ),
    (
        "[cloudwatch]\nmonthly_budget_usd = 0.5",
        |c| c.cloudwatch.monthly_budget_usd.to_string(),
        "0.5",
    ),
    (
        "[credentials.assume_role]\nrole_arn = \"arn:aws:iam::123456789012:role/a\"",
        |c| {
            c.assume_role
                .as_ref()
                .map(|role| role.session_name.clone())
                .unwrap_or_default()
        },
        "mediapackage2mqtt-eu-central-1",
    ),
];

#[test]
fn defaults_follow_region_instance_and_broker() {
    for (text, show, wanted) in DEFAULT_CASES {
        // Keys of the top come before the first table.
        let text = format!("{HERE}{text}");
        let config = parse_with(&text, &[]).unwrap_or_else(|said| panic!("{text}: {said}"));
        assert_eq!(show(&config), *wanted, "{text}");
    }
}

/// Writes `text` beside the files and loads it.
fn load_beside(files: &[(&str, &[u8])], text: &str) -> (tempfile::TempDir, Result<Config, Errors>) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).expect("a file");
    }
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).expect("the config");
    let loaded = config::load(&path, &Env::default());
    (folder, loaded)
}

#[test]
fn a_secret_file_is_read_at_start_without_its_newline() {
    const TEXT: &str = "region = \"eu-central-1\"\n[mqtt]\nusername = \"u\"\npassword_file = \"p\"";
    let long = vec![b'x'; 64 * 1024 + 1];
    let cases: &[(&[u8], Result<&str, &str>)] = &[
        (b"hunter2", Ok("hunter2")),
        (b"hunter2\n", Ok("hunter2")),
        (b"hunter2\r\n", Ok("hunter2")),
        (b" hunter 2 \n", Ok(" hunter 2 ")),
        (b"", Err("is empty")),
        (b"\n", Err("is empty")),
        (b"hunter2\xff", Err("is not UTF-8")),
        (&long, Err("is larger than 65536 bytes")),
    ];
    for (bytes, wanted) in cases {
        let (folder, loaded) = load_beside(&[("p", bytes)], TEXT);
        let file = folder.path().join("p").display().to_string();
        match (loaded, wanted) {
            (Ok(config), Ok(wanted)) => {
                let password = config.mqtt.password.expect("a password");
                assert_eq!(password.expose(), *wanted);
            }
            (Err(errors), Err(wanted)) => {
                let said = errors.to_string();
                assert!(said.contains(wanted) && said.contains(&file), "{said}");
                assert!(said.contains(":4: [mqtt] password_file: "), "{said}");
                assert!(!said.contains(PLANTED_SECRET), "{said}");
            }
            (got, _) => panic!("{got:?} for {} bytes", bytes.len()),
        }
    }
    let (_folder, loaded) = load_beside(&[], TEXT);
    let said = loaded.expect_err("no such file").to_string();
    assert!(said.contains("cannot be read"), "{said}");
    let folder_as_secret = TEXT.replace("\"p\"", "\".\"");
    let (_folder, loaded) = load_beside(&[], &folder_as_secret);
    let said = loaded.expect_err("a folder").to_string();
    assert!(said.contains("is not a file"), "{said}");
}

#[test]
fn a_file_that_is_no_config_is_refused_as_a_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let large = vec![b'#'; 1024 * 1024 + 1];
    let cases: &[(&str, Option<&[u8]>, &str)] = &[
        ("missing.toml", None, "missing.toml: cannot be read"),
        (
            "large.toml",
            Some(&large),
            "large.toml: is larger than 1048576 bytes",
        ),
        (
            "latin1.toml",
            Some(b"# a\n# \xe9\n"),
            "latin1.toml: is not UTF-8 at line 2",
        ),
        (".", None, "cannot be read"),
    ];
    for (name, bytes, wanted) in cases {
        let path = folder.path().join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).expect("a file");
        }
        let said = config::load(&path, &Env::default())
            .expect_err(name)
            .to_string();
        assert!(said.contains(wanted), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_with_a_secret_that_others_can_read_gets_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let secret = "region = \"eu-central-1\"\n[mqtt]\nusername = \"u\"\npassword = \"hunter2\"";
    let public = "region = \"eu-central-1\"";
    for (text, mode, warned) in [
        (secret, 0o600, false),
        (secret, 0o644, true),
        (secret, 0o660, true),
        (public, 0o644, false),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).expect("the config");
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&path, permissions).expect("the mode");
        let config = config::load(&path, &Env::default()).expect("valid");
        let told = config.warnings.iter().any(|w| w.contains("read by others"));
        assert_eq!(told, warned, "{mode:o}: {:?}", config.warnings);
    }
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_taken() {
    let text = "\u{feff}region = \"eu-central-1\"\r\n[mediapackage]\r\ninterval = \"5s\"\r\n";
    let config = parse_with(text, &[]).expect("valid");
    assert_eq!(config.mediapackage.interval, Duration::from_secs(5));
}

/// Edits of valid files reach far more of the reader than random bytes do.
#[test]
fn no_edit_of_a_file_makes_the_reader_panic() {
    const EDITS_PER_FIXTURE: usize = 300;
    let seed = match std::env::var("CONFIG_SEED") {
        Ok(text) => text.parse().expect("CONFIG_SEED is a number"),
        Err(_) => fastrand::u64(..),
    };
    eprintln!("again with: CONFIG_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let pieces: [&[u8]; 12] = [
        b"\"", b"\"\"\"", b"[", b"]", b"[[", b"{", b"=", b"\n", b".", b"'", b"\\u", b"#",
    ];
    for fixture in ok_fixtures() {
        for _ in 0..EDITS_PER_FIXTURE {
            let mut bytes = fixture.text.clone().into_bytes();
            for _ in 0..random.usize(1..6) {
                let at = random.usize(..bytes.len());
                let to = (at + random.usize(..20)).min(bytes.len());
                match random.u8(..4) {
                    0 => bytes[at] = random.u8(..),
                    1 => drop(bytes.drain(at..to)),
                    2 => drop(bytes.splice(at..at, random.choice(pieces).unwrap_or(b"x").to_vec())),
                    _ => {
                        let copy = bytes[at..to].to_vec();
                        let to = random.usize(..=bytes.len());
                        drop(bytes.splice(to..to, copy));
                    }
                }
                if bytes.is_empty() {
                    bytes.push(b'=');
                }
            }
            let text = String::from_utf8_lossy(&bytes);
            if let Err(errors) = config::parse(&fixture.path, &text, &fixture.env) {
                assert!(!errors.to_string().is_empty());
            }
        }
    }
}
