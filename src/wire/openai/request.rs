//! What clients ask: the body of `POST /v1/chat/completions`.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{small_whole_number, whole_number};
use crate::wire::object::{read_from_objects, written_as_well};
use crate::wire::{Json, Lenient, Text};

/// The body of `POST /v1/chat/completions`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "ChatRequest")]
pub struct ChatRequest<'a> {
    #[serde(borrow)]
    pub model: Option<Text<'a>>,
    #[serde(borrow)]
    pub messages: Option<Vec<Message<'a>>>,
    /// In place of `messages`, from clients that speak of Responses everywhere: then
    /// the body is read as a `ResponseRequest`, too. The three below belong to it.
    pub input: Option<IgnoredAny>,
    pub instructions: Option<IgnoredAny>,
    pub max_output_tokens: Option<IgnoredAny>,
    pub text: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "whole_number")]
    pub max_completion_tokens: Option<i64>,
    /// Deprecated by OpenAI, sent by many.
    #[serde(default, deserialize_with = "whole_number")]
    pub max_tokens: Option<i64>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    /// Not OpenAI's; sent by clients of local servers.
    #[serde(default, deserialize_with = "whole_number")]
    pub top_k: Option<i64>,
    #[serde(default, deserialize_with = "whole_number")]
    pub n: Option<i64>,
    pub stop: Option<OneOrMany>,
    pub presence_penalty: Option<f64>,
    pub frequency_penalty: Option<f64>,
    #[serde(default, deserialize_with = "whole_number")]
    pub seed: Option<i64>,
    pub response_format: Option<ResponseFormat>,
    #[serde(borrow)]
    pub tools: Option<Vec<Tool<'a>>>,
    pub tool_choice: Option<Value>,
    pub parallel_tool_calls: Option<bool>,
    pub stream: Option<bool>,
    #[serde(default)]
    pub stream_options: Lenient<StreamOptions>,
    #[serde(borrow)]
    pub reasoning_effort: Option<Text<'a>>,
    /// OpenRouter's way of asking for thought.
    #[serde(borrow)]
    pub reasoning: Option<Reasoning<'a>>,
    /// Anthropic's way.
    #[serde(borrow)]
    pub thinking: Option<Thinking<'a>>,
    /// OpenAI's: present, even as `{}`, asks for a web search.
    pub web_search_options: Option<Value>,
    pub logprobs: Option<bool>,
    #[serde(default, deserialize_with = "whole_number")]
    pub top_logprobs: Option<i64>,
    /// Deprecated by OpenAI; `tools` of today.
    #[serde(borrow)]
    pub functions: Option<Vec<Function<'a>>>,
    /// Deprecated by OpenAI; `tool_choice` of today.
    pub function_call: Option<Value>,
    pub modalities: Option<Vec<String>>,
    pub service_tier: Option<Value>,
    // These have no equal here; whether they were sent is all that is asked.
    pub audio: Option<IgnoredAny>,
    pub logit_bias: Option<IgnoredAny>,
    pub prediction: Option<IgnoredAny>,
    pub verbosity: Option<IgnoredAny>,
    /// Google's own extension: `{"google": {…}}`.
    pub extra_body: Option<ExtraBody>,
    /// The same, as the Python SDK merges it into the top level.
    pub google: Option<GoogleOptions>,
}

/// `{"effort": "low"}`, `{"max_tokens": 2000}`, `{"enabled": false}`
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Reasoning")]
pub struct Reasoning<'a> {
    #[serde(borrow)]
    pub effort: Option<Text<'a>>,
    #[serde(default, deserialize_with = "small_whole_number")]
    pub max_tokens: Option<i32>,
    pub enabled: Option<bool>,
    /// Think, but do not show it.
    pub exclude: Option<bool>,
}

/// `{"type": "enabled", "budget_tokens": 2000}`
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Thinking")]
pub struct Thinking<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(default, deserialize_with = "small_whole_number")]
    pub budget_tokens: Option<i32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "StreamOptions")]
pub struct StreamOptions {
    pub include_usage: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "ExtraBody")]
pub struct ExtraBody {
    pub google: Option<GoogleOptions>,
}

