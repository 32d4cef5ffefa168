//! A whole answer as a chat completion.

use std::borrow::Cow;

use crate::translate::said::{Call, Finish, Image, Reader, Said};
use crate::translate::{Form, Unfinished};
use crate::wire::Text;
use crate::wire::gemini::GenerateContentResponse;
use crate::wire::openai::{
    AssistantCustomCall, AssistantFunction, AssistantMessage, AssistantToolCall, ChatCompletion,
    Choice, ExtraContent, FinishReason, Logprobs, OutputImage, OutputImageUrl,
};

/// What one alternative said, gathered.
#[derive(Default)]
struct Gathered {
    text: String,
    thoughts: String,
    calls: Vec<AssistantToolCall<'static>>,
    images: Vec<OutputImage>,
    logprobs: Option<Logprobs>,
}

/// Reads one whole answer. The completion borrows its id and model from the reader.
pub fn response<'a>(
    answer: GenerateContentResponse<'_>,
    reader: &'a mut Reader,
) -> Result<ChatCompletion<'a>, Unfinished> {
    let mut gathered: Vec<Gathered> = Vec::new();
    let mut gather = |index: u32, said: Said<'_>| {
        let place = index as usize;
        if gathered.len() <= place {
            gathered.resize_with(place + 1, Gathered::default);
        }
        gathered[place].add(said);
    };
    reader.read(answer, &mut gather);
    reader.presume_stopped();
    let ending = reader.finish(&mut gather)?;
    gathered.resize_with(ending.finishes.len(), Gathered::default);
    let (stamp, form) = (reader.stamp(), reader.form());
    let choices = gathered.into_iter().zip(ending.finishes).zip(0..);
    let choices = choices.map(|((gathered, finish), index)| gathered.choice(index, finish, form));
    Ok(ChatCompletion {
        id: &stamp.id,
        object: "chat.completion",
        created: stamp.created,
        model: &stamp.model,
        choices: choices.collect(),
        usage: ending.usage,
        system_fingerprint: reader.fingerprint(),
        service_tier: form.names_service_tier.then_some("default"),
    })
}

impl Gathered {
    fn add(&mut self, said: Said<'_>) {
        match said {
            Said::Thought(text) => self.thoughts.push_str(text),
            Said::Text(text) => self.text.push_str(text),
            Said::Call(call) => self.calls.push(owned(call)),
            Said::Image(image) => self.images.push(picture(&image)),
            Said::Logprobs(news) => {
                self.logprobs
                    .get_or_insert_default()
                    .content
                    .extend(news.content);
            }
        }
    }

    fn choice(mut self, index: u32, finish: Finish, form: &Form) -> Choice {
        // `null` beside calls or when nothing was let through, never for an empty answer.
        let silent = !self.calls.is_empty() || finish.reason == FinishReason::ContentFilter;
        let function_call = if form.functions_of_old {
            std::mem::take(&mut self.calls)
                .into_iter()
                .next()
                .and_then(|call| call.function)
        } else {
            None
        };
        let message = AssistantMessage {
            role: "assistant",
            content: (!self.text.is_empty() || !silent).then_some(self.text),
            refusal: finish.refusal,
            reasoning_content: (!self.thoughts.is_empty()).then_some(self.thoughts),
            tool_calls: self.calls,
            function_call,
            annotations: finish.annotations,
            images: self.images,
            extra_content: finish.signature.map(ExtraContent::signature),
        };
        Choice {
            index,
            message,
            logprobs: self.logprobs,
            finish_reason: finish.reason,
        }
    }
}

fn owned(call: Call<'_>) -> AssistantToolCall<'static> {
    let signature = call.signature.map(str::to_owned);
    let extra_content = signature.map(ExtraContent::signature);
    let call = tool_call(call);
    AssistantToolCall {
        index: None,
        id: call.id,
        kind: call.kind,
        function: call.function.map(|function| AssistantFunction {
            name: into_static(function.name),
            arguments: into_static(function.arguments),
        }),
        custom: call.custom.map(|custom| AssistantCustomCall {
            name: into_static(custom.name),
            input: custom.input,
        }),
        extra_content,
    }
}

fn into_static(text: Text<'_>) -> Text<'static> {
    Text(Cow::Owned(text.0.into_owned()))
}

/// A call as OpenAI tells it: with the signature where Google's own OpenAI
/// endpoint puts it, and the text of a custom tool taken out of its JSON.
pub(super) fn tool_call(call: Call<'_>) -> AssistantToolCall<'_> {
    let extra_content = call.signature.map(ExtraContent::signature);
    let (kind, function, custom) = if call.is_custom {
        let input = call.input();
        (
            "custom",
            None,
            Some(AssistantCustomCall {
                name: Text(call.name),
                input,
            }),
        )
    } else {
        let (name, arguments) = (Text(call.name), Text(call.arguments));
        (
            "function",
            Some(AssistantFunction { name, arguments }),
            None,
        )
    };
    AssistantToolCall {
        index: Some(call.index),
        id: call.id,
        kind,
        function,
        custom,
        extra_content,
    }
}

pub(super) fn picture(image: &Image<'_>) -> OutputImage {
    let (mime_type, data) = (&*image.blob.mime_type, &*image.blob.data);
    let url = format!("data:{mime_type};base64,{data}");
    OutputImage {
        index: image.index,
        kind: "image_url",
        image_url: OutputImageUrl { url },
    }
}
