//! The script: what Google is to answer next. This is the reference.
//!
//! ```json
//! { "token":    [ {"error": "invalid_grant"} ],
//!   "generate": [ {"error": "rate_limit", "delay": "0.5s", "times": 2},
//!                 {"text": "Hello"} ] }
//! ```
//!
//! A document holds one list of *items* for each kind of request; a bare list
//! means `generate`. Items are used in order. When none is left, the stand-in
//! answers by itself. Requests that Google would refuse (no token, an unknown
//! model, a breach of `validate/`) are refused and use up nothing.
//!
//! Kinds: `auth`, `token`, `revoke`, `tokeninfo`, `userinfo`, `load_code_assist`,
//! `onboard`, `operation`, `generate` (whole and streamed), `count_tokens`,
//! `quota`, `models`.
//!
//! # For which request
//!
//! | key | meaning |
//! |---|---|
//! | `model` | only for this id, as it stands in the request, without `models/` |
//! | `contains` | only if the body contains this text; tells parallel clients apart |
//! | `times` | how often the item is used: a number (1), or `"always"` |
//!
//! # What to say: at most one of these groups
//!
//! **Nothing of it:** the stand-in's own answer, delivered as told below.
//!
//! **A turn of the model** (`generate`), with signatures, ids, usage, envelope:
//!
//! | key | meaning |
//! |---|---|
//! | `text` | the answer, in one event |
//! | `words` | true: the text in one event per word |
//! | `thought` | a thought summary before it |
//! | `calls` | `[{"name", "args"?, "id"?}]`: function calls after it |
//! | `spread` | true: each call in its own event |
//! | `finish` | `"STOP"`; null for none |
//! | `finish_message` | `finishMessage` beside it |
//! | `signed` | false: without thought signatures |
//!
//! **`responses`**: a list of exact `GenerateContentResponse`s, one event each. The
//! Code Assist envelope is put around it unless `response`, `traceId` or `error`
//! stands at its top. A whole answer is all of them merged. Between them:
//! `{"gate": "name"}` waits until the gate is released (30 s at most),
//! `{"pause_ms": 5}` waits, `{"verbatim": "text"}` is put into the stream as is.
//! Signatures in them count as given out.
//!
//! **`error`**: a name from `errors.json`, or an error object as under Google's
//! `"error"`, with these beside it:
//!
//! | key | meaning |
//! |---|---|
//! | `status` | the HTTP status; if absent that of the name, the `code`, or 500 |
//! | `delay` | the delay it speaks of, such as `"41.2s"` |
//! | `message` | replaces the message |
//! | `form` | `object`, `array` (as for streams without `alt=sse`), or `nested` (the body as text in another error's message); if absent what Google would use |
//!
//! **`json`** (the whole body), **`html`** (true: Google's page), or **`raw_chunks`**
//! (pieces of the body, one write each: text, `{"base64": …}`, `{"text": …,
//! "repeat": n}`, `{"gate": …}`, `{"pause_ms": …}`; an empty list is an empty
//! body), each with `status` (200).
//!
//! **`patch`**: the stand-in's own JSON answer with this merged over it
//! (RFC 7396: null removes). So `{"patch": {"refresh_token": null}}` for `token`.
//!
//! **`redirect_error`** (`auth`): back to the client with this `error`.
//!
//! # How to deliver it
//!
//! See [`super::delivery`]: headers, gates, cuts, framing, endings, gzip, and how
//! event streams are spelt.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

use super::delivery::Delivery;
use super::document::Document;
use super::says::Says;

/// Of which kind a request is: one queue each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Auth,
    Token,
    Revoke,
    Tokeninfo,
    Userinfo,
    LoadCodeAssist,
    Onboard,
    Operation,
    Generate,
    CountTokens,
    Quota,
    Models,
}

const KINDS: [(&str, Kind); 12] = [
    ("auth", Kind::Auth),
    ("token", Kind::Token),
    ("revoke", Kind::Revoke),
    ("tokeninfo", Kind::Tokeninfo),
    ("userinfo", Kind::Userinfo),
    ("load_code_assist", Kind::LoadCodeAssist),
    ("onboard", Kind::Onboard),
    ("operation", Kind::Operation),
    ("generate", Kind::Generate),
    ("count_tokens", Kind::CountTokens),
    ("quota", Kind::Quota),
    ("models", Kind::Models),
];

/// What is still to be answered, by kind of request.
#[derive(Debug, Default)]
pub(super) struct Script {
    queues: HashMap<Kind, VecDeque<Item>>,
}

/// One answer, for one or more requests.
#[derive(Debug, Clone)]
struct Item {
    model: Option<String>,
    contains: Option<String>,
    /// `None`: always.
    uses_left: Option<u64>,
    line: Line,
}

/// What to say and how to deliver it. By default, as if there were no script.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    pub(super) says: Says,
    pub(super) delivery: Delivery,
}

