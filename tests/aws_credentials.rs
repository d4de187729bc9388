//! Where credentials are found, in folders of the test's own.

#![allow(
    clippy::unwrap_used,
    reason = "a test that meets a surprise shall stop there"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mediapackage2mqtt::aws::clock::Sample;
use mediapackage2mqtt::aws::credentials::{Credentials, Provider};
use mediapackage2mqtt::aws::{AwsClock, Limits, Stop};
use mediapackage2mqtt::config::{self, Env, Keys, Secret};
use mediapackage2mqtt::state::fault::{Fault, FaultKind};
use mediapackage2mqtt::state::time::UnixMs;

const NOON: i64 = 1_795_341_600_000;
const MINUTE: i64 = 60_000;

/// A home folder with these two files, and an environment that leads to it.
struct Home {
    folder: tempfile::TempDir,
    env: BTreeMap<String, String>,
}

impl Home {
    fn new(credentials: &str, config: &str, env: &[(&str, &str)]) -> Home {
        let folder = tempfile::tempdir().unwrap();
        let aws = folder.path().join(".aws");
        std::fs::create_dir(&aws).unwrap();
        for (name, text) in [("credentials", credentials), ("config", config)] {
            if !text.is_empty() {
                std::fs::write(aws.join(name), text).unwrap();
            }
        }
        let env = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut env: BTreeMap<_, _> = env.collect();
        env.insert(String::from("HOME"), folder.path().display().to_string());
        // The tests run on instances too.
        let disabled = String::from("AWS_EC2_METADATA_DISABLED");
        env.insert(disabled, String::from("true"));
        Home { folder, env }
    }

    fn provider(&self, keys: Option<Keys>) -> Provider {
        let clock = AwsClock::new(|| UnixMs(NOON));
        self.provider_with(keys, clock, Stop::new(), Limits::default())
    }

    fn provider_with(
        &self,
        keys: Option<Keys>,
        clock: AwsClock,
        stop: Stop,
        limits: Limits,
    ) -> Provider {
        let text = "region = \"eu-central-1\"";
        let mut config = config::parse("x".as_ref(), text, &Env::default()).unwrap();
        config.credentials = keys;
        Provider::new(&config, &self.env, clock, stop, limits).unwrap()
    }

    fn read(&self) -> Result<Credentials, Fault> {
        self.provider(None).current()
    }
}

fn id(credentials: &Credentials) -> &str {
    credentials.access_key_id.expose()
}

