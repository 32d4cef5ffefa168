//! What must hold for every answer of the Responses, however Google cuts it.

use gemini_proxy::translate::{self, Told};
use gemini_proxy::wire::openai::ChatRequest;
use serde_json::{Value, json};

use crate::guards::{event, parts, reader};
use crate::{NOW, PIECE, response_events, seal, translator};

/// Of a request with a custom tool, so that there are calls of both kinds.
fn told() -> Told {
    let request =
        r#"{"model":"gemini-3.5-flash","input":"Hi","tools":[{"type":"custom","name":"g"}]}"#;
    let mut chat: ChatRequest<'_> = serde_json::from_str(request).expect("a request");
    let given = serde_json::from_str(request).expect("a request");
    translate::as_chat(given, &mut chat, &seal(), 0).expect("a chat")
}

fn whole(answer: &Value) -> Value {
    let text = answer.to_string();
    let answer = serde_json::from_str(&text).expect("an answer");
    let whole = translator(reader(), &told()).whole(answer, NOW);
    json!(whole.expect("a response"))
}

/// What the stream ends with, having been told as clients rely on.
fn streamed(events: &[Value], piece: usize) -> Value {
    let stream: String = events
        .iter()
        .map(|event| format!("data: {event}\r\n\r\n"))
        .collect();
    let translator = translator(reader(), &told());
    let (events, unfinished) = response_events(stream.as_bytes(), piece, translator);
    assert_eq!(unfinished, None);
    let events: Vec<Value> = events
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).expect("an event"))
        .collect();
    let mut client = Client::default();
    for (nth, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], nth, "numbers have no gaps");
        client.take(event, nth);
    }
    let last = events.last().expect("an event");
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"]["output"], json!(client.done));
    last["response"].clone()
}

/// Puts items together from what it is told, one after the other.
#[derive(Default)]
struct Client {
    /// The id of the item that is being told, and what it says so far.
    open: Option<(Value, String)>,
    done: Vec<Value>,
}

impl Client {
    fn take(&mut self, event: &Value, nth: usize) {
        let kind = event["type"].as_str().expect("a type");
        if let Some(id) = event.get("item_id") {
            let (open, text) = self.open.as_mut().expect("an item that was added");
            assert_eq!(id, open, "items never overlap");
            text.push_str(event["delta"].as_str().unwrap_or_default());
        }
        if event.get("output_index").is_some() {
            assert_eq!(event["output_index"], self.done.len(), "{event}");
        }
        match kind {
            "response.created" => assert_eq!(nth, 0),
            "response.in_progress" => assert_eq!(nth, 1),
            "response.output_item.added" => {
                assert!(self.open.is_none(), "items never overlap: {event}");
                assert_eq!(said(&event["item"]), "", "clients would say it twice");
                self.open = Some((event["item"]["id"].clone(), String::new()));
            }
            "response.output_item.done" => {
                let (id, text) = self.open.take().expect("an item that was added");
                assert_eq!(event["item"]["id"], id);
                assert_eq!(said(&event["item"]), text);
                self.done.push(event["item"].clone());
            }
            "response.completed" => assert!(self.open.is_none()),
            _ => assert!(event["item_id"].is_string(), "{event}"),
        }
    }
}

/// What an item of any kind says.
fn said(item: &Value) -> String {
    let text = match item["type"].as_str() {
        Some("reasoning") => &item["summary"][0]["text"],
        Some("message") => &item["content"][0]["text"],
        Some("function_call") => &item["arguments"],
        Some("custom_tool_call") => &item["input"],
        _ => panic!("{item}"),
    };
    text.as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_response_in_events_is_the_whole_one_however_parts_are_grouped() {
    let mut parts = parts();
    parts.push(json!({"functionCall": {"name": "g", "args": {"input": "two\nlines"}}}));
    let whole = whole(&event(&parts, true));
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
        assert_eq!(streamed(&events, PIECE), whole, "cut by {cuts:b}");
    }
}

#[test]
fn a_response_in_events_is_the_whole_one_however_bytes_and_text_are_cut() {
    let text = "Grüße 👋🏽 an \"alle\"\n{1}";
    let whole = whole(&event(&[json!({"text": text})], true));
    for (at, _) in text.char_indices().skip(1) {
        let (left, right) = text.split_at(at);
        let events = [
            event(&[json!({"text": left})], false),
            event(&[json!({"text": right})], true),
        ];
        for piece in [1, 2, 3, 7, PIECE] {
            let streamed = streamed(&events, piece);
            assert_eq!(streamed, whole, "cut at {at}, in pieces of {piece}");
        }
    }
}
