//! OpenAI's chat completions, models and errors
//! (<https://platform.openai.com/docs/api-reference/chat>).
//!
//! Requests: unknown fields are ignored and `null` means absent. Answers: clients
//! parse strictly, so that nothing is added to OpenAI's own but what some of
//! them are known to look for.

use serde::de::{
    self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::{Json, Lenient, Text};

/// The body of `POST /v1/chat/completions`.
#[derive(Debug, Default, Deserialize)]
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
    pub stream_options: Option<StreamOptions>,
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
pub struct Reasoning<'a> {
    #[serde(borrow)]
    pub effort: Option<Text<'a>>,
    pub max_tokens: Option<i32>,
    pub enabled: Option<bool>,
    /// Think, but do not show it.
    pub exclude: Option<bool>,
}

/// `{"type": "enabled", "budget_tokens": 2000}`
#[derive(Debug, Default, Deserialize)]
pub struct Thinking<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    pub budget_tokens: Option<i32>,
}

#[derive(Debug, Default, Deserialize)]
pub struct StreamOptions {
    pub include_usage: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
pub struct ExtraBody {
    pub google: Option<GoogleOptions>,
}

/// What Google's OpenAI-compatible endpoint takes beyond OpenAI's fields.
#[derive(Debug, Default, Deserialize)]
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
pub struct ThinkingConfig {
    #[serde(alias = "includeThoughts")]
    pub include_thoughts: Option<bool>,
    #[serde(alias = "thinkingBudget")]
    pub thinking_budget: Option<i32>,
    #[serde(alias = "thinkingLevel")]
    pub thinking_level: Option<String>,
}

/// `"stop": "END"` or `"stop": ["END", …]`.
#[derive(Debug)]
pub struct OneOrMany(pub Vec<String>);

#[derive(Debug, Deserialize)]
pub struct ResponseFormat {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub json_schema: Option<JsonSchemaFormat>,
    /// Beside `json_object`, as other servers take it.
    pub schema: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub struct JsonSchemaFormat {
    pub schema: Option<Value>,
}

/// One message of the conversation; which fields matter depends on `role`.
#[derive(Debug, Default, Deserialize)]
pub struct Message<'a> {
    #[serde(borrow)]
    pub role: Option<Text<'a>>,
    #[serde(borrow)]
    pub content: Option<MessageContent<'a>>,
    /// What the assistant said instead of an answer.
    #[serde(borrow)]
    pub refusal: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub tool_calls: Option<Vec<ToolCall<'a>>>,
    #[serde(borrow)]
    pub tool_call_id: Option<Text<'a>>,
    /// Of old, before there were several calls; answered by the role `function`.
    #[serde(borrow)]
    pub function_call: Option<CalledFunction<'a>>,
    /// What Google's own OpenAI endpoint takes and gives beyond OpenAI's fields.
    #[serde(borrow)]
    pub extra_content: Option<ExtraContent<'a>>,
}

/// A string, or a list of parts.
#[derive(Debug)]
pub enum MessageContent<'a> {
    Text(Text<'a>),
    Parts(Vec<ContentPart<'a>>),
}

/// A part of a message; which fields matter depends on `type`.
#[derive(Debug, Default, Deserialize)]
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
}

/// `{"url": …}`; some clients send the bare string.
#[derive(Debug)]
pub struct ImageUrl<'a> {
    pub url: Text<'a>,
    /// `low`, `high` or `auto`
    pub detail: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub struct InputAudio<'a> {
    /// Base64, or a whole data URL.
    #[serde(borrow)]
    pub data: Option<Text<'a>>,
    #[serde(borrow)]
    pub format: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
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
    #[serde(borrow)]
    pub extra_content: Option<ExtraContent<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub struct CalledFunction<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    /// JSON in a string; an object is understood, too.
    #[serde(borrow)]
    pub arguments: Option<Json<'a>>,
}

