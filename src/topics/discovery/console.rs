//! Where the AWS console shows a resource.

use crate::state::model::{Api, Channel};

/// What a region begins with, and the console's host there (AWS General Reference, "AWS
/// Management Console", and the guides of the partitions). The first that fits counts; an empty
/// host is a partition whose console is not on the internet.
const CONSOLES: [(&str, &str); 5] = [
    ("cn-", "console.amazonaws.cn"),
    ("us-gov-", "console.amazonaws-us-gov.com"),
    ("eusc-", "console.amazonaws-eusc.eu"),
    ("us-iso", ""),
    ("eu-isoe-", ""),
];
const CONSOLE: &str = "console.aws.amazon.com";

/// MediaPackage's console in a region, which has v1, v2 and VOD; `None` where there is none.
pub fn home(region: &str) -> Option<String> {
    let mut consoles = CONSOLES.iter();
    let found = consoles.find(|(prefix, _)| region.starts_with(prefix));
    let host = found.map_or(CONSOLE, |(_, host)| *host);
    (!host.is_empty()).then(|| format!("https://{region}.{host}/mediapackage/home?region={region}"))
}

/// The page of a channel. Of v2 the console's own pages have no documented addresses.
pub fn channel(region: &str, channel: &Channel) -> Option<String> {
    let home = home(region)?;
    Some(match channel.api {
        Api::V1 => format!("{home}#/channels/{}", encoded(&channel.id)),
        Api::V2 => home,
    })
}

/// A part of a path, percent-encoded.
fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_a_console_of_its_own_or_none() {
        let aws =
            "https://eu-central-1.console.aws.amazon.com/mediapackage/home?region=eu-central-1";
        let cases = [
            ("eu-central-1", Some(aws)),
            (
                "cn-north-1",
                Some("https://cn-north-1.console.amazonaws.cn/mediapackage/home?region=cn-north-1"),
            ),
            (
                "us-gov-west-1",
                Some(
                    "https://us-gov-west-1.console.amazonaws-us-gov.com/mediapackage/home\
                     ?region=us-gov-west-1",
                ),
            ),
            ("us-iso-east-1", None),
            ("us-isob-east-1", None),
            ("eu-isoe-west-1", None),
        ];
        for (region, wanted) in cases {
            assert_eq!(home(region).as_deref(), wanted, "{region}");
        }
        assert_eq!(encoded("a b/é"), "a%20b%2F%C3%A9");
    }
}
