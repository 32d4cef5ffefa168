//! OpenAI's Responses API
//! (<https://platform.openai.com/docs/api-reference/responses>).
//!
//! A request shares most of its fields with a chat completion's, and is read as
//! one, too; here is what it has of its own. Some clients send such a body to the
//! chat completions.

use serde::de::{self, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::wire::object::{read_from_objects, written_as_well};
use crate::wire::openai::{self, Annotation, MessageContent, TokenLogprob};
use crate::wire::{Json, Lenient, Text};

/// The body of `POST /v1/responses`, but for what is chat's as well.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "ResponseRequest")]
pub struct ResponseRequest<'a> {
    #[serde(borrow)]
    pub input: Option<Input<'a>>,
    #[serde(borrow)]
    pub instructions: Option<Text<'a>>,
    #[serde(default, deserialize_with = "openai::whole_number")]
    pub max_output_tokens: Option<i64>,
    #[serde(borrow)]
    pub previous_response_id: Option<Text<'a>>,
    pub conversation: Option<IgnoredAny>,
    pub prompt: Option<IgnoredAny>,
    pub background: Option<bool>,
    pub text: Option<TextOptions>,
    pub include: Option<Vec<String>>,
    pub store: Option<bool>,
    pub reasoning: Option<SummaryOptions>,
    /// Only to be told again in the answer, as are the next three.
    pub metadata: Option<Value>,
    pub user: Option<Value>,
    pub truncation: Option<Value>,
    pub safety_identifier: Option<Value>,
}

/// A string, which is all that a user says, or a list of items.
#[derive(Debug)]
pub enum Input<'a> {
    Text(Text<'a>),
    Items(Vec<InputItem<'a>>),
}

/// One thing that was said or done; which fields matter depends on `type`, and what is
/// unknown may have any type.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "InputItem")]
pub struct InputItem<'a> {
    /// Absent from many a message.
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub role: Option<Text<'a>>,
    #[serde(borrow)]
    pub content: Option<MessageContent<'a>>,
    #[serde(borrow)]
    pub call_id: Option<Text<'a>>,
    #[serde(default, borrow)]
    pub name: Lenient<Text<'a>>,
    /// Where the called function is declared.
    #[serde(default, borrow)]
    pub namespace: Lenient<Text<'a>>,
    /// Of a `function_call`.
    #[serde(borrow)]
    pub arguments: Option<Json<'a>>,
    /// Of a `custom_tool_call`.
    #[serde(default, borrow)]
    pub input: Lenient<Text<'a>>,
    /// Of whatever answers a call: text, parts, or anything else.
    #[serde(borrow)]
    pub output: Option<Json<'a>>,
    /// Of `reasoning`: what its maker wants back.
    #[serde(default, borrow)]
    pub encrypted_content: Lenient<Text<'a>>,
}

/// `"text": {"format": …}`
#[derive(Debug, Deserialize)]
#[serde(remote = "TextOptions")]
pub struct TextOptions {
    pub format: Option<TextFormat>,
    /// Has no equal here.
    pub verbosity: Option<IgnoredAny>,
}

/// A `response_format` whose schema is not nested.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(remote = "TextFormat")]
pub struct TextFormat {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict: Option<Value>,
}

/// `"reasoning": {"summary": …}`; the effort is read as chat's.
#[derive(Debug, Deserialize)]
#[serde(remote = "SummaryOptions")]
pub struct SummaryOptions {
    pub effort: Option<Value>,
    pub summary: Option<Value>,
}

/// The answer: in the making, or made.
#[derive(Debug, Serialize)]
pub struct Response<'a> {
    /// `resp_…`
    pub id: &'a str,
    pub object: &'static str,
    /// Seconds since 1970.
    pub created_at: u64,
    pub completed_at: Option<u64>,
    pub status: Status,
    pub error: Option<ResponseError<'a>>,
    pub incomplete_details: Option<IncompleteDetails>,
    pub model: &'a str,
    pub output: &'a [OutputItem],
    pub usage: Option<ResponseUsage>,
    #[serde(flatten)]
    pub asked: &'a Asked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    InProgress,
    Completed,
    Incomplete,
    Failed,
}

#[derive(Debug, Serialize)]
pub struct ResponseError<'a> {
    pub code: &'a str,
    pub message: &'a str,
}

