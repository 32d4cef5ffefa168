//! A turn of the model as `GenerateContentResponse`s: what stands in which
//! event, where the signature sits, how usage grows.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::models::Generation;

/// One thing that happens in an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// A `GenerateContentResponse`, without the Code Assist envelope.
    Response(Value),
    /// Put into a stream as it is; left out of a whole answer.
    Verbatim(String),
    Gate(String),
    Pause(Duration),
}

/// What a model says in one turn.
#[derive(Debug, Clone, Default)]
pub(super) struct Turn {
    pub(super) thought: Option<String>,
    /// One event each.
    pub(super) text: Vec<String>,
    pub(super) calls: Vec<Call>,
    /// Each call in its own event, instead of all in one.
    pub(super) spread_calls: bool,
    pub(super) finish: Option<String>,
    pub(super) finish_message: Option<String>,
    pub(super) signed: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) name: String,
    /// Left out of the answer when absent, as Google does for empty arguments.
    pub(super) args: Option<Value>,
    pub(super) id: Option<String>,
}

/// What all events of one answer have in common. The same request has the same
/// stamp, so that answers can be compared between runs.
#[derive(Debug)]
pub(super) struct Stamp {
    pub(super) generation: Generation,
    pub(super) model_version: String,
    pub(super) prompt_tokens: u64,
    /// Of the request.
    digest: Vec<u8>,
}

impl Stamp {
    pub(super) fn new(
        generation: Generation,
        model_version: &str,
        prompt_tokens: u64,
        request: &[u8],
    ) -> Self {
        Self {
            generation,
            model_version: model_version.into(),
            prompt_tokens,
            digest: Sha256::digest(request).to_vec(),
        }
    }

