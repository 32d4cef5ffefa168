//! Asking Google, and asking otherwise: what a chat request is asked as, what its
//! answer is read with, and the second try where the first was refused over
//! something that can be said more carefully.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::error::ApiError;
use super::{Service, body, images};
use crate::http::Pulse;
use crate::models;
use crate::translate::said::Reader;
use crate::translate::{self, Distrust, Fetched, Form, Rejection, Signatures, Stamp};
use crate::upstream::{Question, UpstreamError};
use crate::wire::openai::ChatRequest;

/// A chat request as it is asked first.
pub(super) struct Plan {
    pub(super) question: Question,
    /// For the header that names what had no effect.
    pub(super) ignored: Option<String>,
    pub(super) streams: bool,
    pub(super) include_usage: bool,
}

/// What it takes to read the answer, and to ask once more.
pub(super) struct Asking {
    service: Arc<Service>,
    /// The client's own words, until Google has accepted them.
    body: Vec<u8>,
    fetched: Fetched,
    stamp: Stamp,
    form: Form,
    was_careful: bool,
    was_empty: bool,
}

/// What the second try does otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Care {
    None,
    /// Google's stand-in takes the place of every thought signature.
    Signatures,
    /// Schemas in the plainest words.
    Schemas,
}

impl Asking {
    pub(super) fn new(
        service: &Arc<Service>,
        body: Vec<u8>,
        pulse: &Pulse,
    ) -> Result<(Self, Plan), ApiError> {
        let chat = parse(&body)?;
        let stamp = stamp(model(chat.model.as_deref())?)?;
        let fetched = images::fetch_all(&chat, &service.fetcher, pulse)?;
        let signatures = &*service.signatures;
        let translated = translate::request(&chat, &stamp.model, signatures, &fetched)?;
        let question = Question::new(&stamp.model, &translated.request);
        let options = chat.stream_options.as_ref();
        let plan = Plan {
            question: question.map_err(|_| ApiError::internal())?,
            ignored: translated.notes.header_value(),
            streams: chat.stream == Some(true),
            include_usage: options.and_then(|options| options.include_usage) == Some(true),
        };
        let form = translated.form;
        let service = service.clone();
        let (was_careful, was_empty) = (false, false);
        Ok((
            Self {
                service,
                body,
                fetched,
                stamp,
                form,
                was_careful,
                was_empty,
            },
            plan,
        ))
    }

    pub(super) fn reader(&self) -> Reader {
        let signatures = self.service.signatures.clone();
        Reader::new(self.stamp.clone(), self.form.clone(), signatures)
    }

    /// Google refused: the question in other words, if that may help; once.
    pub(super) fn reconsider(&mut self, error: &UpstreamError) -> Option<Question> {
        let care = care_for(error);
        if care == Care::None || std::mem::replace(&mut self.was_careful, true) {
            return None;
        }
        let question = self.careful_question(care)?;
        log::info!("asking Google again, more careful about {care:?}");
        Some(question)
    }

    /// The answer is empty, and the client has got nothing of it: once, that may
    /// have been bad luck.
    pub(super) fn allows_another_try(&mut self) -> bool {
        !std::mem::replace(&mut self.was_empty, true)
    }

    /// Nothing can be said otherwise any more: Google has accepted the question.
    pub(super) fn forget_body(&mut self) {
        self.body = Vec::new();
        self.was_careful = true;
    }

    fn careful_question(&self, care: Care) -> Option<Question> {
        let chat = parse(&self.body).ok()?;
        let signatures: &dyn Signatures = match care {
            Care::Signatures => &Distrust,
            _ => &*self.service.signatures,
        };
        let translated =
            translate::request(&chat, &self.stamp.model, signatures, &self.fetched).ok()?;
        let mut request = translated.request;
        if care == Care::Schemas && !translate::make_schemas_plain(&mut request) {
            return None;
        }
        Question::new(&self.stamp.model, &request).ok()
    }
}

/// What a refusal is about, by the fragments of its many texts.
fn care_for(error: &UpstreamError) -> Care {
    let UpstreamError::Google(error) = error else {
        return Care::None;
    };
    if error.http_status != 400 {
        return Care::None;
    }
    let message = error.message.to_ascii_lowercase().replace('_', " ");
    let says = |fragments: &[&str]| fragments.iter().any(|fragment| message.contains(fragment));
    if says(&["thought signature", "thoughtsignature"]) {
        Care::Signatures
    } else if says(&[
        "schema",
        "function declarations",
        "too many states",
        "request contains an invalid argument",
    ]) {
        Care::Schemas
    } else {
        Care::None
    }
}

/// A chat request, in either of its shapes.
pub(super) fn parse(body: &[u8]) -> Result<ChatRequest<'_>, ApiError> {
    let mut chat = body::parse(body)?;
    translate::take_input(&mut chat)?;
    Ok(chat)
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
