//! JSON whose members stay in the order they are written, for people to read.
//!
//! The objects of `serde_json` are sorted by name. To keep another order they need a feature
//! that would change every object of the program.

use serde::ser::{Serialize, Serializer};

use crate::error::Failure;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Number(u64),
    /// A text.
    Text(String),
    /// `[…]`.
    List(Vec<Node>),
    /// `{…}`, in this order.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// An object with these members.
    pub fn object<K: Into<String>>(members: impl IntoIterator<Item = (K, Node)>) -> Node {
        let members = members.into_iter();
        Node::Object(members.map(|(name, value)| (name.into(), value)).collect())
    }

    /// A list of these.
    pub fn list<T: Into<Node>>(items: impl IntoIterator<Item = T>) -> Node {
        Node::List(items.into_iter().map(Into::into).collect())
    }

    /// On several lines.
    ///
    /// # Errors
    ///
    /// None is known: every value can be written.
    pub fn pretty(&self) -> Result<String, Failure> {
        let text = serde_json::to_string_pretty(self);
        text.map_err(|error| Failure::failed(format!("cannot write JSON: {error}")))
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Node {
        Node::Text(text.to_owned())
    }
}

impl From<&String> for Node {
    fn from(text: &String) -> Node {
        Node::Text(text.clone())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Node {
        Node::Text(text)
    }
}

impl From<bool> for Node {
    fn from(flag: bool) -> Node {
        Node::Flag(flag)
    }
}

impl From<u64> for Node {
    fn from(number: u64) -> Node {
        Node::Number(number)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Node::Flag(flag) => serializer.serialize_bool(*flag),
            Node::Number(number) => serializer.serialize_u64(*number),
            Node::Text(text) => serializer.serialize_str(text),
            Node::List(items) => serializer.collect_seq(items),
            Node::Object(members) => {
                serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stay_in_the_order_they_are_written() {
        let node = Node::object([
            ("z", Node::list(["é\n\"", "b"])),
            ("a", Node::object([("n", 1.into()), ("f", true.into())])),
            ("e", Node::list::<Node>([])),
        ]);
        let wanted = r#"{"z":["é\n\"","b"],"a":{"n":1,"f":true},"e":[]}"#;
        assert_eq!(serde_json::to_string(&node).unwrap(), wanted);
    }
}
