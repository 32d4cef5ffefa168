//! Clients' JSON Schemas as Gemini takes them, by allow-list
//! (<https://ai.google.dev/api/generate-content#FIELDS.response_json_schema>):
//! what it knows is kept, what it knows by another name is rewritten, rules that it
//! does not know are told in words where that is cheap, and named in the notes.

mod keywords;
mod path;
mod references;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use self::keywords::Merger;
use self::path::Path;
use self::references::{Found, References};
use super::Notes;

/// Deeper nesting is cut off: Google refuses it, and it could be endless.
const MAX_DEPTH: usize = 64;

/// Where schemas that are referred to stand. Draft 7 called it `definitions`.
const DEFINITIONS: &str = "$defs";

const TYPES: [&str; 7] = [
    "object", "array", "string", "integer", "number", "boolean", "null",
];

/// The parameters of a function: always an object schema. `field` is where the
/// client wrote it.
pub(super) fn parameters(schema: &Value, field: &str, notes: &mut Notes) -> Value {
    let mut cleaned = clean(schema, field, notes);
    if let Value::Object(root) = &mut cleaned {
        root.insert("type".into(), "object".into());
        root.entry("properties").or_insert_with(|| json!({}));
    }
    cleaned
}

/// Any schema.
pub(super) fn clean(schema: &Value, field: &str, notes: &mut Notes) -> Value {
    let mut cleaner = Cleaner {
        references: References::new(schema),
        notes,
    };
    let mut root = cleaner.node(schema, Path::Field(field), 0);
    let definitions = cleaner.definitions(field);
    if let (Value::Object(root), false) = (&mut root, definitions.is_empty()) {
        root.insert(DEFINITIONS.to_owned(), definitions.into());
    }
    root
}

struct Cleaner<'a, 'n> {
    references: References<'a>,
    notes: &'n mut Notes,
}

impl Cleaner<'_, '_> {
    /// Those that are referred to; cleaning one may bring in others.
    fn definitions(&mut self, field: &str) -> Map<String, Value> {
        let mut definitions = Map::new();
        while let Some((name, target)) = self.references.next_definition() {
            let field = Path::Field(field);
            let path = Path::Key(&field, DEFINITIONS);
            let cleaned = match target {
                Value::Object(target) => self.object(target, Path::Key(&path, &name), 0),
                _ => json!({}),
            };
            definitions.insert(name, cleaned);
        }
        definitions
    }

    fn node(&mut self, schema: &Value, path: Path<'_>, depth: usize) -> Value {
        match schema {
            Value::Object(_) if depth >= MAX_DEPTH => {
                let reason = format!("cut off: deeper than {MAX_DEPTH} levels");
                self.notes.add(path.to_string(), reason);
                json!({})
            }
            Value::Object(schema) => {
                let entered = self.references.enter();
                let cleaned = self.object(schema, path, depth);
                self.references.leave(entered);
                cleaned
            }
            // `true`, or not a schema at all: anything goes. Where `false` says
            // something, it has been understood before.
            _ => json!({}),
        }
    }

    fn object(&mut self, schema: &Map<String, Value>, path: Path<'_>, depth: usize) -> Value {
        // Most say it as Gemini does already; a copy at each level would be many.
        let mut whole = Cow::Borrowed(schema);
        if keywords::need_rewriting(schema) {
            let whole = whole.to_mut();
            keywords::allow_null(whole);
            if let Some(name) = self.settle(whole, path, depth) {
                return json!({"$ref": format!("#/{DEFINITIONS}/{name}")});
            }
            keywords::rewrite(whole);
        }
        let mut cleaned = Map::new();
        for (keyword, value) in &*whole {
            let path = Path::Key(&path, keyword);
            if let Some(value) = self.kept(keyword, value, path, depth) {
                cleaned.insert(keyword.clone(), value);
            } else {
                keywords::note_rule(keyword, value, path, self.notes);
            }
        }
        self.require_only_properties(&mut cleaned, path);
        keywords::tell(&whole, &mut cleaned);
        cleaned.into()
    }

