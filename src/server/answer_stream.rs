//! A streamed answer, in whichever dialect: asks Google, turns events into
//! chunks, and says honestly how it ended.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::Service;
use super::asking::Asking;
use super::error::ApiError;
use super::metrics::SecondTry;
use super::record::Record;
use super::responses::{self, Answering};
use crate::http::{HttpError, Pulse};
use crate::server::transport::writer::{Heartbeat, More, Refused, Reply, Source};
use crate::translate::{CompletionTranslator, StreamTranslator, Unfinished};
use crate::upstream::{Event, EventStream, Question, UpstreamError};
use crate::wire::openai::Usage;
use crate::wire::responses::ResponseEvent;

/// Google has said why it stopped. Its counts may still come, its connection may stay
/// open; so long is waited for both.
const GRACE: Duration = Duration::from_secs(2);

/// A stream's head, and its source.
pub(super) fn reply(source: AnswerStream) -> Reply {
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
    Chat {
        translator: Box<StreamTranslator>,
        asking: Box<Asking>,
        include_usage: bool,
    },
    Completions(CompletionTranslator),
    Responses(Box<Answering>),
}

impl Dialect {
    /// Whether Google has said why it stopped.
    fn is_finished(&self) -> bool {
        match self {
            Self::Chat { translator, .. } => translator.is_finished(),
            Self::Completions(translator) => translator.is_finished(),
            Self::Responses(answer) => answer.translator.is_finished(),
        }
    }

    fn presume_stopped(&mut self) {
        match self {
            Self::Chat { translator, .. } => translator.presume_stopped(),
            Self::Completions(translator) => translator.presume_stopped(),
            Self::Responses(answer) => answer.translator.presume_stopped(),
        }
    }

    fn usage(&self) -> Usage {
        match self {
            Self::Chat { translator, .. } => translator.usage(),
            Self::Completions(translator) => translator.usage(),
            Self::Responses(answer) => answer.translator.usage(),
        }
    }

    fn said_bytes(&self) -> usize {
        match self {
            Self::Chat { translator, .. } => translator.said_bytes(),
            Self::Completions(translator) => translator.said_bytes(),
            Self::Responses(answer) => answer.translator.said_bytes(),
        }
    }

    /// Takes in one of Google's events.
    fn push(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Chat { translator, .. } => {
                translator.push(event, |chunk| write_event(out, chunk));
            }
            Self::Completions(translator) => {
                translator.push(event, |chunk| write_event(out, chunk));
            }
            Self::Responses(answer) => {
                let translator = &mut answer.translator;
                translator.push(event, |event| write_named_event(out, event));
            }
        }
    }

    /// The good end of one answer; `is_last` if there are no more.
    fn finish(
        &mut self,
        service: &Service,
        is_last: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Unfinished> {
        match self {
            Self::Chat { translator, .. } => translator.finish(|chunk| write_event(out, chunk))?,
            Self::Completions(translator) => translator.finish(|chunk| write_event(out, chunk))?,
            Self::Responses(answer) => {
                let translator = &mut answer.translator;
                let tell = |event: &ResponseEvent<'_>| write_named_event(out, event);
                let response = translator.finish(responses::now(), tell)?;
                answer.keep(service, response);
                return Ok(());
            }
        }
        if is_last {
            out.extend_from_slice(b"data: [DONE]\n\n");
        }
        Ok(())
    }

    /// The bad end.
    fn fail(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        match self {
            Self::Chat { .. } | Self::Completions(_) => error.write_event(out),
            Self::Responses(answer) => {
                let tell = |event: &ResponseEvent<'_>| write_named_event(out, event);
                answer.translator.fail(error.failure(), tell);
            }
        }
    }

    fn asking(&mut self) -> Option<&mut Asking> {
        match self {
            Self::Chat { asking, .. } => Some(asking),
            Self::Completions(_) => None,
            Self::Responses(answer) => Some(&mut answer.asking),
        }
    }

    /// Google refused the question: another one, if that may help.
    fn reconsider(&mut self, error: &UpstreamError) -> Option<Question> {
        self.asking()?.reconsider(error)
    }

    fn accepted(&mut self) {
        if let Some(asking) = self.asking() {
            asking.forget_body();
        }
    }

    /// The answer is over, and the client has got nothing of it: begins anew, once.
    fn begins_anew(&mut self) -> bool {
        let is_in_vain = match self {
            Self::Chat { translator, .. } => translator.is_in_vain(),
            Self::Completions(translator) => return translator.begins_anew(),
            Self::Responses(answer) => answer.translator.is_in_vain(),
        };
        if !is_in_vain || !self.asking().is_some_and(Asking::allows_another_try) {
            return false;
        }
        match self {
            Self::Chat {
                translator,
                asking,
                include_usage,
            } => **translator = StreamTranslator::new(asking.reader(), *include_usage),
            Self::Completions(_) => {}
            Self::Responses(answer) => answer.translator.begin_anew(answer.asking.reader()),
        }
        true
    }
}

