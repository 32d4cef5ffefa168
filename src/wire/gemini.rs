//! Gemini's `generateContent`: what both of Google's services are asked and
//! answer (<https://ai.google.dev/api/generate-content>). Unknown fields of an
//! answer are ignored, every enum is open, every field of an answer optional:
//! proto3 JSON leaves out zeros, empty lists and empty strings.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::wire::{Json, Text};

/// The body of `generateContent` and `streamGenerateContent`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerateContentRequest<'a> {
    pub contents: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_instruction: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_config: Option<ToolConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety_settings: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_content: Option<&'a str>,
    #[serde(skip_serializing_if = "GenerationConfig::is_empty")]
    pub generation_config: GenerationConfig,
}

/// One turn.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Content<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub role: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub parts: Option<Vec<Part<'a>>>,
}

/// A piece of a turn: exactly one data field, and flags beside it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text<'a>>,
    /// Whether this is a summary of the model's thinking, not its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thought: Option<bool>,
    /// Opaque; to be returned on the same part.
    #[serde(
        borrow,
        alias = "thought_signature",
        skip_serializing_if = "Option::is_none"
    )]
    pub thought_signature: Option<Text<'a>>,
    #[serde(
        borrow,
        alias = "function_call",
        skip_serializing_if = "Option::is_none"
    )]
    pub function_call: Option<FunctionCall<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub function_response: Option<FunctionResponse<'a>>,
    #[serde(borrow, alias = "inline_data", skip_serializing_if = "Option::is_none")]
    pub inline_data: Option<Blob<'a>>,
    #[serde(borrow, alias = "file_data", skip_serializing_if = "Option::is_none")]
    pub file_data: Option<FileData<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub executable_code: Option<ExecutableCode<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub code_execution_result: Option<CodeExecutionResult<'a>>,
}

impl<'a> Part<'a> {
    pub fn text(text: impl Into<Text<'a>>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::default()
        }
    }

    pub fn inline_data(mime_type: impl Into<Text<'a>>, data: impl Into<Text<'a>>) -> Self {
        let blob = Blob {
            mime_type: mime_type.into(),
            data: data.into(),
        };
        Self {
            inline_data: Some(blob),
            ..Self::default()
        }
    }

    pub fn file_data(file: FileData<'a>) -> Self {
        Self {
            file_data: Some(file),
            ..Self::default()
        }
    }

    pub fn function_call(call: FunctionCall<'a>) -> Self {
        Self {
            function_call: Some(call),
            ..Self::default()
        }
    }

    pub fn function_response(response: FunctionResponse<'a>) -> Self {
        Self {
            function_response: Some(response),
            ..Self::default()
        }
    }
}

/// The model asks for a function. `args` arrives whole, never in pieces.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FunctionCall<'a> {
    /// Gemini 3 sends one, Gemini 2.5 usually none.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub name: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Json<'a>>,
    /// The arguments come in pieces (`partialArgs`), which must be asked for.
    #[serde(default, rename = "willContinue", skip_serializing)]
    pub will_continue: Option<bool>,
}

/// What the function gave. `response` must be a JSON object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FunctionResponse<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub name: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Json<'a>>,
    /// Media that belong to it; from Gemini 3 on.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<Json<'a>>,
}

/// Bytes, as base64.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blob<'a> {
    #[serde(borrow, default, alias = "mime_type")]
    pub mime_type: Text<'a>,
    #[serde(borrow, default)]
    pub data: Text<'a>,
}

/// What Google fetches itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileData<'a> {
    #[serde(
        borrow,
        default,
        alias = "mime_type",
        skip_serializing_if = "Option::is_none"
    )]
    pub mime_type: Option<Text<'a>>,
    /// `gs://…`, a YouTube address, or another that is open to everyone.
    #[serde(borrow, default, alias = "file_uri")]
    pub file_uri: Text<'a>,
}

/// Code that the model's own sandbox ran.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ExecutableCode<'a> {
    #[serde(borrow, default)]
    pub language: Text<'a>,
    #[serde(borrow, default)]
    pub code: Text<'a>,
}

/// What that code printed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CodeExecutionResult<'a> {
    #[serde(borrow, default)]
    pub outcome: Text<'a>,
    #[serde(borrow, default)]
    pub output: Text<'a>,
}

/// One entry of `tools`; each holds one kind.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Tool<'a> {
    FunctionDeclarations(Vec<FunctionDeclaration<'a>>),
    GoogleSearch {},
    /// As the client gave it in Google's own words.
    #[serde(untagged)]
    Verbatim(&'a Value),
}

/// A function the model may ask for. The schema goes through the lenient door
/// (`parametersJsonSchema`), never through `parameters`, whose dialect is not
/// JSON Schema.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionDeclaration<'a> {
    pub name: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Text<'a>>,
    pub parameters_json_schema: Json<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolConfig {
    pub function_calling_config: FunctionCallingConfig,
    /// Demanded where Google's own tools stand beside functions.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub include_server_side_tool_invocations: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionCallingConfig {
    pub mode: FunctionCallingMode,
    /// Only with `ANY` and `VALIDATED`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_function_names: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FunctionCallingMode {
    Any,
    None,
    Validated,
}

/// How to generate. Absent fields are not sent: several models refuse a field
/// even at its default.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerationConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// At most five, none empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_sequences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_logprobs: Option<bool>,
    /// How many alternatives to each token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u32>,
    /// `TEXT`, `IMAGE`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_modalities: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_resolution: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_json_schema: Option<Value>,
    /// In its place: Google's own dialect of OpenAPI's schemas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_config: Option<ThinkingConfig>,
}

