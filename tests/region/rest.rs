//! What the REST services have in common: parameters, pages and what is laid over an item.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::server::{Answer, Request, Seen};
use super::sigv4::decode;
use super::token;
use super::world::{INGEST_PASSWORD, World};

/// How a service lists, and how it refuses.
pub struct Style {
    /// Items of a page at most.
    pub results_max: usize,
    /// Name of the token in an answer.
    pub next_token: &'static str,
    /// Name of a member that no model knows yet.
    pub new_member: &'static str,
    /// A wrong parameter; v2 has a word for each.
    refuse: fn(&'static str, &str) -> Refusal,
}

/// v1 and VOD.
pub const V1: Style = Style {
    results_max: 1000,
    next_token: "nextToken",
    new_member: "aNewMember",
    refuse: |_, text| Refusal::new(422, "UnprocessableEntityException", text),
};

/// v2.
pub const V2: Style = Style {
    results_max: 100,
    next_token: "NextToken",
    new_member: "ANewMember",
    refuse: |word, text| {
        Refusal::new(400, "ValidationException", text).naming("ValidationExceptionType", word)
    },
};

impl Style {
    /// One page of a list whose items stand in `member`.
    pub fn list<T>(
        &self,
        world: &World,
        request: &Request,
        seen: &mut Seen,
        member: &str,
        all: &[T],
        item: impl Fn(&T) -> Value,
    ) -> Result<Answer, Refusal> {
        let asked = self.parameter(request, "maxResults")?;
        let limit = match &asked {
            None => self.results_max,
            Some(text) => match text.parse() {
                Ok(limit) if (1..=self.results_max).contains(&limit) => limit,
                _ => {
                    let text = format!("maxResults must be between 1 and {}", self.results_max);
                    return Err((self.refuse)("INVALID_PAGINATION_MAX_RESULTS", &text));
                }
            },
        };
        let next = self.parameter(request, "nextToken")?;
        seen.limit = asked.map(|_| limit);
        seen.continued = next.is_some();
        // A token is good for one list only, not for that of another channel.
        let list = format!("{}{}", seen.operation, request.path);
        let start = token::parse::<1>(&list, next.as_deref());
        let [start] =
            start.ok_or_else(|| (self.refuse)("INVALID_PAGINATION_TOKEN", "Invalid nextToken"))?;
        let start = start.min(all.len());
        let end = all.len().min(start + limit.min(world.pages.inventory));
        let items: Vec<Value> = all[start..end].iter().map(item).collect();
        let mut body = json!({ member: items });
        if end < all.len() {
            body[self.next_token] = json!(token::make(&list, &[end]));
        }
        if world.unknown_fields {
            body[self.new_member] = json!({"deep": [1, null]});
        }
        Ok(Answer::json(200, body.to_string()))
    }

    /// A parameter of the query.
    pub fn parameter(&self, request: &Request, name: &str) -> Result<Option<String>, Refusal> {
        let mut pairs = request
            .query
            .split('&')
            .filter_map(|part| part.split_once('='));
        let Some((_, value)) = pairs.find(|(n, _)| *n == name) else {
            return Ok(None);
        };
        // A bare plus sign is a space to AWS's front end, as in forms.
        let spaced: Cow<str> = value.replace('+', " ").into();
        let text = String::from_utf8(decode(&spaced));
        text.map(Some)
            .map_err(|_| (self.refuse)("MEMBER_INVALID", "The query is not UTF-8"))
    }

    /// Lays an overlay over what is listed, and what no model knows.
    pub fn lay_over(&self, world: &World, listed: &mut Value, overlay: &Map<String, Value>) {
        if world.unknown_fields {
            listed[self.new_member] = json!({"password": INGEST_PASSWORD, "more": [null, 1.5]});
        }
        for (name, value) in overlay {
            listed[name] = value.clone();
        }
    }
}

/// What AWS leaves out is left out.
pub fn set<T: Into<Value>>(listed: &mut Value, name: &str, value: Option<T>) {
    if let Some(value) = value {
        listed[name] = value.into();
    }
}