#[test]
fn the_first_source_that_has_keys_is_taken() {
    let keys = |id: &str| format!("aws_access_key_id = {id}\naws_secret_access_key = s\n");
    let credentials = format!("[default]\n{}[edge]\n{}", keys("CRED"), keys("CRED-EDGE"));
    let edge = format!(
        "[profile edge]\n{}[default]\n{}",
        keys("CONF-EDGE"),
        keys("CONF")
    );
    let process = "credential_process = echo '{\"Version\":1,\"AccessKeyId\":\"PROC\",\
                   \"SecretAccessKey\":\"s\"}'";
    let with_process = format!("[default]\n{}{process}\n", keys("CONF"));
    let of_env = [("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let both = [of_env[0], of_env[1], ("AWS_PROFILE", "edge")];
    let empty = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    let profile = [("AWS_PROFILE", "edge")];
    let cases: [(&str, &str, &[_], &str, &str); 8] = [
        (&credentials, &edge, &of_env, "ENV", "environment variables"),
        (&credentials, &edge, &both, "ENV", "environment variables"),
        (
            &credentials,
            &edge,
            &empty,
            "CRED",
            "profile \"default\" in ",
        ),
        (
            &credentials,
            &edge,
            &profile,
            "CRED-EDGE",
            ".aws/credentials",
        ),
        ("", &edge, &profile, "CONF-EDGE", ".aws/config"),
        ("", &edge, &[], "CONF", "profile \"default\" in "),
        (
            "",
            &with_process,
            &[],
            "PROC",
            "credential_process of profile \"default\"",
        ),
        (&credentials, &with_process, &[], "CRED", ".aws/credentials"),
    ];
    for (credentials, config, env, wanted, source) in cases {
        let home = Home::new(credentials, config, env);
        let found = home.read().unwrap();
        assert_eq!(id(&found), wanted, "{env:?}");
        assert!(found.source.contains(source), "{}", found.source);
        let table = Keys {
            access_key_id: String::from("TABLE"),
            secret_access_key: Secret::new("s"),
            session_token: Some(Secret::new("t")),
        };
        let found = home.provider(Some(table)).current().unwrap();
        assert_eq!(
            (id(&found), &*found.source),
            ("TABLE", "[credentials] in the config file")
        );
    }
}

#[test]
fn the_files_can_lie_elsewhere() {
    let mut home = Home::new("", "", &[("AWS_SHARED_CREDENTIALS_FILE", "~/elsewhere")]);
    let text = "[default]\naws_access_key_id=A\naws_secret_access_key=s\naws_session_token=t\n";
    let path = home.folder.path().join("elsewhere");
    std::fs::write(&path, text).unwrap();
    let found = home.read().unwrap();
    assert_eq!(found.session_token.unwrap().expose(), "t");
    let var = String::from("AWS_SHARED_CREDENTIALS_FILE");
    home.env.insert(var, path.display().to_string());
    home.env.remove("HOME");
    assert_eq!(id(&home.read().unwrap()), "A");
}

#[test]
fn what_is_missing_or_not_supported_is_told_with_its_place() {
    let half = "[default]\naws_access_key_id = AKHALF\n";
    let other = "[other]\naws_access_key_id = A\naws_secret_access_key = s\n";
    let role = "[default]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = y\n";
    let sso = "[default]\nsso_session = x\nsso_account_id = 1\n";
    let web = "[default]\nweb_identity_token_file = /token\n";
    let half_env = [("AWS_SECRET_ACCESS_KEY", "hunter2")];
    let cases: [(&str, &str, &[_], &[&str]); 7] = [
        (
            "",
            "",
            &[],
            &[
                "[credentials]",
                "AWS_ACCESS_KEY_ID",
                ".aws/credentials",
                ".aws/config",
                "metadata service (not asked, since AWS_EC2_METADATA_DISABLED",
            ],
        ),
        (
            other,
            "",
            &[],
            &["no keys of profile \"default\"", "No such file"],
        ),
        (
            half,
            "",
            &[],
            &["aws_secret_access_key is missing", "profile \"default\""],
        ),
        (
            "",
            "",
            &half_env,
            &["AWS_ACCESS_KEY_ID is missing", "environment variables"],
        ),
        (
            "",
            role,
            &[],
            &["\"y\", the source_profile of \"default\", has no keys"],
        ),
        (
            "",
            sso,
            &[],
            &["sso_", "not supported", "credential_process"],
        ),
        ("", web, &[], &["web_identity_token_file", "no role_arn"]),
    ];
    for (credentials, config, env, words) in cases {
        let fault = Home::new(credentials, config, env).read().unwrap_err();
        assert_eq!(fault.kind, FaultKind::Credentials, "{fault}");
        let text = fault.to_string();
        for word in words {
            assert!(text.contains(word), "{word} is not in: {text}");
        }
        assert!(
            !text.contains("AKHALF") && !text.contains("hunter2"),
            "{text}"
        );
    }
}

/// A profile whose `credential_process` is the shell script `text`.
fn process(text: &str) -> Home {
    let home = Home::new("", "", &[]);
    let script = home.folder.path().join("the script");
    std::fs::write(&script, text).unwrap();
    let config = format!(
        "[default]\ncredential_process = sh \"{}\" arg\n",
        script.display()
    );
    std::fs::write(home.folder.path().join(".aws/config"), config).unwrap();
    home
}

#[test]
fn a_process_that_fails_is_told_with_its_first_words() {
    let long = format!("echo {} >&2; exit 1", "ü".repeat(1000));
    let cases = [
        (
            "echo; echo 'no ticket' >&2; echo SECOND >&2; exit 3",
            "exit status: 3): no ticket;",
        ),
        ("echo hunter2", "did not print a JSON object"),
        ("exit 0", "did not print a JSON object"),
        ("yes", "65536 bytes"),
        (long.as_str(), "ü…;"),
        ("kill -9 $$", "signal: 9"),
    ];
    for (script, word) in cases {
        let home = process(script);
        // `yes` ends once nobody reads it any more.
        let fault = home.read().unwrap_err();
        let text = fault.to_string();
        assert_eq!(fault.kind, FaultKind::Credentials, "{text}");
        assert!(text.contains(word), "{script}: {text}");
        assert!(
            text.contains("credential_process of profile \"default\""),
            "{text}"
        );
        assert!(
            !text.contains("hunter2") && !text.contains("SECOND"),
            "{text}"
        );
    }
    let config = "[default]\ncredential_process = /no/such/program --x\n";
    let fault = Home::new("", config, &[]).read().unwrap_err();
    assert!(fault.what.contains("cannot be run"), "{fault}");
    let fault = Home::new("", "[default]\ncredential_process = 'open\n", &[])
        .read()
        .unwrap_err();
    assert!(fault.what.contains("quote"), "{fault}");
}

#[test]
fn a_process_that_does_not_end_is_ended() {
    let home = process("echo $$ > \"$0.pid\"; exec sleep 600");
    let clock = AwsClock::new(|| UnixMs(NOON));
    let limits = Limits {
        process: Duration::from_millis(300),
        ..Limits::default()
    };
    let provider = home.provider_with(None, clock.clone(), Stop::new(), limits);
    let fault = provider.current().unwrap_err();
    assert!(fault.what.contains("did not end within 0.3 s"), "{fault}");
    // On a very busy machine it may have been ended before it wrote its number.
    let number = std::fs::read_to_string(home.folder.path().join("the script.pid"));
    let number = number.unwrap_or_default();
    let still_there = !number.is_empty() && Path::new("/proc").join(number.trim()).exists();
    assert!(!still_there, "process {number} still runs");

    let stop = Stop::new();
    stop.request();
    let provider = home.provider_with(None, clock, stop, Limits::default());
    assert_eq!(provider.current().unwrap_err().kind, FaultKind::Stopped);
}

/// A clock that the test moves, which AWS has confirmed.
fn moved_clock() -> (AwsClock, Arc<AtomicI64>) {
    let time = Arc::new(AtomicI64::new(NOON));
    let shown = time.clone();
    let clock = AwsClock::new(move || UnixMs(shown.load(Ordering::Relaxed)));
    let date = Some("Sun, 22 Nov 2026 10:00:00 GMT");
    let at = clock.wall();
    clock.take(&Sample {
        date,
        aged: false,
        sent: at,
        received: at,
    });
    (clock, time)
}

fn print_session(script: &Path, id: &str, minutes: i64) {
    let end = UnixMs(NOON + minutes * MINUTE);
    let print = format!(
        "echo '{{\"Version\":1,\"AccessKeyId\":\"{id}\",\"SecretAccessKey\":\"s\",\
         \"SessionToken\":\"t\",\"Expiration\":\"{end}\"}}'"
    );
    std::fs::write(script, print).unwrap();
}

#[test]
fn a_session_is_renewed_in_time_and_kept_while_it_lives() {
    let home = process("");
    let script = home.folder.path().join("the script");
    let (clock, time) = moved_clock();
    let provider = home.provider_with(None, clock, Stop::new(), Limits::default());
    let at = |minutes: i64| {
        time.store(NOON + minutes * MINUTE, Ordering::Relaxed);
        provider.current().map(|found| id(&found).to_owned())
    };
    print_session(&script, "FIRST", 60);
    assert_eq!(at(0).as_deref(), Ok("FIRST"));
    print_session(&script, "SECOND", 120);
    assert_eq!(at(54).as_deref(), Ok("FIRST"));
    assert_eq!(at(55).as_deref(), Ok("SECOND"));
    std::fs::write(&script, "exit 1").unwrap();
    assert_eq!(at(118).as_deref(), Ok("SECOND"));
    // Its source is left alone for half a minute.
    print_session(&script, "THIRD", 180);
    assert_eq!(at(118).as_deref(), Ok("SECOND"));
    assert_eq!(at(119).as_deref(), Ok("THIRD"));
    std::fs::write(&script, "echo gone >&2; exit 1").unwrap();
    let fault = at(181).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Credentials);
    assert!(fault.what.contains("gone"), "{fault}");
    print_session(&script, "LATE", 181);
    assert!(
        at(182)
            .unwrap_err()
            .what
            .contains("expired at 2026-11-22T13:01:00Z")
    );
}

#[test]
fn only_the_first_of_several_refused_threads_reads_the_source_again() {
    let home = process("");
    let script = home.folder.path().join("the script");
    let provider = home.provider(None);
    print_session(&script, "OLD", 60);
    let old = provider.current().unwrap();
    print_session(&script, "NEW", 60);
    assert_eq!(id(&provider.afresh(&old).unwrap()), "NEW");
    print_session(&script, "NEWER", 60);
    assert_eq!(id(&provider.afresh(&old).unwrap()), "NEW");
}
