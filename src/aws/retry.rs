//! When a request is sent again, and how soon: the SDKs' standard mode with its defaults of
//! 2026. Pure.
//!
//! Source: "Retry behavior", AWS SDKs and tools reference guide; botocore retries/standard.py.

use std::time::Duration;

use crate::state::fault::FaultKind;
use crate::state::time::UnixMs;

/// Attempts of one operation, the first included.
pub const ATTEMPTS_MAX: u32 = 3;
/// The longest computed delay.
const DELAY_MAX: Duration = Duration::from_secs(20);
/// How much longer than computed `x-amz-retry-after` may make a delay.
const HINT_EXTRA_MAX: Duration = Duration::from_secs(5);
/// What the quota holds when nothing fails.
const TOKENS_MAX: u32 = 500;

/// Whether a failure passes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It does not.
    Never,
    /// It may, at once.
    Transient,
    /// It does when we slow down.
    Throttling,
}

impl Retry {
    /// The delay before the first retry, at most.
    fn base(self) -> Duration {
        match self {
            Retry::Never => Duration::ZERO,
            Retry::Transient => Duration::from_millis(50),
            Retry::Throttling => Duration::from_secs(1),
        }
    }

    /// What a retry takes from the quota.
    fn tokens(self) -> u32 {
        match self {
            Retry::Never => 0,
            Retry::Transient => 14,
            Retry::Throttling => 5,
        }
    }
}

/// When the server wants us back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// `x-amz-retry-after`.
    pub amz: Option<Duration>,
    /// `Retry-After`.
    pub plain: Option<Duration>,
}

impl Hint {
    /// Reads both headers; `now` is AWS's time, which a date is held against.
    pub fn read(amz: Option<&str>, plain: Option<&str>, now: UnixMs) -> Hint {
        let amz = amz.and_then(|ms| ms.trim().parse().ok());
        let seconds = |text: &str| text.trim().parse().ok().map(Duration::from_secs);
        let date = |text: &str| {
            let ms = UnixMs::parse_http_date(text)?.0.saturating_sub(now.0);
            Some(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
        };
        Hint {
            amz: amz.map(Duration::from_millis),
            plain: plain.and_then(|text| seconds(text).or_else(|| date(text))),
        }
    }
}

/// How long to wait before retry number `retries` + 1. `random` lies in 0..1.
pub fn delay(kind: Retry, retries: u32, random: f64, hint: Hint) -> Duration {
    let limit = kind
        .base()
        .saturating_mul(2_u32.saturating_pow(retries))
        .min(DELAY_MAX);
    let computed = limit.mul_f64(random.clamp(0.0, 1.0));
    match (hint.amz, hint.plain) {
        (Some(amz), _) => amz.clamp(computed, computed + HINT_EXTRA_MAX),
        (None, Some(plain)) => plain.min(DELAY_MAX).max(computed),
        (None, None) => computed,
    }
}

/// The retries that a service can still have. It empties while everything fails, so that an
/// outage is not made worse by us.
#[derive(Debug)]
pub struct Quota {
    tokens: u32,
}

impl Default for Quota {
    fn default() -> Quota {
        Quota { tokens: TOKENS_MAX }
    }
}

impl Quota {
    /// Takes what a retry costs. False when the quota does not hold it.
    pub fn take(&mut self, kind: Retry) -> bool {
        let left = self.tokens.checked_sub(kind.tokens());
        self.tokens = left.unwrap_or(self.tokens);
        left.is_some()
    }

