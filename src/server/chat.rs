//! `POST /v1/chat/completions`

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::Service;
use super::body;
use super::error::ApiError;
use super::images;
use crate::http::Pulse;
use crate::models;
use crate::server::transport::exchange::Request;
use crate::server::transport::writer::{Heartbeat, More, Refused, Reply, Source};
use crate::translate::said::Reader;
use crate::translate::{self, CompletionTranslator, Rejection, Stamp, StreamTranslator};
use crate::upstream::{EventStream, Question, UpstreamError};
use crate::wire::openai::ChatRequest;

/// Answers whole or in events, as the body's `stream` says.
pub(super) fn create(
    service: &Arc<Service>,
    request: &mut Request,
    id: &str,
) -> Result<Reply, ApiError> {
    let body = request.take_body();
    let chat: ChatRequest<'_> = body::parse(&body)?;
    let stamp = stamp(model(chat.model.as_deref())?)?;
    let fetched = images::fetch_all(&chat, &service.fetcher)?;
    let translated = translate::request(&chat, &stamp.model, &*service.signatures, &fetched)?;
    let question = Question::new(&stamp.model, &translated.request);
    let question = question.map_err(|_| ApiError::internal())?;
    let ignored = translated.notes.header_value();
    let reader = Reader::new(stamp, translated.form, service.signatures.clone());
    let mut reply = if chat.stream == Some(true) {
        let include_usage = chat
            .stream_options
            .as_ref()
            .and_then(|options| options.include_usage);
        let translator = StreamTranslator::new(reader, include_usage == Some(true));
        stream(AnswerStream::new(
            service,
            id,
            [question].into(),
            Dialect::Chat(Box::new(translator)),
        ))
    } else {
        whole(service, &question, reader)?
    };
    if let Some(fields) = ignored {
        reply.add_header("x-gemini-proxy-ignored", fields);
    }
    Ok(reply)
}

/// The bare id of the model that is asked for.
pub(super) fn model(given: Option<&str>) -> Result<String, Rejection> {
    let id = models::without_prefix(given.unwrap_or_default());
    if id.is_empty() {
        return Err(Rejection::missing("model"));
    }
    Ok(id.to_owned())
}

/// The clock and the dice of an answer.
pub(super) fn stamp(model: String) -> Result<Stamp, ApiError> {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).map_err(|_| ApiError::internal())?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok(Stamp::new(now.as_secs(), model, seed))
}

fn whole(service: &Service, question: &Question, mut reader: Reader) -> Result<Reply, ApiError> {
    let fails = |error| ApiError::upstream(error, &question.model, &service.sign_in_page);
    let answer = service
        .upstream
        .generate(question, &Pulse::none())
        .map_err(fails)?;
    let completion = translate::response(answer.read().map_err(fails)?, &mut reader)?;
    Ok(super::json(200, &completion))
}

pub(super) fn stream(source: AnswerStream) -> Reply {
    let headers = vec![
        (
            "content-type",
            "text/event-stream; charset=utf-8".to_owned(),
        ),
        ("cache-control", "no-cache".to_owned()),
        ("x-accel-buffering", "no".to_owned()),
    ];
    Reply::Stream {
        headers,
        source: Box::new(source),
    }
}

/// In whose words an answer is told.
pub(super) enum Dialect {
    Chat(Box<StreamTranslator>),
    Completions(CompletionTranslator),
}

impl Dialect {
    fn is_finished(&self) -> bool {
        match self {
            Self::Chat(translator) => translator.is_finished(),
            Self::Completions(translator) => translator.is_finished(),
        }
    }

    fn total_tokens(&self) -> u64 {
        match self {
            Self::Chat(translator) => translator.usage().total_tokens,
            Self::Completions(translator) => translator.usage().total_tokens,
        }
    }
}

/// Pulled from the client's end: a slow client slows Google. When a write finds
/// that the client has left, this is dropped, which ends the request to Google.
pub(super) struct AnswerStream {
    service: Arc<Service>,
    /// Asked in turn; the first is being answered.
    questions: VecDeque<Question>,
    dialect: Dialect,
    /// Of the request, for the log.
    id: String,
    /// Once Google has accepted the question.
    events: Option<EventStream>,
    /// What was pulled before the answer began.
    first: Option<(Vec<u8>, Result<More, ApiError>)>,
}

