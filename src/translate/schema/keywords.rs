//! The keywords of a JSON Schema beyond those that Gemini knows: which of them can
//! be said otherwise, which are told in words, and which are lost.

use serde_json::{Map, Number, Value, json};

use super::path::Path;
use crate::translate::Notes;

/// Rules that the description tells, each in a few words.
const TOLD: &[&str] = &[
    "pattern",
    "minLength",
    "maxLength",
    "uniqueItems",
    "multipleOf",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
    "contentEncoding",
    "contentMediaType",
];

/// Rules for which a few words would not do.
const LOST: &[&str] = &[
    "not",
    "if",
    "contains",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Keywords that say something, though not to Gemini by this name.
const REWRITTEN: &[&str] = &["const", "allOf", "additionalItems", "nullable"];

/// Keywords that Gemini knows, but for those about references.
const KNOWN: &[&str] = &[
    "type",
    "format",
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

/// Of two of these the outer one holds.
const ANNOTATIONS: &[&str] = &["title", "description", "default"];

/// A pattern that is longer than this helps no model.
const MAX_WORDS: usize = 200;

/// Whether the keyword says something about the data here.
fn says_something(keyword: &str, value: &Value) -> bool {
    match keyword {
        "default" => !value.is_null(),
        "uniqueItems" | "nullable" => *value == json!(true),
        "minLength" | "minProperties" => *value != json!(0),
        "unevaluatedItems" | "unevaluatedProperties" => *value != json!(true),
        "propertyNames" => value
            .as_object()
            .is_some_and(|rule| rule.keys().any(|keyword| keyword != "type")),
        "exclusiveMinimum" | "exclusiveMaximum" => value.is_number(),
        _ => true,
    }
}

/// What stands beside a `$ref` and matters.
pub(super) fn siblings(schema: &Map<String, Value>) -> Vec<String> {
    let lists = [KNOWN, TOLD, LOST, REWRITTEN];
    let matters = |keyword: &str| lists.iter().any(|list| list.contains(&keyword));
    let siblings = schema
        .iter()
        .filter(|(keyword, value)| matters(keyword) && says_something(keyword, value));
    siblings.map(|(keyword, _)| keyword.clone()).collect()
}

/// Whether [`allow_null`], [`next_branch`], a reference or [`rewrite`] would change
/// anything in a schema itself.
pub(super) fn need_rewriting(schema: &Map<String, Value>) -> bool {
    schema
        .iter()
        .any(|(keyword, value)| match keyword.as_str() {
            "$ref" | "nullable" | "allOf" | "const" | "additionalItems" | "patternProperties"
            | "exclusiveMinimum" | "exclusiveMaximum" => true,
            "items" => !value.is_object(),
            "anyOf" | "oneOf" => value
                .as_array()
                .is_none_or(|either| either.len() < 2 || either.contains(&Value::Bool(false))),
            _ => false,
        })
}

/// `nullable`, OpenAPI's word, in JSON Schema's.
pub(super) fn allow_null(schema: &mut Map<String, Value>) {
    if schema.shift_remove("nullable") != Some(json!(true)) {
        return;
    }
    let null = json!({"type": "null"});
    let is_limited = ["enum", "const", "$ref", "allOf", "oneOf"]
        .iter()
        .any(|keyword| schema.contains_key(*keyword));
    if is_limited {
        let (outer, inner): (Map<_, _>, Map<_, _>) = std::mem::take(schema)
            .into_iter()
            .partition(|(keyword, _)| ANNOTATIONS.contains(&keyword.as_str()) || is_place(keyword));
        *schema = outer;
        schema.insert("anyOf".into(), vec![inner.into(), null].into());
        return;
    }
    if let Some(Value::Array(branches)) = schema.get_mut("anyOf") {
        branches.push(null);
    }
    match schema.get_mut("type") {
        Some(Value::Array(types)) if !types.contains(&json!("null")) => types.push("null".into()),
        Some(one) if one.is_string() && *one != "null" => *one = json!([one.take(), "null"]),
        _ => {}
    }
}

/// Where definitions stand: not a rule, wherever it is.
fn is_place(keyword: &str) -> bool {
    matches!(keyword, "$defs" | "definitions")
}

/// Takes out a schema that holds as well: one of `allOf`, or the only one of
/// `anyOf` or `oneOf`.
pub(super) fn next_branch(schema: &mut Map<String, Value>) -> Option<Value> {
    if let Some(Value::Array(mut all)) = schema.shift_remove("allOf")
        && !all.is_empty()
    {
        let first = all.remove(0);
        if !all.is_empty() {
            schema.insert("allOf".into(), all.into());
        }
        return Some(first);
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(Value::Array(either)) = schema.get_mut(keyword) {
            // Nothing satisfies `false`: it is no choice.
            either.retain(|branch| *branch != json!(false));
            if either.len() < 2 {
                let only = either.pop();
                schema.shift_remove(keyword);
                return Some(only.unwrap_or(Value::Bool(true)));
            }
        }
    }
    None
}

/// Adds what another schema demands as well.
pub(super) struct Merger<'n> {
    pub(super) path: Path<'n>,
    pub(super) notes: &'n mut Notes,
}

impl Merger<'_> {
    pub(super) fn merge(&mut self, whole: &mut Map<String, Value>, other: &Map<String, Value>) {
        let mut other = other.clone();
        allow_null(&mut other);
        for (keyword, value) in other {
            if is_place(&keyword) {
                continue;
            }
            match (keyword.as_str(), whole.get_mut(&keyword), value) {
                (_, None, value) => {
                    whole.insert(keyword, value);
                }
                ("properties", Some(Value::Object(known)), Value::Object(more)) => {
                    self.merge_properties(known, more);
                }
                ("required" | "allOf", Some(Value::Array(known)), Value::Array(more)) => {
                    for one in more {
                        if !known.contains(&one) {
                            known.push(one);
                        }
                    }
                }
                (annotation, Some(_), _) if ANNOTATIONS.contains(&annotation) => {}
                (_, Some(known), value) if *known == value => {}
                (keyword, Some(_), value) => {
                    if says_something(keyword, &value) && !siblings_of(keyword, value).is_empty() {
                        self.note(keyword);
                    }
                }
            }
        }
    }

    fn merge_properties(&mut self, known: &mut Map<String, Value>, more: Map<String, Value>) {
        for (name, schema) in more {
            match known.get(&name) {
                None => {
                    known.insert(name, schema);
                }
                Some(first) if *first == schema => {}
                Some(_) => self.note(&format!("properties.{name}")),
            }
        }
    }

    fn note(&mut self, what: &str) {
        let reason = "only the first of two is kept: Gemini has no allOf";
        let field = Path::Key(&self.path, what).to_string();
        self.notes.add(field, reason);
    }
}

