//! The body of an answer: a stream of Gemini's events, or one whole answer.

use std::time::Duration;

use super::{GoogleError, UpstreamError};
use crate::http::{self, Pulse};
use crate::wire::code_assist;
use crate::wire::gemini::GenerateContentResponse;
use crate::wire::sse::{Decoder, Frame};

/// An event may hold an image, not a film.
const MAX_EVENT_BYTES: usize = 64 * 1024 * 1024;

/// How a refusal begins.
const ERROR_FIRST: &[u8] = b"{\"error\":";

/// Whether Gemini's answers come in Code Assist's envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapping {
    Plain,
    Enveloped,
}

/// One of Gemini's events; a whole answer is the same, only larger.
pub type Event<'a> = GenerateContentResponse<'a>;

/// Reads events as they come. Dropping it ends the request to Google at once.
pub struct EventStream {
    body: http::Body,
    decoder: Decoder,
    wrapping: Wrapping,
    ended: bool,
    /// The next event has been looked at, and is still to be told.
    is_waiting: bool,
}

/// A whole answer, not yet read.
pub struct Answer {
    bytes: Vec<u8>,
    wrapping: Wrapping,
}

impl EventStream {
    pub(super) fn new(body: http::Body, wrapping: Wrapping) -> Self {
        Self {
            body,
            decoder: Decoder::default(),
            wrapping,
            ended: false,
            is_waiting: false,
        }
    }

    /// Waits for the first event, which stays to be read. Fails if it is an error: then
    /// Google refused the question, whatever its status said.
    pub(super) fn begun(mut self, pulse: &Pulse) -> Result<Self, UpstreamError> {
        self.is_waiting = self.next_event(pulse)?.is_some();
        Ok(self)
    }

    /// What is still to come is waited for so long, and no longer.
    pub fn end_within(&mut self, limit: Duration) {
        self.body.end_within(limit);
    }

    /// Waits for the next event; `None` at the end. `pulse` is asked meanwhile. The
    /// body is read to its very end, so that the connection can be used again.
    pub fn next_event(&mut self, pulse: &Pulse) -> Result<Option<Event<'_>>, UpstreamError> {
        while !self.advance() {
            if self.ended {
                return Ok(None);
            }
            let count = self
                .decoder
                .read_with(|piece| self.body.read_while(piece, pulse))?;
            self.ended = count == 0;
            if self.decoder.held() > MAX_EVENT_BYTES {
                let detail = format!("an event of more than {MAX_EVENT_BYTES} bytes");
                return Err(UpstreamError::Garbled { detail });
            }
        }
        self.current().map(Some)
    }

    /// The next event, if it is here already.
    pub fn event_at_hand(&mut self) -> Result<Option<Event<'_>>, UpstreamError> {
        if self.advance() {
            self.current().map(Some)
        } else {
            Ok(None)
        }
    }

    fn advance(&mut self) -> bool {
        if std::mem::take(&mut self.is_waiting) {
            return true;
        }
        while self.decoder.advance() {
            // Google sends no such mark; gateways in between may.
            if self.decoder.current() != Frame::Data(b"[DONE]") {
                return true;
            }
        }
        false
    }

    fn current(&self) -> Result<Event<'_>, UpstreamError> {
        match self.decoder.current() {
            Frame::Data(data) => parse(data, self.wrapping),
            Frame::Bare(json) => Err(bare(json)),
        }
    }
}

impl Answer {
    pub(super) fn new(bytes: Vec<u8>, wrapping: Wrapping) -> Self {
        Self { bytes, wrapping }
    }

    pub fn read(&self) -> Result<Event<'_>, UpstreamError> {
        parse(&self.bytes, self.wrapping)
    }

    /// Fails if it is an error, whatever its status said.
    pub(super) fn accepted(self) -> Result<Self, UpstreamError> {
        // An answer has its `error` first, if it has one.
        let mut start = self.bytes.iter().filter(|byte| !byte.is_ascii_whitespace());
        if ERROR_FIRST.iter().all(|byte| start.next() == Some(byte)) {
            self.read()?;
        }
        Ok(self)
    }
}

fn parse(json: &[u8], wrapping: Wrapping) -> Result<Event<'_>, UpstreamError> {
    // serde_json would check each string by itself, which costs a tenth of an event.
    let text = str::from_utf8(json).map_err(|error| UpstreamError::not_utf8(&error))?;
    let parsed =
        match wrapping {
            Wrapping::Plain => serde_json::from_str::<GenerateContentResponse<'_>>(text),
            Wrapping::Enveloped => serde_json::from_str::<code_assist::GenerateResponse<'_>>(text)
                .map(|envelope| GenerateContentResponse {
                    error: envelope.error,
                    ..envelope.response.unwrap_or_default()
                }),
        };
    let event = parsed.map_err(|error| UpstreamError::garbled(&error))?;
    if event.error.is_some() {
        return Err(UpstreamError::Google(Box::new(GoogleError::parse(
            200, json,
        ))));
    }
    Ok(event)
}

/// JSON outside of events: an error, or nothing we understand.
fn bare(json: &[u8]) -> UpstreamError {
    let says_error = json.windows(7).any(|window| window == b"\"error\"");
    if says_error {
        return UpstreamError::Google(Box::new(GoogleError::parse(200, json)));
    }
    UpstreamError::Garbled {
        detail: "JSON where events were expected".into(),
    }
}
