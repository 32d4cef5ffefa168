//! What the model says, item by item: each is added, told and done before the next
//! one begins.

use std::sync::atomic::Ordering;

use serde_json::value::RawValue;

use super::namespaces::Namespaces;
use super::opening::{Head, Opening, raw};
use super::seal::{Seal, Sealed, SignedCall};
use crate::translate::said::{Call, Ending, Finish, Image, Said};
use crate::wire::openai::{FinishReason, TokenLogprob};
use crate::wire::responses::{
    ContentOut, FlatCitation, IncompleteDetails, OutputItem, Response, ResponseEvent, Status,
};

pub(super) struct Telling {
    pub(super) head: Head,
    pub(super) opening: Opening,
    pub(super) namespaces: Namespaces,
    pub(super) seal: Seal,
    /// The items that are done.
    pub(super) output: Vec<OutputItem>,
    pub(super) open: Open,
    /// Items that have been added.
    pub(super) begun: usize,
}

/// The item that is being told.
pub(super) enum Open {
    Nothing,
    Reasoning {
        id: String,
        text: String,
    },
    Message {
        id: String,
        text: String,
        logprobs: Vec<TokenLogprob>,
    },
}

impl Telling {
    /// Everything but that it has begun, which may have been told.
    pub(super) fn forget(&mut self) {
        self.output.clear();
        self.open = Open::Nothing;
        self.begun = 0;
    }

    pub(super) fn begin(&self, sink: &mut impl FnMut(&ResponseEvent<'_>)) {
        if !self.opening.has_been_told() {
            self.opening.tell(sink);
        }
    }

    pub(super) fn tell(&mut self, said: Said<'_>, sink: &mut impl FnMut(&ResponseEvent<'_>)) {
        self.begin(sink);
        match said {
            Said::Thought(thought) => self.think(thought, sink),
            Said::Text(text) => self.say(text, &[], sink),
            Said::Logprobs(news) => self.say("", &news.content, sink),
            Said::Call(call) => self.call(&call, sink),
            Said::Image(image) => self.show(&image, sink),
        }
    }

    fn think(&mut self, thought: &str, sink: &mut impl FnMut(&ResponseEvent<'_>)) {
        if !matches!(self.open, Open::Reasoning { .. }) {
            self.close(Status::Completed, &[], sink);
            let id = self.add_reasoning(sink);
            let part = ContentOut::SummaryText {
                text: String::new(),
            };
            self.emit("response.reasoning_summary_part.added", sink, |event| {
                event.item_id = Some(&id);
                event.summary_index = Some(0);
                event.part = Some(&part);
            });
            let text = String::new();
            self.open = Open::Reasoning { id, text };
        }
        if let Open::Reasoning { id, text } = &mut self.open {
            text.push_str(thought);
            let id = id.clone();
            self.emit("response.reasoning_summary_text.delta", sink, |event| {
                event.item_id = Some(&id);
                event.summary_index = Some(0);
                event.delta = Some(thought);
            });
        }
    }

    fn say(
        &mut self,
        news: &str,
        likelihoods: &[TokenLogprob],
        sink: &mut impl FnMut(&ResponseEvent<'_>),
    ) {
        if !matches!(self.open, Open::Message { .. }) {
            self.close(Status::Completed, &[], sink);
            let id = self.add_message(sink);
            let part = output_text(String::new(), Vec::new(), Vec::new());
            self.emit("response.content_part.added", sink, |event| {
                event.item_id = Some(&id);
                event.content_index = Some(0);
                event.part = Some(&part);
            });
            self.open = Open::Message {
                id,
                text: String::new(),
                logprobs: Vec::new(),
            };
        }
        let (next, output_index) = (&self.opening.next, self.output.len());
        if let Open::Message { id, text, logprobs } = &mut self.open {
            text.push_str(news);
            logprobs.extend_from_slice(likelihoods);
            sink(&ResponseEvent {
                kind: "response.output_text.delta",
                sequence_number: next.fetch_add(1, Ordering::Relaxed),
                output_index: Some(output_index),
                item_id: Some(id),
                content_index: Some(0),
                delta: Some(news),
                logprobs: Some(likelihoods),
                ..ResponseEvent::default()
            });
        }
    }

    fn call(&mut self, call: &Call<'_>, sink: &mut impl FnMut(&ResponseEvent<'_>)) {
        let signed: Vec<SignedCall> = call
            .signature
            .map(|signature| SignedCall {
                c: call.id.clone(),
                n: call.name.to_string(),
                sig: signature.to_owned(),
            })
            .into_iter()
            .collect();
        // A signature rides in the reasoning right before its call.
        if !signed.is_empty() && !matches!(self.open, Open::Reasoning { .. }) {
            self.close(Status::Completed, &[], sink);
            let id = self.add_reasoning(sink);
            self.done(self.reasoning(id, Vec::new(), &signed), sink);
        } else {
            self.close(Status::Completed, &signed, sink);
        }
        if call.is_custom {
            self.call_custom_tool(call, sink);
        } else {
            self.call_function(call, sink);
        }
    }

    fn call_function(&mut self, call: &Call<'_>, sink: &mut impl FnMut(&ResponseEvent<'_>)) {
        let id = self.head.item_id("fc", self.begun);
        let (namespace, name) = self.namespaces.split(&call.name);
        let (namespace, name) = (namespace.map(str::to_owned), name.to_owned());
        let item = |status, arguments: &str| OutputItem::FunctionCall {
            id: id.clone(),
            status,
            call_id: call.id.clone(),
            name: name.clone(),
            namespace: namespace.clone(),
            arguments: arguments.to_owned(),
        };
        self.add(&item(Status::InProgress, ""), sink);
        self.emit("response.function_call_arguments.delta", sink, |event| {
            event.item_id = Some(&id);
            event.delta = Some(&call.arguments);
        });
        self.emit("response.function_call_arguments.done", sink, |event| {
            event.item_id = Some(&id);
            event.name = Some(&name);
            event.arguments = Some(&call.arguments);
        });
        self.done(item(Status::Completed, &call.arguments), sink);
    }