#[derive(Debug, Serialize)]
pub struct IncompleteDetails {
    /// `max_output_tokens` or `content_filter`
    pub reason: &'static str,
}

/// What the request asked for, told again.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    pub instructions: Option<String>,
    pub max_output_tokens: Option<i64>,
    pub parallel_tool_calls: bool,
    pub previous_response_id: Option<String>,
    pub reasoning: AskedReasoning,
    /// Whether the answer can be referred to later.
    pub store: bool,
    pub temperature: f64,
    pub text: AskedText,
    pub tool_choice: Value,
    /// Empty, whatever was given: every event of the stream's beginning repeats it.
    pub tools: [(); 0],
    pub top_p: f64,
    pub truncation: Value,
    pub user: Value,
    pub metadata: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety_identifier: Option<Value>,
}

#[derive(Debug, Clone, Serialize)]
pub struct AskedReasoning {
    pub effort: Option<Value>,
    pub summary: Option<Value>,
}

#[derive(Debug, Clone, Serialize)]
pub struct AskedText {
    pub format: TextFormat,
}

/// One thing in the answer.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OutputItem {
    Reasoning {
        id: String,
        summary: Vec<ContentOut>,
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<String>,
    },
    Message {
        id: String,
        status: Status,
        role: &'static str,
        content: Vec<ContentOut>,
    },
    FunctionCall {
        id: String,
        status: Status,
        call_id: String,
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
        arguments: String,
    },
    CustomToolCall {
        id: String,
        status: Status,
        call_id: String,
        name: String,
        input: String,
    },
    ImageGenerationCall {
        id: String,
        status: Status,
        /// Base64; absent while it is made.
        result: Option<String>,
    },
}

/// A part of an item.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ContentOut {
    SummaryText {
        text: String,
    },
    OutputText {
        text: String,
        annotations: Vec<FlatCitation>,
        logprobs: Vec<TokenLogprob>,
    },
    Refusal {
        refusal: String,
    },
}

/// Where something was found; chat nests these fields.
#[derive(Debug, Clone, Serialize)]
pub struct FlatCitation {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub url: String,
    pub title: String,
    pub start_index: usize,
    pub end_index: usize,
}

impl From<Annotation> for FlatCitation {
    fn from(annotation: Annotation) -> Self {
        let Annotation { kind, url_citation } = annotation;
        Self {
            kind,
            url: url_citation.url,
            title: url_citation.title,
            start_index: url_citation.start_index,
            end_index: url_citation.end_index,
        }
    }
}

/// Tokens.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ResponseUsage {
    pub input_tokens: u64,
    pub input_tokens_details: InputTokensDetails,
    /// Includes the reasoning.
    pub output_tokens: u64,
    pub output_tokens_details: OutputTokensDetails,
    pub total_tokens: u64,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct InputTokensDetails {
    pub cached_tokens: u64,
    pub cache_write_tokens: u64,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct OutputTokensDetails {
    pub reasoning_tokens: u64,
}

impl From<openai::Usage> for ResponseUsage {
    fn from(usage: openai::Usage) -> Self {
        Self {
            input_tokens: usage.prompt_tokens,
            input_tokens_details: InputTokensDetails {
                cached_tokens: usage.prompt_tokens_details.cached_tokens,
                cache_write_tokens: 0,
            },
            output_tokens: usage.completion_tokens,
            output_tokens_details: OutputTokensDetails {
                reasoning_tokens: usage.completion_tokens_details.reasoning_tokens,
            },
            total_tokens: usage.total_tokens,
        }
    }
}

/// One event of a streamed answer; which fields it has depends on `type`.
#[derive(Debug, Default, Serialize)]
pub struct ResponseEvent<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Counts from 0 without gaps.
    pub sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotation_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<&'a OutputItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<&'a ContentOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotation: Option<&'a FlatCitation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<&'a [TokenLogprob]>,
}

read_from_objects!(
    ResponseRequest<'a>,
    InputItem<'a>,
    TextOptions,
    TextFormat,
    SummaryOptions,
);

written_as_well!(TextFormat);

impl<'de: 'a, 'a> Deserialize<'de> for Input<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringOrItems;

        impl<'de> Visitor<'de> for StringOrItems {
            type Value = Input<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an array of items")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Input::Text(text.into()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Input::Text(text.to_owned().into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                Ok(Input::Items(all))
            }
        }

        deserializer.deserialize_any(StringOrItems)
    }
}
