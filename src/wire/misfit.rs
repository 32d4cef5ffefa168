//! What is wrong with a value of another type than it should be, in words of JSON.

/// Why a field cannot be read as what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Where in the field, such as `.include_usage`; empty where it is the field itself.
    pub within: String,
    /// Such as "expected a string, but got the number 5 instead".
    pub what: String,
}

/// What serde says of a type, for people who do not know Rust:
/// "invalid type: sequence, expected a string".
pub fn in_plain_words(what: &str) -> String {
    let said = what
        .strip_prefix("invalid type: ")
        .or(what.strip_prefix("invalid value: "));
    match said.and_then(|said| said.rsplit_once(", expected ")) {
        Some((given, wanted)) => format!(
            "expected {}, but got {} instead",
            wanted_in_words(wanted),
            given_in_words(given)
        ),
        None => what.to_owned(),
    }
}

fn wanted_in_words(wanted: &str) -> &str {
    match wanted {
        "f64" | "a JSON number" => "a number",
        "a sequence" => "an array",
        _ => wanted,
    }
}

/// A string is not told again: it may be long, and somebody's words.
fn given_in_words(given: &str) -> String {
    let (kind, value) = given.split_once(' ').unwrap_or((given, ""));
    match kind {
        "sequence" => "an array".to_owned(),
        "map" => "an object".to_owned(),
        "string" => "a string".to_owned(),
        "boolean" => value.trim_matches('`').to_owned(),
        "integer" | "floating" | "number" => {
            format!(
                "the number {}",
                value.trim_start_matches("point ").trim_matches('`')
            )
        }
        _ => given.to_owned(),
    }
}
