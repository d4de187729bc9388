//! Roles of STS: on top of keys, of a profile, and for a token of web identity.

use std::fs;

use mediapackage2mqtt::config::{self, Env};

use crate::region::sessions::{EXTERNAL_ID, WEB_TOKEN};
use crate::region::{Clock, FOREVER, Fault, KEY};
use crate::rig::{KEYS, MINUTE, NOON, ROLE, Rig, number, said};

fn rig() -> Rig {
    Rig::new(|world| {
        let asks = Some(EXTERNAL_ID.to_owned());
        world.sessions.roles.insert(ROLE.into(), asks);
    })
}

/// Static keys with a role on top.
fn role(more: &str) -> String {
    format!("{KEYS}[credentials.assume_role]\nrole_arn = {ROLE:?}\n{more}")
}

fn with_id() -> String {
    role(&format!("external_id = {EXTERNAL_ID:?}\n"))
}

#[test]
fn a_role_is_taken_with_external_id_session_name_and_duration() {
    let rig = rig();
    let more = format!(
        "{}session_name = \"edge@site\"\nduration = \"15m\"\n",
        with_id()
    );
    let found = rig.provider(&more).current().unwrap();
    let source = format!("[credentials] in the config file -> role {ROLE}");
    assert_eq!(&*found.source, source);
    assert_eq!(found.expires_at.unwrap().0, NOON + 15 * MINUTE);
    rig.provider(&with_id()).current().unwrap();
    // On top of the default chain too.
    let chain = with_id().replace(KEYS, "");
    let rig = rig
        .var("AWS_ACCESS_KEY_ID", KEY.0)
        .var("AWS_SECRET_ACCESS_KEY", KEY.1);
    let found = rig.provider(&chain).current().unwrap();
    assert_eq!(
        &*found.source,
        format!("environment variables -> role {ROLE}")
    );
    // That the region let it in shows that it was signed for STS by the static key.
    assert_eq!(rig.operations(), ["AssumeRole"; 3]);
}

#[test]
fn each_refusal_says_what_to_do() {
    let error = |status, code, message| Fault::Error {
        status,
        code,
        message,
    };
    let cases = [
        (
            error(403, "RegionDisabledException", "STS is not activated"),
            "enable STS",
        ),
        (
            error(400, "MalformedPolicyDocument", "syntax"),
            "mend the policies",
        ),
        (
            error(403, "ExpiredToken", "expired"),
            "renew the token or the session",
        ),
        (
            error(
                400,
                "ValidationError",
                "DurationSeconds exceeds the MaxSessionDuration",
            ),
            "shorten duration",
        ),
        (
            error(403, "OptInRequired", "no subscription"),
            "Credentials: role",
        ),
        (Fault::body("<html>sign in</html>"), "holds no session"),
        (Fault::html(503), "status 503"),
    ];
    for (fault, words) in cases {
        let rig = rig();
        let name = format!("{fault:?}");
        rig.region
            .edit(|world| world.faults.add("sts:AssumeRole", FOREVER, fault));
        let text = said(rig.provider(&with_id()).current());
        assert!(text.contains(words), "{name}: {words} is not in {text}");
        assert!(text.contains(ROLE) || name.contains("sign in"), "{text}");
    }
    let rig = rig();
    // AWS quotes the external id that it does not take.
    rig.region.edit(|world| world.denied.push("sts:*".into()));
    for table in [role(""), with_id()] {
        let text = said(rig.provider(&table).current());
        assert!(text.contains("sts:AssumeRole on the role"), "{text}");
        assert!(text.contains("sts:ExternalId"), "{text}");
    }
}

#[test]
fn the_clock_is_learned_from_sts_and_its_sessions_are_renewed_by_it() {
    for minutes_off in [-120, 120] {
        let rig = rig();
        let ours = NOON + minutes_off * MINUTE;
        rig.wall.store(ours, std::sync::atomic::Ordering::Relaxed);
        let provider = rig.provider(&with_id());
        assert_eq!(number(&provider.current().unwrap()), 1);
        let asked = rig.asked();
        assert_eq!(asked[0].error.as_deref(), Some("SignatureDoesNotMatch"));
        assert_eq!(asked.len(), 2, "signed again by AWS's clock");
        let at = |minutes: i64| {
            let time = NOON + minutes * MINUTE;
            rig.region.edit(|world| world.clock = Clock::Fixed(time));
            let ours = ours + minutes * MINUTE;
            rig.wall.store(ours, std::sync::atomic::Ordering::Relaxed);
            number(&provider.current().unwrap())
        };
        assert_eq!((at(54), at(55)), (1, 2), "{minutes_off}");
    }
}

