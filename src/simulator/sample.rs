//! A JSON value that satisfies a schema, in either of Google's dialects: for
//! tool arguments and for JSON mode, when nothing is scripted.

use serde_json::{Map, Value, json};

/// Schemas may refer to themselves.
const MAX_DEPTH: usize = 16;

/// What a string may plausibly be, by a word in its property's name.
const STRINGS: [(&str, &str); 14] = [
    ("city", "Oslo"),
    ("location", "Oslo"),
    ("country", "Norway"),
    ("name", "Ada"),
    ("email", "ada@example.com"),
    ("url", "https://example.com/"),
    ("path", "README.md"),
    ("file", "README.md"),
    ("command", "ls"),
    ("query", "weather in Oslo"),
    ("date", "2026-09-01"),
    ("time", "12:00:00"),
    ("lang", "en"),
    ("id", "42"),
];

/// Which optional properties to fill in, beside the required ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Optional {
    LeaveOut,
    /// At the top, if nothing at all is required.
    Show,
}

/// The instance of `schema`.
pub(super) fn instance(schema: &Value, optional: Optional) -> Value {
    Sampler { root: schema }.value(schema, "value", optional, 0)
}

struct Sampler<'a> {
    root: &'a Value,
}

impl Sampler<'_> {
    fn value(&self, schema: &Value, name: &str, optional: Optional, depth: usize) -> Value {
        if depth > MAX_DEPTH {
            return Value::Null;
        }
        if let Some(target) = self.target(schema) {
            return self.value(target, name, optional, depth + 1);
        }
        if let Some(fixed) = schema.get("const").or_else(|| schema["enum"].get(0)) {
            return fixed.clone();
        }
        for union in ["anyOf", "oneOf"] {
            if let Some(branches) = schema[union].as_array() {
                let branch = branches.iter().find(|branch| type_of(branch) != "null");
                return self.value(branch.unwrap_or(&Value::Null), name, optional, depth + 1);
            }
        }
        match type_of(schema).as_str() {
            "object" => self.object(schema, optional, depth),
            "array" => self.array(schema, name, depth),
            "integer" | "number" => number(schema),
            "boolean" => json!(true),
            "null" => Value::Null,
            _ => json!(string(schema, name)),
        }
    }

    fn target(&self, schema: &Value) -> Option<&Value> {
        let pointer = schema["$ref"].as_str()?.strip_prefix('#')?;
        self.root.pointer(pointer)
    }

    fn object(&self, schema: &Value, optional: Optional, depth: usize) -> Value {
        let mut object = Map::new();
        let required = schema["required"].as_array();
        let all = optional == Optional::Show && required.is_none_or(Vec::is_empty);
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if all || required.is_some_and(|names| names.iter().any(|one| one == name)) {
                let value = self.value(property, name, Optional::LeaveOut, depth + 1);
                object.insert(name.clone(), value);
            }
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            if let Value::Object(more) = self.value(part, "value", optional, depth + 1) {
                object.extend(more);
            }
        }
        Value::Object(object)
    }

    fn array(&self, schema: &Value, name: &str, depth: usize) -> Value {
        let least = schema["minItems"].as_u64().unwrap_or(1).clamp(1, 100);
        let element = match schema.get("items") {
            Some(items) => self.value(items, name, Optional::LeaveOut, depth + 1),
            None => json!("example"),
        };
        (0..least).map(|_| element.clone()).collect()
    }
}

/// In lower case; the first that is not null; guessed where it is not stated.
fn type_of(schema: &Value) -> String {
    let stated = match &schema["type"] {
        Value::Array(types) => types
            .iter()
            .find(|kind| **kind != "null")
            .and_then(Value::as_str),
        one => one.as_str(),
    };
    let guessed = if schema.get("properties").is_some() || schema.get("allOf").is_some() {
        "object"
    } else if schema.get("items").is_some() {
        "array"
    } else {
        "string"
    };
    stated.unwrap_or(guessed).to_ascii_lowercase()
}

fn number(schema: &Value) -> Value {
    if let Some(least) = schema.get("minimum").or_else(|| schema.get("multipleOf")) {
        return least.clone();
    }
    if let Some(bound) = schema["exclusiveMinimum"].as_i64() {
        return json!(bound + 1);
    }
    match schema["maximum"].as_i64() {
        Some(most) if most < 3 => json!(most),
        _ => json!(3),
    }
}

fn string(schema: &Value, name: &str) -> String {
    let text = match schema["format"].as_str() {
        Some("date-time") => "2026-09-01T12:00:00Z",
        Some("date") => "2026-09-01",
        Some("time") => "12:00:00Z",
        _ => {
            let name = name.to_ascii_lowercase();
            let known = STRINGS.iter().find(|(word, _)| name.contains(word));
            known.map_or("example", |(_, text)| text)
        }
    };
    let least = schema["minLength"]
        .as_u64()
        .and_then(|least| usize::try_from(least).ok());
    let most = schema["maxLength"]
        .as_u64()
        .and_then(|most| usize::try_from(most).ok());
    let padded = format!("{text:.<width$}", width = least.unwrap_or(0).min(10_000));
    padded.chars().take(most.unwrap_or(usize::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_properties_are_filled_in_by_type_and_name() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"enum": ["C", "F"]},
                "days": {"type": ["null", "integer"], "minimum": 2},
                "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 2},
                "spare": {"type": "string"},
            },
            "required": ["city", "unit", "days", "tags"],
            "$defs": {"tag": {"anyOf": [{"type": "null"}, {"type": "boolean"}]}},
        });
        let expected = json!({"city": "Oslo", "unit": "C", "days": 2, "tags": [true, true]});
        assert_eq!(instance(&schema, Optional::Show), expected);
    }

    #[test]
    fn a_schema_that_holds_itself_comes_to_an_end() {
        let schema =
            json!({"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]});
        assert!(instance(&schema, Optional::LeaveOut)["next"].is_object());
    }
}