/// Pulled from the client's end: a slow client slows Google. When a write finds
/// that the client has left, this is dropped, which ends the request to Google.
pub(super) struct AnswerStream {
    service: Arc<Service>,
    /// Asked in turn; the first is being answered.
    questions: VecDeque<Question>,
    dialect: Dialect,
    record: Arc<Record>,
    /// Once Google has accepted the question.
    events: Option<EventStream>,
    /// What was pulled before the answer began.
    first: Option<(Vec<u8>, Result<More, ApiError>)>,
}

/// How far the answer has been pulled.
#[derive(Debug, PartialEq, Eq)]
enum Pulled {
    SomethingAtHand,
    All,
}

impl AnswerStream {
    pub(super) fn new(
        service: &Arc<Service>,
        record: &Arc<Record>,
        questions: VecDeque<Question>,
        dialect: Dialect,
    ) -> Self {
        Self {
            service: service.clone(),
            questions,
            dialect,
            record: record.clone(),
            events: None,
            first: None,
        }
    }

    /// Waits for at least one chunk, and adds all that can be had without waiting again.
    fn pull(&mut self, out: &mut Vec<u8>, pulse: &Pulse) -> Result<More, ApiError> {
        loop {
            if self.questions.is_empty() {
                return Ok(More::No);
            }
            if self.events.is_none() {
                self.events = Some(self.ask(pulse)?);
            }
            let pulled = self.pull_events(out, pulse);
            self.record
                .said(self.dialect.usage(), self.dialect.said_bytes());
            if pulled? == Pulled::SomethingAtHand {
                self.record.content();
                return Ok(More::Yes);
            }
            self.events = None;
            if self.dialect.begins_anew() {
                if matches!(self.dialect, Dialect::Completions(_)) {
                    self.record.tries_again(SecondTry::Empty);
                }
                continue;
            }
            let is_last = self.questions.len() == 1;
            if !self.dialect.is_finished() {
                self.service.metrics.unfinished_streams.count();
                if self.service.tolerates_missing_finish {
                    let id = self.record.id();
                    log::warn!("{id} Google has not said why it stopped: taken for finished");
                    self.dialect.presume_stopped();
                }
            }
            self.dialect.finish(&self.service, is_last, out)?;
            self.questions.pop_front();
            return Ok(if is_last { More::No } else { More::Yes });
        }
    }

    /// Asks until Google accepts the question, in one form or another.
    fn ask(&mut self, pulse: &Pulse) -> Result<EventStream, ApiError> {
        loop {
            let question = &self.questions[0];
            match self.service.stream(question, pulse, &self.record) {
                Ok(events) => {
                    self.dialect.accepted();
                    return Ok(events);
                }
                Err(error) => match self.dialect.reconsider(&error) {
                    Some(other) => self.questions[0] = other,
                    None => return Err(self.failed(error)),
                },
            }
        }
    }

