//! The events of a stream as the one answer that `generateContent` gives.

use serde_json::{Map, Value, json};

use super::reply::Event;

/// All events as one answer: parts joined, everything else as last said.
pub(super) fn merged(events: &[Event]) -> Value {
    let mut whole = json!({});
    for event in events {
        let Event::Response(Value::Object(response)) = event else {
            continue;
        };
        for (key, value) in response {
            match (key.as_str(), value) {
                ("candidates", Value::Array(candidates)) => {
                    merge_candidates(&mut whole, candidates)
                }
                _ => whole[key] = value.clone(),
            }
        }
    }
    whole
}

fn merge_candidates(whole: &mut Value, candidates: &[Value]) {
    if whole["candidates"].is_null() {
        whole["candidates"] = json!([]);
    }
    let Some(known) = whole["candidates"].as_array_mut() else {
        return;
    };
    for candidate in candidates {
        let index = candidate["index"].as_u64().unwrap_or_default();
        let same = known
            .iter()
            .position(|other| other["index"].as_u64().unwrap_or_default() == index);
        match (same, candidate) {
            (Some(same), Value::Object(fields)) => merge_candidate(&mut known[same], fields),
            _ => known.push(candidate.clone()),
        }
    }
}

fn merge_candidate(known: &mut Value, fields: &Map<String, Value>) {
    for (key, value) in fields {
        let parts = value["parts"].as_array();
        match (
            key.as_str(),
            parts,
            known["content"]["parts"].as_array_mut(),
        ) {
            ("content", Some(more), Some(parts)) => more.iter().for_each(|part| join(parts, part)),
            ("content", None, Some(_)) => {}
            _ => known[key] = value.clone(),
        }
    }
}

/// Texts of one kind become one part, which takes the signature along.
fn join(parts: &mut Vec<Value>, part: &Value) {
    let text = part["text"].as_str();
    if let Some(last) = parts.last_mut()
        && let (Some(before), Some(after)) = (last["text"].as_str(), text)
        && last.get("thought") == part.get("thought")
        && last.get("thoughtSignature").is_none()
    {
        last["text"] = json!(format!("{before}{after}"));
        if let Some(signature) = part.get("thoughtSignature") {
            last["thoughtSignature"] = signature.clone();
        }
    } else if text != Some("") || part.get("thoughtSignature").is_some() {
        parts.push(part.clone());
    }
}
