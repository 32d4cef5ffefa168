//! What a request would become, without asking Google: for `gemini-proxy explain`.
//! It is the very code that serves, and fetches images by address as that does;
//! only the thought signatures that a running server remembers are missing.

use serde_ignored::Path;
use serde_json::Value;

use super::error::ApiError;
use super::{asking, body, images};
use crate::config::Config;
use crate::http::Fetcher;
use crate::translate::{self, NoSignatures, Note};
use crate::upstream::Question;
use crate::upstream::preview::Preview;
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

/// Explains the body of a request to `/v1/chat/completions`.
pub fn explain(body: &[u8], config: &Config, fetcher: &Fetcher) -> Result<Explanation, Refused> {
    chat_completion(body, config, fetcher).map_err(|error| Refused {
        status: error.status,
        envelope: pretty(&String::from_utf8_lossy(&error.envelope())),
    })
}

fn chat_completion(
    body: &[u8],
    config: &Config,
    fetcher: &Fetcher,
) -> Result<Explanation, ApiError> {
    let chat: ChatRequest<'_> = body::parse(body)?;
    let model = asking::model(chat.model.as_deref())?;
    let fetched = images::fetch_all(&chat, fetcher)?;
    let translated = translate::request(&chat, &model, &NoSignatures, &fetched)?;
    let question = Question::new(&model, &translated.request);
    let streams = chat.stream == Some(true);
    let preview = question.and_then(|question| Preview::new(config, &question, streams));
    let preview = preview.map_err(|_| ApiError::internal())?;
    let in_words = |note: &Note| format!("{}: {}", note.field, note.reason);
    let noted = translated.notes.iter().map(in_words);
    let unread = unread(body).into_iter();
    let unread =
        unread.map(|field| format!("{field}: left out: nothing of Gemini's answers to it"));
    Ok(Explanation {
        url: preview.url,
        request: pretty(&String::from_utf8_lossy(&preview.body)),
        notes: noted.chain(unread).collect(),
    })
}

/// The fields that nobody reads, at any depth. `null` means absent.
fn unread(body: &[u8]) -> Vec<String> {
    let mut unread = Vec::new();
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
        return unread;
    };
    drop_nulls(&mut value);
    let text = value.to_string();
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let parsed: Result<ChatRequest<'_>, _> =
        serde_ignored::deserialize(&mut deserializer, |path| unread.push(dotted(&path)));
    // It was parsed before; should this way fail, the fields up to there are known.
    drop(parsed);
    unread
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
        assert_eq!(unread(body), expected);
    }
}