    fn pull_events(&mut self, out: &mut Vec<u8>, pulse: &Pulse) -> Result<Pulled, ApiError> {
        let Some(events) = &mut self.events else {
            return Ok(Pulled::All);
        };
        let outcome = loop {
            if self.dialect.is_finished() {
                events.end_within(GRACE);
            }
            let next = if out.is_empty() {
                events.next_event(pulse)
            } else {
                match events.event_at_hand() {
                    Ok(None) => return Ok(Pulled::SomethingAtHand),
                    next => next,
                }
            };
            match next {
                Ok(Some(event)) => self.dialect.push(event, out),
                Ok(None) => break Ok(Pulled::All),
                // Google has said everything; how its connection ends is of no matter.
                Err(UpstreamError::Http(_)) if self.dialect.is_finished() => break Ok(Pulled::All),
                Err(error) => break Err(error),
            }
        };
        outcome.map_err(|error| {
            self.record.failed(&error);
            self.failed(error)
        })
    }

    fn failed(&mut self, error: UpstreamError) -> ApiError {
        if let Some(asking) = self.dialect.asking() {
            return asking.failed(error);
        }
        let model = self
            .questions
            .front()
            .map_or("", |question| &question.model);
        ApiError::upstream(error, model, &self.service.sign_in_page).of_a_prompt()
    }

    fn refused(&mut self, error: ApiError) -> Refused {
        let mut event = Vec::new();
        self.dialect.fail(&error, &mut event);
        let mut reply = error.into_reply();
        reply.add_header("x-request-id", self.record.id().to_owned());
        Refused { reply, event }
    }
}

impl Source for AnswerStream {
    /// Until the first chunk is here an error can still have its own status.
    fn begin(&mut self, pulse: &Pulse) -> Result<(), Refused> {
        let mut chunks = Vec::new();
        match self.pull(&mut chunks, pulse) {
            Err(error) if chunks.is_empty() => {
                self.record.ends_with(&error);
                Err(self.refused(error))
            }
            outcome => {
                self.first = Some((chunks, outcome));
                Ok(())
            }
        }
    }

    /// What only the second try has shown.
    fn late_headers(&self) -> Vec<(&'static str, String)> {
        match &self.dialect {
            Dialect::Chat { asking, .. } => asking.headers(),
            Dialect::Completions(_) => Vec::new(),
            Dialect::Responses(answer) => answer.asking.headers(),
        }
    }

    fn fill(&mut self, out: &mut Vec<u8>, pulse: &Pulse) -> More {
        let outcome = match self.first.take() {
            Some((chunks, outcome)) => {
                out.extend_from_slice(&chunks);
                outcome
            }
            // A stream that never has to wait asks here whether to go on.
            None => match pulse.beat() {
                Ok(()) => self.pull(out, pulse),
                Err(gave_up) => Err(HttpError::from(gave_up).into()),
            },
        };
        match outcome {
            Ok(More::Yes) => More::Yes,
            Ok(More::No) => {
                self.record.stream_is_complete();
                More::No
            }
            Err(error) => {
                self.record.head_is_sent();
                self.record.ends_with(&error);
                // Nobody reads it if the client has left.
                self.dialect.fail(&error, out);
                More::No
            }
        }
    }

    fn heartbeat(&self) -> Heartbeat {
        let record = self.record.clone();
        match &self.dialect {
            Dialect::Responses(answer) => {
                let opening = answer.translator.opening();
                Box::new(move |out| {
                    record.head_is_sent();
                    opening.tell(|event| write_named_event(out, event));
                })
            }
            // A comment: anything else would be taken for a chunk by some clients.
            _ => Box::new(move |out| {
                record.head_is_sent();
                out.extend_from_slice(b": keep-alive\n\n");
            }),
        }
    }

    fn broken(&mut self) -> Refused {
        self.record.panicked();
        self.refused(ApiError::internal())
    }
}

/// With its type in a line of its own, too, as OpenAI sends it.
fn write_named_event(out: &mut Vec<u8>, event: &ResponseEvent<'_>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(event.kind.as_bytes());
    out.push(b'\n');
    write_event(out, event);
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