    fn call_custom_tool(&mut self, call: &Call<'_>, sink: &mut impl FnMut(&ResponseEvent<'_>)) {
        let id = self.head.item_id("ctc", self.begun);
        let input = call.input();
        let item = |status, input: &str| OutputItem::CustomToolCall {
            id: id.clone(),
            status,
            call_id: call.id.clone(),
            name: call.name.to_string(),
            input: input.to_owned(),
        };
        self.add(&item(Status::InProgress, ""), sink);
        self.emit("response.custom_tool_call_input.delta", sink, |event| {
            event.item_id = Some(&id);
            event.delta = Some(&input);
        });
        self.emit("response.custom_tool_call_input.done", sink, |event| {
            event.item_id = Some(&id);
            event.input = Some(&input);
        });
        self.done(item(Status::Completed, &input), sink);
    }

    fn show(&mut self, image: &Image<'_>, sink: &mut impl FnMut(&ResponseEvent<'_>)) {
        self.close(Status::Completed, &[], sink);
        let id = self.head.item_id("ig", self.begun);
        let item = |status, result| OutputItem::ImageGenerationCall {
            id: id.clone(),
            status,
            result,
        };
        self.add(&item(Status::InProgress, None), sink);
        let base64 = image.blob.data.to_string();
        self.done(item(Status::Completed, Some(base64)), sink);
    }

    /// Ends the item that is being told, if there is one. `signed` goes into what
    /// was thought.
    pub(super) fn close(
        &mut self,
        status: Status,
        signed: &[SignedCall],
        sink: &mut impl FnMut(&ResponseEvent<'_>),
    ) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Reasoning { id, text } => {
                self.emit("response.reasoning_summary_text.done", sink, |event| {
                    event.item_id = Some(&id);
                    event.summary_index = Some(0);
                    event.text = Some(&text);
                });
                let part = ContentOut::SummaryText { text };
                self.emit("response.reasoning_summary_part.done", sink, |event| {
                    event.item_id = Some(&id);
                    event.summary_index = Some(0);
                    event.part = Some(&part);
                });
                self.done(self.reasoning(id, vec![part], signed), sink);
            }
            Open::Message { id, text, logprobs } => {
                self.close_message(id, text, (Vec::new(), logprobs), status, sink);
            }
        }
    }

    fn close_message(
        &mut self,
        id: String,
        text: String,
        (annotations, logprobs): (Vec<FlatCitation>, Vec<TokenLogprob>),
        status: Status,
        sink: &mut impl FnMut(&ResponseEvent<'_>),
    ) {
        for (annotation, nth) in annotations.iter().zip(0..) {
            self.emit("response.output_text.annotation.added", sink, |event| {
                event.item_id = Some(&id);
                event.content_index = Some(0);
                event.annotation_index = Some(nth);
                event.annotation = Some(annotation);
            });
        }
        self.emit("response.output_text.done", sink, |event| {
            event.item_id = Some(&id);
            event.content_index = Some(0);
            event.text = Some(&text);
            event.logprobs = Some(&logprobs);
        });
        let part = output_text(text, annotations, logprobs);
        self.finish_message(id, part, status, sink);
    }

    fn finish_message(
        &mut self,
        id: String,
        part: ContentOut,
        status: Status,
        sink: &mut impl FnMut(&ResponseEvent<'_>),
    ) {
        self.emit("response.content_part.done", sink, |event| {
            event.item_id = Some(&id);
            event.content_index = Some(0);
            event.part = Some(&part);
        });
        self.done(message(id, status, vec![part]), sink);
    }

    pub(super) fn end(
        &mut self,
        ending: Ending,
        now: u64,
        sink: &mut impl FnMut(&ResponseEvent<'_>),
    ) -> Box<RawValue> {
        self.begin(sink);
        let Ending { finishes, usage } = ending;
        let finish = finishes.into_iter().next();
        let reason = finish
            .as_ref()
            .map_or(FinishReason::Stop, |finish| finish.reason);
        let cut = match reason {
            FinishReason::Length => Some("max_output_tokens"),
            FinishReason::ContentFilter => Some("content_filter"),
            _ => None,
        };
        let (status, kind) = match cut {
            None => (Status::Completed, "response.completed"),
            Some(_) => (Status::Incomplete, "response.incomplete"),
        };
        if let Some(finish) = finish {
            self.end_items(finish, status, sink);
        }
        let response = Response {
            completed_at: (status == Status::Completed).then_some(now),
            incomplete_details: cut.map(|reason| IncompleteDetails { reason }),
            usage: Some(usage.into()),
            ..self.head.response(status, &self.output)
        };
        let response = raw(&response);
        self.tell_response(kind, &response, sink);
        response
    }

    fn end_items(
        &mut self,
        finish: Finish,
        status: Status,
        sink: &mut impl FnMut(&ResponseEvent<'_>),
    ) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Message { id, text, logprobs } => {
                let annotations = finish.annotations.into_iter().map(Into::into).collect();
                self.close_message(id, text, (annotations, logprobs), status, sink);
            }
            open => {
                self.open = open;
                self.close(status, &[], sink);
            }
        }
        if let Some(refusal) = finish.refusal {
            self.refuse(refusal, sink);
        }
    }

    fn refuse(&mut self, refusal: String, sink: &mut impl FnMut(&ResponseEvent<'_>)) {
        let id = self.add_message(sink);
        let empty = ContentOut::Refusal {
            refusal: String::new(),
        };
        self.emit("response.content_part.added", sink, |event| {
            event.item_id = Some(&id);
            event.content_index = Some(0);
            event.part = Some(&empty);
        });
        self.emit("response.refusal.delta", sink, |event| {
            event.item_id = Some(&id);
            event.content_index = Some(0);
            event.delta = Some(&refusal);
        });
        self.emit("response.refusal.done", sink, |event| {
            event.item_id = Some(&id);
            event.content_index = Some(0);
            event.refusal = Some(&refusal);
        });
        self.finish_message(id, ContentOut::Refusal { refusal }, Status::Completed, sink);
    }

    fn add_reasoning(&mut self, sink: &mut impl FnMut(&ResponseEvent<'_>)) -> String {
        let id = self.head.item_id("rs", self.begun);
        let item = OutputItem::Reasoning {
            id: id.clone(),
            summary: Vec::new(),
            encrypted_content: None,
        };
        self.add(&item, sink);
        id
    }

    fn add_message(&mut self, sink: &mut impl FnMut(&ResponseEvent<'_>)) -> String {
        let id = self.head.item_id("msg", self.begun);
        self.add(&message(id.clone(), Status::InProgress, Vec::new()), sink);
        id
    }

    /// Always with content: the Agents SDK gives it back even where it did not ask for it.
    fn reasoning(&self, id: String, summary: Vec<ContentOut>, signed: &[SignedCall]) -> OutputItem {
        let sealed = Sealed {
            m: self.head.stamp.model.clone(),
            s: signed.to_vec(),
        };
        OutputItem::Reasoning {
            id,
            summary,
            encrypted_content: Some(self.seal.close(&sealed)),
        }
    }

    fn add(&mut self, item: &OutputItem, sink: &mut impl FnMut(&ResponseEvent<'_>)) {
        self.begun += 1;
        self.emit("response.output_item.added", sink, |event| {
            event.item = Some(item)
        });
    }

    fn done(&mut self, item: OutputItem, sink: &mut impl FnMut(&ResponseEvent<'_>)) {
        self.emit("response.output_item.done", sink, |event| {
            event.item = Some(&item)
        });
        self.output.push(item);
    }

    /// An event about the item at hand.
    fn emit<'e>(
        &self,
        kind: &'static str,
        sink: &mut impl FnMut(&ResponseEvent<'_>),
        fill: impl FnOnce(&mut ResponseEvent<'e>),
    ) {
        let mut event = ResponseEvent {
            kind,
            sequence_number: self.opening.next.fetch_add(1, Ordering::Relaxed),
            output_index: Some(self.output.len()),
            ..ResponseEvent::default()
        };
        fill(&mut event);
        sink(&event);
    }

    pub(super) fn tell_response(
        &self,
        kind: &'static str,
        response: &RawValue,
        sink: &mut impl FnMut(&ResponseEvent<'_>),
    ) {
        sink(&ResponseEvent {
            kind,
            sequence_number: self.opening.next.fetch_add(1, Ordering::Relaxed),
            response: Some(response),
            ..ResponseEvent::default()
        });
    }
}

fn message(id: String, status: Status, content: Vec<ContentOut>) -> OutputItem {
    OutputItem::Message {
        id,
        status,
        role: "assistant",
        content,
    }
}

fn output_text(
    text: String,
    annotations: Vec<FlatCitation>,
    logprobs: Vec<TokenLogprob>,
) -> ContentOut {
    ContentOut::OutputText {
        text,
        annotations,
        logprobs,
    }
}
