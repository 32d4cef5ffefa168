//! OpenAI's completions of old, which some clients still ask for
//! (<https://platform.openai.com/docs/api-reference/completions>).

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::object::read_from_objects;
use super::openai::{
    ExtraBody, FinishReason, GoogleOptions, OneOrMany, Reasoning, StreamOptions, Thinking, Usage,
    whole_number,
};
use super::{Lenient, Text};

/// The body of `POST /v1/completions`. What chat knows, too, has the same meaning.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "CompletionRequest")]
pub struct CompletionRequest<'a> {
    #[serde(borrow)]
    pub model: Option<Text<'a>>,
    /// Texts only. OpenAI takes tokens, too, but they are not Gemini's.
    pub prompt: Option<OneOrMany>,
    /// What comes after the text that is wanted.
    pub suffix: Option<String>,
    /// The answer begins with the prompt.
    pub echo: Option<bool>,
    #[serde(default, deserialize_with = "whole_number")]
    pub best_of: Option<i64>,
    #[serde(default, deserialize_with = "whole_number")]
    pub max_tokens: Option<i64>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    #[serde(default, deserialize_with = "whole_number")]
    pub top_k: Option<i64>,
    #[serde(default, deserialize_with = "whole_number")]
    pub n: Option<i64>,
    pub stop: Option<OneOrMany>,
    pub presence_penalty: Option<f64>,
    pub frequency_penalty: Option<f64>,
    #[serde(default, deserialize_with = "whole_number")]
    pub seed: Option<i64>,
    pub stream: Option<bool>,
    #[serde(default)]
    pub stream_options: Lenient<StreamOptions>,
    // These have no equal here; whether they were sent is all that is asked.
    pub logprobs: Option<IgnoredAny>,
    pub logit_bias: Option<IgnoredAny>,
    // Not OpenAI's; as for chat.
    #[serde(borrow)]
    pub reasoning_effort: Option<Text<'a>>,
    #[serde(borrow)]
    pub reasoning: Option<Reasoning<'a>>,
    #[serde(borrow)]
    pub thinking: Option<Thinking<'a>>,
    pub extra_body: Option<ExtraBody>,
    pub google: Option<GoogleOptions>,
}

/// A whole answer, or one event of a streamed one.
#[derive(Debug, Serialize)]
pub struct Completion<'a> {
    /// `cmpl-…`
    pub id: &'a str,
    pub object: &'static str,
    /// Seconds since 1970.
    pub created: u64,
    pub model: &'a str,
    pub choices: Vec<CompletionChoice<'a>>,
    /// Outer `None`: no key. Inner `None`: `null`, in every event but the last
    /// when the client asked for usage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Option<Usage>>,
}

#[derive(Debug, Serialize)]
pub struct CompletionChoice<'a> {
    pub text: Text<'a>,
    pub index: u32,
    pub logprobs: Option<()>,
    /// `null` in every event of a choice but the last.
    pub finish_reason: Option<FinishReason>,
}

read_from_objects!(CompletionRequest<'a>);
