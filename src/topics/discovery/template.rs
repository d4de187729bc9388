//! Templates, in Home Assistant's Jinja. Each gives `None`, which is "unknown", where there is no
//! value, and never a text of more than 255 characters, which no state may have.
//!
//! When a topic is cleared, its entities may be there for a moment yet: the empty payload is no
//! JSON, so that `value_json` is not defined, and must not be a fault in the log.

/// Longest event that is an entity's attributes as it is.
const EVENT_CHARS_MAX: usize = 12_000;

/// The value where the condition holds; else it is unknown.
fn when(condition: &str, value: &str) -> String {
    let and = if condition.is_empty() { "" } else { " and " };
    format!("{{{{ {value} if value_json is defined{and}{condition} else None }}}}")
}

/// The value of a key that is a number or a short text.
pub fn plain(key: &str) -> String {
    when("", &format!("value_json.{key}"))
}

/// A text of any length.
pub fn text(key: &str) -> String {
    let value = format!("value_json.{key}");
    when(&format!("{value} is string"), &format!("{value}[:255]"))
}

/// Bits per second as Mbit/s.
pub fn megabits(key: &str) -> String {
    let value = format!("value_json.{key}");
    let rate = format!("({value} / 1000000) | round(3)");
    when(&format!("{value} is number"), &rate)
}

/// The same of one of a channel's inputs. The id needs no quoting.
pub fn input_megabits(id: &str) -> String {
    format!(
        "{{% set inputs = value_json.inputs if value_json is defined else [] %}}\
         {{% set bits = inputs | selectattr('id', 'eq', '{id}') \
         | map(attribute='bits_per_second') | first | default(None) %}}\
         {{{{ (bits / 1000000) | round(3) if bits is number else None }}}}"
    )
}

/// A number that says nothing when it is 0.
pub fn positive(key: &str) -> String {
    let value = format!("value_json.{key}");
    when(&format!("{value} is number and {value} > 0"), &value)
}

/// One of the options; what AWS adds later is unknown.
pub fn one_of(key: &str, options: &[&str]) -> String {
    let (value, options) = (format!("value_json.{key}"), options.join("', '"));
    when(&format!("{value} in ['{options}']"), &value)
}

/// `ON` or `OFF` by the value of a key; any other is unknown.
pub fn switch(key: &str, on: &[&str], off: &[&str]) -> String {
    let pair = |state: &'static str| move |value: &&str| format!("'{value}': '{state}'");
    let on = on.iter().map(pair("ON"));
    let pairs: Vec<String> = on.chain(off.iter().map(pair("OFF"))).collect();
    let pairs = pairs.join(", ");
    when("", &format!("{{{pairs}}}.get(value_json.{key}, None)"))
}

/// An event as it came; of one that is very long without its `detail`, since Home Assistant keeps
/// no attributes of more than 16 KiB.
pub fn event() -> String {
    format!(
        "{{{{ dict(value_json, detail=None) | tojson \
         if value_json is defined and value | length > {EVENT_CHARS_MAX} else value }}}}"
    )
}

/// These keys as attributes.
pub fn attributes(keys: &[&str]) -> String {
    object(keys.iter().map(|key| (*key, None)))
}

/// These keys as attributes; of a list the first entries only.
pub fn heads(keys: &[(&str, Option<usize>)]) -> String {
    object(keys.iter().copied())
}

fn object<'a>(keys: impl Iterator<Item = (&'a str, Option<usize>)>) -> String {
    let pair = |(key, entries_max): (&str, Option<usize>)| {
        let head = entries_max.map_or(String::new(), |max| format!("[:{max}]"));
        format!("'{key}': value_json.{key}{head}")
    };
    let pairs: Vec<String> = keys.map(pair).collect();
    let pairs = pairs.join(", ");
    format!("{{{{ {{{pairs}}} | tojson if value_json is defined else '{{}}' }}}}")
}
