//! An answer as Responses events, in the order that OpenAI's clients rely on: an
//! item is added, told and done before the next one begins; numbers have no gaps.
//! A whole answer is the last event's.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::namespaces::Namespaces;
use super::opening::{Head, Opening, raw};
use super::seal::Seal;
use super::telling::{Open, Telling};
use crate::translate::said::Reader;
use crate::translate::{Unfinished, token};
use crate::wire::gemini::GenerateContentResponse;
use crate::wire::openai::Usage;
use crate::wire::responses::{Asked, Response, ResponseError, ResponseEvent, Status};

/// Turns Google's events into the Responses'.
pub struct ResponseTranslator {
    reader: Reader,
    telling: Telling,
}

/// Why an answer that has begun is none.
#[derive(Debug, Clone, Copy)]
pub struct Failure<'a> {
    /// OpenAI's word for it.
    pub code: &'a str,
    pub message: &'a str,
}

impl ResponseTranslator {
    pub fn new(reader: Reader, namespaces: Namespaces, seal: Seal, asked: Asked) -> Self {
        let stamp = reader.stamp().clone();
        let id = format!("resp_{}", token(&stamp.seed, "response", 32));
        let head = Head { id, stamp, asked };
        let response = head.response(Status::InProgress, &[]);
        let opening = Opening {
            next: Arc::default(),
            response: raw(&response).into(),
        };
        let telling = Telling {
            head,
            opening,
            namespaces,
            seal,
            output: Vec::new(),
            open: Open::Nothing,
            begun: 0,
        };
        Self { reader, telling }
    }

    /// `resp_…`
    pub fn id(&self) -> &str {
        &self.telling.head.id
    }

    pub fn opening(&self) -> Opening {
        self.telling.opening.clone()
    }

    /// The events that one of Google's makes; possibly none.
    pub fn push(
        &mut self,
        event: GenerateContentResponse<'_>,
        mut sink: impl FnMut(&ResponseEvent<'_>),
    ) {
        let Self { reader, telling } = self;
        reader.read(event, |index, said| {
            // There is only one alternative here: nobody can ask for more.
            if index == 0 {
                telling.tell(said, &mut sink);
            }
        });
    }

    /// Whether Google has said why it stopped: whatever follows is only counts.
    pub fn is_finished(&self) -> bool {
        self.reader.is_finished()
    }

    /// Whether the answer is over with nothing in it but thoughts, and another try may
    /// do better.
    pub fn is_empty(&self) -> bool {
        self.reader.is_in_vain()
    }

    /// The same, where the client has not been told any thoughts either.
    pub fn is_in_vain(&self) -> bool {
        self.telling.begun == 0 && self.is_empty()
    }

    /// That Google did not say why it stopped is to be no reason for concern.
    pub fn presume_stopped(&mut self) {
        self.reader.presume_stopped();
    }

    /// Google is asked once more; the client has got nothing but the opening.
    pub fn begin_anew(&mut self, reader: Reader) {
        self.reader = reader;
        self.telling.forget();
    }

    /// How many bytes the answer has so far.
    pub fn said_bytes(&self) -> usize {
        self.reader.said_bytes()
    }

    /// The usage so far.
    pub fn usage(&self) -> Usage {
        self.reader.usage()
    }

    /// Tells the end, at `now` (seconds since 1970), and returns the whole answer.
    /// Fails when Google fell silent before saying why it stopped.
    pub fn finish(
        &mut self,
        now: u64,
        mut sink: impl FnMut(&ResponseEvent<'_>),
    ) -> Result<Box<RawValue>, Unfinished> {
        let Self { reader, telling } = self;
        let ending = reader.finish(|index, said| {
            if index == 0 {
                telling.tell(said, &mut sink);
            }
        })?;
        Ok(telling.end(ending, now, &mut sink))
    }

    /// Reads a whole answer.
    pub fn whole(
        &mut self,
        answer: GenerateContentResponse<'_>,
        now: u64,
    ) -> Result<Box<RawValue>, Unfinished> {
        self.push(answer, |_| ());
        self.presume_stopped();
        self.finish(now, |_| ())
    }

    /// There will be no good end. Tells what has come so far, and why.
    pub fn fail(&mut self, failure: Failure<'_>, mut sink: impl FnMut(&ResponseEvent<'_>)) {
        let telling = &mut self.telling;
        telling.begin(&mut sink);
        telling.close(Status::Incomplete, &[], &mut sink);
        let response = Response {
            error: Some(ResponseError {
                code: failure.code,
                message: failure.message,
            }),
            ..telling.head.response(Status::Failed, &telling.output)
        };
        telling.tell_response("response.failed", &raw(&response), &mut sink);
    }
}
