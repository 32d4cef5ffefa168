//! What a request would become, without asking Google: for `gemini-proxy explain`.
//! It is the very code that serves, and fetches images by address as that does;
//! only the thought signatures that a running server remembers are missing.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_ignored::Path;
use serde_json::Value;

use super::error::ApiError;
use super::{asking, body, images};
use crate::config::{Config, UpstreamKind};
use crate::http::{Fetcher, Pulse};
use crate::models;
use crate::translate::{self, Chats, Fetched, NoSignatures, Notes};
use crate::upstream::Question;
use crate::upstream::preview::Preview;
use crate::wire::completions::CompletionRequest;
use crate::wire::openai::ChatRequest;
use crate::wire::pretty::pretty;

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Where at Google it goes.
    pub url: String,
    /// The body that Google gets, indented.
    pub request: String,
    /// `field: reason`, for each field that has less effect than asked.
    pub notes: Vec<String>,
}

/// The request is refused before Google is asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client is answered with {status}:\n{envelope}")]
pub struct Refused {
    status: u16,
    /// Indented.
    envelope: String,
}

/// Explains the body of a request to `/v1/chat/completions`, or of one to
/// `/v1/completions`, which has a `prompt` in place of `messages`.
pub fn explain(body: &[u8], config: &Config, fetcher: &Fetcher) -> Result<Explanation, Refused> {
    let explained = if is_completion(body) {
        completion(body, config)
    } else {
        chat_completion(body, config, fetcher)
    };
    explained.map_err(|error| Refused {
        status: error.status,
        envelope: pretty(&String::from_utf8_lossy(&error.envelope())),
    })
}

fn is_completion(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Shape {
        messages: Option<IgnoredAny>,
        prompt: Option<IgnoredAny>,
    }
    serde_json::from_slice(body)
        .is_ok_and(|shape: Shape| shape.messages.is_none() && shape.prompt.is_some())
}

fn chat_completion(
    body: &[u8],
    config: &Config,
    fetcher: &Fetcher,
) -> Result<Explanation, ApiError> {
    let chat = asking::parse(body)?;
    let model = asking::model(chat.model.as_deref())?;
    let fetched = images::fetch_all(&chat, fetcher, &Pulse::none())?;
    let mut explanation = explained(&chat, &model, &fetched, config)?;
    let text = without_nulls(body);
    add_unread::<ChatRequest<'_>>(&text, &mut explanation.notes);
    Ok(explanation)
}

fn completion(body: &[u8], config: &Config) -> Result<Explanation, ApiError> {
    let given: CompletionRequest<'_> = body::parse(body)?;
    let model = asking::model(given.model.as_deref())?;
    let mut chats = Chats::new(given, &model)?;
    let mut notes = in_words(&chats.notes);
    let Some(first) = chats.next_chat() else {
        return Err(ApiError::internal());
    };
    let mut explanation = explained(first, &model, &Fetched::default(), config)?;
    notes.append(&mut explanation.notes);
    if chats.next_chat().is_some() {
        notes.push("prompt: each is asked by itself; this is the first".to_owned());
    }
    add_unread::<CompletionRequest<'_>>(&without_nulls(body), &mut notes);
    Ok(Explanation {
        notes,
        ..explanation
    })
}

fn explained(
    chat: &ChatRequest<'_>,
    model: &str,
    fetched: &Fetched,
    config: &Config,
) -> Result<Explanation, ApiError> {
    let translated = translate::request(chat, model, &NoSignatures, fetched)?;
    let question = Question::new(model, &translated.request);
    let streams = chat.stream == Some(true);
    let preview = question.and_then(|question| Preview::new(config, &question, streams));
    let preview = preview.map_err(|_| ApiError::internal())?;
    let mut notes = in_words(&translated.notes);
    notes.extend(about_model(model, config.upstream));
    Ok(Explanation {
        url: preview.url,
        request: pretty(&String::from_utf8_lossy(&preview.body)),
        notes,
    })
}

/// Why another name is sent, and what Google will say to this one.
fn about_model(model: &str, upstream: UpstreamKind) -> Option<String> {
    let sent = models::code_assist_id(model);
    if upstream == UpstreamKind::CodeAssist && sent != model {
        return Some(format!(
            "model: sent as {sent}, Code Assist's own name for {model}"
        ));
    }
    let successor = models::successor(model)?;
    Some(format!(
        "model: Google retires {model} or has done so; {successor} takes its place"
    ))
}

fn in_words(notes: &Notes) -> Vec<String> {
    let notes = notes.iter();
    notes
        .map(|note| format!("{}: {}", note.field, note.reason))
        .collect()
}

/// Adds the fields that nobody reads who reads a `T`, at any depth. Those of which
/// only the presence is read have their note already.
fn add_unread<'t, T: Deserialize<'t>>(text: &'t str, notes: &mut Vec<String>) {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let take = |path: Path<'_>| {
        let field = format!("{}: ", dotted(&path));
        if !notes.iter().any(|note| note.starts_with(&field)) {
            notes.push(format!(
                "{field}left out: nothing of Gemini's answers to it"
            ));
        }
    };
    let parsed: Result<T, _> = serde_ignored::deserialize(&mut deserializer, take);
    // It was parsed before; should this way fail, the fields up to there are known.
    drop(parsed);
}

/// `null` means absent.
fn without_nulls(body: &[u8]) -> String {
    let mut value: Value = serde_json::from_slice(body).unwrap_or_default();
    drop_nulls(&mut value);
    value.to_string()
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// `messages[0].content[1].detail`
fn dotted(path: &Path<'_>) -> String {
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", dotted(parent)),
        Path::Map { parent, key } => match dotted(parent) {
            parent if parent.is_empty() => key.clone(),
            parent => format!("{parent}.{key}"),
        },
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => dotted(parent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_nobody_reads_are_found_at_every_depth() {
        let body = br#"{"model": "m", "user": "u", "store": null, "tool_choice": {"x": 1},
            "messages": [{"role": "user", "cache_control": {"type": "ephemeral"}, "content": [
                {"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": {}}]},
              {"role": "assistant", "tool_calls": [{"id": "c", "index": 0,
                "function": {"name": "f", "arguments": {"n": 1}}}]}]}"#;
        let expected = [
            "user",
            "messages[0].cache_control",
            "messages[0].content[1].cache_control",
            "messages[1].tool_calls[0].index",
        ];
        let text = without_nulls(body);
        let mut notes = Vec::new();
        add_unread::<ChatRequest<'_>>(&text, &mut notes);
        let fields: Vec<_> = notes.iter().map(|note| note.split(':').next()).collect();
        assert_eq!(fields, expected.map(Some));
    }

    #[test]
    fn a_field_has_one_note() {
        let text = r#"{"messages": [], "logit_bias": {"1": 2}}"#;
        let mut notes = vec!["logit_bias: left out: Gemini has no equal".to_owned()];
        add_unread::<ChatRequest<'_>>(text, &mut notes);
        assert_eq!(notes.len(), 1, "{notes:?}");
    }
}
