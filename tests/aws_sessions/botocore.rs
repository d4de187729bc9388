//! AWS's own client finds in the region what the agent finds: its answers are well formed.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::region::sessions::{CONTAINER_PATH, CONTAINER_TOKEN, EXTERNAL_ID, KEY_ID, TOKEN};
use crate::region::{KEY, Region, World};
use crate::rig::ROLE;
use crate::support::moto::venv;

/// What botocore finds with this environment and these arguments.
fn found(env: &[(&str, &str)], arguments: &[&str]) -> Value {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws_sessions/found_by_botocore.py");
    let run = Command::new(venv().join("bin/python"))
        .arg(script)
        .args(arguments)
        .env_clear()
        .env("HOME", "/nonexistent")
        .envs(env.iter().copied())
        .output()
        .expect("Python of the virtual environment");
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{errors}");
    serde_json::from_slice(&run.stdout).expect("JSON of the script")
}

#[test]
fn botocore_takes_the_sessions_of_the_region() {
    let mut world = World::new("eu-central-1");
    let sessions = &mut world.sessions;
    sessions.instance_role = Some(String::from("edge-role"));
    sessions.container_token = Some(CONTAINER_TOKEN.into());
    sessions.roles.insert(ROLE.into(), Some(EXTERNAL_ID.into()));
    let region = Region::start(world);
    let url = region.url();
    let container = format!("{url}{CONTAINER_PATH}");
    let of_container = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", CONTAINER_TOKEN),
    ];
    let of_instance = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str())];
    let of_keys = [
        ("AWS_ACCESS_KEY_ID", KEY.0),
        ("AWS_SECRET_ACCESS_KEY", KEY.1),
    ];
    let role: [&str; 3] = [&url, ROLE, EXTERNAL_ID];
    let cases: [(&[_], &[&str]); 3] =
        [(&of_container, &[]), (&of_instance, &[]), (&of_keys, &role)];
    for (n, (env, arguments)) in cases.into_iter().enumerate() {
        let found = found(env, arguments);
        assert_eq!(found["key"], format!("{KEY_ID}{:07}", n + 1), "{found}");
        assert_eq!(found["token"], format!("{TOKEN}{}", n + 1), "{found}");
        let end = found["end"].as_str().unwrap();
        assert!(end.ends_with("+00:00"), "{end}");
    }
}
