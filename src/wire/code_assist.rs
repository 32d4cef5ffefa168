//! The envelope that Code Assist puts around Gemini's requests and answers, and
//! its quota. (No public reference; the names are those of Google's own CLI.)

use serde::{Deserialize, Serialize};

use crate::wire::{Json, gemini};

/// Around `generateContent` and `streamGenerateContent`. The odd spellings are
/// the service's own.
#[derive(Debug, Serialize)]
pub struct GenerateRequest<'a> {
    /// Without `models/`.
    pub model: &'a str,
    pub project: &'a str,
    pub user_prompt_id: &'a str,
    pub request: &'a gemini::GenerateContentRequest<'a>,
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
}
