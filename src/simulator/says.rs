//! What a scripted answer says: read from the script, made into an [`Answer`].
//! The vocabulary is documented in [`super::script`].

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::document::Document;
use super::errors::{self, Blanks};
use super::http::{Answer, Step};
use super::reply::{Call, Event, Turn};
use super::script::Kind;

#[derive(Debug, Clone, Default)]
pub(super) enum Says {
    /// What the stand-in says by itself.
    #[default]
    Default,
    /// The same, with this merged over it.
    Patch(Value),
    Turn(Turn),
    Responses(Vec<Event>),
    Json {
        status: u16,
        body: Value,
    },
    Error {
        status: u16,
        body: Value,
        form: Form,
    },
    Html {
        status: u16,
    },
    Raw {
        status: u16,
        body: Vec<Step>,
    },
    RedirectError(String),
}

/// In which form an error is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// An array where the answer would have been one, else an object.
    AsAsked,
    Object,
    Array,
    Nested,
}

impl Says {
    pub(super) fn parse(item: &mut Document) -> Result<Self, String> {
        if item.has("error") {
            return parse_error(item);
        }
        if let Some(patch) = item.value("patch") {
            return Ok(Self::Patch(patch));
        }
        if let Some(error) = item.text("redirect_error")? {
            return Ok(Self::RedirectError(error));
        }
        if let Some(responses) = item.list("responses")? {
            let events = responses
                .into_iter()
                .map(|one| parse_event(one, item.place()));
            return Ok(Self::Responses(events.collect::<Result<_, _>>()?));
        }
        if ["text", "thought", "calls", "finish"]
            .iter()
            .any(|key| item.has(key))
        {
            return parse_turn(item);
        }
        parse_body(item)
    }

    /// Whether a request of this kind can be answered so.
    pub(super) fn belongs_to(&self, kind: Kind) -> bool {
        match self {
            Self::Turn(_) | Self::Responses(_) => kind == Kind::Generate,
            Self::RedirectError(_) => kind == Kind::Auth,
            _ => true,
        }
    }

    /// The answer to a request other than for generation. `own` is what the
    /// stand-in would say by itself, asked for only if it is needed.
    pub(super) fn answer(self, own: impl FnOnce() -> Answer) -> Answer {
        match self {
            Self::Default | Self::Turn(_) | Self::Responses(_) | Self::RedirectError(_) => own(),
            Self::Patch(patch) => patched(own(), &patch),
            Self::Json { status, body } => Answer::json(status, &body),
            Self::Error { status, body, form } => error_answer(status, &body, form),
            Self::Html { status } => errors::front_end_page(status),
            Self::Raw { status, body } => Answer {
                body,
                ..Answer::whole(status, "application/json; charset=UTF-8", Vec::new())
            },
        }
    }
}

fn error_answer(status: u16, body: &Value, form: Form) -> Answer {
    match form {
        Form::AsAsked | Form::Object => Answer::json(status, body),
        Form::Array => Answer::json(status, &json!([body])),
        Form::Nested => {
            let message = format!("{body:#}");
            let outer = json!({"error": {"code": status, "message": message, "status": "UNKNOWN"}});
            Answer::json(status, &outer)
        }
    }
}

fn patched(own: Answer, patch: &Value) -> Answer {
    match serde_json::from_slice(&own.bytes()) {
        Ok(mut body) => {
            merge_patch(&mut body, patch);
            Answer::json(own.status, &body)
        }
        Err(_) => own,
    }
}

/// RFC 7396.
pub(super) fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in fields {
        match (value, target.as_object_mut()) {
            (Value::Null, Some(target)) => drop(target.shift_remove(key)),
            _ => merge_patch(&mut target[key], value),
        }
    }
}

fn parse_body(item: &mut Document) -> Result<Says, String> {
    let status = parse_status(item)?;
    if let Some(body) = item.value("json") {
        return Ok(Says::Json {
            status: status.unwrap_or(200),
            body,
        });
    }
    if item.flag("html")? == Some(true) {
        return Ok(Says::Html {
            status: status.unwrap_or(200),
        });
    }
    if let Some(pieces) = item.list("raw_chunks")? {
        let steps = pieces
            .into_iter()
            .map(|piece| parse_step(piece, item.place()));
        return Ok(Says::Raw {
            status: status.unwrap_or(200),
            body: steps.collect::<Result<_, _>>()?,
        });
    }
    match status {
        None => Ok(Says::Default),
        Some(_) => Err(format!(
            "{}: a status needs a body: json, html, raw_chunks or error",
            item.place()
        )),
    }
}

