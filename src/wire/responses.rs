//! The conversation as OpenAI's Responses API writes it
//! (<https://platform.openai.com/docs/api-reference/responses/create>). Some
//! clients send it to the chat completions, too.

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use crate::wire::openai::{JsonSchemaFormat, MessageContent, ResponseFormat};
use crate::wire::{Json, Text};

/// A string, which is all that a user says, or a list of items.
#[derive(Debug)]
pub enum Input<'a> {
    Text(Text<'a>),
    Items(Vec<InputItem<'a>>),
}

/// One thing that was said or done; which fields matter depends on `type`.
#[derive(Debug, Default, Deserialize)]
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
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    /// Of a `function_call`.
    #[serde(borrow)]
    pub arguments: Option<Json<'a>>,
    /// Of a `custom_tool_call`.
    #[serde(borrow)]
    pub input: Option<Text<'a>>,
    /// Of whatever answers a call.
    #[serde(borrow)]
    pub output: Option<MessageContent<'a>>,
}

/// `"text": {"format": …}`
#[derive(Debug, Deserialize)]
pub struct TextOptions {
    pub format: Option<TextFormat>,
}

/// A `response_format` whose schema is not nested.
#[derive(Debug, Deserialize)]
pub struct TextFormat {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub schema: Option<serde_json::Value>,
}

impl From<TextFormat> for ResponseFormat {
    fn from(format: TextFormat) -> Self {
        let schema = format.schema;
        Self {
            kind: format.kind,
            json_schema: Some(JsonSchemaFormat { schema }),
            schema: None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Input<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringOrItems;

        impl<'de> Visitor<'de> for StringOrItems {
            type Value = Input<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an array of items")
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
