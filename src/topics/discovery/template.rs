//! Templates, in Home Assistant's Jinja. Each gives `None`, which is "unknown", where there is no
//! value, and never a text of more than 255 characters, which no state may have.

/// The value of a key that is a number or a short text.
pub fn plain(key: &str) -> String {
    format!("{{{{ value_json.{key} }}}}")
}

/// A text of any length.
pub fn text(key: &str) -> String {
    format!("{{{{ value_json.{key}[:255] if value_json.{key} is string else None }}}}")
}

/// Bits per second as Mbit/s.
pub fn megabits(key: &str) -> String {
    let value = format!("value_json.{key}");
    format!("{{{{ ({value} / 1000000) | round(3) if {value} is number else None }}}}")
}

/// The same of one of a channel's inputs. The id needs no quoting.
pub fn input_megabits(id: &str) -> String {
    format!(
        "{{% set bits = value_json.inputs | selectattr('id', 'eq', '{id}') \
         | map(attribute='bits_per_second') | first | default(None) %}}\
         {{{{ (bits / 1000000) | round(3) if bits is number else None }}}}"
    )
}

/// A number that says nothing when it is 0.
pub fn positive(key: &str) -> String {
    let value = format!("value_json.{key}");
    format!("{{{{ {value} if {value} is number and {value} > 0 else None }}}}")
}

/// One of the options; what AWS adds later is unknown.
pub fn one_of(key: &str, options: &[&str]) -> String {
    let options = options.join("', '");
    format!("{{{{ value_json.{key} if value_json.{key} in ['{options}'] else None }}}}")
}

/// `ON` or `OFF` by the value of a key; any other is unknown.
pub fn switch(key: &str, on: &[&str], off: &[&str]) -> String {
    let pair = |state: &'static str| move |value: &&str| format!("'{value}': '{state}'");
    let pairs: Vec<String> = on
        .iter()
        .map(pair("ON"))
        .chain(off.iter().map(pair("OFF")))
        .collect();
    let pairs = pairs.join(", ");
    format!("{{{{ {{{pairs}}}.get(value_json.{key}, None) }}}}")
}

/// These keys as attributes.
pub fn attributes(keys: &[&str]) -> String {
    let pairs: Vec<String> = keys
        .iter()
        .map(|key| format!("'{key}': value_json.{key}"))
        .collect();
    format!("{{{{ {{{}}} | tojson }}}}", pairs.join(", "))
}

/// The first entries of a list as an attribute.
pub fn head_of(key: &str, entries_max: usize) -> String {
    format!("{{{{ {{'{key}': value_json.{key}[:{entries_max}]}} | tojson }}}}")
}