fn siblings_of(keyword: &str, value: Value) -> Vec<String> {
    siblings(&Map::from_iter([(keyword.to_owned(), value)]))
}

/// Says in keywords that Gemini knows what is said in others.
pub(super) fn rewrite(schema: &mut Map<String, Value>) {
    if let Some(constant) = schema.shift_remove("const") {
        schema.insert("enum".into(), json!([constant]));
    }
    rewrite_items(schema);
    rewrite_bound(schema, "exclusiveMinimum", "minimum", 1);
    rewrite_bound(schema, "exclusiveMaximum", "maximum", -1);
    rewrite_pattern_properties(schema);
}

/// Tuples: a list in `items` is draft 7's word for `prefixItems`, and `false` where
/// more elements would be described means that there are none.
fn rewrite_items(schema: &mut Map<String, Value>) {
    let more = schema.shift_remove("additionalItems");
    if schema.get("items").is_some_and(Value::is_array) {
        let prefix = schema.shift_remove("items").unwrap_or_default();
        schema.insert("prefixItems".into(), prefix);
        schema.extend(more.map(|more| ("items".to_owned(), more)));
    }
    if schema.get("items") == Some(&json!(false)) {
        schema.shift_remove("items");
        let prefix = schema.get("prefixItems").and_then(Value::as_array);
        let length = prefix.map_or(0, Vec::len) as u64;
        let given = schema.get("maxItems").and_then(Value::as_u64);
        let most = given.map_or(length, |given| given.min(length));
        schema.insert("maxItems".into(), most.into());
    }
}

