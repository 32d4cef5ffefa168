//! A Responses-shaped conversation as messages, for clients that send one to the
//! chat completions.

use super::Rejection;
use crate::wire::Text;
use crate::wire::openai::{
    CalledCustomTool, CalledFunction, ChatRequest, Message, MessageContent, ToolCall,
};
use crate::wire::responses::{Input, InputItem};

/// Writes `input`, and what goes with it, as a chat request has it. `messages`,
/// if there are any, win.
pub fn take_input(chat: &mut ChatRequest<'_>) -> Result<(), Rejection> {
    let Some(input) = chat.input.take() else {
        return Ok(());
    };
    if chat
        .messages
        .as_ref()
        .is_some_and(|given| !given.is_empty())
    {
        chat.left_out.push("input".to_owned());
        return Ok(());
    }
    refuse_what_is_stored(chat)?;
    let mut messages = Vec::new();
    if let Some(instructions) = chat.instructions.take() {
        messages.push(says("system", MessageContent::Text(instructions)));
    }
    match input {
        Input::Text(text) => messages.push(says("user", MessageContent::Text(text))),
        Input::Items(items) => {
            for (item, nth) in items.into_iter().zip(0..) {
                if !add(item, &mut messages) {
                    chat.left_out.push(format!("input[{nth}]"));
                }
            }
        }
    }
    chat.messages = Some(messages);
    chat.max_completion_tokens = chat.max_completion_tokens.or(*chat.max_output_tokens);
    let format = chat.text.take().and_then(|text| text.format);
    chat.response_format = chat.response_format.take().or(format.map(Into::into));
    Ok(())
}

/// Without what OpenAI would have kept, the answer would silently be a wrong one.
fn refuse_what_is_stored(chat: &ChatRequest<'_>) -> Result<(), Rejection> {
    for (param, is_given, code) in [
        (
            "previous_response_id",
            chat.previous_response_id.is_some(),
            "previous_response_not_found",
        ),
        (
            "conversation",
            chat.conversation.is_some(),
            "unsupported_parameter",
        ),
        ("prompt", chat.prompt.is_some(), "unsupported_parameter"),
    ] {
        if is_given {
            let message = format!("'{param}' is not available here: nothing is stored.");
            return Err(Rejection::new(code, param, message));
        }
    }
    Ok(())
}

/// Adds an item to the story; false if nothing in it can be told.
fn add<'a>(item: InputItem<'a>, messages: &mut Vec<Message<'a>>) -> bool {
    match item.kind.as_deref() {
        None | Some("message") => messages.push(Message {
            role: item.role,
            content: item.content,
            name: item.name,
            ..Message::default()
        }),
        Some("function_call" | "custom_tool_call") => {
            let calls = &mut assistant(messages).tool_calls;
            calls.get_or_insert_default().push(call(item));
        }
        // Summaries are for people; the model does not want its own back.
        Some("reasoning") => {}
        // The result of a call that is not known is told as text.
        Some(_) if item.output.is_some() => messages.push(Message {
            role: Some("tool".into()),
            content: item.output,
            tool_call_id: item.call_id,
            ..Message::default()
        }),
        Some(_) => return false,
    }
    true
}

/// The assistant's message to which a call belongs: calls in a row are one turn.
fn assistant<'m, 'a>(messages: &'m mut Vec<Message<'a>>) -> &'m mut Message<'a> {
    let speaks = |message: &Message<'_>| message.role.as_deref() == Some("assistant");
    if !messages.last().is_some_and(speaks) {
        messages.push(Message {
            role: Some("assistant".into()),
            ..Message::default()
        });
    }
    let last = messages.len() - 1;
    &mut messages[last]
}

fn call(item: InputItem<'_>) -> ToolCall<'_> {
    let is_custom = item.kind.as_deref() == Some("custom_tool_call");
    let (name, arguments, input) = (item.name, item.arguments, item.input);
    let (function, custom) = if is_custom {
        (None, Some(CalledCustomTool { name, input }))
    } else {
        (Some(CalledFunction { name, arguments }), None)
    };
    ToolCall {
        id: item.call_id,
        function,
        custom,
        extra_content: None,
    }
}

fn says<'a>(role: &'static str, content: MessageContent<'a>) -> Message<'a> {
    Message {
        role: Some(Text::from(role)),
        content: Some(content),
        ..Message::default()
    }
}
