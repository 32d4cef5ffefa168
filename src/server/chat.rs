//! `POST /v1/chat/completions`

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Service;
use super::body;
use super::error::{ApiError, SignInPage};
use crate::models;
use crate::server::transport::exchange::Request;
use crate::server::transport::writer::{More, Reply, Source};
use crate::translate::said::Reader;
use crate::translate::{self, Rejection, Stamp, StreamTranslator, Translated};
use crate::upstream::{EventStream, UpstreamError};
use crate::wire::openai::{ChatCompletionChunk, ChatRequest};

/// Answers whole or in events, as the body's `stream` says.
pub(super) fn create(
    service: &Service,
    request: &mut Request,
    id: &str,
) -> Result<Reply, ApiError> {
    let body = request.take_body();
    let chat: ChatRequest<'_> = body::parse(&body)?;
    let stamp = stamp(model(&chat)?)?;
    let translated = translate::request(&chat, &stamp.model, &*service.signatures)?;
    if chat.stream == Some(true) {
        let include_usage = chat
            .stream_options
            .as_ref()
            .and_then(|options| options.include_usage);
        stream(service, translated, stamp, include_usage == Some(true), id)
    } else {
        whole(service, translated, &stamp)
    }
}

fn model(chat: &ChatRequest<'_>) -> Result<String, Rejection> {
    let id = models::without_prefix(chat.model.as_deref().unwrap_or_default());
    if id.is_empty() {
        return Err(Rejection::missing("model"));
    }
    Ok(id.to_owned())
}

/// The clock and the dice of an answer.
fn stamp(model: String) -> Result<Stamp, ApiError> {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).map_err(|_| ApiError::internal())?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok(Stamp::new(now.as_secs(), model, seed))
}

fn whole(service: &Service, translated: Translated<'_>, stamp: &Stamp) -> Result<Reply, ApiError> {
    let fails = |error| ApiError::upstream(error, &stamp.model, &service.sign_in_page);
    let answer = service
        .upstream
        .generate(&stamp.model, &translated.request)
        .map_err(fails)?;
    let ignored = ignored_header(&translated.ignored);
    let reader = reader(service, translated, stamp);
    let completion = translate::response(answer.read().map_err(fails)?, reader, stamp)?;
    let mut reply = super::json(200, &completion);
    for (name, value) in ignored {
        reply.add_header(name, value);
    }
    Ok(reply)
}

fn stream(
    service: &Service,
    translated: Translated<'_>,
    stamp: Stamp,
    include_usage: bool,
    id: &str,
) -> Result<Reply, ApiError> {
    let fails = |error| ApiError::upstream(error, &stamp.model, &service.sign_in_page);
    let events = service
        .upstream
        .stream(&stamp.model, &translated.request)
        .map_err(fails)?;
    let mut headers = ignored_header(&translated.ignored);
    let reader = reader(service, translated, &stamp);
    let translator = StreamTranslator::new(reader, include_usage);
    let mut stream = ChatStream {
        events,
        translator,
        id: id.to_owned(),
        model: stamp.model,
        first: None,
        sign_in_page: service.sign_in_page.clone(),
    };
    // Until the first chunk is here an error can still have its own status.
    let mut chunks = Vec::new();
    let outcome = stream.pull(&mut chunks);
    match outcome {
        Err(error) if chunks.is_empty() => return Err(error),
        outcome => stream.first = Some((chunks, outcome)),
    }
    headers.extend([
        (
            "content-type",
            "text/event-stream; charset=utf-8".to_owned(),
        ),
        ("cache-control", "no-cache".to_owned()),
        ("x-accel-buffering", "no".to_owned()),
    ]);
    Ok(Reply::Stream {
        headers,
        source: Box::new(stream),
    })
}

fn reader(service: &Service, translated: Translated<'_>, stamp: &Stamp) -> Reader {
    let signatures = service.signatures.clone();
    Reader::new(
        stamp.clone(),
        translated.names,
        translated.one_call_only,
        signatures,
    )
}

/// Says which fields of the request had no effect.
fn ignored_header(ignored: &[&'static str]) -> Vec<(&'static str, String)> {
    let named = (!ignored.is_empty()).then(|| ("x-gemini-proxy-ignored", ignored.join(",")));
    named.into_iter().collect()
}

/// Pulled from the client's end: a slow client slows Google. When a write finds
/// that the client has left, this is dropped, which ends the request to Google.
struct ChatStream {
    events: EventStream,
    translator: StreamTranslator,
    /// Of the request, for the log.
    id: String,
    model: String,
    sign_in_page: Arc<SignInPage>,
    /// What was pulled before the answer began.
    first: Option<(Vec<u8>, Result<More, ApiError>)>,
}

impl ChatStream {
    /// Waits for at least one chunk, and adds all that can be had without waiting again.
    fn pull(&mut self, out: &mut Vec<u8>) -> Result<More, ApiError> {
        let Self {
            events,
            translator,
            model,
            sign_in_page,
            ..
        } = self;
        let fails = |error: UpstreamError| ApiError::upstream(error, model, sign_in_page);
        loop {
            let next = if out.is_empty() {
                match events.next_event() {
                    // Google has said everything; how its connection ends is of no matter.
                    Err(UpstreamError::Http(_)) if translator.is_finished() => None,
                    next => next.map_err(fails)?,
                }
            } else {
                match events.event_at_hand().map_err(fails)? {
                    None => return Ok(More::Yes),
                    event => event,
                }
            };
            match next {
                Some(event) => translator.push(event, |chunk| write_chunk(out, chunk)),
                None => {
                    translator.finish(|chunk| write_chunk(out, chunk))?;
                    out.extend_from_slice(b"data: [DONE]\n\n");
                    return Ok(More::No);
                }
            }
        }
    }
}

impl Source for ChatStream {
    fn fill(&mut self, out: &mut Vec<u8>) -> More {
        let outcome = match self.first.take() {
            Some((chunks, outcome)) => {
                out.extend_from_slice(&chunks);
                outcome
            }
            None => self.pull(out),
        };
        match outcome {
            Ok(More::Yes) => More::Yes,
            Ok(More::No) => {
                log::info!(
                    "{} stream complete, {} tokens",
                    self.id,
                    self.translator.usage().total_tokens
                );
                More::No
            }
            Err(error) => {
                log::warn!("{} stream broke off: {}", self.id, error.for_log());
                error.write_event(out);
                More::No
            }
        }
    }

    fn broken(&self, out: &mut Vec<u8>) {
        log::error!(
            "{} stream panicked; the line before this says where",
            self.id
        );
        ApiError::internal().write_event(out);
    }
}

fn write_chunk(out: &mut Vec<u8>, chunk: &ChatCompletionChunk<'_>) {
    let start = out.len();
    out.extend_from_slice(b"data: ");
    match serde_json::to_writer(&mut *out, chunk) {
        Ok(()) => out.extend_from_slice(b"\n\n"),
        // Strings and numbers can always be written.
        Err(_) => out.truncate(start),
    }
}
