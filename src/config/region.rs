//! Regions, partitions and the host names that AWS makes of them.
//!
//! Source: botocore `partitions.json` and `endpoints.json`, 2026-11.

use super::ServiceUrl;

/// A part of AWS with accounts, names and host names of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// As in `arn:<id>:…`.
    pub id: &'static str,
    /// What its regions begin with.
    region_prefix: &'static str,
    /// What its host names end with.
    pub dns_suffix: &'static str,
    /// The same for the hosts that also speak IPv6; empty where none are known.
    dual_stack_suffix: &'static str,
}

const fn partition_row(
    id: &'static str,
    region_prefix: &'static str,
    dns_suffix: &'static str,
    dual_stack_suffix: &'static str,
) -> Partition {
    Partition {
        id,
        region_prefix,
        dns_suffix,
        dual_stack_suffix,
    }
}

/// The first whose prefix fits is a region's partition; `aws` takes every other region.
const PARTITIONS: [Partition; 8] = [
    partition_row(
        "aws-cn",
        "cn-",
        "amazonaws.com.cn",
        "api.amazonwebservices.com.cn",
    ),
    partition_row("aws-us-gov", "us-gov-", "amazonaws.com", "api.aws"),
    partition_row(
        "aws-eusc",
        "eusc-",
        "amazonaws.eu",
        "api.amazonwebservices.eu",
    ),
    partition_row("aws-iso", "us-iso-", "c2s.ic.gov", ""),
    partition_row("aws-iso-b", "us-isob-", "sc2s.sgov.gov", ""),
    partition_row("aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", ""),
    partition_row("aws-iso-f", "us-isof-", "csp.hci.ic.gov", ""),
    partition_row("aws", "", "amazonaws.com", "api.aws"),
];

/// Longest topic that AWS IoT Core takes (AWS IoT Core quotas).
pub const IOT_TOPIC_BYTES_MAX: usize = 256;
/// Most slashes in a topic that AWS IoT Core takes.
pub const IOT_TOPIC_SLASHES_MAX: usize = 7;

/// Longest name that is taken for a region; the longest known one has 16 bytes.
const REGION_BYTES_MAX: usize = 32;

/// The partition a region lies in. A region that is not known yet counts as `aws`.
pub fn partition(region: &str) -> &'static Partition {
    let found = PARTITIONS
        .iter()
        .find(|partition| region.starts_with(partition.region_prefix));
    found.unwrap_or(&PARTITIONS[PARTITIONS.len() - 1])
}

/// The regional origin of a service, `https://<service>.<region>.<suffix>`.
pub fn service_url(service: &str, region: &str) -> ServiceUrl {
    let host = format!("{service}.{region}.{}", partition(region).dns_suffix);
    ServiceUrl {
        text: format!("https://{host}"),
        tls: true,
        host,
        port: 443,
        loopback: false,
    }
}

/// Whether a text has the form of a region: `eu-central-1`, `us-gov-west-1`.
pub fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let number = parts.next_back().unwrap_or_default();
    let words: Vec<&str> = parts.collect();
    let is_word = |word: &&str| word.len() >= 2 && word.bytes().all(|b| b.is_ascii_lowercase());
    text.len() <= REGION_BYTES_MAX
        && words.len() >= 2
        && words.iter().all(is_word)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// Reads a region.
///
/// # Errors
/// Says what was meant where that can be told: an availability zone, capital letters.
pub(super) fn parse(text: &str) -> Result<String, String> {
    if is_region(text) {
        return Ok(text.to_string());
    }
    let lower = text.to_ascii_lowercase();
    let without_zone = lower.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let hint = if is_region(&lower) {
        format!("write it in small letters, \"{lower}\"")
    } else if is_region(without_zone) {
        format!("that is an availability zone; write \"{without_zone}\"")
    } else {
        String::from("write one such as \"eu-central-1\"")
    };
    Err(format!(
        "{} is not a region; {hint}",
        super::value::quoted(text)
    ))
}

