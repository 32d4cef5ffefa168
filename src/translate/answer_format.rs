//! The format that an answer is asked for in.

use serde_json::Value;

use super::{Notes, Rejection, schema};
use crate::wire::openai;

/// `None`: any text. `Some(None)`: JSON. `Some(Some(schema))`: JSON of this schema.
pub(super) fn asked(
    chat: &openai::ChatRequest<'_>,
    notes: &mut Notes,
) -> Result<Option<Option<Value>>, Rejection> {
    let Some(format) = &chat.response_format else {
        return Ok(None);
    };
    match format.kind.as_deref() {
        None | Some("text") => Ok(None),
        Some("json_object") => {
            let schema = format.schema.as_ref();
            let clean = |schema| schema::clean(schema, "response_format.schema", notes);
            Ok(Some(schema.map(clean)))
        }
        Some("json_schema") => {
            let given = format.json_schema.as_ref();
            let Some(schema) = given.and_then(|given| given.schema.as_ref()) else {
                return Err(Rejection::missing("response_format.json_schema.schema"));
            };
            let field = "response_format.json_schema.schema";
            let mut schema = schema::clean(schema, field, notes);
            let description = given.and_then(|given| given.description.as_ref()?.as_str());
            if let Some(description) = description.filter(|text| !text.is_empty()) {
                describe(&mut schema, description);
            }
            Ok(Some(Some(schema)))
        }
        Some(kind) => {
            let message = format!(
                "Invalid value: '{kind}'. Supported values are: 'text', 'json_object' and 'json_schema'."
            );
            Err(Rejection::new(
                "invalid_value",
                "response_format.type",
                message,
            ))
        }
    }
}

/// What the whole format is for, before the schema's own words for itself. (The root
/// is never a mere reference, which nothing may stand beside.)
fn describe(schema: &mut Value, of_the_format: &str) {
    let Value::Object(schema) = schema else {
        return;
    };
    let both = match schema.get("description").and_then(Value::as_str) {
        Some(own) if own != of_the_format => format!("{of_the_format}\n{own}"),
        _ => of_the_format.to_owned(),
    };
    schema.insert("description".to_owned(), both.into());
}

/// What a model is told that cannot be held to a format.
pub(super) fn in_words(schema: Option<Value>) -> String {
    match schema {
        Some(schema) => format!(
            "Reply with one JSON value that matches this JSON Schema, no prose, no code fence: {schema}"
        ),
        None => "Reply with one JSON value, no prose, no code fence.".to_owned(),
    }
}
