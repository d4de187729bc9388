//! The words of CloudFormation's template language.
//!
//! Source: CloudFormation user guide, "Intrinsic function reference".

use crate::agent::node::Node;

/// `Ref`.
pub fn reference(id: &str) -> Node {
    Node::object([("Ref", id.into())])
}

/// `Fn::GetAtt`.
pub fn attribute(id: &str, name: &str) -> Node {
    Node::object([("Fn::GetAtt", Node::list([id, name]))])
}

/// `Fn::Sub`.
pub fn sub(text: impl Into<String>) -> Node {
    Node::object([("Fn::Sub", text.into().into())])
}

/// `Fn::If`.
pub fn choose(condition: &str, yes: Node, no: Node) -> Node {
    Node::object([("Fn::If", Node::list([condition.into(), yes, no]))])
}

/// The ARN of a resource of the account and region that the stack is in.
pub fn home_arn(service: &str, name: &str) -> Node {
    sub(format!(
        "arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{name}"
    ))
}

/// One resource; `condition` says when there is one.
pub fn resource(kind: &str, condition: Option<&str>, properties: Node) -> Node {
    let condition = condition.map(|condition| ("Condition", condition.into()));
    let members = [("Type", kind.into())].into_iter().chain(condition);
    Node::object(members.chain([("Properties", properties)]))
}

/// A resource that holds data, which go when the stack or the resource goes.
pub fn stateful(kind: &str, condition: Option<&str>, properties: Node) -> Node {
    let mut resource = resource(kind, condition, properties);
    if let Node::Object(members) = &mut resource {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            members.push((policy.to_owned(), "Delete".into()));
        }
    }
    resource
}

/// A parameter that is `true` or `false`.
pub fn switch(default: bool, description: impl Into<String>) -> Node {
    let default = if default { "true" } else { "false" };
    Node::object([
        ("Type", "String".into()),
        ("AllowedValues", Node::list(["true", "false"])),
        ("Default", default.into()),
        ("Description", description.into().into()),
    ])
}

/// The condition that such a parameter is `true`.
pub fn is_on(parameter: &str) -> Node {
    let both = Node::list([reference(parameter), "true".into()]);
    Node::object([("Fn::Equals", both)])
}
