//! Schemas in the plainest words, for when Google refused a request over one:
//! types, properties, items, enums, required names, and descriptions that say the
//! rest. What no longer holds the model is still told to it.

use serde_json::{Map, Value, json};

use super::Notes;

/// References into references go no deeper.
const MAX_DEPTH: usize = 16;

/// References that are written out, over all of a schema.
const MAX_WRITTEN: usize = 300;

const LEFT_OUT: &str = "left out: plain schemas have no equal";

/// Rules that are told in words; others have been told before.
const TOLD: &[&str] = &[
    "format", "minimum", "maximum", "minItems", "maxItems", "default",
];

/// Of a function.
pub(super) fn parameters(schema: &Value, field: &str, notes: &mut Notes) -> Value {
    Plain::new(schema, false, notes).node(schema, field, 0)
}

/// Of the answer, in the dialect of `responseSchema`: that has its own words for null
/// and for the order of properties, and wants to see a type everywhere.
pub(super) fn response(schema: &Value, field: &str, notes: &mut Notes) -> Value {
    Plain::new(schema, true, notes).node(schema, field, 0)
}

struct Plain<'a, 'n> {
    definitions: Option<&'a Map<String, Value>>,
    /// Whether it is for `responseSchema`.
    is_response: bool,
    /// References so far.
    written: usize,
    notes: &'n mut Notes,
}

impl<'a, 'n> Plain<'a, 'n> {
    fn new(root: &'a Value, is_response: bool, notes: &'n mut Notes) -> Self {
        Self {
            definitions: root.get("$defs").and_then(Value::as_object),
            is_response,
            written: 0,
            notes,
        }
    }

    fn node(&mut self, schema: &Value, path: &str, depth: usize) -> Value {
        let empty = Map::new();
        let schema = schema.as_object().unwrap_or(&empty);
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            return self.target(target, path, depth);
        }
        for either in ["anyOf", "oneOf"] {
            if let Some(Value::Array(branches)) = schema.get(either) {
                return self.richest(schema, branches, &format!("{path}.{either}"), depth);
            }
        }
        let given = schema.get("description").and_then(Value::as_str);
        let mut words = Vec::from_iter(given.map(str::to_owned));
        let mut plain = Map::new();
        let (kind, is_nullable) = kind(schema);
        if is_nullable && self.is_response {
            plain.insert("nullable".into(), true.into());
        } else if is_nullable {
            words.push("(nullable)".to_owned());
            self.note(format!("{path}.type"));
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            // Some doors take only strings.
            if !values.iter().all(Value::is_string) {
                self.notes.add(format!("{path}.enum"), "sent as strings");
            }
            let values: Vec<String> = values.iter().map(text_of).collect();
            words.push(format!("One of: {}.", values.join(", ")));
            plain.insert("type".into(), "string".into());
            plain.insert("enum".into(), values.into());
        } else if let Some(kind) = kind {
            plain.insert("type".into(), kind.into());
        } else if self.is_response {
            self.notes
                .add(path.to_owned(), "sent as a string: it has no type");
            plain.insert("type".into(), "string".into());
        }
        for rule in TOLD {
            if let Some(value) = schema.get(*rule) {
                words.push(format!("{rule}: {}.", text_of(value)));
                // They have never been rules.
                if !matches!(*rule, "format" | "default") {
                    self.note(format!("{path}.{rule}"));
                }
            }
        }
        self.properties(schema, &mut plain, path, depth);
        if plain.get("type") == Some(&json!("array")) {
            let items = schema.get("items").unwrap_or(&Value::Null);
            let items = self.node(items, &format!("{path}.items"), depth + 1);
            plain.insert("items".into(), items);
            if schema.contains_key("prefixItems") {
                self.notes.add(format!("{path}.prefixItems"), LEFT_OUT);
            }
        }
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) => words.push("No other properties.".to_owned()),
            Some(Value::Object(_)) => {
                self.notes
                    .add(format!("{path}.additionalProperties"), LEFT_OUT);
            }
            _ => {}
        }
        if !words.is_empty() {
            plain.insert("description".into(), words.join(" ").into());
        }
        plain.into()
    }

    /// References are written out, as far as that goes.
    fn target(&mut self, target: &str, path: &str, depth: usize) -> Value {
        let name = target.rsplit('/').next().unwrap_or_default();
        let definition = self
            .definitions
            .and_then(|definitions| definitions.get(name));
        let fits = depth < MAX_DEPTH && self.written < MAX_WRITTEN;
        if let (Some(definition), true) = (definition, fits) {
            self.written += 1;
            return self.node(definition, path, depth + 1);
        }
        self.notes.add(
            path.to_owned(),
            "cut off: it is recursive or too large to be written out",
        );
        json!({"type": "object", "description": format!("See: {name}")})
    }

    fn properties(
        &mut self,
        schema: &Map<String, Value>,
        plain: &mut Map<String, Value>,
        path: &str,
        depth: usize,
    ) {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return;
        };
        let named = properties.iter().map(|(name, value)| {
            let path = format!("{path}.properties.{name}");
            (name.clone(), self.node(value, &path, depth + 1))
        });
        let named: Map<String, Value> = named.collect();
        if let Some(required) = schema.get("required") {
            plain.insert("required".into(), required.clone());
        }
        if self.is_response && !named.is_empty() {
            let order = schema.get("propertyOrdering").cloned();
            let order = order.unwrap_or_else(|| named.keys().cloned().collect());
            plain.insert("propertyOrdering".into(), order);
        }
        plain.insert("properties".into(), named.into());
    }

    /// The branch that says most, and in words that there are others.
    fn richest(
        &mut self,
        schema: &Map<String, Value>,
        branches: &[Value],
        path: &str,
        depth: usize,
    ) -> Value {
        let nodes = branches.iter().zip(0..);
        let mut branches: Vec<Value> = nodes
            .map(|(branch, nth)| self.node(branch, &format!("{path}[{nth}]"), depth + 1))
            .collect();
        let kinds: Vec<String> = branches.iter().map(kind_of).collect();
        // Of equals the first.
        let best = (0..branches.len())
            .rev()
            .max_by_key(|nth| rank(&kinds[*nth]));
        let mut best = best.map_or(json!({}), |nth| branches.swap_remove(nth));
        let own = schema.get("description").and_then(Value::as_str);
        let inner = best.get("description").and_then(Value::as_str);
        let accepts = format!("Accepts: {}.", kinds.join(" | "));
        let words = own.into_iter().chain(inner).chain([accepts.as_str()]);
        best["description"] = words.collect::<Vec<_>>().join(" ").into();
        let is_nullable = kinds.iter().any(|kind| kind == "null");
        if is_nullable && self.is_response {
            best["nullable"] = true.into();
        }
        if !(is_nullable && self.is_response && kinds.len() == 2) {
            let reason = "only the richest of them is sent, the others are told in words";
            self.notes.add(path.to_owned(), reason);
        }
        best
    }

    fn note(&mut self, field: String) {
        self.notes.add(field, "told in words");
    }
}