fn parse_status(item: &mut Document) -> Result<Option<u16>, String> {
    match item.number("status")? {
        None => Ok(None),
        Some(status) => match u16::try_from(status) {
            Ok(status @ 200..=599) => Ok(Some(status)),
            _ => Err(format!("{}.status: expected 200 to 599", item.place())),
        },
    }
}

fn parse_error(item: &mut Document) -> Result<Says, String> {
    let error = item.value("error").unwrap_or_default();
    let status = parse_status(item)?;
    let blanks = Blanks {
        delay: item.text("delay")?,
        model: None,
        message: item.text("message")?,
    };
    let form = match item.text("form")?.as_deref() {
        None => Form::AsAsked,
        Some("object") => Form::Object,
        Some("array") => Form::Array,
        Some("nested") => Form::Nested,
        Some(other) => return Err(format!("{}.form: there is no form {other:?}", item.place())),
    };
    let Value::String(name) = error else {
        let code = error["code"]
            .as_u64()
            .and_then(|code| u16::try_from(code).ok());
        return Ok(Says::Error {
            status: status.or(code).unwrap_or(500),
            body: json!({"error": error}),
            form,
        });
    };
    let named =
        errors::named(&name, &blanks).map_err(|error| format!("{}: {error}", item.place()))?;
    let status = status.unwrap_or(named.status);
    Ok(match named.body {
        Some(body) => Says::Error { status, body, form },
        None => Says::Html { status },
    })
}

fn parse_turn(item: &mut Document) -> Result<Says, String> {
    let text = item.text("text")?.unwrap_or_default();
    let words = item.flag("words")?.unwrap_or_default();
    let finish = match item.value("finish") {
        None => Some("STOP".to_owned()),
        Some(Value::String(reason)) => Some(reason),
        Some(_) => None,
    };
    let calls = item.list("calls")?.unwrap_or_default();
    let calls = calls
        .into_iter()
        .map(|call| parse_call(call, item.place()))
        .collect::<Result<_, _>>()?;
    Ok(Says::Turn(Turn {
        thought: item.text("thought")?,
        calls,
        text: match (words, text.is_empty()) {
            (_, true) => Vec::new(),
            (true, _) => text.split_inclusive(' ').map(str::to_owned).collect(),
            (false, _) => vec![text],
        },
        spread_calls: item.flag("spread")?.unwrap_or_default(),
        finish,
        finish_message: item.text("finish_message")?,
        signed: item.flag("signed")?.unwrap_or(true),
    }))
}

fn parse_call(call: Value, place: &str) -> Result<Call, String> {
    let mut call = Document::new(call, format!("{place}.calls"))?;
    let Some(name) = call.text("name")? else {
        return Err(format!("{}: a call needs a name", call.place()));
    };
    let parsed = Call {
        name,
        args: call.value("args"),
        id: call.text("id")?,
    };
    call.finish()?;
    Ok(parsed)
}

fn parse_event(event: Value, place: &str) -> Result<Event, String> {
    if let Some(step) = parse_wait(&event) {
        return Ok(match step {
            Step::Gate(gate) => Event::Gate(gate),
            Step::Pause(length) => Event::Pause(length),
            Step::Send(_) => return Err(format!("{place}.responses: not an event: {event}")),
        });
    }
    match event.get("verbatim").and_then(Value::as_str) {
        Some(text) => Ok(Event::Verbatim(text.into())),
        None if event.is_object() => Ok(Event::Response(event)),
        None => Err(format!(
            "{place}.responses: expected an object, not {event}"
        )),
    }
}

fn parse_step(piece: Value, place: &str) -> Result<Step, String> {
    if let Some(wait) = parse_wait(&piece) {
        return Ok(wait);
    }
    if let Value::String(text) = piece {
        return Ok(Step::Send(text.into_bytes()));
    }
    let repeat = usize::try_from(piece["repeat"].as_u64().unwrap_or(1)).unwrap_or(1);
    if let Some(text) = piece["text"].as_str() {
        return Ok(Step::Send(text.repeat(repeat).into_bytes()));
    }
    let encoded = piece["base64"].as_str().unwrap_or_default();
    match STANDARD.decode(encoded) {
        Ok(bytes) if !encoded.is_empty() => Ok(Step::Send(bytes)),
        _ => Err(format!("{place}.raw_chunks: cannot send {piece}")),
    }
}

fn parse_wait(value: &Value) -> Option<Step> {
    if let Some(gate) = value.get("gate") {
        return gate.as_str().map(|gate| Step::Gate(gate.into()));
    }
    let length = value.get("pause_ms")?.as_u64()?;
    Some(Step::Pause(Duration::from_millis(length)))
}
