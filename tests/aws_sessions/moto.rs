//! STS of moto, whose check of signatures and whose XML are not ours.

use crate::rig::{ROLE, Rig, said};
use crate::support::moto::Moto;

#[test]
fn motos_sts_gives_a_session_for_the_right_signature() {
    let moto = Moto::start("eu-central-1");
    let rig = Rig::new(|_| {}).var("AWS_ENDPOINT_URL_STS", &moto.url);
    let tables = |secret: &str| {
        format!(
            "[credentials]\naccess_key_id = {:?}\nsecret_access_key = {secret:?}\n\
             [credentials.assume_role]\nrole_arn = {ROLE:?}\nexternal_id = \"site+1\"\n\
             session_name = \"edge@site\"\n",
            moto.access_key_id
        )
    };
    let found = rig
        .provider(&tables(&moto.secret_access_key))
        .current()
        .unwrap();
    assert!(found.session_token.is_some());
    assert!(found.expires_at.is_some());
    assert!(found.source.ends_with(ROLE), "{}", found.source);

    let wrong = moto.secret_access_key.to_ascii_lowercase();
    let text = said(rig.provider(&tables(&wrong)).current());
    assert!(text.contains("SignatureDoesNotMatch"), "{text}");
    assert!(!text.contains(&wrong), "{text}");
}
