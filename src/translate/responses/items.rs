//! The items of an input as messages.

use std::collections::HashMap;

use super::fields::{Fields, Place};
use super::namespaces;
use super::seal::{Seal, SignedCall};
use crate::translate::{Notes, Rejection};
use crate::wire::openai::{
    CalledCustomTool, CalledFunction, ExtraContent, Message, MessageContent, ToolCall,
};
use crate::wire::responses::InputItem;
use crate::wire::{Json, Text, halves};

/// The messages made so far.
pub(super) struct Items<'a, 's> {
    pub(super) messages: Vec<Message<'a>>,
    pub(super) fields: Fields,
    pub(super) notes: Notes,
    signed: HashMap<String, SignedCall>,
    seal: &'s Seal,
    model: &'s str,
}

impl<'a, 's> Items<'a, 's> {
    pub(super) fn new(seal: &'s Seal, model: &'s str, remembered: usize) -> Self {
        Self {
            messages: Vec::new(),
            fields: Fields {
                remembered,
                ..Fields::default()
            },
            notes: Notes::default(),
            signed: HashMap::new(),
            seal,
            model,
        }
    }

    /// Adds a message that says `content`.
    pub(super) fn say(&mut self, role: &'static str, content: MessageContent<'a>, place: Place) {
        self.push(
            Message {
                role: Some(Text::from(role)),
                content: Some(content),
                ..Message::default()
            },
            place,
        );
    }

    pub(super) fn add(&mut self, item: InputItem<'a>, nth: usize) -> Result<(), Rejection> {
        let place = |is_output| Place::Item {
            nth,
            is_output,
            calls: Vec::new(),
        };
        match item.kind.as_deref() {
            None | Some("message") => self.push(
                Message {
                    role: item.role,
                    content: item.content,
                    name: item.name,
                    ..Message::default()
                },
                place(false),
            ),
            Some("function_call" | "custom_tool_call") => self.add_call(item, nth)?,
            // Summaries are for people; the model does not want its own back.
            Some("reasoning") => self.open(item.encrypted_content.as_deref()),
            Some("function_call_output" | "custom_tool_call_output") => {
                let content = item.output.map(parts_or_text);
                self.push(result(item.call_id, content), place(true));
            }
            Some("compaction_trigger") => {
                let message = "Conversations cannot be compacted here.";
                let param = format!("{}.type", self.fields.item(nth));
                return Err(Rejection::new("unsupported_value", param, message));
            }
            Some(kind) => {
                let reason = match item.output {
                    Some(_) => format!("told as text: '{kind}' has no equal"),
                    None => format!("left out: '{kind}' has no equal"),
                };
                self.notes.add(self.fields.item(nth), reason);
                // The result of a call that is not known is told as text.
                if let Some(output) = item.output {
                    let content = MessageContent::Text(text(output));
                    self.push(result(item.call_id, Some(content)), place(true));
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, message: Message<'a>, place: Place) {
        self.messages.push(message);
        self.fields.messages.push(place);
    }

    /// Learns the signatures of the calls that follow. What is not ours, or of
    /// another model, is of no use.
    fn open(&mut self, token: Option<&str>) {
        let sealed = token.and_then(|token| self.seal.open(token));
        for call in sealed
            .into_iter()
            .filter(|sealed| sealed.m == self.model)
            .flat_map(|sealed| sealed.s)
        {
            self.signed.insert(call.c.clone(), call);
        }
    }

    /// Calls in a row, and what was said before them, are one message.
    fn add_call(&mut self, item: InputItem<'a>, nth: usize) -> Result<(), Rejection> {
        let needed = [
            ("name", &item.name),
            ("namespace", &item.namespace),
            ("input", &item.input),
        ];
        for (name, field) in needed {
            if let Some(misfit) = &field.misfit {
                let param = format!("{}.{name}", self.fields.item(nth));
                return Err(Rejection::of_another_type(param, &misfit.what));
            }
        }
        let call = self.call(item);
        let speaks = |message: &Message<'_>| message.role.as_deref() == Some("assistant");
        if !self.messages.last().is_some_and(speaks) {
            let message = Message {
                role: Some("assistant".into()),
                ..Message::default()
            };
            let calls = Vec::new();
            self.push(
                message,
                Place::Item {
                    nth,
                    is_output: false,
                    calls,
                },
            );
        }
        if let (Some(message), Some(Place::Item { calls, .. })) =
            (self.messages.last_mut(), self.fields.messages.last_mut())
        {
            message.tool_calls.get_or_insert_default().push(call);
            calls.push(nth);
        }
        Ok(())
    }

    fn call(&self, mut item: InputItem<'a>) -> ToolCall<'a> {
        let name = match (item.namespace.as_ref(), item.name.take()) {
            (Some(namespace), Some(name)) if !namespace.is_empty() => {
                Some(namespaces::declared(namespace, &name).into())
            }
            (_, name) => name,
        };
        let signature = item
            .call_id
            .as_deref()
            .and_then(|id| self.signed.get(id))
            .filter(|signed| name.as_deref() == Some(&*signed.n))
            .map(|signed| ExtraContent::signature(signed.sig.clone()));
        let (function, custom) = if item.kind.as_deref() == Some("custom_tool_call") {
            let input = item.input.take();
            (None, Some(CalledCustomTool { name, input }))
        } else {
            let arguments = item.arguments;
            (Some(CalledFunction { name, arguments }), None)
        };
        ToolCall {
            id: item.call_id,
            function,
            custom,
            extra_content: signature.into(),
            ..ToolCall::default()
        }
    }
}

fn result<'a>(call_id: Option<Text<'a>>, content: Option<MessageContent<'a>>) -> Message<'a> {
    Message {
        role: Some("tool".into()),
        content,
        tool_call_id: call_id.into(),
        ..Message::default()
    }
}

/// Text, a list of parts, or whatever else a client calls a result: as it stands.
fn parts_or_text(output: Json<'_>) -> MessageContent<'_> {
    if let Some(json) = output.borrowed_text()
        && json.starts_with('[')
        && let Ok(parts) = serde_json::from_str(json)
    {
        return parts;
    }
    MessageContent::Text(text(output))
}

/// A string's text, or the JSON.
fn text(output: Json<'_>) -> Text<'_> {
    let string = output.borrowed_text().and_then(halves::text);
    string.unwrap_or_else(|| output.text().to_owned().into())
}