    /// An operation succeeded after a retry of that kind: its cost comes back; 1 without any.
    pub fn give_back(&mut self, last_retry: Option<Retry>) {
        let tokens = last_retry.map_or(1, Retry::tokens);
        self.tokens = self.tokens.saturating_add(tokens).min(TOKENS_MAX);
    }
}

/// The codes by which AWS says that we are too fast (the same list in botocore and smithy-rs).
const THROTTLING: [&str; 14] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];
/// The key is unknown, or the session is over.
const REJECTED: [&str; 10] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
];
/// The signature does not match: a wrong secret key, or a wrong clock.
const SIGNATURE: [&str; 3] = [
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "AuthFailure",
];
/// Nothing but the time is wrong.
const SKEW: [&str; 2] = ["RequestTimeTooSkewed", "RequestInTheFuture"];
/// The key is good, the policy says no.
const DENIED: [&str; 7] = [
    "AccessDenied",
    "AccessDeniedException",
    // SNS's own word for it (SNS API reference, "Common errors").
    "AuthorizationError",
    "ForbiddenException",
    "Forbidden",
    "UnauthorizedOperation",
    "NotAuthorized",
];

/// What an answer with this status and AWS error code means.
pub fn classify(status: u16, code: Option<&str>) -> (FaultKind, Retry) {
    let code = code.unwrap_or("");
    if THROTTLING.contains(&code) || status == 429 {
        return (FaultKind::Throttled, Retry::Throttling);
    }
    if matches!(code, "RequestTimeout" | "RequestTimeoutException") {
        return (FaultKind::Server, Retry::Transient);
    }
    let known = [
        (&REJECTED[..], FaultKind::Credentials),
        (&SIGNATURE[..], FaultKind::Credentials),
        (&SKEW[..], FaultKind::Clock),
        (&DENIED[..], FaultKind::Permission),
    ];
    if let Some((_, kind)) = known.iter().find(|(codes, _)| codes.contains(&code)) {
        return (*kind, Retry::Never);
    }
    match status {
        500 | 502 | 503 | 504 => (FaultKind::Server, Retry::Transient),
        501 | 505.. => (FaultKind::Server, Retry::Never),
        407 => (FaultKind::Network, Retry::Never),
        400..=499 => (FaultKind::Refused, Retry::Never),
        _ => (FaultKind::Answer, Retry::Never),
    }
}

/// Whether the signature's time may be what AWS refuses (smithy-rs service_clock_skew.rs).
pub fn blames_time(code: &str) -> bool {
    SIGNATURE.contains(&code)
        || SKEW.contains(&code)
        || matches!(code, "RequestExpired" | "AccessDeniedException")
}

/// Whether other credentials from the same source may help.
pub fn blames_credentials(code: &str) -> bool {
    REJECTED.contains(&code) || SIGNATURE.contains(&code)
}

