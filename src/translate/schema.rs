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
const MAPS: &[&str] = &["properties", DEFINITIONS, "patternProperties"];

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

/// Where schemas that are referred to stand. Draft 7 called it `definitions`.
const DEFINITIONS: &str = "$defs";

/// The parameters of a function: always an object schema.
pub(super) fn parameters(schema: Option<&Value>) -> Value {
    let mut root = match schema {
        Some(Value::Object(schema)) => object(schema, 0),
        _ => Map::new(),
    };
    if let Some(target) = target_of_root(&root) {
        let definitions = root.remove(DEFINITIONS);
        root = target;
        root.extend(definitions.map(|definitions| (DEFINITIONS.to_owned(), definitions)));
    }
    root.insert("type".into(), "object".into());
    root.entry("properties").or_insert_with(|| json!({}));
    Value::Object(root)
}

/// Any schema.
pub(super) fn clean(schema: &Value) -> Value {
    node(schema, 0)
}

/// Some generators put everything into definitions and refer to it from the root,
/// where Gemini wants to see an object.
fn target_of_root(root: &Map<String, Value>) -> Option<Map<String, Value>> {
    let name = root.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
    root.get(DEFINITIONS)?.get(name)?.as_object().cloned()
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
        let keyword = match keyword.as_str() {
            "definitions" => DEFINITIONS,
            // Draft 7's word for it, when it is a list.
            "items" if value.is_array() => "prefixItems",
            keyword => keyword,
        };
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
            Value::String(target) if keyword == "$ref" => (keyword, reference(target)),
            // Draft 3 wrote `required: true` inside a property.
            Value::Bool(_) if keyword == "required" => continue,
            constant if keyword == "const" => ("enum", json!([constant])),
            other => (keyword, other.clone()),
        };
        cleaned.insert(keyword.to_owned(), value);
    }
    require_only_properties(&mut cleaned);
    cleaned
}

fn reference(target: &str) -> Value {
    target.replacen("#/definitions/", "#/$defs/", 1).into()
}

/// Schemas by name. `false` forbids its property: leaving it out says the same.
fn named(map: &Map<String, Value>, depth: usize) -> Value {
    map.iter()
        .filter(|(_, schema)| **schema != Value::Bool(false))
        .map(|(name, schema)| (name.clone(), node(schema, depth + 1)))
        .collect::<Map<_, _>>()
        .into()
}

/// Google refuses a required name that is no property.
fn require_only_properties(schema: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return;
    };
    let names: Vec<String> = properties.keys().cloned().collect();
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|name| names.iter().any(|property| name == property));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lesson_02_properties_named_like_keywords_are_kept() {
        let schema = json!({"type": "object", "properties": {
            "default": {"type": "string", "examples": ["a"]},
            "strict": {"const": 1}, "x-y": true, "$comment": {"type": "null"}, "gone": false
        }, "required": ["default", "gone", "never"]});
        let expected = json!({"type": "object", "properties": {
            "default": {"type": "string"}, "strict": {"enum": [1]}, "x-y": {}, "$comment": {"type": "null"}
        }, "required": ["default"]});
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
    fn a_root_that_only_refers_becomes_what_it_refers_to() {
        let schema = json!({"$ref": "#/definitions/A", "definitions": {
            "A": {"type": "object", "properties": {"b": {"$ref": "#/definitions/B"}}},
            "B": {"type": "array", "items": [{"type": "string", "strict": true}]}
        }});
        let b = json!({"type": "array", "prefixItems": [{"type": "string"}]});
        let a = json!({"type": "object", "properties": {"b": {"$ref": "#/$defs/B"}}});
        let expected = json!({"type": "object", "properties": {"b": {"$ref": "#/$defs/B"}},
            "$defs": {"A": a, "B": b}});
        assert_eq!(parameters(Some(&schema)), expected);
    }

    #[test]
    fn parameters_are_an_object_whatever_they_say_they_are() {
        for kind in [json!("string"), json!(["object", "null"]), json!(null)] {
            assert_eq!(parameters(Some(&json!({"type": kind})))["type"], "object");
        }
    }

    #[test]
    fn no_parameters_are_an_empty_object() {
        let empty = json!({"type": "object", "properties": {}});
        assert_eq!(parameters(None), empty);
        assert_eq!(parameters(Some(&json!({}))), empty);
        assert_eq!(parameters(Some(&json!("nonsense"))), empty);
    }
}
