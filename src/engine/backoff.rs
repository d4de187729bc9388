//! How long to wait before the next try.

use std::time::Duration;

/// Doubles from `first` to `max`, and takes a random part of the upper half, so that agents
/// that lost the same broker do not come back in step.
pub fn delay(failures: u32, first: Duration, max: Duration, random: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let full = first.saturating_mul(1 << doublings).min(max);
    full.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_limit() {
        let seconds = Duration::from_secs;
        let cases = [(0, 1), (1, 1), (2, 2), (5, 16), (6, 30), (u32::MAX, 30)];
        for (failures, wanted) in cases {
            assert_eq!(
                delay(failures, seconds(1), seconds(30), 1.0),
                seconds(wanted)
            );
        }
        assert_eq!(delay(2, seconds(1), seconds(30), 0.0), seconds(1));
    }
}
