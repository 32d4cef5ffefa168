//! Thought signatures: which ones this run has given out, and for what.

use std::collections::VecDeque;

use serde_json::Value;

use super::models::Generation;

/// Beyond these, the oldest are forgotten.
const MAX_ISSUED: usize = 20_000;

/// Google's two documented values for histories that no model produced
/// (ai.google.dev, "Thought signatures"). They are sent as they are.
const DUMMIES: [&str; 2] = [
    "skip_thought_signature_validator",
    "context_engineering_is_the_way_to_go",
];

/// Every signature given out, with the part it was put on.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    issued: VecDeque<Issued>,
}

#[derive(Debug)]
struct Issued {
    signature: String,
    generation: Generation,
    seat: Seat,
}

/// The part a signature sits on, as far as a client must not change it.
#[derive(Debug, PartialEq)]
enum Seat {
    Call { name: String, args: Value },
    Other,
}

impl Seat {
    fn of(part: &Value) -> Self {
        match part.get("functionCall") {
            Some(call) => Self::Call {
                name: call["name"].as_str().unwrap_or_default().into(),
                args: match &call["args"] {
                    Value::Null => Value::Object(serde_json::Map::new()),
                    args => args.clone(),
                },
            },
            None => Self::Other,
        }
    }
}

/// Why a signature is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadSignature {
    /// Not given out by this run: altered, cut, or of another vendor.
    Foreign,
    /// Given out, but by a model of another generation.
    OtherGeneration,
    /// Given out on another part: another call, or no call at all.
    WrongPart,
}

impl Signatures {
    /// Remembers every signature in an answer that is about to be sent.
    pub(super) fn remember(&mut self, response: &Value, generation: Generation) {
        let candidates = response["candidates"].as_array();
        for part in candidates
            .into_iter()
            .flatten()
            .filter_map(|candidate| candidate["content"]["parts"].as_array())
            .flatten()
        {
            if let Some(signature) = part["thoughtSignature"].as_str() {
                self.issued.push_back(Issued {
                    signature: signature.into(),
                    generation,
                    seat: Seat::of(part),
                });
            }
        }
        while self.issued.len() > MAX_ISSUED {
            self.issued.pop_front();
        }
    }

    /// Whether `signature` may come back on `part`. Anything goes with a dummy.
    pub(super) fn check(
        &self,
        signature: &str,
        part: &Value,
        generation: Generation,
    ) -> Result<(), BadSignature> {
        if DUMMIES.contains(&signature) {
            return Ok(());
        }
        let seat = Seat::of(part);
        let mut verdict = Err(BadSignature::Foreign);
        for issued in self.issued.iter().filter(|one| one.signature == signature) {
            if issued.generation != generation {
                verdict = Err(BadSignature::OtherGeneration);
            } else if issued.seat == seat {
                return Ok(());
            } else {
                verdict = Err(BadSignature::WrongPart);
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_signature_belongs_to_its_call_its_run_and_its_generation() {
        let signed =
            json!({"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "s"});
        let mut signatures = Signatures::default();
        let response = json!({"candidates": [{"content": {"parts": [signed]}}]});
        signatures.remember(&response, Generation::Gemini3);

        let check =
            |signature, part: &Value, generation| signatures.check(signature, part, generation);
        let other = json!({"functionCall": {"name": "f", "args": {"a": 2}}});
        assert_eq!(check("s", &signed, Generation::Gemini3), Ok(()));
        assert_eq!(
            check("s", &signed, Generation::Gemini2),
            Err(BadSignature::OtherGeneration)
        );
        assert_eq!(
            check("s", &other, Generation::Gemini3),
            Err(BadSignature::WrongPart)
        );
        assert_eq!(
            check("t", &signed, Generation::Gemini3),
            Err(BadSignature::Foreign)
        );
        assert_eq!(check(DUMMIES[0], &other, Generation::Gemini3), Ok(()));
    }
}
