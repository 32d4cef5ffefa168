//! A Responses request as a chat request.

use serde_json::Value;

use super::fields::{Fields, Place};
use super::items::Items;
use super::namespaces::Namespaces;
use super::seal::Seal;
use crate::models;
use crate::translate::{Notes, Rejection};
use crate::wire::openai::{ChatRequest, JsonSchemaFormat, MessageContent, ResponseFormat};
use crate::wire::responses::{
    Asked, AskedReasoning, AskedText, Input, ResponseRequest, TextFormat,
};

/// What a chat request cannot say of the Responses request that it was made from.
#[derive(Debug, Clone)]
pub struct Told {
    pub fields: Fields,
    pub namespaces: Namespaces,
    /// In the client's own words.
    pub notes: Notes,
    /// For the answer.
    pub asked: Asked,
}

/// Writes what is of the Responses' own into `chat`, which has been read from the
/// same body. `remembered` items at the beginning are the server's.
pub fn as_chat<'a>(
    given: ResponseRequest<'a>,
    chat: &mut ChatRequest<'a>,
    seal: &Seal,
    remembered: usize,
) -> Result<Told, Rejection> {
    refuse_what_is_kept(&given)?;
    let asked = asked(&given, chat);
    let model = models::without_prefix(chat.model.as_deref().unwrap_or_default()).to_owned();
    let mut items = Items::new(seal, &model, remembered);
    if let Some(instructions) = given.instructions {
        items.say(
            "system",
            MessageContent::Text(instructions),
            Place::Instructions,
        );
    }
    match given.input {
        Some(Input::Text(text)) => items.say("user", MessageContent::Text(text), Place::Input),
        Some(Input::Items(given)) => {
            for (item, nth) in given.into_iter().zip(0..) {
                items.add(item, nth)?;
            }
        }
        None => return Err(Rejection::missing("input")),
    }
    let Items {
        messages,
        mut fields,
        mut notes,
        ..
    } = items;
    if messages.is_empty() {
        let message = "'input' holds nothing that can be told to the model.";
        return Err(Rejection::new("invalid_value", "input", message));
    }
    if chat
        .messages
        .as_ref()
        .is_some_and(|given| !given.is_empty())
    {
        notes.add("messages", "left out: 'input' says the same");
    }
    // They have been told.
    (chat.input, chat.instructions) = (None, None);
    (chat.max_output_tokens, chat.text) = (None, None);
    chat.messages = Some(messages);
    chat.max_completion_tokens = given.max_output_tokens.or(chat.max_completion_tokens);
    if let Some(text) = given.text {
        if text.verbosity.is_some() {
            notes.add("text.verbosity", "left out: Gemini has no equal");
        }
        chat.response_format = text.format.map(Into::into).or(chat.response_format.take());
    }
    // Asking for the likelihoods is asking for them here; chat wants it said twice.
    if chat.top_logprobs.is_some()
        || includes(given.include.as_deref(), "message.output_text.logprobs")
    {
        chat.logprobs = Some(true);
    }
    let mut namespaces = Namespaces::default();
    let (tools, searches) = namespaces.flatten(
        chat.tools.take().unwrap_or_default(),
        &mut fields,
        &mut notes,
    );
    chat.tools = Some(tools);
    if searches {
        chat.web_search_options
            .get_or_insert_with(|| Value::Object(Default::default()));
    }
    choose_among_ours(chat, &mut notes);
    Ok(Told {
        fields,
        namespaces,
        notes,
        asked,
    })
}

/// Without what OpenAI would have kept, or done later, the answer would silently be
/// a wrong one.
fn refuse_what_is_kept(given: &ResponseRequest<'_>) -> Result<(), Rejection> {
    for (param, is_given) in [
        ("conversation", given.conversation.is_some()),
        ("prompt", given.prompt.is_some()),
        ("background", given.background == Some(true)),
    ] {
        if is_given {
            let message =
                format!("'{param}' is not available here. Send the whole request itself.");
            return Err(Rejection::new("unsupported_parameter", param, message));
        }
    }
    Ok(())
}

fn includes(include: Option<&[String]>, what: &str) -> bool {
    include
        .unwrap_or_default()
        .iter()
        .any(|included| included == what)
}

/// Tools that OpenAI runs cannot be chosen: the model is left free.
fn choose_among_ours(chat: &mut ChatRequest<'_>, notes: &mut Notes) {
    let kind = chat
        .tool_choice
        .as_ref()
        .and_then(|choice| choice.get("type"));
    let is_ours = match kind.and_then(Value::as_str) {
        None => true,
        Some(kind) => matches!(
            kind,
            "function"
                | "custom"
                | "tool"
                | "allowed_tools"
                | "auto"
                | "none"
                | "any"
                | "required"
                | "validated"
        ),
    };
    if !is_ours {
        chat.tool_choice = None;
        notes.add("tool_choice", "taken for 'auto': this tool runs at OpenAI");
        return;
    }
    // Chosen by its two names, like it is called.
    if let Some(Value::Object(choice)) = &mut chat.tool_choice
        && let (Some(namespace), Some(name)) = (choice.get("namespace"), choice.get("name"))
        && let (Some(namespace), Some(name)) = (namespace.as_str(), name.as_str())
    {
        let declared = super::namespaces::declared(namespace, name);
        choice.insert("name".to_owned(), declared.into());
    }
}

fn asked(given: &ResponseRequest<'_>, chat: &ChatRequest<'_>) -> Asked {
    let format = given.text.as_ref().and_then(|text| text.format.clone());
    let reasoning = given.reasoning.as_ref();
    Asked {
        instructions: given.instructions.as_deref().map(str::to_owned),
        max_output_tokens: given.max_output_tokens,
        parallel_tool_calls: chat.parallel_tool_calls.unwrap_or(true),
        previous_response_id: given.previous_response_id.as_deref().map(str::to_owned),
        reasoning: AskedReasoning {
            effort: reasoning.and_then(|reasoning| reasoning.effort.clone()),
            summary: reasoning.and_then(|reasoning| reasoning.summary.clone()),
        },
        store: given.store.unwrap_or(true),
        temperature: chat.temperature.unwrap_or(1.0),
        text: AskedText {
            format: format.unwrap_or(TextFormat {
                kind: Some("text".to_owned()),
                name: None,
                description: None,
                schema: None,
                strict: None,
            }),
        },
        tool_choice: chat.tool_choice.clone().unwrap_or_else(|| "auto".into()),
        tools: [],
        top_p: chat.top_p.unwrap_or(1.0),
        truncation: given
            .truncation
            .clone()
            .unwrap_or_else(|| "disabled".into()),
        user: given.user.clone().unwrap_or_default(),
        metadata: given
            .metadata
            .clone()
            .unwrap_or_else(|| Value::Object(Default::default())),
        service_tier: chat.service_tier.is_some().then_some("default"),
        safety_identifier: given.safety_identifier.clone(),
    }
}

impl From<TextFormat> for ResponseFormat {
    fn from(format: TextFormat) -> Self {
        let TextFormat {
            kind,
            description,
            schema,
            ..
        } = format;
        Self {
            kind,
            json_schema: Some(JsonSchemaFormat {
                description,
                schema,
            }),
            schema: None,
        }
    }
}