/// The region in the name of an AWS host, `<service>.<region>.<suffix>` or with more labels
/// in front; `None` for hosts that are not AWS's or name no region.
pub fn of_host(host: &str) -> Option<&str> {
    let suffixes = PARTITIONS
        .iter()
        .flat_map(|partition| [partition.dns_suffix, partition.dual_stack_suffix]);
    let rest = suffixes
        .filter(|suffix| !suffix.is_empty())
        .find_map(|suffix| host.strip_suffix(suffix)?.strip_suffix('.'))?;
    rest.rsplit('.').find(|label| is_region(label))
}

/// Whether a broker is AWS IoT Core, whose limits are narrower than MQTT's:
/// `<prefix>.iot.<region>.amazonaws.com`.
pub fn is_iot_host(host: &str) -> bool {
    let Some(region) = of_host(host) else {
        return false;
    };
    let before = host.split(region).next().unwrap_or_default();
    before.ends_with(".iot.") || before.ends_with(".iot-fips.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_the_host_of_its_partition() {
        let cases = [
            ("eu-central-1", "https://sns.eu-central-1.amazonaws.com"),
            ("cn-north-1", "https://sns.cn-north-1.amazonaws.com.cn"),
            ("us-gov-west-1", "https://sns.us-gov-west-1.amazonaws.com"),
            ("eusc-de-east-1", "https://sns.eusc-de-east-1.amazonaws.eu"),
            ("us-iso-east-1", "https://sns.us-iso-east-1.c2s.ic.gov"),
            ("us-isob-east-1", "https://sns.us-isob-east-1.sc2s.sgov.gov"),
            (
                "eu-isoe-west-1",
                "https://sns.eu-isoe-west-1.cloud.adc-e.uk",
            ),
            (
                "us-isof-south-1",
                "https://sns.us-isof-south-1.csp.hci.ic.gov",
            ),
            ("xx-new-7", "https://sns.xx-new-7.amazonaws.com"),
        ];
        for (region, wanted) in cases {
            assert_eq!(service_url("sns", region).text, wanted);
        }
        assert_eq!(partition("us-gov-east-1").id, "aws-us-gov");
        assert_eq!(partition("us-east-1").id, "aws");
    }

    #[test]
    fn a_region_is_known_by_its_form() {
        let cases = [
            ("eu-central-1", None),
            ("us-gov-west-1", None),
            ("ap-southeast-5", None),
            ("eu-central-1a", Some("write \"eu-central-1\"")),
            ("EU-Central-1", Some("\"eu-central-1\"")),
            ("frankfurt", Some("such as")),
            ("eu-central", Some("such as")),
            ("eu--1", Some("such as")),
            ("", Some("such as")),
            ("-", Some("such as")),
        ];
        for (text, wanted) in cases {
            match (parse(text), wanted) {
                (Ok(region), None) => assert_eq!(region, text),
                (Err(said), Some(wanted)) => assert!(said.contains(wanted), "{text:?}: {said}"),
                (got, _) => panic!("{text:?}: {got:?}"),
            }
        }
    }

    #[test]
    fn the_region_is_found_in_aws_hosts_only() {
        let cases = [
            ("monitoring.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("sns.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("sqs.eu-west-1.api.aws", Some("eu-west-1")),
            (
                "mediapackagev2-fips.us-east-1.amazonaws.com",
                Some("us-east-1"),
            ),
            ("vpce-1.sns.eu-west-1.vpce.amazonaws.com", Some("eu-west-1")),
            ("eu-west-1.queue.amazonaws.com", Some("eu-west-1")),
            ("monitoring.eu-west-1.example.com", None),
            ("monitoring.eu-west-1.evilamazonaws.com", None),
            ("amazonaws.com", None),
            ("localhost", None),
        ];
        for (host, wanted) in cases {
            assert_eq!(of_host(host), wanted, "{host}");
        }
    }

    #[test]
    fn aws_iot_core_is_known_by_its_host() {
        let cases = [
            ("a1b2-ats.iot.eu-central-1.amazonaws.com", true),
            ("a1b2.ats.iot.cn-north-1.amazonaws.com.cn", true),
            ("a1b2.credentials.iot.eu-central-1.example.com", false),
            ("iot.example.com", false),
            ("localhost", false),
        ];
        for (host, wanted) in cases {
            assert_eq!(is_iot_host(host), wanted, "{host}");
        }
    }
}