/// A custom tool takes text, not JSON.
#[derive(Debug, Default, Deserialize)]
pub struct CalledCustomTool<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub input: Option<Text<'a>>,
}

/// Where Google's OpenAI-compatible endpoint carries thought signatures.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
pub struct GoogleContent<'a> {
    #[serde(borrow)]
    pub thought_signature: Option<Text<'a>>,
    /// Of a tool's result: media, in Gemini's own words; only read.
    #[serde(borrow, skip_serializing)]
    pub parts: Option<Json<'a>>,
}

/// A function the model may call. The Responses API's flat shape is understood.
#[derive(Debug, Default, Deserialize)]
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
    pub parameters: Option<Value>,
    /// Of a namespace, which is Responses' alone.
    #[serde(borrow)]
    pub tools: Option<Vec<Self>>,
    /// Of a custom tool in the flat shape.
    pub format: Option<Value>,
}

/// A tool that takes free text, or text of some grammar.
#[derive(Debug, Default, Deserialize)]
pub struct CustomTool<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub description: Option<Text<'a>>,
    pub format: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
pub struct Function<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub description: Option<Text<'a>>,
    /// JSON Schema.
    pub parameters: Option<Value>,
}

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
        self.choices.iter().all(|choice| {
            let message = &choice.message;
            choice.finish_reason == FinishReason::Stop
                && message.content.as_deref().unwrap_or_default().is_empty()
                && message.images.is_empty()
        })
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

/// The error envelope. All four keys are always present.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    pub error: ErrorDetail<'a>,
}

#[derive(Debug, Serialize)]
pub struct ErrorDetail<'a> {
    pub message: &'a str,
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub param: Option<&'a str>,
    pub code: Option<&'a str>,
}

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

/// Clients whose language has one kind of number write `100.0`.
pub(crate) fn whole_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let whole = number
        .as_f64()
        .filter(|number| number.fract() == 0.0)
        .map(|number| number as i64);
    match number.as_i64().or(whole) {
        Some(number) => Ok(Some(number)),
        None => Err(de::Error::custom(format_args!(
            "expected an integer, got {number}"
        ))),
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for MessageContent<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringOrParts;

        impl<'de> Visitor<'de> for StringOrParts {
            type Value = MessageContent<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an array of content parts")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(MessageContent::Text(text.into()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(MessageContent::Text(text.to_owned().into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(PartOrString(part)) = parts.next_element()? {
                    all.push(part);
                }
                Ok(MessageContent::Parts(all))
            }
        }

        deserializer.deserialize_any(StringOrParts)
    }
}

/// Some clients put bare strings among the parts.
struct PartOrString<'a>(ContentPart<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for PartOrString<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = PartOrString<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a content part")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let text = Some(text.to_owned().into());
                Ok(PartOrString(ContentPart {
                    kind: Some("text".into()),
                    text,
                    ..ContentPart::default()
                }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                ContentPart::deserialize(MapAccessDeserializer::new(map)).map(PartOrString)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ImageUrl<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Object<'a> {
            #[serde(borrow)]
            url: Text<'a>,
            #[serde(borrow)]
            detail: Option<Text<'a>>,
        }

        struct StringOrObject;

        impl<'de> Visitor<'de> for StringOrObject {
            type Value = ImageUrl<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with a url, or a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, url: &'de str) -> Result<Self::Value, E> {
                let url = url.into();
                Ok(ImageUrl { url, detail: None })
            }

            fn visit_str<E: de::Error>(self, url: &str) -> Result<Self::Value, E> {
                let url = url.to_owned().into();
                Ok(ImageUrl { url, detail: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let Object { url, detail } = Object::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ImageUrl { url, detail })
            }
        }

        deserializer.deserialize_any(StringOrObject)
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringOrList;

        impl<'de> Visitor<'de> for StringOrList {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_str<E: de::Error>(self, one: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![one.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = list.next_element()? {
                    all.push(one);
                }
                Ok(OneOrMany(all))
            }
        }

        deserializer.deserialize_any(StringOrList)
    }
}