impl AnswerStream {
    pub(super) fn new(
        service: &Arc<Service>,
        id: &str,
        questions: VecDeque<Question>,
        dialect: Dialect,
    ) -> Self {
        Self {
            service: service.clone(),
            questions,
            dialect,
            id: id.to_owned(),
            events: None,
            first: None,
        }
    }

    /// Waits for at least one chunk, and adds all that can be had without waiting again.
    fn pull(&mut self, out: &mut Vec<u8>, pulse: &Pulse) -> Result<More, ApiError> {
        let Self {
            service,
            questions,
            dialect,
            events,
            ..
        } = self;
        let Some(question) = questions.front() else {
            return Ok(More::No);
        };
        let fails = |error| ApiError::upstream(error, &question.model, &service.sign_in_page);
        let events = match events {
            Some(events) => events,
            None => events.insert(service.upstream.stream(question, pulse).map_err(fails)?),
        };
        loop {
            let next = if out.is_empty() {
                match events.next_event(pulse) {
                    // Google has said everything; how its connection ends is of no matter.
                    Err(UpstreamError::Http(_)) if dialect.is_finished() => None,
                    next => next.map_err(fails)?,
                }
            } else {
                match events.event_at_hand().map_err(fails)? {
                    None => return Ok(More::Yes),
                    event => event,
                }
            };
            match (next, &mut *dialect) {
                (Some(event), Dialect::Chat(translator)) => {
                    translator.push(event, |chunk| write_event(out, chunk));
                }
                (Some(event), Dialect::Completions(translator)) => {
                    translator.push(event, |chunk| write_event(out, chunk));
                }
                (None, Dialect::Chat(translator)) => {
                    translator.finish(|chunk| write_event(out, chunk))?;
                    break;
                }
                (None, Dialect::Completions(translator)) => {
                    translator.finish(|chunk| write_event(out, chunk))?;
                    break;
                }
            }
        }
        self.events = None;
        self.questions.pop_front();
        if self.questions.is_empty() {
            out.extend_from_slice(b"data: [DONE]\n\n");
            return Ok(More::No);
        }
        Ok(More::Yes)
    }

    fn refused(&self, error: ApiError) -> Refused {
        log::info!("{} {}", self.id, error.for_log());
        let mut event = Vec::new();
        error.write_event(&mut event);
        let mut reply = error.into_reply();
        reply.add_header("x-request-id", self.id.clone());
        Refused { reply, event }
    }
}

impl Source for AnswerStream {
    /// Until the first chunk is here an error can still have its own status.
    fn begin(&mut self, pulse: &Pulse) -> Result<(), Refused> {
        let mut chunks = Vec::new();
        match self.pull(&mut chunks, pulse) {
            Err(error) if chunks.is_empty() => Err(self.refused(error)),
            outcome => {
                self.first = Some((chunks, outcome));
                Ok(())
            }
        }
    }

    fn fill(&mut self, out: &mut Vec<u8>, pulse: &Pulse) -> More {
        let outcome = match self.first.take() {
            Some((chunks, outcome)) => {
                out.extend_from_slice(&chunks);
                outcome
            }
            None => self.pull(out, pulse),
        };
        match outcome {
            Ok(More::Yes) => More::Yes,
            Ok(More::No) => {
                let tokens = self.dialect.total_tokens();
                log::info!("{} stream complete, {tokens} tokens", self.id);
                More::No
            }
            Err(error) => {
                log::warn!("{} stream broke off: {}", self.id, error.for_log());
                error.write_event(out);
                More::No
            }
        }
    }

    fn heartbeat(&self) -> Heartbeat {
        // A comment: anything else would be taken for a chunk by some clients.
        Box::new(|out| out.extend_from_slice(b": keep-alive\n\n"))
    }

    fn broken(&self) -> Refused {
        log::error!("{} panicked; the line before this says where", self.id);
        self.refused(ApiError::internal())
    }
}

fn write_event(out: &mut Vec<u8>, chunk: &impl Serialize) {
    let start = out.len();
    out.extend_from_slice(b"data: ");
    match serde_json::to_writer(&mut *out, chunk) {
        Ok(()) => out.extend_from_slice(b"\n\n"),
        // Strings and numbers can always be written.
        Err(_) => out.truncate(start),
    }
}