/// Whether AWS's message to this code can hold our request or its signature.
pub fn echoes_request(code: &str) -> bool {
    SIGNATURE.contains(&code) || code.starts_with("IncompleteSignature")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_classified_by_its_code_and_then_by_its_status() {
        use FaultKind::*;
        let cases = [
            (429, None, Throttled, Retry::Throttling),
            (400, Some("Throttling"), Throttled, Retry::Throttling),
            (503, Some("SlowDown"), Throttled, Retry::Throttling),
            (400, Some("RequestTimeout"), Server, Retry::Transient),
            (
                500,
                Some("InternalServerErrorException"),
                Server,
                Retry::Transient,
            ),
            (502, None, Server, Retry::Transient),
            (503, None, Server, Retry::Transient),
            (504, None, Server, Retry::Transient),
            (501, None, Server, Retry::Never),
            (505, None, Server, Retry::Never),
            (
                403,
                Some("ExpiredTokenException"),
                Credentials,
                Retry::Never,
            ),
            (
                403,
                Some("UnrecognizedClientException"),
                Credentials,
                Retry::Never,
            ),
            (403, Some("InvalidClientTokenId"), Credentials, Retry::Never),
            (
                403,
                Some("InvalidSignatureException"),
                Credentials,
                Retry::Never,
            ),
            (403, Some("RequestTimeTooSkewed"), Clock, Retry::Never),
            (403, Some("AccessDeniedException"), Permission, Retry::Never),
            (403, Some("AccessDenied"), Permission, Retry::Never),
            (403, Some("AuthorizationError"), Permission, Retry::Never),
            (403, Some("ForbiddenException"), Permission, Retry::Never),
            (403, None, Refused, Retry::Never),
            (407, None, Network, Retry::Never),
            (
                422,
                Some("UnprocessableEntityException"),
                Refused,
                Retry::Never,
            ),
            (302, None, Answer, Retry::Never),
        ];
        for (status, code, kind, retry) in cases {
            assert_eq!(classify(status, code), (kind, retry), "{status} {code:?}");
        }
    }

    #[test]
    fn a_delay_doubles_to_its_limit_and_takes_the_servers_wish_within_bounds() {
        let ms = |ms| Some(Duration::from_millis(ms));
        let none = Hint::default();
        let amz = |t| Hint {
            amz: ms(t),
            plain: ms(1),
        };
        let plain = |t| Hint {
            amz: None,
            plain: ms(t),
        };
        let cases = [
            (Retry::Transient, 0, 1.0, none, 50),
            (Retry::Transient, 1, 1.0, none, 100),
            (Retry::Transient, 1, 0.5, none, 50),
            (Retry::Transient, 0, 0.0, none, 0),
            (Retry::Throttling, 0, 1.0, none, 1_000),
            (Retry::Throttling, 1, 1.0, none, 2_000),
            (Retry::Throttling, 40, 1.0, none, 20_000),
            (Retry::Throttling, u32::MAX, 1.0, none, 20_000),
            (Retry::Throttling, 0, 1.0, amz(0), 1_000),
            (Retry::Throttling, 0, 1.0, amz(3_000), 3_000),
            (Retry::Throttling, 0, 1.0, amz(60_000), 6_000),
            (Retry::Throttling, 0, 1.0, amz(u64::MAX), 6_000),
            (Retry::Transient, 0, 1.0, plain(2_000), 2_000),
            (Retry::Transient, 0, 1.0, plain(0), 50),
            (Retry::Transient, 0, 1.0, plain(86_400_000), 20_000),
        ];
        for (kind, retries, random, hint, wanted) in cases {
            let got = delay(kind, retries, random, hint);
            assert_eq!(
                got,
                Duration::from_millis(wanted),
                "{kind:?} {retries} {random} {hint:?}"
            );
        }
    }

    #[test]
    fn retry_headers_are_read_in_their_units_and_nonsense_is_passed_over() {
        let now = UnixMs(1_795_341_600_000);
        let date = "Sun, 22 Nov 2026 10:00:07 GMT";
        let cases = [
            (Some("1500"), None, Some(1_500), None),
            (Some("-1"), Some("soon"), None, None),
            (None, Some("7"), None, Some(7_000)),
            (None, Some(date), None, Some(7_000)),
            (None, Some("Sun, 22 Nov 2026 09:00:00 GMT"), None, Some(0)),
        ];
        for (amz, plain, wanted_amz, wanted_plain) in cases {
            let hint = Hint::read(amz, plain, now);
            let wanted = Hint {
                amz: wanted_amz.map(Duration::from_millis),
                plain: wanted_plain.map(Duration::from_millis),
            };
            assert_eq!(hint, wanted, "{amz:?} {plain:?}");
        }
    }

    #[test]
    fn the_quota_empties_while_everything_fails_and_fills_by_success() {
        let mut quota = Quota::default();
        let taken = (0..1000)
            .take_while(|_| quota.take(Retry::Transient))
            .count();
        assert_eq!(taken, 35);
        assert!(quota.take(Retry::Throttling) && quota.take(Retry::Throttling));
        assert!(!quota.take(Retry::Throttling));
        quota.give_back(Some(Retry::Throttling));
        assert!(quota.take(Retry::Throttling));
        for _ in 0..5 {
            quota.give_back(None);
        }
        assert!(quota.take(Retry::Throttling));
        for _ in 0..TOKENS_MAX * 2 {
            quota.give_back(None);
        }
        assert_eq!(quota.tokens, TOKENS_MAX);
    }
}
