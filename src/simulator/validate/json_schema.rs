//! What Google asks of a JSON Schema at the lenient door. What becomes of keywords
//! that it does not list is not documented; here they are refused, so that none is sent.

use serde_json::{Map, Value};

use super::{Verdict, elements};
use crate::simulator::errors::GoogleError;

/// <https://ai.google.dev/api/generate-content#FIELDS.response_json_schema>, and
/// `default`, which is not on that list but is only a word to the model.
const KNOWN: [&str; 22] = [
    "$id",
    "$defs",
    "$ref",
    "$anchor",
    "type",
    "format",
    "title",
    "description",
    "default",
    "enum",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "anyOf",
    "oneOf",
    "properties",
    "additionalProperties",
    "required",
    "propertyOrdering",
];

pub(super) fn check(schema: &Value, place: &str) -> Verdict {
    check_node(schema, schema, place)
}

fn check_node(schema: &Value, root: &Value, place: &str) -> Verdict {
    let Some(keywords) = schema.as_object() else {
        return refuse(place, "a schema is an object");
    };
    check_reference(keywords, root, place)?;
    for (keyword, value) in keywords {
        let place = format!("{place}.{keyword}");
        if !KNOWN.contains(&keyword.as_str()) {
            return refuse(&place, "unsupported keyword");
        }
        match keyword.as_str() {
            "properties" | "$defs" => {
                for (name, inner) in value.as_object().into_iter().flatten() {
                    check_node(inner, root, &format!("{place}[{name}]"))?;
                }
            }
            "items" => check_node(value, root, &place)?,
            "additionalProperties" if !value.is_boolean() => check_node(value, root, &place)?,
            "anyOf" | "oneOf" | "prefixItems" => {
                for (index, inner) in elements(value).iter().enumerate() {
                    check_node(inner, root, &format!("{place}[{index}]"))?;
                }
            }
            "required" => {
                for (index, name) in elements(value).iter().enumerate() {
                    let name = name.as_str().unwrap_or_default();
                    if schema["properties"].get(name).is_none() {
                        let place = format!("{place}[{index}]");
                        return refuse(&place, "property is not defined");
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// "If `$ref` is set on a sub-schema, no other properties, except for than those
/// starting as a `$`, may be set."
fn check_reference(schema: &Map<String, Value>, root: &Value, place: &str) -> Verdict {
    let Some(reference) = schema.get("$ref") else {
        return Ok(());
    };
    if schema.keys().any(|keyword| !keyword.starts_with('$')) {
        return refuse(place, "no other fields may be set beside $ref");
    }
    let pointer = reference.as_str().and_then(|text| text.strip_prefix('#'));
    match pointer.and_then(|pointer| root.pointer(pointer)) {
        Some(_) => Ok(()),
        None => refuse(place, "the $ref cannot be resolved"),
    }
}

fn refuse(place: &str, rule: &str) -> Verdict {
    Err(GoogleError::at_field(place, rule))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_stand_alone_and_lead_somewhere_and_keywords_are_known() {
        for (schema, complaint) in [
            (
                json!({"properties": {"pattern": {"$ref": "#/$defs/A"}}, "$defs": {"A": {}}}),
                "",
            ),
            (
                json!({"items": {"$ref": "#", "description": "d"}}),
                "beside $ref",
            ),
            (
                json!({"anyOf": [{"$ref": "#/$defs/A"}]}),
                "cannot be resolved",
            ),
            (
                json!({"properties": {"a": {}}, "required": ["b"]}),
                "not defined",
            ),
            (
                json!({"additionalProperties": {"pattern": "a"}}),
                "unsupported keyword",
            ),
            (json!({"items": true}), "is an object"),
        ] {
            let said = match check(&schema, "s") {
                Ok(()) => String::new(),
                Err(error) => error.body["error"]["message"].to_string(),
            };
            assert!(said.contains(complaint), "{schema}: {said}");
            assert_eq!(said.is_empty(), complaint.is_empty(), "{schema}: {said}");
        }
    }
}