impl GenerationConfig {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Budget (Gemini 2.5) or level (Gemini 3); both together are a 400.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThinkingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_thoughts: Option<bool>,
    /// Tokens; 0 is off, -1 leaves it to the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_budget: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_level: Option<ThinkingLevel>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ThinkingLevel {
    Minimal,
    Low,
    Medium,
    High,
}

/// A whole answer, or one event of a stream.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerateContentResponse<'a> {
    #[serde(borrow)]
    pub candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow, alias = "prompt_feedback")]
    pub prompt_feedback: Option<PromptFeedback<'a>>,
    #[serde(alias = "usage_metadata")]
    pub usage_metadata: Option<UsageMetadata>,
    /// The exact model, such as `gemini-2.5-flash-preview-09-2025`.
    #[serde(borrow)]
    pub model_version: Option<Text<'a>>,
    /// In place of an answer, when it fails after HTTP said 200.
    #[serde(borrow)]
    pub error: Option<Json<'a>>,
}

/// One alternative answer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate<'a> {
    #[serde(borrow)]
    pub content: Option<Content<'a>>,
    /// On the last event that carries candidates.
    #[serde(borrow, alias = "finish_reason")]
    pub finish_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub finish_message: Option<Text<'a>>,
    /// Absent for the first.
    pub index: Option<u32>,
    #[serde(borrow)]
    pub grounding_metadata: Option<GroundingMetadata<'a>>,
    #[serde(borrow)]
    pub logprobs_result: Option<LogprobsResult<'a>>,
}

/// What a search found, and which parts of the answer rest on it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroundingMetadata<'a> {
    #[serde(borrow)]
    pub grounding_chunks: Option<Vec<GroundingChunk<'a>>>,
    pub grounding_supports: Option<Vec<GroundingSupport>>,
}

#[derive(Debug, Default, Deserialize)]
pub struct GroundingChunk<'a> {
    #[serde(borrow)]
    pub web: Option<WebPage<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub struct WebPage<'a> {
    #[serde(borrow)]
    pub uri: Option<Text<'a>>,
    #[serde(borrow)]
    pub title: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroundingSupport {
    pub segment: Option<Segment>,
    pub grounding_chunk_indices: Option<Vec<usize>>,
}

/// A part of the answer's text, in bytes of UTF-8. Absent means 0.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    pub start_index: Option<usize>,
    pub end_index: Option<usize>,
}

/// How likely each token was.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogprobsResult<'a> {
    #[serde(borrow)]
    pub chosen_candidates: Option<Vec<TokenCandidate<'a>>>,
    #[serde(borrow)]
    pub top_candidates: Option<Vec<TopCandidates<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
pub struct TopCandidates<'a> {
    #[serde(borrow)]
    pub candidates: Option<Vec<TokenCandidate<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenCandidate<'a> {
    #[serde(borrow, default)]
    pub token: Text<'a>,
    /// Protobuf's JSON has strings for what is no number: `"-Infinity"`.
    #[serde(default, deserialize_with = "number_or_name")]
    pub log_probability: Option<f64>,
}

fn number_or_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(f64),
        Name(String),
    }
    let given = Option::<Either>::deserialize(deserializer)?;
    Ok(given.map(|given| match given {
        Either::Number(number) => number,
        Either::Name(name) => name.parse().unwrap_or(f64::NAN),
    }))
}

/// Why a prompt was not answered at all; HTTP says 200.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromptFeedback<'a> {
    #[serde(borrow, alias = "block_reason")]
    pub block_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub block_reason_message: Option<Text<'a>>,
}

/// Token counts so far. Each event tells them anew, some of them or all; they are
/// never to be added up.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UsageMetadata {
    /// Includes what came from the cache.
    #[serde(deserialize_with = "count")]
    pub prompt_token_count: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub cached_content_token_count: Option<u64>,
    /// Excludes thoughts.
    #[serde(deserialize_with = "count")]
    pub candidates_token_count: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub thoughts_token_count: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub tool_use_prompt_token_count: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub total_token_count: Option<u64>,
}

/// A count that is none, such as -1, must not cost the answer it comes with.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_u64())
}

/// `GET /v1beta/models`, one page.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListModelsResponse {
    #[serde(default)]
    pub models: Vec<Model>,
    pub next_page_token: Option<String>,
}

/// A model, as the Gemini API describes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// `models/{id}`
    pub name: String,
    pub display_name: Option<String>,
    pub input_token_limit: Option<u64>,
    pub output_token_limit: Option<u64>,
    #[serde(default)]
    pub supported_generation_methods: Vec<String>,
}