#[test]
fn a_profile_leads_to_a_role() {
    let rig = rig();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config");
    let rig = rig.var("AWS_CONFIG_FILE", &file.display().to_string());
    let rig = rig.var("AWS_PROFILE", "edge");
    let keys = "aws_access_key_id = AKIASYNTHETIC0000001\n\
                aws_secret_access_key = planted/SecretAccessKey+0123456789abcdef\n";
    let role = format!("role_arn = {ROLE}\nexternal_id = {EXTERNAL_ID}\n");
    let edge = format!("[profile edge]\n{role}");
    let cases = [
        (
            format!("{edge}source_profile = k\n[profile k]\n{keys}"),
            Ok(()),
        ),
        (format!("{edge}source_profile = edge\n{keys}"), Ok(())),
        (
            format!("{edge}source_profile = b\n[profile b]\n{role}source_profile = edge\n"),
            Err("without end"),
        ),
        (format!("{edge}source_profile = none\n"), Err("has no keys")),
        (
            format!("{edge}mfa_serial = x\nsource_profile = edge\n"),
            Err("one-time password"),
        ),
        (edge.clone(), Err("source_profile and credential_source")),
        (
            format!("{edge}credential_source = Magic\n"),
            Err("Ec2InstanceMetadata"),
        ),
        (
            format!("{edge}source_profile = k\nduration_seconds = x\n[profile k]\n{keys}"),
            Err("no number"),
        ),
    ];
    for (text, wanted) in cases {
        fs::write(&file, &text).unwrap();
        let answer = rig.provider("").current();
        match wanted {
            Ok(()) => {
                let source = answer.unwrap().source;
                assert!(
                    source.contains("profile \"") && source.ends_with(ROLE),
                    "{source}"
                );
            }
            Err(words) => {
                let text = said(answer);
                assert!(text.contains(words), "{words}: {text}");
            }
        }
    }
    let mut of_env = rig.var("AWS_ACCESS_KEY_ID", "");
    fs::write(&file, format!("{edge}credential_source = Environment\n")).unwrap();
    assert!(said(of_env.provider("").current()).contains("Environment"));
    of_env.env.remove("AWS_PROFILE");
}

#[test]
fn a_pod_takes_a_role_for_its_token() {
    let rig = Rig::new(|world| {
        world.sessions.roles.insert(ROLE.into(), None);
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, format!("{WEB_TOKEN}\n")).unwrap();
    let rig = rig.var("AWS_WEB_IDENTITY_TOKEN_FILE", &file.display().to_string());
    assert!(said(rig.provider("").current()).contains("AWS_ROLE_ARN is missing"));
    let rig = rig.var("AWS_ROLE_ARN", ROLE);
    let provider = rig.provider("");
    let found = provider.current().unwrap();
    assert!(
        found.source.contains("web identity token"),
        "{}",
        found.source
    );
    let asked = rig.asked();
    assert_eq!(
        (asked[0].operation.as_str(), asked[0].key_id.as_str()),
        ("AssumeRoleWithWebIdentity", "")
    );
    // The kubelet replaces the token; another one is refused, and quoted by AWS.
    fs::write(&file, "planted.web.token-5c.other").unwrap();
    rig.at(61);
    let text = said(provider.current());
    assert!(text.contains("identity provider"), "{text}");
    fs::write(&file, "two\nlines").unwrap();
    rig.at(62);
    assert!(said(provider.current()).contains("one token"));
}

#[test]
fn sts_is_where_the_region_or_the_variable_says() {
    let bad = [
        ("http://sts.example.net", "loopback addresses only"),
        ("https://sts.example.net/x", "must end after host"),
        ("sts", "no scheme"),
    ];
    for (url, words) in bad {
        let rig = Rig::new(|_| {}).var("AWS_ENDPOINT_URL_STS", url);
        let fault = rig.try_provider(&with_id()).err().unwrap().to_string();
        assert!(
            fault.contains(words) && fault.contains("AWS_ENDPOINT_URL_STS"),
            "{fault}"
        );
    }
}

#[test]
fn a_long_session_on_top_of_a_thing_is_warned_of() {
    let iot = "[credentials.iot]\nendpoint = \"a.credentials.iot.eu-central-1.amazonaws.com\"\n\
               role_alias = \"a\"\ncert_file = \"a\"\nkey_file = \"a\"\n";
    let role = format!("[credentials.assume_role]\nrole_arn = {ROLE:?}\n");
    let warned = |tables: &str| {
        let text = format!("region = \"eu-central-1\"\n{tables}");
        let config = config::parse("x".as_ref(), &text, &Env::default()).unwrap();
        config
            .warnings
            .iter()
            .any(|warning| warning.contains("over 1h"))
    };
    assert!(warned(&format!("{iot}{role}duration = \"2h\"\n")));
    assert!(!warned(&format!("{iot}{role}duration = \"1h\"\n")));
    assert!(!warned(&format!("{role}duration = \"2h\"\n")));
}
