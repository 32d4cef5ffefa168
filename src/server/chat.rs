//! `POST /v1/chat/completions`

use std::sync::Arc;

use super::Service;
use super::answer_stream::{self, AnswerStream, Dialect};
use super::asking::{Asking, Plan};
use super::error::ApiError;
use crate::http::Pulse;
use crate::server::transport::exchange::Request;
use crate::server::transport::writer::Reply;
use crate::translate::{self, StreamTranslator, Unfinished};
use crate::upstream::Question;

/// Answers whole or in events, as the body's `stream` says.
pub(super) fn create(
    service: &Arc<Service>,
    request: &mut Request,
    id: &str,
) -> Result<Reply, ApiError> {
    let pulse = request.pulse();
    let (asking, plan) = Asking::new(service, request.take_body(), &pulse)?;
    let Plan {
        question,
        ignored,
        streams,
        include_usage,
    } = plan;
    let mut reply = if streams {
        let translator = StreamTranslator::new(asking.reader(), include_usage);
        let dialect = Dialect::Chat {
            translator: Box::new(translator),
            asking,
            include_usage,
        };
        answer_stream::reply(AnswerStream::new(service, id, [question].into(), dialect))
    } else {
        whole(service, asking, question, &pulse)?
    };
    if let Some(fields) = ignored {
        reply.add_header("x-gemini-proxy-ignored", fields);
    }
    Ok(reply)
}

fn whole(
    service: &Service,
    mut asking: Asking,
    mut question: Question,
    pulse: &Pulse,
) -> Result<Reply, ApiError> {
    loop {
        let failed = |error| ApiError::upstream(error, &question.model, &service.sign_in_page);
        let answer = match service.upstream.generate(&question, pulse) {
            Ok(answer) => answer,
            Err(error) => match asking.reconsider(&error) {
                Some(other) => {
                    question = other;
                    continue;
                }
                None => return Err(failed(error)),
            },
        };
        let mut reader = asking.reader();
        match translate::response(answer.read().map_err(failed)?, &mut reader) {
            Err(Unfinished::Empty { .. }) if asking.allows_another_try() => {}
            Ok(completion) if completion.is_empty() && asking.allows_another_try() => {}
            outcome => return Ok(super::json(200, &outcome?)),
        }
        log::info!("the answer is empty: asking Google once more");
    }
}
