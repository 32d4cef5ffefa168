//! Thought signatures that came back (ai.google.dev, "Thought signatures").
//!
//! Gemini 3 wants one on the first call of every `model` content in the current
//! turn, at every thinking level. Earlier turns may lack them. One that is there
//! must be as it was given out, on the part it was given out on.

use serde_json::Value;

use super::{Verdict, elements};
use crate::simulator::errors::GoogleError;
use crate::simulator::models::{Generation, Model};
use crate::simulator::signatures::{BadSignature, Signatures};

pub(super) fn check(request: &Value, model: &Model, signatures: &Signatures) -> Verdict {
    let contents = elements(&request["contents"]);
    for (index, content) in contents.iter().enumerate() {
        for part in elements(&content["parts"]) {
            if let Some(signature) = part["thoughtSignature"].as_str() {
                signatures
                    .check(signature, part, model.generation)
                    .map_err(|bad| refusal(&bad, index))?;
            }
        }
    }
    if model.generation == Generation::Gemini3 {
        check_present(contents)?;
    }
    Ok(())
}

fn check_present(contents: &[Value]) -> Verdict {
    let turn = start_of_current_turn(contents);
    for (index, content) in contents.iter().enumerate().skip(turn) {
        let first_call = elements(&content["parts"])
            .iter()
            .enumerate()
            .find(|(_, part)| part.get("functionCall").is_some());
        if let Some((position, part)) = first_call
            && part["thoughtSignature"].as_str().is_none_or(str::is_empty)
        {
            return Err(missing(&part["functionCall"], index, position));
        }
    }
    Ok(())
}

/// The current turn begins with the last `user` content that is no tool result.
/// (One that holds results and words is still a tool result: the strict reading.)
fn start_of_current_turn(contents: &[Value]) -> usize {
    contents
        .iter()
        .rposition(|content| {
            content["role"] == "user"
                && elements(&content["parts"])
                    .iter()
                    .all(|part| part.get("functionResponse").is_none())
        })
        .unwrap_or_default()
}

fn missing(call: &Value, index: usize, position: usize) -> GoogleError {
    let name = call["name"].as_str().unwrap_or_default();
    GoogleError::invalid_argument(format!(
        "Function call is missing a thought_signature in functionCall parts. This is required for \
         tools to work correctly, and missing thought_signature may lead to degraded model \
         performance. Additional data, function call `default_api:{name}` , position {}. Please \
         refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details. \
         (content {index})",
        position + 1
    ))
}

fn refusal(bad: &BadSignature, index: usize) -> GoogleError {
    GoogleError::invalid_argument(match bad {
        BadSignature::Foreign => format!("Corrupted thought signature. (content {index})"),
        BadSignature::OtherGeneration | BadSignature::WrongPart => format!(
            "Thought signature is not valid: invalid thought signature for content at index {index}"
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::simulator::models;

    const DUMMY: &str = "skip_thought_signature_validator";

    fn call(signature: Option<&str>) -> Value {
        let mut part = json!({"functionCall": {"name": "f"}});
        if let Some(signature) = signature {
            part["thoughtSignature"] = json!(signature);
        }
        part
    }

    fn verdict(model: &str, turns: &[Value]) -> String {
        let contents: Vec<Value> = turns
            .iter()
            .enumerate()
            .map(|(index, parts)| json!({"role": (if index % 2 == 0 { "user" } else { "model" }), "parts": parts}))
            .collect();
        let request = json!({"contents": contents});
        let signatures = Signatures::default();
        match models::on_code_assist(model, true).map(|known| check(&request, known, &signatures)) {
            Some(Ok(())) => "fine".into(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn only_the_first_call_of_each_step_of_the_current_turn_needs_one() {
        let words = json!([{"text": "hi"}]);
        let result = json!([{"functionResponse": {"name": "f", "response": {}}}]);
        let signed = json!([call(Some(DUMMY)), call(None)]);
        let bare = json!([call(None)]);
        let second = json!([call(None), call(Some(DUMMY))]);
        let gemini_3 = |turns: &[Value]| verdict("gemini-3-flash", turns);

        assert_eq!(
            gemini_3(&[words.clone(), signed.clone(), result.clone()]),
            "fine"
        );
        assert!(gemini_3(&[words.clone(), bare.clone(), result.clone()]).contains("is missing"));
        assert!(gemini_3(&[words.clone(), second, result.clone()]).contains("is missing"));
        let sequential = [
            words.clone(),
            signed,
            result.clone(),
            bare.clone(),
            result.clone(),
        ];
        assert!(gemini_3(&sequential).contains("content 3"));
        let earlier = [
            words.clone(),
            bare.clone(),
            result.clone(),
            words.clone(),
            words.clone(),
        ];
        assert_eq!(gemini_3(&earlier), "fine");
        assert_eq!(
            verdict("gemini-2.5-pro", &[words.clone(), bare, result.clone()]),
            "fine"
        );
        let foreign = json!([call(Some("c3RyYW5nZXI="))]);
        assert!(gemini_3(&[words, foreign, result]).contains("Corrupted"));
    }
}
