//! `check`: looks at every part once and says what is wrong.

use crate::config::Config;
use crate::error::Failure;

/// Not yet.
///
/// # Errors
///
/// When a part fails.
pub fn check(config: &Config, offline: bool) -> Result<(), Failure> {
    let _ = (config, offline);
    Ok(())
}
