//! What must hold for every answer, however Google cuts it.

use std::sync::Arc;

use gemini_proxy::translate::said::Reader;
use gemini_proxy::translate::{self, Form, NoSignatures, StreamTranslator};
use serde_json::{Value, json};

use crate::{chunks, stamp};

const MODEL: &str = "gemini-3.5-flash";

pub(crate) fn reader() -> Reader {
    Reader::new(stamp(MODEL), Form::default(), Arc::new(NoSignatures))
}

/// An answer with thoughts, text, calls and more text, as a list of parts.
pub(crate) fn parts() -> Vec<Value> {
    vec![
        json!({"text": "Let me ", "thought": true}),
        json!({"text": "think. ", "thought": true}),
        json!({"text": "Grüße "}),
        json!({"text": ""}),
        json!({"text": "an alle 👩‍👩‍👧: "}),
        json!({"functionCall": {"id": "1", "name": "f", "args": {"a": [1, 2.50, "x y"]}}, "thoughtSignature": "c2ln"}),
        json!({"functionCall": {"id": "2", "name": "f", "args": {"a": [1, 2.50, "x y"]}}}),
        json!({"functionCall": {"name": "g"}}),
        json!({"text": "done\u{2028}"}),
    ]
}

pub(crate) fn event(parts: &[Value], finish: bool) -> Value {
    let mut candidate = json!({"content": {"role": "model", "parts": parts}});
    let mut event = json!({});
    if finish {
        candidate["finishReason"] = "STOP".into();
        event["usageMetadata"] = json!({"promptTokenCount": 5, "candidatesTokenCount": 7,
            "thoughtsTokenCount": 3, "totalTokenCount": 15});
    }
    event["candidates"] = json!([candidate]);
    event
}

/// Text, thoughts, calls, finish reason and usage of a whole completion.
fn summary_of_whole(answer: &Value) -> Value {
    let text = answer.to_string();
    let mut reader = reader();
    let answer = serde_json::from_str(&text).expect("an answer");
    let completion = translate::response(answer, &mut reader).expect("a completion");
    let completion = json!(completion);
    let message = &completion["choices"][0]["message"];
    json!({
        "text": message["content"], "thoughts": message["reasoning_content"],
        "calls": message["tool_calls"], "finish": completion["choices"][0]["finish_reason"],
        "usage": completion["usage"],
    })
}

/// The same, put together from chunks as a client does.
fn summary_of_stream(events: &[Value]) -> Value {
    let stream: String = events
        .iter()
        .map(|event| format!("data: {event}\r\n\r\n"))
        .collect();
    let (chunks, unfinished) = chunks(stream.as_bytes(), StreamTranslator::new(reader(), true));
    assert_eq!(unfinished, None);
    let (mut text, mut thoughts) = (String::new(), String::new());
    let (mut calls, mut finish, mut usage) = (Vec::new(), Value::Null, Value::Null);
    for line in chunks
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
    {
        let chunk: Value = serde_json::from_str(line).expect("a chunk");
        let Some(choice) = chunk["choices"].get(0) else {
            usage = chunk["usage"].clone();
            continue;
        };
        let delta = &choice["delta"];
        text.push_str(delta["content"].as_str().unwrap_or_default());
        thoughts.push_str(delta["reasoning_content"].as_str().unwrap_or_default());
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            assert_eq!(
                call["index"],
                calls.len(),
                "indexes count from 0 without gaps"
            );
            let mut call = call.clone();
            call.as_object_mut().expect("a call").remove("index");
            calls.push(call);
        }
        if !choice["finish_reason"].is_null() {
            finish = choice["finish_reason"].clone();
        }
    }
    json!({"text": text, "thoughts": thoughts, "calls": calls, "finish": finish, "usage": usage})
}

#[test]
fn a_stream_says_what_the_whole_answer_says_however_parts_are_grouped() {
    let parts = parts();
    let whole = summary_of_whole(&event(&parts, true));
    // Each bit of `cuts` says whether a new event begins after that part.
    for cuts in 0..1_u32 << (parts.len() - 1) {
        let mut groups: Vec<Vec<Value>> = vec![Vec::new()];
        for (position, part) in parts.iter().enumerate() {
            groups.last_mut().expect("a group").push(part.clone());
            if cuts >> position & 1 == 1 {
                groups.push(Vec::new());
            }
        }
        let last = groups.len() - 1;
        let events: Vec<_> = groups
            .iter()
            .enumerate()
            .map(|(nth, group)| event(group, nth == last))
            .collect();
        assert_eq!(summary_of_stream(&events), whole, "cut by {cuts:b}");
    }
}

#[test]
fn a_stream_says_the_same_however_its_text_is_cut() {
    let text = "Grüße 👋🏽 an \"alle\"\n{1}";
    let whole = summary_of_whole(&event(&[json!({"text": text})], true));
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).skip(1).collect();
    for first in &places {
        for second in places.iter().filter(|second| *second > first) {
            let pieces = [&text[..*first], &text[*first..*second], &text[*second..]];
            let events: Vec<_> = pieces
                .iter()
                .enumerate()
                .map(|(nth, piece)| event(&[json!({"text": piece})], nth == 2))
                .collect();
            let mut streamed = summary_of_stream(&events);
            // Absent in the whole answer, empty in what was put together.
            streamed["thoughts"] = Value::Null;
            streamed["calls"] = Value::Null;
            assert_eq!(streamed, whole, "cut at {first} and {second}");
        }
    }
}
