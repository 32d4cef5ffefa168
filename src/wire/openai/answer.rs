//! What clients are answered: a whole completion, or chunks of one.

use serde::Serialize;

use super::ExtraContent;
use crate::wire::Text;

/// A whole answer.
#[derive(Debug, Serialize)]
pub struct ChatCompletion<'a> {
    pub id: &'a str,
    pub object: &'static str,
    /// Seconds since 1970.
    pub created: u64,
    pub model: &'a str,
    pub choices: Vec<Choice>,
    pub usage: Usage,
    /// Follows from the exact version of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_fingerprint: Option<&'a str>,
    /// Only for whoever asked for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<&'static str>,
}

impl ChatCompletion<'_> {
    /// Whether it has nothing in it, and no reason for that.
    pub fn is_empty(&self) -> bool {
        let stopped = |choice: &Choice| choice.finish_reason == FinishReason::Stop;
        let is_silent = |choice: &Choice| {
            let message = &choice.message;
            let has_text = message
                .content
                .as_deref()
                .is_some_and(|text| !text.is_empty());
            let has_calls = !message.tool_calls.is_empty() || message.function_call.is_some();
            !has_text && !has_calls && message.images.is_empty()
        };
        self.choices.iter().all(is_silent) && self.choices.iter().any(stopped)
    }
}

#[derive(Debug, Serialize)]
pub struct Choice {
    pub index: u32,
    pub message: AssistantMessage,
    pub logprobs: Option<Logprobs>,
    pub finish_reason: FinishReason,
}

#[derive(Debug, Serialize)]
pub struct AssistantMessage {
    pub role: &'static str,
    pub content: Option<String>,
    pub refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<AssistantToolCall<'static>>,
    /// In place of `tool_calls`, for whoever asked with `functions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_call: Option<AssistantFunction<'static>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<Annotation>,
    /// Not OpenAI's: what other servers do with a model's pictures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<OutputImage>,
    /// Google's: the thought signature of `content`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_content: Option<ExtraContent<'static>>,
}

/// Where something that the answer says was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Annotation {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub url_citation: UrlCitation,
}

/// Indexes count characters of `content`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UrlCitation {
    pub url: String,
    pub title: String,
    pub start_index: usize,
    pub end_index: usize,
}

/// A picture that the model made.
#[derive(Debug, Clone, Serialize)]
pub struct OutputImage {
    pub index: u32,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub image_url: OutputImageUrl,
}

#[derive(Debug, Clone, Serialize)]
pub struct OutputImageUrl {
    /// `data:image/png;base64,…`
    pub url: String,
}

/// How likely each token was.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct Logprobs {
    pub content: Vec<TokenLogprob>,
    pub refusal: Option<()>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenLogprob {
    #[serde(flatten)]
    pub token: Likelihood,
    pub top_logprobs: Vec<Likelihood>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Likelihood {
    pub token: String,
    pub logprob: f64,
    pub bytes: Vec<u8>,
}

/// A call the model makes.
#[derive(Debug, Serialize)]
pub struct AssistantToolCall<'a> {
    /// Counts within the choice; in streams only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<AssistantFunction<'a>>,
    /// In place of `function`, for a custom tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<AssistantCustomCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_content: Option<ExtraContent<'a>>,
}

#[derive(Debug, Serialize)]
pub struct AssistantFunction<'a> {
    pub name: Text<'a>,
    /// A JSON object, in a string.
    pub arguments: Text<'a>,
}

#[derive(Debug, Serialize)]
pub struct AssistantCustomCall<'a> {
    pub name: Text<'a>,
    pub input: String,
}

/// One event of a streamed answer.
#[derive(Debug, Serialize)]
pub struct ChatCompletionChunk<'a> {
    pub id: &'a str,
    pub object: &'static str,
    pub created: u64,
    pub model: &'a str,
    /// One, or none in the chunk that carries the usage.
    pub choices: &'a [ChunkChoice<'a>],
    /// Outer `None`: no key. Inner `None`: `null`, in every chunk but the last
    /// when the client asked for usage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Option<Usage>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_fingerprint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub struct ChunkChoice<'a> {
    pub index: u32,
    pub delta: ChunkDelta<'a>,
    pub logprobs: Option<Logprobs>,
    pub finish_reason: Option<FinishReason>,
}

/// What is new in a chunk: one kind of thing.
#[derive(Debug, Default, Serialize)]
pub struct ChunkDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<[AssistantToolCall<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_call: Option<AssistantFunction<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<&'a [Annotation]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<[OutputImage; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_content: Option<ExtraContent<'a>>,
}

/// The only words that clients know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
    /// Of old; for whoever asked with `functions`.
    FunctionCall,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Usage {
    pub prompt_tokens: u64,
    /// Includes the reasoning.
    pub completion_tokens: u64,
    pub total_tokens: u64,
    pub prompt_tokens_details: PromptTokensDetails,
    pub completion_tokens_details: CompletionTokensDetails,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PromptTokensDetails {
    pub cached_tokens: u64,
    pub audio_tokens: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CompletionTokensDetails {
    pub reasoning_tokens: u64,
    pub audio_tokens: u64,
    pub accepted_prediction_tokens: u64,
    pub rejected_prediction_tokens: u64,
}
