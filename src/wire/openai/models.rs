//! The list of models.

use serde::Serialize;

/// `GET /v1/models`
#[derive(Debug, Serialize)]
pub struct ModelList {
    pub object: &'static str,
    pub data: Vec<Model>,
}

/// A model. Beyond the first four, keys that clients of other servers look for:
/// without a context length several of them cut prompts short.
#[derive(Debug, Clone, Serialize)]
pub struct Model {
    pub id: String,
    pub object: &'static str,
    pub created: u64,
    pub owned_by: &'static str,
    pub name: String,
    /// Tokens, as OpenRouter calls them; what follows are Groq's, vLLM's and
    /// LM Studio's words for the same.
    pub context_length: u64,
    pub context_window: u64,
    pub max_model_len: u64,
    pub max_context_length: u64,
    pub max_input_tokens: u64,
    pub max_output_tokens: u64,
    pub max_completion_tokens: u64,
    pub architecture: Architecture,
    pub supported_parameters: Vec<&'static str>,
    pub top_provider: TopProvider,
    pub pricing: Pricing,
    /// Google has retired it, or will soon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor: Option<&'static str>,
}

/// OpenRouter's description of what a model reads and writes.
#[derive(Debug, Clone, Serialize)]
pub struct Architecture {
    /// `text+image->text`
    pub modality: String,
    pub input_modalities: Vec<&'static str>,
    pub output_modalities: Vec<&'static str>,
}

/// OpenRouter's, too.
#[derive(Debug, Clone, Serialize)]
pub struct TopProvider {
    pub context_length: u64,
    pub max_completion_tokens: u64,
    pub is_moderated: bool,
}

/// In dollars for a token. LibreChat believes a context length only beside prices.
#[derive(Debug, Clone, Serialize)]
pub struct Pricing {
    pub prompt: &'static str,
    pub completion: &'static str,
}
