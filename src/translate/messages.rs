//! Messages as turns. Gemini enforces what OpenAI does not: turns alternate,
//! the first is the user's, and every function call is answered at once, in
//! order, in the very next turn.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use super::signatures::{self, CallRecord, Signatures};
use super::{Fetched, Notes, Rejection, parts, tools};
use crate::models::{self, Generation};
use crate::wire::gemini::{Content, FunctionCall, FunctionResponse, Part};
use crate::wire::openai::{Message, ToolCall};
use crate::wire::{Json, Text};

/// What a turn says that would otherwise say nothing.
const BLANK: &str = " ";

/// Asks for more when the conversation ends with the model's own words.
const CONTINUE: &str = "Continue.";

/// What stands for the result of a call that the client's history lost.
const NO_RESULT: &str = "(no result)";

/// The system instruction, if any, and the turns.
pub(super) fn contents<'a>(
    messages: &'a [Message<'a>],
    model: &str,
    signatures: &dyn Signatures,
    fetched: &'a Fetched,
    notes: &mut Notes,
) -> Result<(Option<Content<'a>>, Vec<Content<'a>>), Rejection> {
    let leading = messages
        .iter()
        .take_while(|message| is_system(message))
        .count();
    let mut system = Vec::new();
    for (position, message) in messages[..leading].iter().enumerate() {
        system.extend(parts::texts(message, position)?.map(Part::text));
    }
    let mut conversation = Conversation {
        messages,
        results: results(messages),
        turns: Vec::new(),
        owed: Vec::new(),
        prefix_names: has_several_names(messages),
        generation: models::abilities(model).generation,
        model,
        signatures,
        fetched,
        notes,
    };
    for position in leading..messages.len() {
        conversation.add(position)?;
    }
    conversation.answer_calls();
    let mut turns = conversation.turns;
    if turns.is_empty() {
        // Nothing but system messages: Google refuses empty contents.
        let parts = if system.is_empty() {
            vec![Part::text(BLANK)]
        } else {
            system
        };
        return Ok((None, vec![content("user", parts)]));
    }
    if turns[0].role == Role::Model {
        turns.insert(
            0,
            Turn {
                role: Role::User,
                parts: vec![Part::text(BLANK)],
            },
        );
    }
    if turns.last().is_some_and(|turn| turn.role == Role::Model) {
        turns.push(Turn {
            role: Role::User,
            parts: vec![Part::text(CONTINUE)],
        });
    }
    let instruction = (!system.is_empty()).then(|| content("user", system));
    let turns = turns
        .into_iter()
        .map(|turn| content(turn.role.name(), turn.parts));
    Ok((instruction, turns.collect()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    User,
    Model,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Model => "model",
        }
    }
}

/// A call of the assistant's, as the client gives it back.
struct GivenCall<'a> {
    /// Empty where the client has none.
    id: &'a str,
    /// Where in its message, such as `tool_calls[0]`.
    field: String,
    name: &'a str,
    args: Json<'a>,
    /// The signature that came with it.
    carried: Option<&'a str>,
}

impl<'a> GivenCall<'a> {
    /// What its result refers to.
    fn key(&self) -> &'a str {
        if self.id.is_empty() {
            self.name
        } else {
            self.id
        }
    }
}

struct Turn<'a> {
    role: Role,
    parts: Vec<Part<'a>>,
}

struct Conversation<'a, 's> {
    messages: &'a [Message<'a>],
    /// Positions of the tool messages not yet told, by call id.
    results: HashMap<&'a str, VecDeque<usize>>,
    turns: Vec<Turn<'a>>,
    /// The results of the calls in the last turn, which is still the model's: they
    /// follow when it is over. What an assistant says in several messages is one turn.
    owed: Vec<Part<'a>>,
    prefix_names: bool,
    generation: Generation,
    model: &'s str,
    signatures: &'s dyn Signatures,
    fetched: &'a Fetched,
    notes: &'s mut Notes,
}