    /// Puts everything into one schema that holds at once: what stands in `allOf`, in
    /// an `anyOf` of one, and what a `$ref` with company leads to. The name of a
    /// definition, if all that remains is a reference.
    fn settle(
        &mut self,
        whole: &mut Map<String, Value>,
        path: Path<'_>,
        depth: usize,
    ) -> Option<String> {
        loop {
            if let Some(reference) = whole.shift_remove("$ref") {
                let siblings = keywords::siblings(whole);
                match self
                    .references
                    .find(&reference, !siblings.is_empty(), depth == 0)
                {
                    Found::Target(target) => {
                        if let Value::Object(target) = target {
                            Merger {
                                path,
                                notes: self.notes,
                            }
                            .merge(whole, target);
                        }
                    }
                    Found::Name(name) => {
                        for sibling in siblings {
                            let reason = "left out: Gemini takes nothing beside a $ref, and \
                                          this one is too large or recursive to be resolved";
                            let field = Path::Key(&path, &sibling).to_string();
                            self.notes.add(field, reason);
                        }
                        return Some(name);
                    }
                    Found::Nothing(reason) => {
                        self.notes.add(Path::Key(&path, "$ref").to_string(), reason);
                    }
                }
            } else if let Some(branch) = keywords::next_branch(whole) {
                if let Value::Object(branch) = &branch {
                    Merger {
                        path,
                        notes: self.notes,
                    }
                    .merge(whole, branch);
                }
            } else {
                return None;
            }
        }
    }

    /// What is sent for a keyword; `None` if Gemini does not know it, or not so.
    fn kept(
        &mut self,
        keyword: &str,
        value: &Value,
        path: Path<'_>,
        depth: usize,
    ) -> Option<Value> {
        match (keyword, value) {
            ("type", _) => known_types(value),
            ("format" | "title" | "description", Value::String(_)) => Some(value.clone()),
            ("minItems" | "maxItems", _) if value.is_u64() => Some(value.clone()),
            ("minimum" | "maximum", Value::Number(_)) => Some(value.clone()),
            ("enum", Value::Array(values)) if !values.is_empty() => Some(value.clone()),
            ("default", _) if !value.is_null() => Some(value.clone()),
            ("required" | "propertyOrdering", Value::Array(names)) => {
                let names = names.iter().filter(|name| name.is_string());
                Some(names.cloned().collect())
            }
            ("additionalProperties", Value::Bool(_)) => Some(value.clone()),
            ("items" | "additionalProperties", Value::Object(_)) => {
                Some(self.node(value, path, depth + 1))
            }
            ("prefixItems", Value::Array(list)) => Some(self.list(list, path, depth)),
            ("anyOf" | "oneOf", Value::Array(list)) => {
                let branches = self.list(list, path, depth);
                let says_something = |branch: &Value| *branch != json!({});
                let branches = branches.as_array()?;
                branches
                    .iter()
                    .any(says_something)
                    .then(|| branches.clone().into())
            }
            ("properties", Value::Object(named)) => {
                // `false` forbids its property: leaving it out says the same.
                let named = named
                    .iter()
                    .filter(|(_, schema)| **schema != Value::Bool(false));
                let cleaned = named.map(|(name, schema)| {
                    let path = Path::Key(&path, name);
                    (name.clone(), self.node(schema, path, depth + 1))
                });
                Some(cleaned.collect::<Map<_, _>>().into())
            }
            _ => None,
        }
    }

    fn list(&mut self, list: &[Value], path: Path<'_>, depth: usize) -> Value {
        let nodes = list.iter().zip(0..);
        nodes
            .map(|(schema, nth)| self.node(schema, Path::Item(&path, nth), depth + 1))
            .collect()
    }

    /// Google refuses a required name that is no property.
    fn require_only_properties(&mut self, cleaned: &mut Map<String, Value>, path: Path<'_>) {
        for list in ["required", "propertyOrdering"] {
            // Taken out meanwhile, so that the properties can be looked at.
            let Some(Value::Array(names)) = cleaned.get_mut(list).map(Value::take) else {
                continue;
            };
            let given = names.len();
            let properties = cleaned.get("properties").and_then(Value::as_object);
            let is_property = |name: &Value| {
                let name = name.as_str().unwrap_or_default();
                properties.is_some_and(|properties| properties.contains_key(name))
            };
            let names: Vec<Value> = names.into_iter().filter(is_property).collect();
            if names.len() < given {
                let reason = "cut: it names what is not among the properties beside it";
                self.notes.add(Path::Key(&path, list).to_string(), reason);
            }
            if names.is_empty() {
                cleaned.shift_remove(list);
            } else {
                cleaned.insert(list.to_owned(), names.into());
            }
        }
    }
}

/// The types that there are, in small letters as JSON Schema has them.
fn known_types(value: &Value) -> Option<Value> {
    let known = |name: &Value| {
        let name = name.as_str()?;
        let known = TYPES
            .iter()
            .find(|known| name.eq_ignore_ascii_case(known))?;
        Some(Value::from(*known))
    };
    match value {
        Value::Array(names) => {
            let mut types: Vec<Value> = names.iter().filter_map(known).collect();
            match types.len() {
                0 => None,
                1 => types.pop(),
                _ => Some(types.into()),
            }
        }
        name => known(name),
    }
}
