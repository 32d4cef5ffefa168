//! `POST /v1/completions`, the way of old: each prompt is a question of its own.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Service;
use super::answer_stream::{self, AnswerStream, Dialect};
use super::asking;
use super::body::Body;
use super::error::ApiError;
use super::metrics::SecondTry;
use super::record::Record;
use crate::http::Pulse;
use crate::server::transport::exchange::Request;
use crate::server::transport::writer::Reply;
use crate::translate::said::Reader;
use crate::translate::{self, Chats, CompletionTranslator, Fetched, Translated};
use crate::upstream::Question;
use crate::wire::completions::CompletionRequest;

/// Answers whole or in events, as the body's `stream` says.
pub(super) fn create(
    service: &Arc<Service>,
    request: &mut Request,
    record: &Arc<Record>,
) -> Result<Reply, ApiError> {
    let body = Body::new(request.take_body());
    let given: CompletionRequest<'_> = body.parse()?;
    let stamp = asking::stamp(asking::model(given.model.as_deref())?)?;
    record.asks(&stamp.model);
    let streams = given.stream == Some(true);
    let options = given.stream_options.as_ref();
    let include_usage = options.and_then(|options| options.include_usage) == Some(true);
    let mut chats = Chats::new(given, &stamp.model)?;
    let mut notes = chats.notes.clone();
    let (mut questions, mut answers) = (VecDeque::new(), Vec::new());
    let nothing = Fetched::default();
    while let Some(chat) = chats.next_chat() {
        let (signatures, manner) = (&*service.signatures, service.manner);
        let translated = translate::request(chat, &stamp.model, signatures, &nothing, manner)?;
        let Translated {
            request,
            form,
            notes: more,
            ..
        } = translated;
        let question = Question::new(&stamp.model, &request, 1024);
        questions.push_back(question.map_err(|_| ApiError::internal())?);
        // The same for every prompt, and named once.
        notes.extend(more);
        let reader = Reader::new(stamp.clone(), form, service.signatures.clone());
        answers.push(chats.answer(reader));
    }
    let translator = CompletionTranslator::new(&stamp, answers, streams && include_usage);
    let mut reply = if streams {
        let dialect = Dialect::Completions(translator);
        answer_stream::reply(AnswerStream::new(service, record, questions, dialect))
    } else {
        whole(service, &questions, translator, &request.pulse(), record)?
    };
    if let Some(fields) = notes.header_value() {
        reply.add_header(asking::IGNORED, fields);
    }
    Ok(reply)
}

fn whole(
    service: &Service,
    questions: &VecDeque<Question>,
    mut translator: CompletionTranslator,
    pulse: &Pulse,
    record: &Record,
) -> Result<Reply, ApiError> {
    let mut choices = Vec::new();
    for question in questions {
        let fails =
            |error| ApiError::upstream(error, &question.model, &service.sign_in_page).of_a_prompt();
        loop {
            let answer = service.generate(question, pulse, record).map_err(fails)?;
            let answer = answer.read().inspect_err(|error| record.failed(error));
            if translator.read_whole(answer.map_err(fails)?, &mut choices)? {
                break;
            }
            record.tries_again(SecondTry::Empty);
        }
    }
    record.said(translator.usage(), 0);
    Ok(super::json(200, &translator.completion(choices)))
}