impl<'a> Conversation<'a, '_> {
    fn add(&mut self, position: usize) -> Result<(), Rejection> {
        let message = &self.messages[position];
        if message.role.as_deref() != Some("assistant") {
            self.answer_calls();
        }
        match message.role.as_deref() {
            Some("user") => {
                let mut parts = parts::of_message(message, position, self.fetched)?;
                if self.prefix_names {
                    prefix_name(&mut parts, message.name.as_deref());
                }
                if parts.is_empty() {
                    parts.push(Part::text(BLANK));
                }
                self.say(Role::User, parts);
            }
            Some("assistant") => self.add_assistant(message, position)?,
            Some("tool" | "function") => self.add_orphan(message, position)?,
            Some("system" | "developer") => {
                // Where it stands, not moved to the top: that would change the story.
                for text in parts::texts(message, position)? {
                    let part = Part::text(format!("<system>\n{text}\n</system>"));
                    self.say(Role::User, vec![part]);
                }
            }
            Some(role) => {
                let message = format!(
                    "Invalid value: '{role}'. Supported values are: 'system', 'developer', 'user', \
                     'assistant', 'tool' and 'function'."
                );
                let param = format!("messages[{position}].role");
                return Err(Rejection::new("invalid_value", param, message));
            }
            None => return Err(Rejection::missing(format!("messages[{position}].role"))),
        }
        Ok(())
    }

    /// Text, then calls.
    fn add_assistant(&mut self, message: &'a Message<'a>, at: usize) -> Result<(), Rejection> {
        let refusal = message.refusal.as_deref().filter(|text| !text.is_empty());
        let texts = parts::texts(message, at)?.chain(refusal);
        let mut said: Vec<_> = texts.map(Part::text).collect();
        let carried = signatures::carried(message.extra_content.as_ref());
        if let (Some(text), Some(carried)) = (said.last_mut(), carried)
            && self.generation != Generation::Other
        {
            text.thought_signature = signatures::for_text(carried, self.model, self.signatures);
        }
        for call in calls(message, at)? {
            let answer = self.answer(&call, at)?;
            said.push(self.call(&call, self.owed.is_empty()));
            self.owed.extend(answer);
        }
        self.say(Role::Model, said);
        Ok(())
    }

    /// The model's turn is over: a turn with the results of its calls. Responses
    /// first, whatever else (images) after them.
    fn answer_calls(&mut self) {
        let (responses, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.owed)
            .into_iter()
            .partition(|part| part.function_response.is_some());
        self.say(Role::User, responses);
        self.say(Role::User, rest);
    }

    fn call(&self, call: &GivenCall<'a>, is_first: bool) -> Part<'a> {
        let record = CallRecord {
            id: call.id,
            name: call.name,
            arguments: &call.args.compact(),
            model: self.model,
        };
        let signature = signatures::for_call(
            &record,
            call.carried,
            is_first,
            self.generation,
            self.signatures,
        );
        let call = FunctionCall {
            id: self.shown_id(call.id),
            name: Text(tools::accepted_name(call.name)),
            args: Some(call.args.clone()),
            will_continue: None,
        };
        Part {
            thought_signature: signature,
            ..Part::function_call(call)
        }
    }

    /// The result of a call, pulled forward from wherever the client put it.
    fn answer(&mut self, call: &GivenCall<'a>, at: usize) -> Result<Vec<Part<'a>>, Rejection> {
        // Without an id a result names the function.
        let found = self.result_of(call.key(), at).or_else(|| {
            let is_known = !call.id.is_empty();
            is_known.then(|| self.result_of(call.name, at)).flatten()
        });
        let (output, media) = match found {
            Some(position) => result(&self.messages[position], position, self.fetched)?,
            None => {
                let field = format!("messages[{at}].{}", call.field);
                let reason =
                    format!("no message answers this call: its result is told as {NO_RESULT}");
                self.notes.add(field, reason);
                (NO_RESULT.to_owned(), Vec::new())
            }
        };
        let googles_own = found.and_then(|position| response_parts(&self.messages[position]));
        let response = FunctionResponse {
            id: self.shown_id(call.id),
            name: Text(tools::accepted_name(call.name)),
            response: Some(wrapped("output", output)),
            parts: googles_own,
        };
        let mut parts = vec![Part::function_response(response)];
        parts.extend(media);
        Ok(parts)
    }

    /// Takes the first result under this key. Some clients use an id again: a result
    /// belongs to the call before it.
    fn result_of(&mut self, key: &str, at: usize) -> Option<usize> {
        let positions = self.results.get_mut(key)?;
        let later = self.messages.iter().enumerate().skip(at + 1);
        let until = later
            .filter(|(_, message)| has_call(message, key))
            .map(|(position, _)| position)
            .next()
            .unwrap_or(self.messages.len());
        let nth = positions
            .iter()
            .position(|position| (at..until).contains(position))?;
        positions.remove(nth)
    }

    /// A tool message that was not pulled forward answers no known call.
    fn add_orphan(&mut self, message: &'a Message<'a>, position: usize) -> Result<(), Rejection> {
        let id = result_id(message);
        let Some(positions) = self.results.get_mut(id) else {
            return Ok(());
        };
        let Some(nth) = positions.iter().position(|waiting| *waiting == position) else {
            return Ok(());
        };
        positions.remove(nth);
        self.notes.add(
            format!("messages[{position}]"),
            "told as the user's text: no call before it is waiting for a result of this id",
        );
        let (output, media) = result(message, position, self.fetched)?;
        let mut parts = vec![Part::text(format!("Tool result ({id}): {output}"))];
        parts.extend(media);
        self.say(Role::User, parts);
        Ok(())
    }

    /// Gemini 3 gives its calls ids and wants them on both ends, or on neither;
    /// earlier models give none.
    fn shown_id(&self, id: &'a str) -> Option<Text<'a>> {
        (self.generation == Generation::Three && !id.is_empty()).then(|| id.into())
    }

    /// Adds parts to the last turn if it has the same role. Parts are never merged.
    fn say(&mut self, role: Role, parts: Vec<Part<'a>>) {
        match self.turns.last_mut() {
            _ if parts.is_empty() => {}
            Some(turn) if turn.role == role => turn.parts.extend(parts),
            _ => self.turns.push(Turn { role, parts }),
        }
    }
}

/// A system instruction to which something is still to be added.
pub(super) fn no_instruction<'a>() -> Content<'a> {
    content("user", Vec::new())
}

fn content<'a>(role: &'static str, parts: Vec<Part<'a>>) -> Content<'a> {
    Content {
        role: Some(role.into()),
        parts: Some(parts),
    }
}

/// `tool_calls`, or the one `function_call` of old.
fn calls<'a>(message: &'a Message<'a>, at: usize) -> Result<Vec<GivenCall<'a>>, Rejection> {
    let mut calls = Vec::new();
    for (nth, call) in message.tool_calls.iter().flatten().enumerate() {
        let Some(name) = called_name(call) else {
            let param = format!("messages[{at}].tool_calls[{nth}].function.name");
            return Err(Rejection::missing(param));
        };
        let args = match &call.custom {
            Some(custom) => wrapped("input", custom.input.as_deref().unwrap_or_default()),
            None => arguments(
                call.function
                    .as_ref()
                    .and_then(|call| call.arguments.as_ref()),
            ),
        };
        let (id, carried) = signatures::split_id(call.id.as_deref().unwrap_or_default());
        let carried = signatures::carried(call.extra_content.as_ref()).or(carried);
        calls.push(GivenCall {
            id,
            field: format!("tool_calls[{nth}]"),
            name,
            args,
            carried,
        });
    }
    if let Some(function) = message.function_call.as_ref()
        && let Some(name) = function.name.as_deref()
    {
        let args = arguments(function.arguments.as_ref());
        calls.push(GivenCall {
            id: "",
            field: "function_call".to_owned(),
            name,
            args,
            carried: None,
        });
    }
    Ok(calls)
}

fn called_name<'a>(call: &'a ToolCall<'a>) -> Option<&'a str> {
    let function = call
        .function
        .as_ref()
        .and_then(|function| function.name.as_deref());
    let custom = call
        .custom
        .as_ref()
        .and_then(|custom| custom.name.as_deref());
    function.or(custom).filter(|name| !name.is_empty())
}

/// `key`: the id of a call, or the name of the function.
fn has_call(message: &Message<'_>, key: &str) -> bool {
    let of_old = message
        .function_call
        .as_ref()
        .and_then(|function| function.name.as_deref());
    of_old == Some(key)
        || message.tool_calls.iter().flatten().any(|call| {
            let id = call.id.as_deref().unwrap_or_default();
            signatures::split_id(id).0 == key || called_name(call) == Some(key)
        })
}

fn is_system(message: &Message<'_>) -> bool {
    matches!(message.role.as_deref(), Some("system" | "developer"))
}

fn results<'a>(messages: &'a [Message<'a>]) -> HashMap<&'a str, VecDeque<usize>> {
    let mut results: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (position, message) in messages.iter().enumerate() {
        if matches!(message.role.as_deref(), Some("tool" | "function")) {
            results
                .entry(result_id(message))
                .or_default()
                .push_back(position);
        }
    }
    results
}

/// Old function messages name the function, not the call, and so do some of today.
fn result_id<'a>(message: &'a Message<'a>) -> &'a str {
    let id = message.tool_call_id.as_deref().filter(|id| !id.is_empty());
    let id = id.or(message.name.as_deref());
    signatures::split_id(id.unwrap_or_default()).0
}

/// The text of a tool's result, and what else it holds.
fn result<'a>(
    message: &'a Message<'a>,
    position: usize,
    fetched: &'a Fetched,
) -> Result<(String, Vec<Part<'a>>), Rejection> {
    let parts = parts::of_message(message, position, fetched)?;
    let (texts, media): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.text.is_some());
    let texts: Vec<_> = texts
        .iter()
        .filter_map(|part| part.text.as_deref())
        .collect();
    Ok((texts.join("\n"), media))
}

/// Media of a tool's result that the client gives in Gemini's own words.
fn response_parts<'a>(message: &'a Message<'a>) -> Option<Json<'a>> {
    let google = message.extra_content.as_ref()?.google.as_ref()?;
    google.parts.as_ref().map(Json::borrowed)
}

fn has_several_names(messages: &[Message<'_>]) -> bool {
    let is_user = |message: &&Message<'_>| message.role.as_deref() == Some("user");
    let mut names = messages
        .iter()
        .filter(is_user)
        .filter_map(|message| message.name.as_deref());
    names
        .next()
        .is_some_and(|first| names.any(|name| name != first))
}

fn prefix_name(parts: &mut [Part<'_>], name: Option<&str>) {
    let first_text = parts.iter_mut().find_map(|part| part.text.as_mut());
    if let (Some(text), Some(name)) = (first_text, name) {
        *text = format!("{name}: {}", &**text).into();
    }
}

/// The arguments of a call as the JSON object that Gemini wants. What cannot be
/// read is wrapped, not refused: clients replay what a model once wrote.
fn arguments<'a>(given: Option<&'a Json<'a>>) -> Json<'a> {
    let Some(given) = given else {
        return no_arguments();
    };
    if given.is_object() {
        return given.borrowed();
    }
    let Ok(text) = serde_json::from_str::<String>(given.text()) else {
        return wrapped("value", given);
    };
    if text.trim().is_empty() {
        return no_arguments();
    }
    match Json::parse(&text) {
        Ok(json) if json.is_object() && has_valid_escapes(&text) => json,
        Ok(json) if has_valid_escapes(&text) => wrapped("value", json),
        _ => wrapped("_raw", text),
    }
}

/// JSON that is kept as text has not had its escapes looked at. Half a pair of
/// surrogates would cost the whole request.
fn has_valid_escapes(json: &str) -> bool {
    !json.contains("\\u") || serde_json::from_str::<serde_json::Value>(json).is_ok()
}

fn no_arguments() -> Json<'static> {
    Json::of(&HashMap::<&str, ()>::new())
}

fn wrapped(key: &str, value: impl Serialize) -> Json<'static> {
    Json::of(&HashMap::from([(key, value)]))
}