/// For integers "more than 0" is "1 at least".
fn rewrite_bound(schema: &mut Map<String, Value>, exclusive: &str, inclusive: &str, step: i64) {
    // Draft 4 had it as a flag.
    let bound = match schema.get(exclusive) {
        Some(Value::Bool(true)) => schema.shift_remove(inclusive),
        Some(Value::Bool(false)) | None => None,
        Some(bound) => Some(bound.clone()),
    };
    schema.shift_remove(exclusive);
    let Some(Value::Number(bound)) = bound else {
        return;
    };
    let next = if step > 0 {
        bound.as_f64().map(f64::floor)
    } else {
        bound.as_f64().map(f64::ceil)
    };
    // What fits a double without loss.
    let next = next.filter(|next| next.abs() < 9e15);
    let Some(next) = next.filter(|_| is_integer(schema)) else {
        schema.insert(exclusive.to_owned(), bound.into());
        return;
    };
    let next = next as i64 + step;
    let tighter = |given: &Number| match given.as_f64() {
        Some(given) => (given - next as f64) * step as f64 >= 0.0,
        None => false,
    };
    let given = schema.get(inclusive).and_then(Value::as_number);
    if !given.is_some_and(tighter) {
        schema.insert(inclusive.to_owned(), next.into());
    }
}

fn is_integer(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(Value::Array(types)) => types
            .iter()
            .all(|kind| *kind == "integer" || *kind == "null"),
        Some(kind) => *kind == "integer",
        None => false,
    }
}

/// Which names they are for can only be told, but not that there are more of them.
fn rewrite_pattern_properties(schema: &mut Map<String, Value>) {
    let Some(Value::Object(patterns)) = schema.get("patternProperties") else {
        return;
    };
    let mut schemas: Vec<Value> = patterns.values().cloned().collect();
    schemas.retain(|schema| *schema != json!(false));
    let others = match schemas.len() {
        0 => return,
        1 => schemas.remove(0),
        _ => json!({"anyOf": schemas}),
    };
    if matches!(
        schema.get("additionalProperties"),
        None | Some(Value::Bool(false))
    ) {
        schema.insert("additionalProperties".into(), others);
    }
}

/// Notes a rule that Gemini will not enforce. What is no rule needs no words.
pub(super) fn note_rule(keyword: &str, value: &Value, path: Path<'_>, notes: &mut Notes) {
    if !says_something(keyword, value) {
        return;
    }
    if TOLD.contains(&keyword) && words(keyword, value).is_some() {
        notes.add(
            path.to_string(),
            "told in words: Gemini does not enforce it",
        );
    } else if TOLD.contains(&keyword) || LOST.contains(&keyword) {
        notes.add(path.to_string(), "left out: Gemini has no equal");
    }
}

/// Adds to the description the rules that are not enforced.
pub(super) fn tell(whole: &Map<String, Value>, cleaned: &mut Map<String, Value>) {
    let told = TOLD.iter().filter_map(|keyword| {
        let value = whole.get(*keyword)?;
        says_something(keyword, value).then(|| words(keyword, value))?
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() {
        return;
    }
    let told = told.join(" ");
    let description = cleaned.get("description").and_then(Value::as_str);
    let description = match description.map(str::trim_end) {
        Some(own) if own.ends_with(['.', '!', '?', ':']) => format!("{own} {told}"),
        Some(own) if !own.is_empty() => format!("{own}. {told}"),
        _ => told,
    };
    cleaned.insert("description".into(), description.into());
}

/// A rule in words; none if it would take too many.
fn words(keyword: &str, value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Object(patterns) if keyword == "patternProperties" => {
            let patterns: Vec<&str> = patterns.keys().map(String::as_str).collect();
            patterns.join(" or ")
        }
        other => other.to_string(),
    };
    let words = match keyword {
        "pattern" => format!("Pattern: {text}."),
        "minLength" => format!("Characters: {text} at least."),
        "maxLength" => format!("Characters: {text} at most."),
        "uniqueItems" => "No duplicates.".to_owned(),
        "multipleOf" => format!("A multiple of {text}."),
        "exclusiveMinimum" => format!("More than {text}."),
        "exclusiveMaximum" => format!("Less than {text}."),
        "minProperties" => format!("Properties: {text} at least."),
        "maxProperties" => format!("Properties: {text} at most."),
        "patternProperties" => format!("Names of properties: {text}."),
        "propertyNames" => format!("Names of properties: {text}."),
        "contentEncoding" | "contentMediaType" => format!("Encoded as {text}."),
        _ => return None,
    };
    (words.len() <= MAX_WORDS).then_some(words)
}