/// What Google's OpenAI-compatible endpoint takes beyond OpenAI's fields.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "GoogleOptions")]
pub struct GoogleOptions {
    #[serde(alias = "thinkingConfig")]
    pub thinking_config: Option<ThinkingConfig>,
    #[serde(alias = "cachedContent")]
    pub cached_content: Option<String>,
    #[serde(alias = "safetySettings")]
    pub safety_settings: Option<Value>,
    #[serde(alias = "mediaResolution")]
    pub media_resolution: Option<String>,
    /// Gemini's own tools, passed on as they are.
    pub tools: Option<Vec<Value>>,
    /// Thoughts go into the answer, between tags of this name.
    #[serde(alias = "thoughtTagMarker")]
    pub thought_tag_marker: Option<String>,
}

/// Gemini's `thinkingConfig`, in either spelling.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "ThinkingConfig")]
pub struct ThinkingConfig {
    #[serde(alias = "includeThoughts")]
    pub include_thoughts: Option<bool>,
    #[serde(
        default,
        alias = "thinkingBudget",
        deserialize_with = "small_whole_number"
    )]
    pub thinking_budget: Option<i32>,
    #[serde(alias = "thinkingLevel")]
    pub thinking_level: Option<String>,
}

/// `"stop": "END"` or `"stop": ["END", …]`.
#[derive(Debug)]
pub struct OneOrMany(pub Vec<String>);

#[derive(Debug, Deserialize)]
#[serde(remote = "ResponseFormat")]
pub struct ResponseFormat {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub json_schema: Option<JsonSchemaFormat>,
    /// Beside `json_object`, as other servers take it.
    pub schema: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "JsonSchemaFormat")]
pub struct JsonSchemaFormat {
    pub description: Option<Value>,
    pub schema: Option<Value>,
}

/// One message of the conversation; which fields matter depends on `role`, and no
/// message fails over one that does not.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Message")]
pub struct Message<'a> {
    #[serde(borrow)]
    pub role: Option<Text<'a>>,
    #[serde(borrow)]
    pub content: Option<MessageContent<'a>>,
    /// What the assistant said instead of an answer.
    #[serde(default, borrow)]
    pub refusal: Lenient<Text<'a>>,
    #[serde(default, borrow)]
    pub name: Lenient<Text<'a>>,
    #[serde(borrow)]
    pub tool_calls: Option<Vec<ToolCall<'a>>>,
    #[serde(default, borrow)]
    pub tool_call_id: Lenient<Text<'a>>,
    /// Of old, before there were several calls; answered by the role `function`.
    #[serde(default, borrow)]
    pub function_call: Lenient<CalledFunction<'a>>,
    /// What Google's own OpenAI endpoint takes and gives beyond OpenAI's fields.
    #[serde(default, borrow)]
    pub extra_content: Lenient<ExtraContent<'a>>,
}

/// A string, or a list of parts.
#[derive(Debug)]
pub enum MessageContent<'a> {
    Text(Text<'a>),
    Parts(Vec<ContentPart<'a>>),
}

/// A part of a message; which fields matter depends on `type`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "ContentPart")]
pub struct ContentPart<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub text: Option<Text<'a>>,
    #[serde(borrow)]
    pub refusal: Option<Text<'a>>,
    #[serde(borrow)]
    pub image_url: Option<ImageUrl<'a>>,
    /// Not OpenAI's; other servers' clients send these two.
    #[serde(borrow)]
    pub audio_url: Option<ImageUrl<'a>>,
    #[serde(borrow)]
    pub video_url: Option<ImageUrl<'a>>,
    #[serde(borrow)]
    pub input_audio: Option<InputAudio<'a>>,
    #[serde(borrow)]
    pub file: Option<File<'a>>,
    // Responses do not nest these.
    #[serde(default, borrow)]
    pub detail: Lenient<Text<'a>>,
    #[serde(default, borrow)]
    pub file_data: Lenient<Text<'a>>,
    #[serde(default, borrow)]
    pub filename: Lenient<Text<'a>>,
    // Where OpenAI would look for the medium; whether they were sent is all that is asked.
    pub file_id: Option<IgnoredAny>,
    pub file_url: Option<IgnoredAny>,
}