impl Script {
    /// Appends a document; a wrong one changes nothing.
    pub(super) fn append(&mut self, document: Value) -> Result<(), String> {
        let queues = match document {
            Value::Array(_) => vec![("generate".to_owned(), document)],
            Value::Object(queues) => queues.into_iter().collect(),
            _ => return Err("expected an object of lists, or a list".into()),
        };
        let mut parsed = Vec::new();
        for (name, items) in queues {
            let kind = kind_named(&name)?;
            let Value::Array(items) = items else {
                return Err(format!("{name}: expected a list"));
            };
            for (index, item) in items.into_iter().enumerate() {
                let place = format!("{name}[{index}]");
                let item = Item::parse(item, place.clone())?;
                if !item.line.says.belongs_to(kind) {
                    return Err(format!("{place}: not an answer to this kind of request"));
                }
                parsed.push((kind, item));
            }
        }
        for (kind, item) in parsed {
            self.queues.entry(kind).or_default().push_back(item);
        }
        Ok(())
    }

    /// Uses the first item that fits.
    pub(super) fn next(&mut self, kind: Kind, model: &str, body: &str) -> Option<Line> {
        let queue = self.queues.get_mut(&kind)?;
        let index = queue.iter().position(|item| item.fits(model, body))?;
        let item = queue.get_mut(index)?;
        let line = item.line.clone();
        match &mut item.uses_left {
            None => {}
            Some(1) => drop(queue.remove(index)),
            Some(left) => *left -= 1,
        }
        Some(line)
    }
}

fn kind_named(name: &str) -> Result<Kind, String> {
    match KINDS.iter().find(|(known, _)| *known == name) {
        Some((_, kind)) => Ok(*kind),
        None => {
            let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
            Err(format!(
                "there is no queue {name:?}; there are {}",
                names.join(", ")
            ))
        }
    }
}

impl Item {
    fn parse(item: Value, place: String) -> Result<Self, String> {
        let mut item = Document::new(item, place)?;
        let parsed = Self {
            model: item.text("model")?,
            contains: item.text("contains")?,
            uses_left: parse_times(&mut item)?,
            line: Line {
                says: Says::parse(&mut item)?,
                delivery: Delivery::parse(&mut item)?,
            },
        };
        item.finish()?;
        Ok(parsed)
    }

    fn fits(&self, model: &str, body: &str) -> bool {
        self.model.as_ref().is_none_or(|wanted| wanted == model)
            && self
                .contains
                .as_ref()
                .is_none_or(|text| body.contains(text))
    }
}

fn parse_times(item: &mut Document) -> Result<Option<u64>, String> {
    match item.value("times") {
        None => Ok(Some(1)),
        Some(Value::String(word)) if word == "always" => Ok(None),
        Some(times) => match times.as_u64() {
            Some(times) if times > 0 => Ok(Some(times)),
            _ => Err(format!(
                "{}.times: expected a number from 1, or \"always\"",
                item.place()
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn script(document: Value) -> Script {
        let mut script = Script::default();
        script.append(document).unwrap();
        script
    }

    #[test]
    fn items_are_used_in_order_as_often_as_they_say() {
        let mut script = script(json!([{"text": "a", "times": 2}, {"calls": [{"name": "f"}]}]));
        let mut next = || script.next(Kind::Generate, "m", "");
        for _ in 0..2 {
            assert!(matches!(next().unwrap().says, Says::Turn(turn) if turn.text == ["a"]));
        }
        assert!(matches!(next().unwrap().says, Says::Turn(turn) if turn.calls[0].name == "f"));
        assert!(next().is_none());
    }

    #[test]
    fn an_item_waits_for_the_request_it_is_meant_for() {
        let mut script = script(json!({"generate": [{"contains": "blue", "model": "m"}]}));
        assert!(script.next(Kind::Generate, "m", "red").is_none());
        assert!(script.next(Kind::Generate, "n", "blue").is_none());
        assert!(script.next(Kind::Token, "m", "blue").is_none());
        assert!(script.next(Kind::Generate, "m", "blue").is_some());
    }

    #[test]
    fn complaints_name_the_place_and_nothing_is_kept() {
        for (document, complaint) in [
            (json!({"generat": []}), "there is no queue \"generat\""),
            (json!([{"txt": "a"}]), "generate[0]: unknown key txt"),
            (
                json!([{"text": "a", "json": {}}]),
                "generate[0]: unknown key json",
            ),
            (
                json!([{"text": "a"}, {"error": "oops"}]),
                "generate[1]: there is no error \"oops\"",
            ),
            (
                json!({"token": [{"status": 400}]}),
                "token[0]: a status needs a body",
            ),
            (json!([{"then": "explode"}]), "generate[0].then"),
            (json!({"token": [{"text": "a"}]}), "token[0]: not an answer"),
            (
                json!([{"text": "a", "sse": {"bim": true}}]),
                "generate[0].sse: unknown key bim",
            ),
        ] {
            let mut script = Script::default();
            let said = script.append(document).unwrap_err();
            assert!(said.starts_with(complaint), "{said}");
            assert!(script.queues.is_empty());
        }
    }
}
