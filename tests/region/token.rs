//! Page tokens: opaque to the client, and full of what clients forget to encode.

use super::faults::LOOP_TOKEN;

const AWKWARD: &str = "t+/=&%é \"";

/// The token that leads on at this position.
pub fn make(operation: &str, position: &[usize]) -> String {
    let numbers: Vec<String> = position.iter().map(usize::to_string).collect();
    format!("{AWKWARD}{operation}:{}", numbers.join("."))
}

/// The position of `N` numbers that a token leads to; all zero without one. `None` for a token
/// that this operation never made.
pub fn parse<const N: usize>(operation: &str, token: Option<&str>) -> Option<[usize; N]> {
    let Some(token) = token.filter(|t| *t != LOOP_TOKEN) else {
        return Some([0; N]);
    };
    let numbers = token
        .strip_prefix(AWKWARD)?
        .strip_prefix(operation)?
        .strip_prefix(':')?;
    let numbers: Option<Vec<usize>> = numbers.split('.').map(|n| n.parse().ok()).collect();
    numbers?.try_into().ok()
}
