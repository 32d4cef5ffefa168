//! Fields of another type than they should be. What nobody needs is named; what the
//! answer would silently be wrong without is refused.

use super::{Notes, Rejection, parts};
use crate::wire::Misfit;
use crate::wire::openai::{ChatRequest, ContentPart, Message};

const LEFT_OUT: &str = "left out: of another type than it should be";

pub(super) fn weigh(chat: &ChatRequest<'_>, notes: &mut Notes) -> Result<(), Rejection> {
    let streams = chat.stream == Some(true);
    let options = &chat.stream_options;
    match &options.misfit {
        Some(misfit) if streams => return Err(refused("stream_options", misfit)),
        _ if !streams && (options.is_some() || options.misfit.is_some()) => {
            notes.add("stream_options", "left out: nothing is streamed");
        }
        _ => {}
    }
    for (message, position) in chat.messages.iter().flatten().zip(0..) {
        let at = format_args!("messages[{position}]");
        for (name, misfit, is_needed) in of_message(message) {
            let field = format!("{at}.{name}");
            if is_needed {
                return Err(refused(&field, misfit));
            }
            notes.add(field, LEFT_OUT);
        }
        for (call, nth) in message.tool_calls.iter().flatten().zip(0..) {
            // It could hold a signature, for which there is a stand-in.
            if call.extra_content.misfit.is_some() {
                let field = format!("{at}.tool_calls[{nth}].extra_content");
                notes.add(field, LEFT_OUT);
            }
        }
        for (part, nth) in parts::listed(message).iter().zip(0..) {
            for name in of_part(part) {
                notes.add(format!("{at}.content[{nth}].{name}"), LEFT_OUT);
            }
        }
    }
    Ok(())
}

fn refused(field: &str, misfit: &Misfit) -> Rejection {
    Rejection::of_another_type(format!("{field}{}", misfit.within), &misfit.what)
}

/// Each with whether the message's role needs the field.
fn of_message<'a>(
    message: &'a Message<'_>,
) -> impl Iterator<Item = (&'static str, &'a Misfit, bool)> {
    let is = |role| message.role.as_deref() == Some(role);
    [
        ("name", &message.name.misfit, is("function")),
        ("refusal", &message.refusal.misfit, is("assistant")),
        (
            "function_call",
            &message.function_call.misfit,
            is("assistant"),
        ),
        ("tool_call_id", &message.tool_call_id.misfit, is("tool")),
        // A tool's media; an assistant's can only be a signature.
        ("extra_content", &message.extra_content.misfit, is("tool")),
    ]
    .into_iter()
    .filter_map(|(name, misfit, is_needed)| Some((name, misfit.as_ref()?, is_needed)))
}

fn of_part(part: &ContentPart<'_>) -> impl Iterator<Item = &'static str> {
    let image = part.image_url.as_ref();
    [
        (
            "image_url.detail",
            image.and_then(|image| image.detail.misfit.as_ref()),
        ),
        // Flat, as Responses have it.
        ("detail", part.detail.misfit.as_ref()),
        ("file_data", part.file_data.misfit.as_ref()),
        ("filename", part.filename.misfit.as_ref()),
    ]
    .into_iter()
    .filter_map(|(name, misfit)| misfit.is_some().then_some(name))
}
