//! Asking Google, and asking otherwise: what a request is asked as, what its
//! answer is read with, and the second try where the first was refused over
//! something that can be said more carefully.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::body::Body;
use super::error::ApiError;
use super::metrics::SecondTry;
use super::record::Record;
use super::{Service, images};
use crate::config::Config;
use crate::http::Pulse;
use crate::models;
use crate::translate::said::Reader;
use crate::translate::{
    self, Distrust, Fetched, Fields, Form, Manner, Notes, Rejection, Seal, Signatures, Stamp, Told,
    Translated,
};
use crate::upstream::{Question, UpstreamError};
use crate::wire::openai::ChatRequest;
use crate::wire::responses::ResponseRequest;

/// The header that names the fields which had less effect than asked.
pub(super) const IGNORED: &str = "x-gemini-proxy-ignored";

/// The header that says what the second try did otherwise.
const RETRIED: &str = "x-gemini-proxy-retried";

/// By which door a request came.
#[derive(Debug, Clone, Copy)]
pub(super) enum Front {
    Chat,
    Responses {
        /// Items at the beginning that the client did not send.
        remembered: usize,
    },
}

/// A request as it is asked first.
pub(super) struct Plan {
    pub(super) question: Question,
    pub(super) streams: bool,
    pub(super) include_usage: bool,
    /// Of a request in the Responses' words.
    pub(super) told: Option<Told>,
}

/// What it takes to read the answer, and to ask once more.
pub(super) struct Asking {
    service: Arc<Service>,
    record: Arc<Record>,
    front: Front,
    /// What the client calls the fields of its request, if not as chat does.
    fields: Option<Fields>,
    /// In which of chat's fields it limits the answer.
    limit_field: &'static str,
    /// The client's own words, until Google has accepted them.
    body: Body,
    fetched: Fetched,
    stamp: Stamp,
    form: Form,
    ignored: Option<String>,
    /// Of the second try.
    care: Care,
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
        record: &Arc<Record>,
        body: Vec<u8>,
        front: Front,
        pulse: &Pulse,
    ) -> Result<(Self, Plan), ApiError> {
        let body = Body::new(body);
        let (chat, told) = parse(&body, front, &service.seal)?;
        let fields = told.as_ref().map(|told| told.fields.clone());
        let rejected = |rejection: Rejection| in_fields(rejection, fields.as_ref());
        let stamp = stamp(model(chat.model.as_deref())?)?;
        record.asks(&stamp.model);
        let fetched = images::fetch_all(&chat, &service.fetcher, pulse)
            .map_err(|error| in_fields(error, fields.as_ref()))?;
        let signatures = &*service.signatures;
        let manner = service.manner;
        let translated = translate::request(&chat, &stamp.model, signatures, &fetched, manner)
            .map_err(rejected)?;
        let question = Question::new(&stamp.model, &translated.request, body.bytes().len() + 1024);
        let options = chat.stream_options.as_ref();
        let form = translated.form;
        let ignored = all_notes(translated.notes, told.as_ref()).header_value();
        let plan = Plan {
            question: question.map_err(|_| ApiError::internal())?,
            streams: chat.stream == Some(true),
            include_usage: options.and_then(|options| options.include_usage) == Some(true),
            told,
        };
        let (service, record) = (service.clone(), record.clone());
        let limit_field = translate::limit_field(&chat);
        let (care, was_careful, was_empty) = (Care::None, false, false);
        Ok((
            Self {
                service,
                record,
                front,
                fields,
                limit_field,
                body,
                fetched,
                stamp,
                form,
                ignored,
                care,
                was_careful,
                was_empty,
            },
            plan,
        ))
    }

    /// Google's refusal, in the client's words.
    pub(super) fn failed(&self, error: UpstreamError) -> ApiError {
        let error = ApiError::upstream(error, &self.stamp.model, &self.service.sign_in_page);
        let error = error.limited_in(self.limit_field);
        match &self.fields {
            Some(fields) => error.in_fields(fields),
            None => error,
        }
    }

    pub(super) fn reader(&self) -> Reader {
        let signatures = self.service.signatures.clone();
        Reader::new(self.stamp.clone(), self.form.clone(), signatures)
    }

    /// What the answer's head says of the question that was asked last.
    pub(super) fn headers(&self) -> Vec<(&'static str, String)> {
        let retried = match self.care {
            Care::None => None,
            Care::Signatures => Some(SecondTry::ThoughtSignatures),
            Care::Schemas => Some(SecondTry::Schemas),
        };
        let ignored = self.ignored.clone().map(|fields| (IGNORED, fields));
        let retried = retried.map(|what| (RETRIED, what.name().to_owned()));
        ignored.into_iter().chain(retried).collect()
    }

    /// Google refused: the question in other words, if that may help; once.
    pub(super) fn reconsider(&mut self, error: &UpstreamError) -> Option<Question> {
        let care = care_for(error);
        if care == Care::None || std::mem::replace(&mut self.was_careful, true) {
            return None;
        }
        let question = self.careful_question(care)?;
        self.care = care;
        self.record.tries_again(match care {
            Care::Signatures => SecondTry::ThoughtSignatures,
            _ => SecondTry::Schemas,
        });
        Some(question)
    }

    /// The answer is empty, and the client has got nothing of it: once, that may
    /// have been bad luck.
    pub(super) fn allows_another_try(&mut self) -> bool {
        let is_first = !std::mem::replace(&mut self.was_empty, true);
        if is_first {
            self.record.tries_again(SecondTry::Empty);
        }
        is_first
    }

    /// Nothing can be said otherwise any more: Google has accepted the question.
    pub(super) fn forget_body(&mut self) {
        self.body = Body::default();
        self.was_careful = true;
    }

    fn careful_question(&mut self, care: Care) -> Option<Question> {
        let (chat, told) = parse(&self.body, self.front, &self.service.seal).ok()?;
        let signatures: &dyn Signatures = match care {
            Care::Signatures => &Distrust,
            _ => &*self.service.signatures,
        };
        let manner = Manner {
            plain_schemas: care == Care::Schemas,
            ..self.service.manner
        };
        let model = &self.stamp.model;
        let translated = translate::request(&chat, model, signatures, &self.fetched, manner);
        let Translated {
            request,
            notes,
            has_schemas,
            ..
        } = translated.ok()?;
        if care == Care::Schemas && !has_schemas {
            return None;
        }
        self.ignored = all_notes(notes, told.as_ref()).header_value();
        Question::new(model, &request, self.body.bytes().len() + 1024).ok()
    }
}

