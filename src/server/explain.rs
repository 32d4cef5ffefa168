//! What a request would become, without asking Google: for `gemini-proxy explain`.
//! It is the very code that serves, and fetches images by address as that does;
//! only the thought signatures that a running server remembers are missing.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_ignored::Path;
use serde_json::Value;

use super::asking::{self, Front};
use super::body::Body;
use super::error::ApiError;
use super::images;
use crate::config::{Config, UpstreamKind};
use crate::http::{Fetcher, Pulse};
use crate::models;
use crate::translate::{self, Chats, Fetched, Manner, NoSignatures, Notes, Told};
use crate::upstream::Question;
use crate::upstream::preview::Preview;
use crate::wire::completions::CompletionRequest;
use crate::wire::openai::ChatRequest;
use crate::wire::pretty::pretty;
use crate::wire::responses::ResponseRequest;

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Where at Google it goes.
    pub url: String,
    /// The body that Google gets, indented.
    pub request: String,
    /// `field: reason`, for each field that has less effect than asked.
    pub notes: Vec<String>,
    /// The same, for what only a second try weakens, with plainer schemas: Google gets
    /// it when it refuses the first over them.
    pub if_refused: Vec<String>,
}

/// The request is refused before Google is asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client is answered with {status}:\n{envelope}")]
pub struct Refused {
    status: u16,
    /// Indented.
    envelope: String,
}

/// Explains the body of a request to `/v1/chat/completions`, of one to
/// `/v1/responses`, which has an `input` in place of `messages`, or of one to
/// `/v1/completions`, which has a `prompt`.
pub fn explain(body: &[u8], config: &Config, fetcher: &Fetcher) -> Result<Explanation, Refused> {
    let is_completion = is_completion(body);
    let body = Body::new(body.to_vec());
    let explained = if is_completion {
        completion(&body, config)
    } else {
        chat_completion(&body, config, fetcher)
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
        input: Option<IgnoredAny>,
        prompt: Option<IgnoredAny>,
    }
    serde_json::from_slice(body).is_ok_and(|shape: Shape| {
        shape.messages.is_none() && shape.input.is_none() && shape.prompt.is_some()
    })
}

fn chat_completion(
    body: &Body,
    config: &Config,
    fetcher: &Fetcher,
) -> Result<Explanation, ApiError> {
    let (chat, told) = asking::parse(body, front(body.bytes()), &super::seal(config))?;
    let told = told.as_ref();
    let model = asking::model(chat.model.as_deref())?;
    let fetched = images::fetch_all(&chat, fetcher, &Pulse::none())
        .map_err(|error| asking::in_fields(error, told.map(|told| &told.fields)))?;
    let mut explanation = explained(&chat, told, &model, &fetched, config)?;
    let text = without_nulls(body.bytes());
    let mut unread = unread::<ChatRequest<'_>>(&text);
    if let Some(told) = told {
        unread = both(unread, unread_by_responses(&text));
        if told.asked.previous_response_id.is_some() {
            let only = "only a running server knows what it refers to";
            explanation
                .notes
                .push(format!("previous_response_id: {only}"));
        }
    }
    add_unread(unread, &mut explanation.notes);
    Ok(explanation)
}

/// What has an `input` and no messages is taken for a body of the Responses.
fn front(body: &[u8]) -> Front {
    #[derive(Deserialize)]
    struct Shape {
        messages: Option<IgnoredAny>,
        input: Option<IgnoredAny>,
    }
    match serde_json::from_slice(body) {
        Ok(Shape {
            messages: None,
            input: Some(_),
        }) => Front::Responses { remembered: 0 },
        _ => Front::Chat,
    }
}

fn completion(body: &Body, config: &Config) -> Result<Explanation, ApiError> {
    let given: CompletionRequest<'_> = body.parse()?;
    let model = asking::model(given.model.as_deref())?;
    let mut chats = Chats::new(given, &model)?;
    let mut notes = in_words(&chats.notes);
    let Some(first) = chats.next_chat() else {
        return Err(ApiError::internal());
    };
    let mut explanation = explained(first, None, &model, &Fetched::default(), config)?;
    notes.append(&mut explanation.notes);
    if chats.next_chat().is_some() {
        notes.push("prompt: each is asked by itself; this is the first".to_owned());
    }
    add_unread(
        unread::<CompletionRequest<'_>>(&without_nulls(body.bytes())),
        &mut notes,
    );
    Ok(Explanation {
        notes,
        ..explanation
    })
}

