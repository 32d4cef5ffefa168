//! The envelope that Code Assist puts around Gemini's requests and answers, and
//! its quota. (No public reference; the names are those of Google's own CLI.)

use serde::{Deserialize, Serialize};

use crate::wire::{Json, gemini};

/// Around `generateContent` and `streamGenerateContent`: beside these stands
/// `request`. The odd spellings are the service's own.
#[derive(Debug, Serialize)]
pub struct Envelope<'a> {
    /// Without `models/`.
    pub model: &'a str,
    pub project: &'a str,
    pub user_prompt_id: &'a str,
}

impl Envelope<'_> {
    /// The whole body around a request that is JSON already, and may be megabytes.
    pub fn around(&self, request: &[u8]) -> serde_json::Result<Vec<u8>> {
        let mut body = Vec::with_capacity(request.len() + 256);
        serde_json::to_writer(&mut body, self)?;
        body.pop();
        body.extend_from_slice(b",\"request\":");
        body.extend_from_slice(request);
        body.push(b'}');
        Ok(body)
    }
}

/// Around each answer and each event. `response` may be missing altogether.
#[derive(Debug, Deserialize)]
pub struct GenerateResponse<'a> {
    #[serde(borrow)]
    pub response: Option<gemini::GenerateContentResponse<'a>>,
    /// In place of an answer, when it fails after HTTP said 200.
    #[serde(borrow)]
    pub error: Option<Json<'a>>,
}

/// `retrieveUserQuota`.
#[derive(Debug, Serialize)]
pub struct QuotaRequest<'a> {
    pub project: &'a str,
}

/// What is left for each model: the only list of models that Code Assist gives.
#[derive(Debug, Deserialize)]
pub struct QuotaResponse {
    #[serde(default)]
    pub buckets: Vec<QuotaBucket>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotaBucket {
    pub model_id: Option<String>,
    /// What is counted: `REQUESTS`.
    pub token_type: Option<String>,
    /// Missing when nothing is left, as zeros are in Google's JSON.
    pub remaining_fraction: Option<f64>,
    /// An int64, hence a string; often missing.
    pub remaining_amount: Option<String>,
    /// RFC 3339.
    pub reset_time: Option<String>,
}
