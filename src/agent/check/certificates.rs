//! Certificates of ours: until when they hold.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::CertificateDer;

use super::super::clock;
use super::report::Report;
use crate::config::Config;
use crate::pem;
use crate::sns::certificate;

/// A certificate that ends sooner deserves a word.
const RENEW_BEFORE: Duration = Duration::from_secs(14 * 24 * 3600);

/// Whether the certificate of a thing of AWS IoT holds, where the config has one.
pub fn of_thing<W: Write>(report: &mut Report<W>, config: &Config) {
    const PART: &str = "iot certificate";
    let Some(iot) = &config.iot else {
        return;
    };
    match pem::certificates(&iot.cert_file).as_deref() {
        Ok([leaf, ..]) => drop(holds(report, PART, &iot.cert_file, leaf)),
        Ok([]) => {}
        Err(flaw) => {
            let found = format!("{} cannot be used: {flaw}", iot.cert_file.display());
            let remedy = "check [credentials.iot] cert_file, and that this user may read it";
            report.fail(PART, &found, remedy);
        }
    }
}

/// Tells until when a certificate holds; false when it does not hold now.
pub fn holds<W: Write>(
    report: &mut Report<W>,
    part: &str,
    file: &Path,
    leaf: &CertificateDer<'_>,
) -> bool {
    let shown = file.display();
    let now = clock::wall();
    match certificate::validity(leaf) {
        Some((_, end)) if end < now => {
            report.fail(part, &format!("{shown} ended at {end}"), "renew it");
            return false;
        }
        Some((begin, _)) if begin > now => {
            let found = format!("{shown} does not hold before {begin}");
            report.fail(part, &found, "check this machine's clock");
            return false;
        }
        Some((_, end)) if end < now.plus_ms(RENEW_BEFORE.as_millis() as i64) => {
            let remedy = "renew it; the agent takes the new one by itself";
            report.warn(part, &format!("{shown} ends at {end}"), remedy);
        }
        Some((_, end)) => report.ok(part, &format!("{shown} holds until {end}")),
        None => report.warn(
            part,
            &format!("{shown} does not tell until when it holds"),
            "",
        ),
    }
    true
}
