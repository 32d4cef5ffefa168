//! Does a JSON object fit a protocol buffer message? In the words of Google's
//! JSON parser, which lists every violation at once.

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine};
use serde_json::Value;

use crate::simulator::errors::FieldViolation;

/// A message: its name in Google's documentation, and its fields.
pub(in crate::simulator) struct Message {
    pub(super) name: &'static str,
    /// In camel case only. Google takes snake case as well, but then tests would
    /// not notice when our spelling changes.
    pub(super) fields: &'static [(&'static str, Kind)],
}

/// What a field holds.
pub(super) enum Kind {
    Text,
    /// Base64, in either alphabet, with or without padding.
    Bytes,
    Bool,
    Int,
    Number,
    /// The name of the enumeration, and its values.
    Enum(&'static str, &'static [&'static str]),
    Message(&'static Message),
    List(&'static Self),
    Map(&'static Self),
    /// `google.protobuf.Struct`: any JSON object. Not looked into.
    Struct,
    /// `google.protobuf.Value`: any JSON. Not looked into.
    Any,
}

const TYPE_PREFIX: &str = "type.googleapis.com/google.ai.generativelanguage.v1main.";

/// Every violation of `message` in `value`, which stands at `path` (may be empty).
/// `nulls`: null is a violation, too.
pub(in crate::simulator) fn violations(
    message: &'static Message,
    value: &Value,
    path: &str,
    nulls: bool,
) -> Vec<FieldViolation> {
    let mut check = Check {
        nulls,
        found: Vec::new(),
    };
    check.message(message, value, path);
    check.found
}

struct Check {
    nulls: bool,
    found: Vec<FieldViolation>,
}

impl Check {
    fn message(&mut self, message: &'static Message, value: &Value, path: &str) {
        let Value::Object(object) = value else {
            let type_name = format!("{TYPE_PREFIX}{}", message.name);
            return self.invalid(path, &type_name, value);
        };
        for (key, value) in object {
            match message.fields.iter().find(|(name, _)| name == key) {
                None => self.unknown(path, key, "Cannot find field."),
                Some((_, kind)) => {
                    let path = join(path, &snake_case(key));
                    if !matches!(kind, Kind::List(_)) && value.is_array() && !kind.is_free() {
                        self.unknown(
                            &path,
                            key,
                            "Proto field is not repeating, cannot start list.",
                        );
                    } else {
                        self.value(kind, value, &path);
                    }
                }
            }
        }
    }

    fn value(&mut self, kind: &'static Kind, value: &Value, path: &str) {
        if value.is_null() && !self.nulls {
            return;
        }
        let fits = match kind {
            Kind::Text => value.is_string(),
            Kind::Bool => value.is_boolean(),
            Kind::Int => value.is_i64() || value.is_u64(),
            Kind::Number => value.is_number(),
            Kind::Struct => value.is_object(),
            Kind::Any => true,
            Kind::Bytes => return self.bytes(value, path),
            Kind::Enum(_, values) => value.as_str().is_some_and(|name| values.contains(&name)),
            Kind::Message(message) => return self.message(message, value, path),
            Kind::List(kind) => return self.list(kind, value, path),
            Kind::Map(kind) => return self.map(kind, value, path),
        };
        if !fits {
            self.invalid(path, &kind.type_name(), value);
        }
    }

    fn list(&mut self, kind: &'static Kind, value: &Value, path: &str) {
        match value {
            Value::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    self.value(kind, element, &format!("{path}[{index}]"));
                }
            }
            // Google takes a lone element for a list of one; we do not send that.
            _ => self.invalid(path, &kind.type_name(), value),
        }
    }

    fn map(&mut self, kind: &'static Kind, value: &Value, path: &str) {
        match value {
            Value::Object(entries) => {
                for (index, (_, entry)) in entries.iter().enumerate() {
                    self.value(kind, entry, &format!("{path}[{index}].value"));
                }
            }
            _ => self.invalid(path, "Map", value),
        }
    }

    fn bytes(&mut self, value: &Value, path: &str) {
        match value.as_str() {
            None => self.invalid(path, "TYPE_BYTES", value),
            Some(text) if is_base64(text) => {}
            Some(_) => self.report(
                path,
                format!("Invalid value at '{path}' (TYPE_BYTES), Base64 decoding failed"),
            ),
        }
    }

    fn unknown(&mut self, path: &str, key: &str, why: &str) {
        let place = if path.is_empty() {
            String::new()
        } else {
            format!(" at '{path}'")
        };
        self.report(
            path,
            format!("Invalid JSON payload received. Unknown name \"{key}\"{place}: {why}"),
        );
    }

    fn invalid(&mut self, path: &str, type_name: &str, value: &Value) {
        self.report(
            path,
            format!("Invalid value at '{path}' ({type_name}), {value}"),
        );
    }

    fn report(&mut self, path: &str, description: String) {
        self.found.push(FieldViolation {
            field: path.into(),
            description,
        });
    }
}

impl Kind {
    fn is_free(&self) -> bool {
        matches!(self, Self::Any)
    }

    fn type_name(&self) -> String {
        match self {
            Self::Text => "TYPE_STRING".into(),
            Self::Bytes => "TYPE_BYTES".into(),
            Self::Bool => "TYPE_BOOL".into(),
            Self::Int => "TYPE_INT32".into(),
            Self::Number => "TYPE_FLOAT".into(),
            Self::Enum(name, _) => format!("{TYPE_PREFIX}{name}"),
            Self::Message(message) => format!("{TYPE_PREFIX}{}", message.name),
            Self::List(kind) | Self::Map(kind) => kind.type_name(),
            Self::Struct => "type.googleapis.com/google.protobuf.Struct".into(),
            Self::Any => "type.googleapis.com/google.protobuf.Value".into(),
        }
    }
}

fn is_base64(text: &str) -> bool {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&alphabet::STANDARD, lenient)
        .decode(text)
        .is_ok()
        || GeneralPurpose::new(&alphabet::URL_SAFE, lenient)
            .decode(text)
            .is_ok()
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() {
        field.into()
    } else {
        format!("{path}.{field}")
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::messages::{CODE_ASSIST_REQUEST, CONTENT};
    use super::*;

    #[test]
    fn violations_are_told_as_google_tells_them() {
        let request = json!({
            "contents": [{"role": "user", "parts": [{"text": 5}], "name": "Ann"}],
            "generationConfig": {"topP": null, "thinkingConfig": {"thinkingLevel": "EXTREME"}},
            "tools": [{"functionDeclarations": [{"name": "f", "strict": true}]}],
            "stream": true,
        });
        let found = violations(&CODE_ASSIST_REQUEST, &request, "request", true);
        let descriptions: Vec<&str> = found.iter().map(|one| one.description.as_str()).collect();
        assert_eq!(
            descriptions,
            [
                "Invalid value at 'request.contents[0].parts[0].text' (TYPE_STRING), 5",
                "Invalid JSON payload received. Unknown name \"name\" at 'request.contents[0]': Cannot find field.",
                "Invalid value at 'request.generation_config.top_p' (TYPE_FLOAT), null",
                "Invalid value at 'request.generation_config.thinking_config.thinking_level' (type.googleapis.com/google.ai.generativelanguage.v1main.ThinkingConfig.ThinkingLevel), \"EXTREME\"",
                "Invalid JSON payload received. Unknown name \"strict\" at 'request.tools[0].function_declarations[0]': Cannot find field.",
                "Invalid JSON payload received. Unknown name \"stream\" at 'request': Cannot find field.",
            ]
        );
    }

    #[test]
    fn what_belongs_to_the_user_is_not_looked_into() {
        let content = json!({"role": "model", "parts": [
            {"functionCall": {"name": "f", "args": {"strict": null, "any": [1, null]}}},
            {"inlineData": {"mimeType": "image/png", "data": "-_8"}},
        ]});
        assert_eq!(violations(&CONTENT, &content, "", true), []);
    }
}
