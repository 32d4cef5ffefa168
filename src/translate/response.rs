//! A whole answer as a chat completion.

use std::borrow::Cow;

use super::said::{Call, Finish, Reader, Said};
use super::{Stamp, Unfinished};
use crate::wire::gemini::GenerateContentResponse;
use crate::wire::openai::{
    AssistantFunction, AssistantMessage, AssistantToolCall, ChatCompletion, Choice, ExtraContent,
    FinishReason, GoogleContent,
};
use crate::wire::{Text, openai::Usage};

/// What one alternative said, gathered.
#[derive(Default)]
struct Gathered {
    text: String,
    thoughts: String,
    calls: Vec<AssistantToolCall<'static>>,
}

/// Reads one whole answer. The completion borrows its id and model from `stamp`.
pub fn response<'a>(
    answer: GenerateContentResponse<'_>,
    mut reader: Reader,
    stamp: &'a Stamp,
) -> Result<ChatCompletion<'a>, Unfinished> {
    let mut gathered: Vec<Gathered> = Vec::new();
    reader.read(answer, |index, said| {
        let place = index as usize;
        if gathered.len() <= place {
            gathered.resize_with(place + 1, Gathered::default);
        }
        gathered[place].add(said);
    });
    reader.presume_stopped();
    let ending = reader.finish()?;
    gathered.resize_with(ending.finishes.len(), Gathered::default);
    let choices = gathered.into_iter().zip(ending.finishes).zip(0..);
    let choices = choices.map(|((gathered, finish), index)| gathered.choice(index, finish));
    Ok(completion(stamp, choices.collect(), ending.usage))
}

fn completion(stamp: &Stamp, choices: Vec<Choice>, usage: Usage) -> ChatCompletion<'_> {
    ChatCompletion {
        id: &stamp.id,
        object: "chat.completion",
        created: stamp.created,
        model: &stamp.model,
        choices,
        usage,
    }
}

impl Gathered {
    fn add(&mut self, said: Said<'_>) {
        match said {
            Said::Thought(text) => self.thoughts.push_str(text),
            Said::Text(text) => self.text.push_str(text),
            Said::Call(call) => self.calls.push(owned(call)),
        }
    }

    fn choice(self, index: u32, finish: Finish) -> Choice {
        // `null` beside calls or when nothing was let through, never for an empty answer.
        let silent = !self.calls.is_empty() || finish.reason == FinishReason::ContentFilter;
        let message = AssistantMessage {
            role: "assistant",
            content: (!self.text.is_empty() || !silent).then_some(self.text),
            refusal: finish.refusal,
            reasoning_content: (!self.thoughts.is_empty()).then_some(self.thoughts),
            tool_calls: self.calls,
        };
        Choice {
            index,
            message,
            logprobs: None,
            finish_reason: finish.reason,
        }
    }
}

fn owned(call: Call<'_>) -> AssistantToolCall<'static> {
    let signature = call.signature.map(|signature| signature.to_owned().into());
    AssistantToolCall {
        index: None,
        id: call.id,
        kind: "function",
        function: AssistantFunction {
            name: Text(Cow::Owned(call.name.into_owned())),
            arguments: Text(Cow::Owned(call.arguments.into_owned())),
        },
        extra_content: signature.map(carrying),
    }
}

/// Where Google's own OpenAI endpoint puts a signature.
pub(super) fn carrying(signature: Text<'_>) -> ExtraContent<'_> {
    ExtraContent {
        google: Some(GoogleContent {
            thought_signature: Some(signature),
        }),
    }
}
