//! Schemas in the plainest words, for when Google refused a request over one:
//! types, properties, items, enums, required names, and descriptions that say the
//! rest. What no longer holds the model is still told to it.

use serde_json::{Map, Value, json};

/// References into references go no deeper.
const MAX_DEPTH: usize = 16;

/// Rules that are told in words.
const TOLD: &[&str] = &[
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "default",
];

/// A plain schema that means the same, as far as plain schemas can.
pub(super) fn plain(schema: &Value) -> Value {
    let definitions = schema.get("$defs").and_then(Value::as_object);
    let empty = Map::new();
    node(schema, definitions.unwrap_or(&empty), 0)
}

fn node(schema: &Value, definitions: &Map<String, Value>, depth: usize) -> Value {
    let Some(schema) = schema.as_object() else {
        return json!({});
    };
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let name = target.rsplit('/').next().unwrap_or_default();
        return match definitions.get(name) {
            Some(definition) if depth < MAX_DEPTH => node(definition, definitions, depth + 1),
            _ => json!({"type": "object", "description": format!("See: {name}")}),
        };
    }
    let merged = merge_all_of(schema, definitions, depth);
    if let Some(branches) = branches(&merged) {
        return richest(&merged, branches, definitions, depth);
    }
    let mut words = Vec::from_iter(
        merged
            .get("description")
            .and_then(Value::as_str)
            .map(str::to_owned),
    );
    let mut plain = Map::new();
    let (kind, is_nullable) = kind(&merged);
    if is_nullable {
        words.push("(nullable)".to_owned());
    }
    if let Some(values) = merged.get("enum").and_then(Value::as_array) {
        // Some doors take only strings.
        let values: Vec<String> = values.iter().map(text_of).collect();
        words.push(format!("One of: {}.", values.join(", ")));
        plain.insert("type".into(), "string".into());
        plain.insert("enum".into(), values.into());
    } else if let Some(kind) = kind {
        plain.insert("type".into(), kind.into());
    }
    for rule in TOLD {
        if let Some(value) = merged.get(*rule) {
            words.push(format!("{rule}: {}.", text_of(value)));
        }
    }
    if let Some(properties) = merged.get("properties").and_then(Value::as_object) {
        let named = properties.iter();
        let named = named.map(|(name, value)| (name.clone(), node(value, definitions, depth + 1)));
        let named: Map<String, Value> = named.collect();
        if let Some(required) = merged.get("required").and_then(Value::as_array) {
            let is_here =
                |name: &&Value| name.as_str().is_some_and(|name| named.contains_key(name));
            let required: Vec<Value> = required.iter().filter(is_here).cloned().collect();
            if !required.is_empty() {
                plain.insert("required".into(), required.into());
            }
        }
        plain.insert("properties".into(), named.into());
    }
    if plain.get("type") == Some(&json!("array")) {
        let items = merged
            .get("items")
            .map_or(json!({}), |items| node(items, definitions, depth + 1));
        plain.insert("items".into(), items);
    }
    if merged.get("additionalProperties") == Some(&Value::Bool(false)) {
        words.push("No other properties.".to_owned());
    }
    if !words.is_empty() {
        plain.insert("description".into(), words.join(" ").into());
    }
    plain.into()
}

/// `allOf` says that all of these hold: their properties and demands together.
fn merge_all_of(
    schema: &Map<String, Value>,
    definitions: &Map<String, Value>,
    depth: usize,
) -> Map<String, Value> {
    let mut merged = schema.clone();
    for part in schema
        .get("allOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let Value::Object(part) = node(part, definitions, depth + 1) else {
            continue;
        };
        for (keyword, value) in part {
            match (merged.get_mut(&keyword), value) {
                (Some(Value::Object(known)), Value::Object(news)) => known.extend(news),
                (Some(Value::Array(known)), Value::Array(news)) => known.extend(news),
                (Some(_), _) => {}
                (None, value) => drop(merged.insert(keyword, value)),
            }
        }
    }
    merged.remove("allOf");
    merged
}

