//! Generation, as both doors have it: rules first, then the script, then chatter.

use std::time::Duration;

use serde_json::{Value, json};

use super::chatter;
use super::delivery::Spelling;
use super::errors::GoogleError;
use super::http::{Answer, Framing, Request, Step};
use super::models::Model;
use super::reply::{Event, Stamp};
use super::says::{Form, Says, merge_patch};
use super::script::{Kind, Line};
use super::stream::{self, Mode};
use super::validate;
use super::world::World;

/// Through which API a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// Answers travel in an envelope.
    CodeAssist,
    GeminiApi,
}

/// A request for generation, found to be well-formed.
pub(super) struct Asked<'a> {
    pub(super) door: Door,
    pub(super) model: &'static Model,
    /// The id that was asked for.
    pub(super) model_id: &'a str,
    /// A `GenerateContentRequest`, without any envelope.
    pub(super) content: &'a Value,
    pub(super) mode: Mode,
}

/// The answer to a well-formed request, or Google's refusal of its contents.
pub(super) fn answer(
    world: &World,
    request: &Request,
    asked: &Asked<'_>,
) -> Result<Answer, GoogleError> {
    let state = world.state();
    validate::generate_content(
        asked.content,
        asked.model,
        &world.signatures(),
        state.strict,
    )?;

    let stamp = Stamp::new(
        asked.model.generation,
        asked.model_id,
        chatter::prompt_tokens(asked.content),
        &request.body,
    );
    let line = world.next_line(Kind::Generate, asked.model_id, request);
    let Line { says, delivery } = line.unwrap_or_default();
    let own = || paced(chatter::turn(asked.content).events(&stamp), state.pace);
    let events = match says {
        Says::Turn(turn) => turn.events(&stamp),
        Says::Responses(events) => events,
        Says::Default | Says::RedirectError(_) => own(),
        Says::Patch(patch) => patched(own(), &patch),
        other => return Ok(delivery.apply(not_events(other, asked.mode))),
    };
    remember_signatures(world, &events, asked.model);
    Ok(delivery.apply(framed(events, &stamp, asked, &delivery.spelling)))
}

/// Pauses between events, where there is any pace at all.
fn paced(events: Vec<Event>, pace: Duration) -> Vec<Event> {
    if pace.is_zero() {
        return events;
    }
    let mut paced = Vec::with_capacity(events.len() * 2);
    for event in events {
        if !paced.is_empty() {
            paced.push(Event::Pause(pace));
        }
        paced.push(event);
    }
    paced
}

fn patched(mut events: Vec<Event>, patch: &Value) -> Vec<Event> {
    for event in &mut events {
        if let Event::Response(response) = event {
            merge_patch(response, patch);
        }
    }
    events
}

fn remember_signatures(world: &World, events: &[Event], model: &Model) {
    let mut signatures = world.signatures();
    for event in events {
        if let Event::Response(response) = event {
            // A script may have put it into an envelope already.
            let inner = response.get("response").unwrap_or(response);
            signatures.remember(inner, model.generation);
        }
    }
}

fn framed(events: Vec<Event>, stamp: &Stamp, asked: &Asked<'_>, spelling: &Spelling) -> Answer {
    if asked.door == Door::GeminiApi {
        return stream::answer(events, asked.mode, spelling, |response| response);
    }
    let trace_id = stamp.trace_id();
    let mut answer = stream::answer(events, asked.mode, spelling, |response| {
        let has_envelope = ["response", "traceId", "error"]
            .iter()
            .any(|key| response.get(key).is_some());
        if has_envelope {
            response
        } else {
            json!({"response": response, "traceId": trace_id})
        }
    });
    answer.set_header("x-cloudaicompanion-trace-id", &trace_id);
    answer
}

/// Errors and bodies that are given as they are.
fn not_events(says: Says, mode: Mode) -> Answer {
    match says {
        Says::Error {
            status,
            body,
            form: Form::AsAsked,
        } if mode == Mode::JsonArray => Answer::json(status, &json!([body])),
        Says::Raw { status, body } if mode == Mode::EventStream && status == 200 => {
            raw_stream(body)
        }
        other => other.answer(|| Answer::json(200, &json!({}))),
    }
}

fn raw_stream(body: Vec<Step>) -> Answer {
    Answer {
        body,
        framing: Framing::Chunked,
        ..Answer::whole(200, "text/event-stream", Vec::new())
    }
}