fn kind_of(plain: &Value) -> String {
    let kind = plain.get("type").and_then(Value::as_str);
    kind.unwrap_or("any").to_owned()
}

fn rank(kind: &str) -> u8 {
    match kind {
        "object" => 3,
        "array" => 2,
        "null" => 0,
        _ => 1,
    }
}

/// The type, and whether `null` will do, too.
fn kind(schema: &Map<String, Value>) -> (Option<String>, bool) {
    match schema.get("type") {
        Some(Value::String(kind)) => (Some(kind.clone()), false),
        Some(Value::Array(kinds)) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
            let kind = kinds.iter().find(|kind| **kind != "null").or(kinds.first());
            (kind.map(|kind| (*kind).to_owned()), kinds.contains(&"null"))
        }
        _ if schema.contains_key("properties") => (Some("object".into()), false),
        _ => (None, false),
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

    fn fields(notes: &Notes) -> Vec<&str> {
        notes.iter().map(|note| &*note.field).collect()
    }

    fn schema() -> Value {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "mode": {"enum": [1, "a"], "description": "How."},
                "size": {"type": ["integer", "null"], "minimum": 1, "default": 3},
                "when": {"anyOf": [{"type": "string", "format": "date"}, {"$ref": "#/$defs/Range"}], "description": "Time."},
                "list": {"type": "array"},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
            "required": ["mode"],
            "$defs": {"Range": {"type": "object", "properties": {"from": {"type": "string"}}}}
        })
    }

    #[test]
    fn lesson_02_what_is_lost_as_a_rule_is_kept_in_words() {
        let mut notes = Notes::default();
        let expected = json!({
            "type": "object",
            "required": ["mode"],
            "properties": {
                "mode": {"type": "string", "enum": ["1", "a"], "description": "How. One of: 1, a."},
                "size": {"type": "integer", "description": "(nullable) minimum: 1. default: 3."},
                "when": {"type": "object", "properties": {"from": {"type": "string"}},
                    "description": "Time. Accepts: string | object."},
                "list": {"type": "array", "items": {}},
                "note": {"type": "string", "description": "Accepts: string | null."},
            },
            "description": "No other properties."
        });
        assert_eq!(parameters(&schema(), "p", &mut notes), expected);
        let weakened = [
            "p.properties.mode.enum",
            "p.properties.size.type",
            "p.properties.size.minimum",
            "p.properties.when.anyOf",
            "p.properties.note.anyOf",
        ];
        assert_eq!(fields(&notes), weakened);
    }

    #[test]
    fn lesson_30_an_answer_has_the_order_and_the_null_of_googles_dialect() {
        let mut notes = Notes::default();
        let plain = response(&schema(), "r", &mut notes);
        let order = json!(["mode", "size", "when", "list", "note"]);
        assert_eq!(plain["propertyOrdering"], order);
        let properties = &plain["properties"];
        assert_eq!(properties["size"]["nullable"], true);
        assert_eq!(properties["list"]["items"], json!({"type": "string"}));
        let note =
            json!({"type": "string", "nullable": true, "description": "Accepts: string | null."});
        assert_eq!(properties["note"], note);
        let weakened = [
            "r.properties.mode.enum",
            "r.properties.size.minimum",
            "r.properties.when.anyOf",
            "r.properties.list.items",
        ];
        assert_eq!(fields(&notes), weakened);
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let node = json!({"$ref": "#/$defs/Node"});
        let schema = json!({"type": "object", "properties": {"next": node}, "$defs": {
            "Node": {"type": "object", "properties": {"left": node, "right": node}}}});
        let mut notes = Notes::default();
        let plain = parameters(&schema, "p", &mut notes);
        assert!(plain.to_string().len() < 100_000);
        assert!(notes.iter().all(|note| note.reason.starts_with("cut off")));
    }
}