    pub(super) fn response_id(&self) -> String {
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&self.digest[..17])
    }

    /// 16 hex digits, as `x-cloudaicompanion-trace-id`.
    pub(super) fn trace_id(&self) -> String {
        self.digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn call_id(&self, index: usize) -> String {
        let digest = Sha256::digest([self.digest.as_slice(), &index.to_le_bytes()].concat());
        digest[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// As opaque as the real one, and as unlike any other.
    fn signature(&self) -> String {
        let digest = Sha256::digest(&self.digest);
        STANDARD.encode([&[0x12, 0x62], self.digest.as_slice(), &digest, &self.digest].concat())
    }
}

impl Turn {
    /// The events of this turn, in order.
    pub(super) fn events(&self, stamp: &Stamp) -> Vec<Event> {
        let mut contents = self.contents(stamp);
        // Gemini 3 finishes on a part with empty text, which may hold the
        // signature; older models finish on the last part with content.
        if stamp.generation == Generation::Gemini3 || contents.is_empty() {
            let mut last = json!({"text": ""});
            if self.signed && self.calls.is_empty() && stamp.generation == Generation::Gemini3 {
                last["thoughtSignature"] = json!(stamp.signature());
            }
            contents.push(vec![last]);
        }
        let count = contents.len();
        let mut usage = Usage::new(stamp.prompt_tokens);
        let events = contents.into_iter().enumerate().map(|(index, parts)| {
            usage.count(&parts);
            let mut candidate = json!({"content": {"role": "model", "parts": parts}});
            if index + 1 == count {
                self.finish_candidate(&mut candidate);
            }
            Event::Response(json!({
                "candidates": [candidate],
                "usageMetadata": usage.to_json(),
                "modelVersion": stamp.model_version,
                "responseId": stamp.response_id(),
            }))
        });
        events.collect()
    }

    /// The parts of each event, without the end.
    fn contents(&self, stamp: &Stamp) -> Vec<Vec<Value>> {
        let thought = self
            .thought
            .iter()
            .map(|text| json!({"text": text, "thought": true}));
        let text = self.text.iter().map(|text| json!({"text": text}));
        let mut contents: Vec<Vec<Value>> = thought.chain(text).map(|part| vec![part]).collect();
        let calls = self.call_parts(stamp);
        if self.spread_calls {
            contents.extend(calls.into_iter().map(|part| vec![part]));
        } else if !calls.is_empty() {
            contents.push(calls);
        }
        contents
    }

    /// The first call of a step is signed, parallel ones are not.
    fn call_parts(&self, stamp: &Stamp) -> Vec<Value> {
        let mut parts = Vec::new();
        for (index, call) in self.calls.iter().enumerate() {
            let mut function_call = Map::new();
            if let Some(id) = &call.id {
                function_call.insert("id".into(), json!(id));
            } else if stamp.generation == Generation::Gemini3 {
                function_call.insert("id".into(), json!(stamp.call_id(index)));
            }
            function_call.insert("name".into(), json!(call.name));
            if let Some(args) = &call.args {
                function_call.insert("args".into(), args.clone());
            }
            let mut part = json!({"functionCall": function_call});
            let signs = stamp.generation == Generation::Gemini3 || self.thought.is_some();
            if index == 0 && self.signed && signs {
                part["thoughtSignature"] = json!(stamp.signature());
            }
            parts.push(part);
        }
        parts
    }

    fn finish_candidate(&self, candidate: &mut Value) {
        if let Some(reason) = &self.finish {
            candidate["finishReason"] = json!(reason);
        }
        if let Some(message) = &self.finish_message {
            candidate["finishMessage"] = json!(message);
        }
    }
}

/// Tokens used so far. Zero counters are left out, as proto3 does.
struct Usage {
    prompt: u64,
    thoughts: u64,
    candidates: u64,
}

impl Usage {
    fn new(prompt: u64) -> Self {
        Self {
            prompt,
            thoughts: 0,
            candidates: 0,
        }
    }

    fn count(&mut self, parts: &[Value]) {
        for part in parts {
            match (part["text"].as_str(), part["thought"].as_bool()) {
                (Some(text), Some(true)) => self.thoughts += tokens(text),
                (Some(text), _) => self.candidates += tokens(text),
                (None, _) => self.candidates += tokens(&part["functionCall"].to_string()),
            }
        }
    }

    fn to_json(&self) -> Value {
        let mut usage = Map::new();
        for (name, count) in [
            ("promptTokenCount", self.prompt),
            ("candidatesTokenCount", self.candidates),
            (
                "totalTokenCount",
                self.prompt + self.thoughts + self.candidates,
            ),
            ("thoughtsTokenCount", self.thoughts),
        ] {
            if count > 0 {
                usage.insert(name.into(), json!(count));
            }
        }
        usage.insert(
            "promptTokensDetails".into(),
            json!([{"modality": "TEXT", "tokenCount": self.prompt}]),
        );
        Value::Object(usage)
    }
}

/// About four characters make a token.
pub(super) fn tokens(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(4)
}

#[cfg(test)]
mod tests {
    use super::super::whole::merged;
    use super::*;

    fn stamp(generation: Generation) -> Stamp {
        Stamp::new(generation, "m", 3, b"request")
    }

    #[test]
    fn a_gemini_3_turn_signs_its_first_call_and_ends_on_an_empty_text() {
        let call = |name: &str| Call {
            name: name.into(),
            args: None,
            id: None,
        };
        let turn = Turn {
            thought: Some("hm".into()),
            calls: vec![call("f"), call("g")],
            finish: Some("STOP".into()),
            signed: true,
            ..Turn::default()
        };
        let whole = merged(&turn.events(&stamp(Generation::Gemini3)));
        let parts = &whole["candidates"][0]["content"]["parts"];
        assert_eq!(parts.as_array().map(Vec::len), Some(3));
        assert!(parts[1]["thoughtSignature"].is_string());
        assert!(parts[2]["thoughtSignature"].is_null());
        assert_ne!(
            parts[1]["functionCall"]["id"],
            parts[2]["functionCall"]["id"]
        );
        assert_eq!(whole["candidates"][0]["finishReason"], "STOP");
    }

    #[test]
    fn usage_adds_up_and_texts_are_joined() {
        let turn = Turn {
            thought: Some("thinking".into()),
            text: vec!["one ".into(), "two".into()],
            finish: Some("STOP".into()),
            ..Turn::default()
        };
        let whole = merged(&turn.events(&stamp(Generation::Gemini2)));
        assert_eq!(
            whole["candidates"][0]["content"]["parts"][1]["text"],
            "one two"
        );
        assert_eq!(
            whole["usageMetadata"],
            json!({
                "promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 7,
                "thoughtsTokenCount": 2,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 3}],
            })
        );
    }
}
