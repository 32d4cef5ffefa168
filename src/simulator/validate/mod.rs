//! Google's rules for a request, in Google's words. What breaks one is our own
//! mistake, and must fail a test before it fails a user.

mod contents;
mod fields;
mod generation_config;
mod json_schema;
mod messages;
mod thinking;
mod thought_signatures;
mod tools;
mod turns;

use serde_json::Value;

pub(super) use self::fields::{Message, violations};
pub(super) use self::messages::{
    CODE_ASSIST_COUNT_ENVELOPE, CODE_ASSIST_ENVELOPE, GEMINI_API_COUNT_REQUEST, GEMINI_API_REQUEST,
    LOAD_CODE_ASSIST, ONBOARD_USER, RETRIEVE_USER_QUOTA,
};
use crate::simulator::errors::GoogleError;
use crate::simulator::models::Model;
use crate::simulator::signatures::Signatures;
use crate::simulator::state::Strict;

/// The largest request, with everything inline (ai.google.dev, "Files API").
const MAX_REQUEST_BYTES: usize = 20 * 1024 * 1024;

type Verdict = Result<(), GoogleError>;

/// Whether the whole body fits `message`, and in size.
pub(super) fn body(
    message: &'static Message,
    body: &Value,
    bytes: usize,
    strict: Strict,
) -> Verdict {
    if bytes > MAX_REQUEST_BYTES {
        return Err(GoogleError::invalid_argument(format!(
            "Request payload size exceeds the limit: {MAX_REQUEST_BYTES} bytes."
        )));
    }
    if strict.fields {
        let found = violations(message, body, "", strict.nulls);
        if !found.is_empty() {
            return Err(GoogleError::bad_request(&found));
        }
    }
    Ok(())
}

/// Every rule about a `GenerateContentRequest` beyond its fields.
pub(super) fn generate_content(
    request: &Value,
    model: &Model,
    signatures: &Signatures,
    strict: Strict,
) -> Verdict {
    if strict.turns {
        contents::check(request)?;
        turns::check_calls(request)?;
    }
    if strict.alternation {
        turns::check_alternation(request)?;
    }
    if strict.tools {
        tools::check(request, model)?;
    }
    if strict.parameters {
        generation_config::check(request, model)?;
        thinking::check(request, model)?;
    }
    if strict.signatures {
        thought_signatures::check(request, model, signatures)?;
    }
    Ok(())
}

/// Every rule about what is to be counted: Code Assist refuses thoughts here.
pub(super) fn count_tokens(contents: &Value, strict: Strict) -> Verdict {
    if !strict.turns {
        return Ok(());
    }
    for part in parts(contents) {
        if part["thought"].as_bool() == Some(true) {
            return Err(GoogleError::named("invalid_argument"));
        }
    }
    Ok(())
}

/// All elements, or none where there is no list.
fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// All parts of all contents.
fn parts(contents: &Value) -> impl Iterator<Item = &Value> {
    elements(contents)
        .iter()
        .flat_map(|content| elements(&content["parts"]))
}