/// `{"url": …}`; some clients send the bare string.
#[derive(Debug)]
pub struct ImageUrl<'a> {
    pub url: Text<'a>,
    /// `low`, `high` or `auto`
    pub detail: Lenient<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "InputAudio")]
pub struct InputAudio<'a> {
    /// Base64, or a whole data URL.
    #[serde(borrow)]
    pub data: Option<Text<'a>>,
    #[serde(borrow)]
    pub format: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "File")]
pub struct File<'a> {
    /// A data URL, or bare base64.
    #[serde(borrow)]
    pub file_data: Option<Text<'a>>,
    #[serde(borrow)]
    pub filename: Option<Text<'a>>,
    #[serde(borrow)]
    pub file_id: Option<Text<'a>>,
}

/// A call that the assistant made, as the client gives it back.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "ToolCall")]
pub struct ToolCall<'a> {
    /// Says no more than which of `function` and `custom` there is.
    #[serde(rename = "type")]
    pub kind: Option<Value>,
    /// Of the stream that it came in.
    pub index: Option<Value>,
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub function: Option<CalledFunction<'a>>,
    /// In place of `function`, for a custom tool.
    #[serde(borrow)]
    pub custom: Option<CalledCustomTool<'a>>,
    #[serde(default, borrow)]
    pub extra_content: Lenient<ExtraContent<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "CalledFunction")]
pub struct CalledFunction<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    /// JSON in a string; an object is understood, too.
    #[serde(borrow)]
    pub arguments: Option<Json<'a>>,
}

/// A custom tool takes text, not JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "CalledCustomTool")]
pub struct CalledCustomTool<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub input: Option<Text<'a>>,
}

/// Where Google's OpenAI-compatible endpoint carries thought signatures.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(remote = "ExtraContent")]
pub struct ExtraContent<'a> {
    #[serde(borrow)]
    pub google: Option<GoogleContent<'a>>,
    /// The same, from clients of Vertex AI; only read.
    #[serde(borrow, skip_serializing)]
    pub vertex: Option<GoogleContent<'a>>,
}

impl<'a> ExtraContent<'a> {
    pub fn signature(signature: impl Into<Text<'a>>) -> Self {
        let google = GoogleContent {
            thought_signature: Some(signature.into()),
            parts: None,
        };
        Self {
            google: Some(google),
            vertex: None,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(remote = "GoogleContent")]
pub struct GoogleContent<'a> {
    #[serde(borrow)]
    pub thought_signature: Option<Text<'a>>,
    /// Of a tool's result: media, in Gemini's own words; only read.
    #[serde(borrow, skip_serializing)]
    pub parts: Option<Json<'a>>,
}

/// A function the model may call. The Responses API's flat shape is understood.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Tool")]
pub struct Tool<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub function: Option<Function<'a>>,
    #[serde(borrow)]
    pub custom: Option<CustomTool<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub description: Option<Text<'a>>,
    #[serde(borrow)]
    pub parameters: Option<Json<'a>>,
    /// Of a namespace, which is Responses' alone.
    #[serde(borrow)]
    pub tools: Option<Vec<Self>>,
    /// Of a custom tool in the flat shape.
    pub format: Option<Value>,
}

/// A tool that takes free text, or text of some grammar.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "CustomTool")]
pub struct CustomTool<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub description: Option<Text<'a>>,
    pub format: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Function")]
pub struct Function<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub description: Option<Text<'a>>,
    /// JSON Schema.
    #[serde(borrow)]
    pub parameters: Option<Json<'a>>,
}

read_from_objects!(
    ChatRequest<'a>,
    Reasoning<'a>,
    Thinking<'a>,
    StreamOptions,
    ExtraBody,
    GoogleOptions,
    ThinkingConfig,
    ResponseFormat,
    JsonSchemaFormat,
    Message<'a>,
    ContentPart<'a>,
    InputAudio<'a>,
    File<'a>,
    ToolCall<'a>,
    CalledFunction<'a>,
    CalledCustomTool<'a>,
    ExtraContent<'a>,
    GoogleContent<'a>,
    Tool<'a>,
    CustomTool<'a>,
    Function<'a>,
);

written_as_well!(ExtraContent<'a>, GoogleContent<'a>);
