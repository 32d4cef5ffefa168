//! `countTokens`: how long a request is
//! (<https://ai.google.dev/api/tokens>; the envelope is that of Google's own CLI).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What is counted of a `GenerateContentRequest`, as it stands there.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counted<'a> {
    /// With `models/`; stands in the request only here.
    #[serde(default)]
    pub model: String,
    #[serde(borrow)]
    pub contents: &'a RawValue,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub system_instruction: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub tools: Option<&'a RawValue>,
}

/// To the Gemini API.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CountTokensRequest<'a> {
    pub generate_content_request: Counted<'a>,
}

/// To Code Assist: neither model nor project stand beside `request`.
#[derive(Debug, Serialize)]
pub struct EnvelopedCount<'a> {
    pub request: Counted<'a>,
}

/// From either.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountTokensResponse {
    /// Absent for none.
    #[serde(default)]
    pub total_tokens: u64,
}
