//! The process environment as a value, so that everything that depends on it can be tested.

use std::collections::BTreeMap;
use std::fmt;

/// Environment variables by name. Its `Debug` shows names only: some of the values are secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    /// The environment of this process. What is not UTF-8 is left out.
    pub fn of_process() -> Env {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable; an empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?;
        (!value.is_empty()).then_some(value.as_str())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Env {
        let pairs = pairs.into_iter();
        Env(pairs.map(|(n, v)| (n.into(), v.into())).collect())
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_shows_its_names_and_never_its_values() {
        let env = Env::from_iter([("AWS_SECRET_ACCESS_KEY", "hunter2"), ("EMPTY", "")]);
        assert_eq!(env.get("AWS_SECRET_ACCESS_KEY"), Some("hunter2"));
        assert_eq!(env.get("EMPTY"), None);
        assert_eq!(env.get("HOME"), None);
        assert_eq!(format!("{env:?}"), r#"{"AWS_SECRET_ACCESS_KEY", "EMPTY"}"#);
    }
}