fn explained(
    chat: &ChatRequest<'_>,
    told: Option<&Told>,
    model: &str,
    fetched: &Fetched,
    config: &Config,
) -> Result<Explanation, ApiError> {
    let translated = |manner| {
        translate::request(chat, model, &NoSignatures, fetched, manner)
            .map_err(|rejection| asking::in_fields(rejection, told.map(|told| &told.fields)))
    };
    let manner = asking::manner(config);
    let first = translated(manner)?;
    let question = Question::new(model, &first.request, 1024);
    let streams = chat.stream == Some(true);
    let preview = question.and_then(|question| Preview::new(config, &question, streams));
    let preview = preview.map_err(|_| ApiError::internal())?;
    let mut notes = in_words(&asking::all_notes(first.notes, told));
    let plainer = translated(Manner {
        plain_schemas: true,
        ..manner
    })?;
    let mut if_refused = in_words(&asking::all_notes(plainer.notes, told));
    if_refused.retain(|note| !notes.contains(note));
    notes.extend(about_model(model, config.upstream));
    Ok(Explanation {
        url: preview.url,
        request: pretty(&String::from_utf8_lossy(&preview.body)),
        notes,
        if_refused,
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

/// Adds the fields that nobody reads. Those of which only the presence is read have
/// their note already.
fn add_unread(fields: Vec<String>, notes: &mut Vec<String>) {
    for field in fields {
        let field = format!("{field}: ");
        if !notes.iter().any(|note| note.starts_with(&field)) {
            notes.push(format!(
                "{field}left out: nothing of Gemini's answers to it"
            ));
        }
    }
}

/// The fields that nobody reads who reads a `T`, at any depth.
fn unread<'t, T: Deserialize<'t>>(text: &'t str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let take = |path: Path<'_>| fields.push(dotted(&path));
    let parsed: Result<T, _> = serde_ignored::deserialize(&mut deserializer, take);
    // It was parsed before; should this way fail, the fields up to there are known.
    drop(parsed);
    fields
}

fn unread_by_responses(text: &str) -> Vec<String> {
    unread::<ResponseRequest<'_>>(text)
}

/// Fields of a body that is read twice, and both times not there.
fn both(ours: Vec<String>, others: Vec<String>) -> Vec<String> {
    let is_below = |field: &str, parent: &str| {
        field
            .strip_prefix(parent)
            .is_some_and(|rest| rest.starts_with(['.', '[']))
    };
    let unread_there = |field: &String| {
        others
            .iter()
            .any(|other| other == field || is_below(field, other))
    };
    let deeper = others
        .iter()
        .filter(|other| ours.iter().any(|field| is_below(other, field)));
    ours.iter()
        .filter(|field| unread_there(field))
        .chain(deeper)
        .cloned()
        .collect()
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
        ];
        let text = without_nulls(body);
        assert_eq!(unread::<ChatRequest<'_>>(&text), expected);
    }

    #[test]
    fn a_body_that_is_read_twice_is_unread_only_where_nobody_reads_it() {
        let text = r#"{"model": "m", "temperature": 1, "nope": 1, "store": false,
            "tools": [{"name": "f", "strict": true}],
            "input": [{"role": "user", "content": "a", "status": "completed"}]}"#;
        let unread = both(unread::<ChatRequest<'_>>(text), unread_by_responses(text));
        assert_eq!(unread, ["nope", "tools[0].strict", "input[0].status"]);
    }

    #[test]
    fn a_field_has_one_note() {
        let text = r#"{"messages": [], "logit_bias": {"1": 2}}"#;
        let mut notes = vec!["logit_bias: left out: Gemini has no equal".to_owned()];
        add_unread(unread::<ChatRequest<'_>>(text), &mut notes);
        assert_eq!(notes.len(), 1, "{notes:?}");
    }
}
