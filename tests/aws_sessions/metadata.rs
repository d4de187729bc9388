//! Containers and instances: asked directly, by token, and only where they are.

use std::fs;

use crate::region::sessions::{CONTAINER_PATH, CONTAINER_TOKEN};
use crate::region::{FOREVER, Fault};
use crate::rig::{Rig, number, said};
use crate::support::ports::free_port;

const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
/// Nobody answers there: whatever is to go directly must not go there.
const PROXY: &str = "[mediapackage]\nproxy = \"http://127.0.0.1:9\"\n";

fn container() -> Rig {
    let rig = Rig::new(|world| {
        world.sessions.container_token = Some(CONTAINER_TOKEN.into());
    });
    let url = format!("{}{CONTAINER_PATH}", rig.region.url());
    rig.var(FULL, &url)
}

fn instance() -> Rig {
    let rig = Rig::new(|world| {
        world.sessions.instance_role = Some(String::from("edge-role"));
    });
    let url = rig.region.url();
    rig.var(ENDPOINT, &url).var("AWS_EC2_METADATA_DISABLED", "")
}

#[test]
fn a_container_shows_its_token_and_no_proxy_sees_it() {
    let rig = container().var(TOKEN, CONTAINER_TOKEN);
    let found = rig.provider(PROXY).current().unwrap();
    assert_eq!(number(&found), 1);
    assert!(found.source.contains(FULL), "{}", found.source);

    // A file goes before the variable, and is read each time.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, CONTAINER_TOKEN).unwrap();
    let rig = rig
        .var(TOKEN, "wrong")
        .var(TOKEN_FILE, &file.display().to_string());
    let provider = rig.provider("");
    assert_eq!(number(&provider.current().unwrap()), 2);
    fs::write(&file, format!("{CONTAINER_TOKEN}-old\n")).unwrap();
    rig.at(61);
    // The endpoint quotes what it does not know.
    let text = said(provider.current());
    assert!(
        text.contains("the token … is not known") && text.contains("expired at"),
        "{text}"
    );
    fs::write(&file, format!("{CONTAINER_TOKEN}\n")).unwrap();
    assert_eq!(number(&provider.current().unwrap()), 3);
    fs::remove_file(&file).unwrap();
    let text = said(rig.provider("").current());
    assert!(
        text.contains(TOKEN_FILE) && text.contains("No such file"),
        "{text}"
    );
}

#[test]
fn a_container_that_gives_nothing_says_why() {
    let html = "<html>sign in</html>";
    let refused = r#"{"Code":"AccessDenied","Message":"the pod has no association"}"#;
    let cases = [
        (Fault::html(500), "status 500"),
        (Fault::body(html), "a page, not JSON"),
        (Fault::body(refused), "the pod has no association"),
        (Fault::body("{}"), "gave no AccessKeyId"),
        (Fault::Endless, "more than 65536 bytes"),
    ];
    for (fault, words) in cases {
        let rig = container().var(TOKEN, CONTAINER_TOKEN);
        rig.region
            .edit(|world| world.faults.add("container:*", FOREVER, fault));
        let text = said(rig.provider("").current());
        assert!(text.contains(words), "{words}: {text}");
    }
    let rig = Rig::new(|_| {})
        .var(FULL, "http://example.net/x")
        .var(TOKEN, CONTAINER_TOKEN);
    assert!(said(rig.provider("").current()).contains("clear text"));
    let rig = container().var(TOKEN, "two\nlines");
    assert!(said(rig.provider("").current()).contains("cannot stand in a header"));
}

#[test]
fn an_instance_gives_its_role_by_the_second_version_only() {
    let rig = instance();
    let provider = rig.provider(PROXY);
    let found = provider.current().unwrap();
    assert_eq!(
        &*found.source,
        "the instance metadata service (role edge-role)"
    );
    assert_eq!(rig.operations(), ["Token", "Roles", "Role"]);
    rig.at(55);
    assert_eq!(number(&provider.current().unwrap()), 2);
    rig.asked();

    // Without a token nothing is asked.
    rig.region
        .edit(|world| world.faults.add("imds:Token", FOREVER, Fault::html(405)));
    let text = said(rig.provider("").current());
    assert!(
        text.contains("no AWS credentials found") && text.contains("status 405"),
        "{text}"
    );
    assert_eq!(rig.operations(), ["Token"]);
}

#[test]
fn an_instance_that_gives_nothing_says_why() {
    let cases: [(&str, Fault, &str); 5] = [
        ("imds:Role", Fault::html(500), "status 500"),
        (
            "imds:Role",
            Fault::body("{\"Code\":\"Failed\"}"),
            "Failed: no reason given",
        ),
        ("imds:Roles", Fault::body("a b"), "named no role"),
        ("imds:Roles", Fault::html(404), "this instance has no role"),
        ("imds:Token", Fault::body("a\u{7}b"), "a token that is none"),
    ];
    for (operation, fault, words) in cases {
        let rig = instance();
        rig.region
            .edit(|world| world.faults.add(operation, FOREVER, fault));
        let text = said(rig.provider("").current());
        assert!(text.contains(words), "{words}: {text}");
    }
    let rig = instance();
    rig.region.edit(|world| world.sessions.lifetime_ms = -1000);
    // A first request of AWS has told the time.
    let provider = rig.provider("");
    let text = said(provider.current());
    assert!(text.contains("expired at 2026-11-22T09:59:59Z"), "{text}");
}

#[test]
fn outside_aws_all_places_are_named() {
    let rig = Rig::new(|_| {});
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let rig = rig
        .var("AWS_EC2_METADATA_DISABLED", "false")
        .var(ENDPOINT, &nowhere);
    let text = said(rig.provider(PROXY).current());
    for place in [
        "[credentials]",
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        FULL,
        ".aws/credentials",
        ".aws/config",
        "the instance metadata service",
        "no connection to 127.0.0.1",
    ] {
        assert!(text.contains(place), "{place} is not in {text}");
    }
    // A profile that is not there is a mistake, not a reason to take the machine's role.
    let rig = instance().var("AWS_PROFILE", "egde");
    let text = said(rig.provider("").current());
    assert!(text.contains("since AWS_PROFILE is set"), "{text}");
    assert_eq!(rig.operations(), [""; 0]);
}
