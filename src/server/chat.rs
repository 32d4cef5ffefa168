//! `POST /v1/chat/completions`

use std::sync::Arc;

use super::Service;
use super::answer_stream::{self, AnswerStream, Dialect};
use super::asking::{Asking, Front, Plan};
use super::error::ApiError;
use super::record::Record;
use crate::http::Pulse;
use crate::server::transport::exchange::Request;
use crate::server::transport::writer::Reply;
use crate::translate::{self, StreamTranslator, Unfinished};
use crate::upstream::Question;

/// Answers whole or in events, as the body's `stream` says.
pub(super) fn create(
    service: &Arc<Service>,
    request: &mut Request,
    record: &Arc<Record>,
) -> Result<Reply, ApiError> {
    let pulse = request.pulse();
    let (asking, plan) = Asking::new(service, record, request.take_body(), Front::Chat, &pulse)?;
    let Plan {
        question,
        streams,
        include_usage,
        ..
    } = plan;
    if !streams {
        return whole(service, asking, question, &pulse, record);
    }
    let headers = asking.headers();
    let translator = StreamTranslator::new(asking.reader(), include_usage);
    let dialect = Dialect::Chat {
        translator: Box::new(translator),
        asking: Box::new(asking),
        include_usage,
    };
    let stream = AnswerStream::new(service, record, [question].into(), dialect);
    Ok(answer_stream::reply(stream).with_headers(headers))
}

fn whole(
    service: &Service,
    mut asking: Asking,
    mut question: Question,
    pulse: &Pulse,
    record: &Record,
) -> Result<Reply, ApiError> {
    loop {
        let answer = match service.generate(&question, pulse, record) {
            Ok(answer) => answer,
            Err(error) => match asking.reconsider(&error) {
                Some(other) => {
                    question = other;
                    continue;
                }
                None => return Err(asking.failed(error)),
            },
        };
        let answer = answer.read().inspect_err(|error| record.failed(error));
        let answer = answer.map_err(|error| asking.failed(error))?;
        let mut reader = asking.reader();
        match translate::response(answer, &mut reader) {
            Err(Unfinished::Empty { .. } | Unfinished::CallInPieces)
                if asking.allows_another_try() => {}
            Ok(completion) if completion.is_empty() && asking.allows_another_try() => {}
            outcome => {
                let completion = outcome?;
                record.said(completion.usage, 0);
                return Ok(super::json(200, &completion).with_headers(asking.headers()));
            }
        }
    }
}