fn branches(schema: &Map<String, Value>) -> Option<&Vec<Value>> {
    let either = schema.get("anyOf").or_else(|| schema.get("oneOf"))?;
    either.as_array().filter(|branches| !branches.is_empty())
}

/// The branch that says most, and in words that there are others.
fn richest(
    schema: &Map<String, Value>,
    branches: &[Value],
    definitions: &Map<String, Value>,
    depth: usize,
) -> Value {
    let branches: Vec<Value> = branches
        .iter()
        .map(|branch| node(branch, definitions, depth + 1))
        .collect();
    let kind = |branch: &Value| {
        branch
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or("any")
            .to_owned()
    };
    let rank = |branch: &&Value| match kind(branch).as_str() {
        "object" => 3,
        "array" => 2,
        "null" => 0,
        _ => 1,
    };
    // Of equals the first.
    let best = branches.iter().rev().max_by_key(rank).cloned();
    let mut best = best.unwrap_or_else(|| json!({}));
    let kinds: Vec<String> = branches.iter().map(kind).collect();
    let own = schema.get("description").and_then(Value::as_str);
    let inner = best.get("description").and_then(Value::as_str);
    let accepts = format!("Accepts: {}.", kinds.join(" | "));
    let words = own.into_iter().chain(inner).chain([accepts.as_str()]);
    let words = words.collect::<Vec<_>>().join(" ");
    if let Some(best) = best.as_object_mut() {
        best.insert("description".into(), words.into());
    }
    best
}

/// The type, and whether `null` will do, too.
fn kind(schema: &Map<String, Value>) -> (Option<String>, bool) {
    let nullable = schema.get("nullable") == Some(&Value::Bool(true));
    match schema.get("type") {
        Some(Value::String(kind)) => (Some(kind.clone()), nullable),
        Some(Value::Array(kinds)) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
            let kind = kinds.iter().find(|kind| **kind != "null").or(kinds.first());
            (kind.map(|kind| (*kind).to_owned()), kinds.contains(&"null"))
        }
        _ if schema.contains_key("properties") => (Some("object".into()), nullable),
        _ => (None, nullable),
    }
}

fn text_of(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lesson_02_what_is_lost_as_a_rule_is_kept_in_words() {
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "mode": {"enum": [1, "a", null], "description": "How."},
                "size": {"type": ["integer", "null"], "minimum": 1, "default": 3},
                "when": {"anyOf": [{"type": "string", "format": "date"}, {"$ref": "#/$defs/Range"}], "description": "Time."},
                "list": {"type": "array"},
                "both": {"allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"properties": {"b": {"type": "string"}}}]},
            },
            "required": ["mode", "gone"],
            "$defs": {"Range": {"type": "object", "properties": {"from": {"type": "string"}}}}
        });
        let expected = json!({
            "type": "object",
            "required": ["mode"],
            "properties": {
                "mode": {"type": "string", "enum": ["1", "a", "null"], "description": "How. One of: 1, a, null."},
                "size": {"type": "integer", "description": "(nullable) minimum: 1. default: 3."},
                "when": {"type": "object", "properties": {"from": {"type": "string"}},
                    "description": "Time. Accepts: string | object."},
                "list": {"type": "array", "items": {}},
                "both": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"]},
            },
            "description": "No other properties."
        });
        let mut actual = plain(&schema);
        // Properties of `both` are merged into the empty schema, in whatever order of keywords.
        actual.sort_all_objects();
        let mut expected = expected;
        expected.sort_all_objects();
        assert_eq!(actual, expected);
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let schema = json!({"$ref": "#/$defs/Node", "$defs": {"Node": {"type": "object",
            "properties": {"next": {"$ref": "#/$defs/Node"}}}}});
        assert!(plain(&schema).to_string().len() < 4096);
    }
}
