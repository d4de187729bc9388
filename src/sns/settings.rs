//! What a message is held against: topics, the one origin, the path. Pure.

use hmac::{Hmac, KeyInit, Mac};
use rustls::pki_types::ServerName;
use sha2::Sha256;

use crate::config::{self, Config, Secret, region};

/// Hex digits of the path below `/`: 128 bits.
const PATH_DIGITS: usize = 32;

/// The rules for every message.
#[derive(Clone)]
pub struct Settings {
    /// The topics whose messages are taken.
    pub topic_arns: Vec<String>,
    /// `https://sns.<region>.<suffix>`, without a port that is the scheme's own: as it stands
    /// in front of every URL of a message.
    pub origin: String,
    /// `/`, or `/<token>`: a secret then.
    path: Secret,
    /// 1 or 2.
    pub min_signature_version: u8,
    /// Whom the signing certificate may be for.
    pub names: Vec<ServerName<'static>>,
}

impl Settings {
    /// Those of a config.
    pub fn new(config: &Config, sns: &config::Sns) -> Settings {
        Settings {
            topic_arns: sns.topic_arns.clone(),
            origin: sns.url.text.clone(),
            path: Secret::new(path(sns.path_secret.as_ref(), &config.instance)),
            min_signature_version: sns.min_signature_version,
            names: names(&config.region),
        }
    }

    /// Whether messages are taken at `path`. Takes the same time whatever is wrong with it.
    pub fn takes_at(&self, path: &str) -> bool {
        // Comparing two authentication codes says nothing about what they are of.
        let (Some(theirs), Some(ours)) = (code(b"path", path), code(b"path", self.path.expose()))
        else {
            return false;
        };
        theirs.verify(&ours.finalize().into_bytes()).is_ok()
    }

    /// The topic of ours that this is, if it is one.
    pub fn known_topic(&self, topic_arn: &str) -> Option<&String> {
        self.topic_arns.iter().find(|known| *known == topic_arn)
    }
}

fn code(key: &[u8], text: &str) -> Option<Hmac<Sha256>> {
    // HMAC takes a key of any length.
    let mut code = Hmac::<Sha256>::new_from_slice(key).ok()?;
    code.update(text.as_bytes());
    Some(code)
}

/// Where messages are taken: `/`, and with a secret `/` and the first 32 hex digits of
/// HMAC-SHA256(secret, instance).
pub fn path(secret: Option<&Secret>, instance: &str) -> String {
    let code = secret.and_then(|secret| code(secret.expose().as_bytes(), instance));
    let Some(code) = code else {
        return String::from("/");
    };
    let bytes = code.finalize().into_bytes();
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    let digits: String = digits.collect();
    format!("/{}", &digits[..PATH_DIGITS])
}

/// AWS's certificate is for `sns.amazonaws.com` everywhere; the names of the partition and of
/// the region are SNS's own as well.
fn names(region: &str) -> Vec<ServerName<'static>> {
    let suffix = region::partition(region).dns_suffix;
    let names = [
        String::from("sns.amazonaws.com"),
        format!("sns.{suffix}"),
        format!("sns.{region}.{suffix}"),
    ];
    let names = names.into_iter().map(ServerName::try_from);
    names.filter_map(Result::ok).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(path: &str) -> Settings {
        Settings {
            topic_arns: vec![String::from("arn:aws:sns:eu-west-1:123456789012:a")],
            origin: String::from("https://sns.eu-west-1.amazonaws.com"),
            path: Secret::new(path),
            min_signature_version: 1,
            names: names("eu-west-1"),
        }
    }

    #[test]
    fn the_path_is_the_keyed_hash_of_the_instance() {
        // printf studio | openssl dgst -sha256 -hmac hunter2
        let secret = Secret::new("hunter2");
        let cases = [
            (None, "studio", "/"),
            (Some(&secret), "studio", "/fbe7f88f76c68a35871e39db4c347b93"),
            (Some(&secret), "stage", "/d6b48f5872621e06947123a2a102033d"),
        ];
        for (secret, instance, wanted) in cases {
            assert_eq!(path(secret, instance), wanted, "{instance}");
        }
    }

    #[test]
    fn messages_are_taken_at_one_path_only() {
        let cases = [
            ("/", "/", true),
            ("/", "", false),
            ("/", "//", false),
            ("/", "/?a=b", false),
            ("/0123", "/0123", true),
            ("/0123", "/", false),
            ("/0123", "/0124", false),
            ("/0123", "/01234", false),
            ("/0123", "/0123/", false),
            ("/0123", "/0123?", false),
        ];
        for (ours, theirs, wanted) in cases {
            assert_eq!(settings(ours).takes_at(theirs), wanted, "{ours} {theirs}");
        }
    }

    #[test]
    fn each_partition_has_its_own_names() {
        let cases = [
            ("eu-west-1", "sns.amazonaws.com sns.eu-west-1.amazonaws.com"),
            (
                "cn-north-1",
                "sns.amazonaws.com.cn sns.cn-north-1.amazonaws.com.cn",
            ),
            (
                "eusc-de-east-1",
                "sns.amazonaws.eu sns.eusc-de-east-1.amazonaws.eu",
            ),
        ];
        for (region, wanted) in cases {
            let names = names(region);
            let names: Vec<_> = names
                .iter()
                .map(|name| name.to_str().into_owned())
                .collect();
            assert_eq!(names[0], "sns.amazonaws.com");
            assert_eq!(names[1..].join(" "), wanted, "{region}");
        }
    }
}