/// What the settings say about how requests are written.
pub(super) fn manner(config: &Config) -> Manner {
    Manner {
        search_with_tools: config.search_with_tools,
        ..Manner::default()
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

/// The request as chat's. A chat may come in the Responses' words, too.
pub(super) fn parse<'a>(
    body: &'a Body,
    front: Front,
    seal: &Seal,
) -> Result<(ChatRequest<'a>, Option<Told>), ApiError> {
    let mut chat: ChatRequest<'_> = body.parse()?;
    let remembered = match front {
        Front::Responses { remembered } => remembered,
        Front::Chat => {
            let has_messages = chat
                .messages
                .as_ref()
                .is_some_and(|given| !given.is_empty());
            if has_messages || chat.input.is_none() {
                return Ok((chat, None));
            }
            0
        }
    };
    let given: ResponseRequest<'_> = body.parse()?;
    if let (Front::Chat, Some(id)) = (front, &given.previous_response_id) {
        return Err(ApiError::previous_response_not_found(id));
    }
    let told = translate::as_chat(given, &mut chat, seal, remembered)?;
    Ok((chat, Some(told)))
}

/// An error that speaks of what the client sent.
pub(super) fn in_fields(error: impl Into<ApiError>, fields: Option<&Fields>) -> ApiError {
    let error = error.into();
    match fields {
        Some(fields) => error.in_fields(fields),
        None => error,
    }
}

/// All notes of a request, in the client's words.
pub(super) fn all_notes(notes: Notes, told: Option<&Told>) -> Notes {
    let Some(told) = told else {
        return notes;
    };
    let mut all = told.notes.clone();
    for note in notes.iter() {
        all.add(
            told.fields.original(&note.field).into_owned(),
            note.reason.clone(),
        );
    }
    all
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
