//! `POST /v1/responses`, the answers that are kept from it, and how long an input is.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::value::RawValue;

use super::answer_stream::{self, AnswerStream, Dialect};
use super::asking::{Asking, Front, Plan};
use super::error::ApiError;
use super::record::Record;
use super::response_store::{Expanded, Kept, Owner};
use super::{Service, access};
use crate::http::Pulse;
use crate::server::transport::exchange::Request;
use crate::server::transport::writer::Reply;
use crate::translate::{ResponseTranslator, Told, Unfinished};
use crate::upstream::Question;

/// What to do with an answer when it is there.
pub(super) struct Keeping {
    owner: Owner,
    previous: Option<String>,
    input: Arc<RawValue>,
}

/// Answers whole or in events, as the body's `stream` says.
pub(super) fn create(
    service: &Arc<Service>,
    request: &mut Request,
    record: &Arc<Record>,
) -> Result<Reply, ApiError> {
    let owner = access::owner(request, &service.api_keys);
    let Expanded {
        body,
        input,
        remembered,
        previous,
    } = service.responses.expand(request.take_body(), owner)?;
    let pulse = request.pulse();
    let front = Front::Responses { remembered };
    let (asking, plan) = Asking::new(service, record, body, front, &pulse)?;
    let Plan {
        question,
        streams,
        told,
        ..
    } = plan;
    let Told {
        namespaces, asked, ..
    } = told.ok_or_else(ApiError::internal)?;
    let keeping = asked.store.then_some(Keeping {
        owner,
        previous,
        input,
    });
    let seal = service.seal.clone();
    let translator = ResponseTranslator::new(asking.reader(), namespaces, seal, asked);
    let answer = Answering {
        translator,
        asking,
        keeping,
    };
    if !streams {
        return whole(service, answer, question, &pulse, record);
    }
    let headers = answer.asking.headers();
    let dialect = Dialect::Responses(Box::new(answer));
    let stream = AnswerStream::new(service, record, [question].into(), dialect);
    Ok(answer_stream::reply(stream).with_headers(headers))
}

/// An answer in the making.
pub(super) struct Answering {
    pub(super) translator: ResponseTranslator,
    pub(super) asking: Asking,
    keeping: Option<Keeping>,
}

impl Answering {
    /// The answer is complete: keeps it, if it is to be referred to.
    pub(super) fn keep(&mut self, service: &Service, response: Box<RawValue>) {
        if let Some(Keeping {
            owner,
            previous,
            input,
        }) = self.keeping.take()
        {
            let kept = Kept {
                owner,
                previous,
                input,
                response: response.into(),
                since: Instant::now(),
            };
            service.responses.keep(self.translator.id(), kept);
        }
    }
}

fn whole(
    service: &Service,
    mut answer: Answering,
    mut question: Question,
    pulse: &Pulse,
    record: &Record,
) -> Result<Reply, ApiError> {
    loop {
        let Answering {
            translator, asking, ..
        } = &mut answer;
        let given = match service.generate(&question, pulse, record) {
            Ok(given) => given,
            Err(error) => match asking.reconsider(&error) {
                Some(other) => {
                    question = other;
                    continue;
                }
                None => return Err(asking.failed(error)),
            },
        };
        let given = given.read().inspect_err(|error| record.failed(error));
        let given = given.map_err(|error| asking.failed(error))?;
        let outcome = translator.whole(given, now());
        let is_in_vain = match &outcome {
            Ok(_) => translator.is_empty(),
            Err(Unfinished::Empty { .. } | Unfinished::CallInPieces) => true,
            Err(Unfinished::CutShort) => false,
        };
        if is_in_vain && asking.allows_another_try() {
            translator.begin_anew(asking.reader());
            continue;
        }
        let response = outcome?;
        record.said(translator.usage(), 0);
        let reply = super::json(200, &response).with_headers(asking.headers());
        answer.keep(service, response);
        return Ok(reply);
    }
}

/// How many tokens Google would be told, without an answer.
pub(super) fn count_tokens(
    service: &Arc<Service>,
    request: &mut Request,
    record: &Arc<Record>,
) -> Result<Reply, ApiError> {
    #[derive(Serialize)]
    struct InputTokens {
        object: &'static str,
        input_tokens: u64,
    }
    let owner = access::owner(request, &service.api_keys);
    let expanded = service.responses.expand(request.take_body(), owner)?;
    let pulse = request.pulse();
    let front = Front::Responses {
        remembered: expanded.remembered,
    };
    let (asking, plan) = Asking::new(service, record, expanded.body, front, &pulse)?;
    let counted = service.upstream.count_tokens(&plan.question, &pulse);
    let counted = InputTokens {
        object: "response.input_tokens",
        input_tokens: counted.map_err(|error| asking.failed(error))?,
    };
    Ok(super::json(200, &counted).with_headers(asking.headers()))
}

/// An answer that is kept.
pub(super) fn retrieve(service: &Service, request: &Request, id: &str) -> Result<Reply, ApiError> {
    let owner = access::owner(request, &service.api_keys);
    match service.responses.get(id, owner) {
        Some(response) => Ok(super::json(200, response.as_ref())),
        None => Err(ApiError::response_not_found(id)),
    }
}

pub(super) fn delete(service: &Service, request: &Request, id: &str) -> Result<Reply, ApiError> {
    #[derive(Serialize)]
    struct Deleted<'a> {
        id: &'a str,
        object: &'static str,
        deleted: bool,
    }
    let owner = access::owner(request, &service.api_keys);
    if !service.responses.remove(id, owner) {
        return Err(ApiError::response_not_found(id));
    }
    let deleted = Deleted {
        id,
        object: "response",
        deleted: true,
    };
    Ok(super::json(200, &deleted))
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}
