//! Clients' JSON Schemas, cleaned of what Gemini refuses, meaning kept
//! (<https://ai.google.dev/gemini-api/docs/structured-output#json_schema_support>).

use serde_json::{Map, Value, json};

/// Deeper nesting is cut off: Google refuses it, and it could be endless.
const MAX_DEPTH: usize = 64;

/// Keywords that carry no rule about the data, or that Gemini refuses.
const DROPPED: &[&str] = &[
    "$schema",
    "$id",
    "$comment",
    "strict",
    "examples",
    "deprecated",
    "encrypted",
    "enumDescriptions",
    "enumTitles",
    "readOnly",
    "writeOnly",
];

/// Keywords whose value is a map from names, which are not keywords, to schemas.
const MAPS: &[&str] = &["properties", "$defs", "definitions", "patternProperties"];

/// Keywords whose value is a schema.
const NESTED: &[&str] = &[
    "items",
    "additionalProperties",
    "not",
    "contains",
    "if",
    "then",
    "else",
];

/// Keywords whose value is a list of schemas.
const LISTS: &[&str] = &["anyOf", "oneOf", "allOf", "prefixItems"];

/// The parameters of a function: always an object schema.
pub(super) fn parameters(schema: Option<&Value>) -> Value {
    match schema {
        Some(Value::Object(schema)) if !schema.is_empty() => {
            let mut cleaned = object(schema, 0);
            if !cleaned.contains_key("$ref") && !cleaned.contains_key("type") {
                cleaned.insert("type".into(), "object".into());
            }
            Value::Object(cleaned)
        }
        _ => json!({"type": "object", "properties": {}}),
    }
}

/// Any schema.
pub(super) fn clean(schema: &Value) -> Value {
    node(schema, 0)
}

fn node(schema: &Value, depth: usize) -> Value {
    match schema {
        Value::Object(schema) if depth < MAX_DEPTH => Value::Object(object(schema, depth)),
        // `true`, `false`, or not a schema at all: anything goes.
        _ => json!({}),
    }
}

fn object(schema: &Map<String, Value>, depth: usize) -> Map<String, Value> {
    let is_reference = schema.contains_key("$ref");
    let mut cleaned = Map::new();
    for (keyword, value) in schema {
        let keyword = keyword.as_str();
        // Gemini: beside `$ref` only other `$…` keys may stand.
        let beside_reference = is_reference && !keyword.starts_with('$');
        let is_noise = DROPPED.contains(&keyword) || keyword.starts_with("x-");
        if beside_reference || is_noise || (keyword == "default" && value.is_null()) {
            continue;
        }
        let (keyword, value) = match value {
            Value::Object(map) if MAPS.contains(&keyword) => (keyword, named(map, depth)),
            Value::Object(_) if NESTED.contains(&keyword) => (keyword, node(value, depth + 1)),
            Value::Array(list) if LISTS.contains(&keyword) => (
                keyword,
                list.iter().map(|schema| node(schema, depth + 1)).collect(),
            ),
            Value::Array(names) if keyword == "required" => (keyword, present(names, schema)),
            // Draft 3 wrote `required: true` inside a property.
            Value::Bool(_) if keyword == "required" => continue,
            constant if keyword == "const" => ("enum", json!([constant])),
            other => (keyword, other.clone()),
        };
        cleaned.insert(keyword.to_owned(), value);
    }
    cleaned
}

/// Schemas by name. `false` forbids its property: leaving it out says the same.
fn named(map: &Map<String, Value>, depth: usize) -> Value {
    map.iter()
        .filter(|(_, schema)| **schema != Value::Bool(false))
        .map(|(name, schema)| (name.clone(), node(schema, depth + 1)))
        .collect::<Map<_, _>>()
        .into()
}

/// Of the required names, those that are properties: Google refuses others.
fn present(names: &[Value], schema: &Map<String, Value>) -> Value {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return names.to_vec().into();
    };
    let is_property = |name: &&Value| {
        name.as_str()
            .is_some_and(|name| properties.contains_key(name))
    };
    names.iter().filter(is_property).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_named_like_keywords_are_kept() {
        let schema = json!({"type": "object", "properties": {
            "default": {"type": "string", "examples": ["a"]},
            "strict": {"const": 1}, "x-y": true, "$comment": {"type": "null"}, "gone": false
        }, "required": ["default", "gone", "never"]});
        let expected = json!({"type": "object", "properties": {
            "default": {"type": "string"}, "strict": {"enum": [1]}, "x-y": {}, "$comment": {"type": "null"}
        }, "required": ["default", "gone"]});
        assert_eq!(parameters(Some(&schema)), expected);
    }

    #[test]
    fn a_reference_stands_alone_and_its_target_stays() {
        let schema = json!({"$schema": "s", "properties": {
            "a": {"$ref": "#/$defs/A", "description": "d"}
        }, "$defs": {"A": {"type": "integer", "default": null}}});
        let expected = json!({"properties": {"a": {"$ref": "#/$defs/A"}},
            "$defs": {"A": {"type": "integer"}}, "type": "object"});
        assert_eq!(parameters(Some(&schema)), expected);
    }

    #[test]
    fn no_parameters_are_an_empty_object() {
        let empty = json!({"type": "object", "properties": {}});
        assert_eq!(parameters(None), empty);
        assert_eq!(parameters(Some(&json!({}))), empty);
        assert_eq!(parameters(Some(&json!("nonsense"))), empty);
    }
}
