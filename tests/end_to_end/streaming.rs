//! Answers in events: their order and their moment.

use std::sync::{Arc, Barrier};
use std::thread;

use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::client::{chunks, text_of};
use crate::proxy::{MODEL, Proxy, by_both_roads, generations, question};

/// Letters of one to four bytes, a pair of surrogates, and what JSON escapes.
const TEXT: &str = "Größe 東京 🦀👩‍👩‍👧 \"quoted\"\\ \u{2028}\u{0}\u{1f}\n\tend";

pub(crate) fn event(text: &str) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}]})
}

pub(crate) fn last_event(text: &str) -> Value {
    let mut event = event(text);
    event["candidates"][0]["finishReason"] = json!("STOP");
    event
}

#[test]
fn lesson_05_the_chunks_come_in_openais_order_to_the_letter() {
    by_both_roads(|_, simulator, proxy| {
        let item = json!({
            "thought": "Looking up…",
            "text": "Let me check.",
            "calls": [
                {"name": "get_weather", "args": {"city": "Paris"}},
                {"name": "get_weather", "args": {"city": "Rome"}},
            ],
            "times": 2,
        });
        simulator.script(json!([item])).unwrap();
        let mut request = question("Paris or Rome?");
        request["tools"] = json!([{"type": "function", "function": {"name": "get_weather"}}]);
        request["stream_options"] = json!({"include_usage": true});
        let events = proxy.stream(&request).rest();

        let first: Value = chunks(&events).remove(0);
        let call =
            |nth: usize| chunks(&events)[nth]["choices"][0]["delta"]["tool_calls"][0].clone();
        let usage = chunks(&events).pop().unwrap()["usage"].clone();
        let head = format!(
            "\"id\":{},\"object\":\"chat.completion.chunk\",\"created\":{},\"model\":\"{MODEL}\"",
            first["id"], first["created"]
        );
        let fingerprint = format!(",\"system_fingerprint\":{}", first["system_fingerprint"]);
        let chunk = |delta: &str, finish: &str| {
            format!(
                "data: {{{head},\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\
                 \"finish_reason\":{finish}}}],\"usage\":null{fingerprint}}}"
            )
        };
        let tool_call = |nth: usize, city: &str, extra: &str| {
            format!(
                "{{\"tool_calls\":[{{\"index\":{},\"id\":{},\"type\":\"function\",\"function\":\
                 {{\"name\":\"get_weather\",\"arguments\":\"{{\\\"city\\\":\\\"{city}\\\"}}\"}}{extra}}}]}}",
                nth - 3,
                call(nth)["id"]
            )
        };
        let signature = format!(",\"extra_content\":{}", call(3)["extra_content"]);
        let expected = [
            chunk(r#"{"role":"assistant","content":""}"#, "null"),
            chunk(r#"{"reasoning_content":"Looking up…"}"#, "null"),
            chunk(r#"{"content":"Let me check."}"#, "null"),
            chunk(&tool_call(3, "Paris", &signature), "null"),
            chunk(&tool_call(4, "Rome", ""), "null"),
            chunk("{}", r#""tool_calls""#),
            format!("data: {{{head},\"choices\":[],\"usage\":{usage}{fingerprint}}}"),
            "data: [DONE]".to_owned(),
        ];
        assert_eq!(events, expected);
        let whole = proxy.chat(&request).success();
        assert_eq!(usage, whole["usage"]);
        assert!(usage["completion_tokens_details"]["reasoning_tokens"].as_u64() > Some(0));
    });
}

#[test]
fn lesson_15_without_include_usage_no_chunk_speaks_of_it() {
    by_both_roads(|_, _, proxy| {
        for options in [Value::Null, json!({}), json!({"include_usage": false})] {
            let mut request = question("Hi");
            request["stream_options"] = options;
            let events = proxy.stream(&request).rest();
            assert!(
                events.iter().all(|event| !event.contains("usage")),
                "{events:?}"
            );
            assert_eq!(events.last().unwrap(), "data: [DONE]");
        }
    });
}

#[test]
fn a_stream_says_what_it_is_in_its_headers() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let events = proxy.stream(&question("Hi"));
    assert_eq!(events.head.status, 200);
    for (name, value) in [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("cache-control", "no-cache"),
        ("x-accel-buffering", "no"),
        ("transfer-encoding", "chunked"),
    ] {
        assert_eq!(events.head.header(name), Some(value));
    }
    assert!(
        events
            .head
            .header("x-request-id")
            .unwrap()
            .starts_with("req_")
    );
}

#[test]
fn every_event_leaves_the_moment_it_arrives() {
    by_both_roads(|_, simulator, proxy| {
        let responses = json!([
            event("one"), {"gate": "1"}, event("two"), {"gate": "2"}, event("three"), {"gate": "3"},
            last_event("four"),
        ]);
        simulator.script(json!([{"responses": responses}])).unwrap();
        let mut events = proxy.stream(&question("Count"));
        assert_eq!(
            events.next_json()["choices"][0]["delta"]["role"],
            "assistant"
        );
        for (text, gate) in [("one", "1"), ("two", "2"), ("three", "3"), ("four", "")] {
            let chunk = events.next_json();
            assert_eq!(chunk["choices"][0]["delta"], json!({"content": text}));
            simulator.release(gate);
        }
        let rest = events.rest();
        assert_eq!(rest.len(), 2);
        assert_eq!(rest[1], "data: [DONE]");
    });
}

#[test]
fn lesson_26_text_arrives_intact_however_google_spells_and_cuts_it() {
    by_both_roads(|_, simulator, proxy| {
        let spellings = [
            json!({}),
            json!({"line_end": "lf"}),
            json!({"line_end": "cr"}),
            json!({"line_end": "mixed", "space": false}),
            json!({"fields": true, "comments": true, "blank_lines": 2, "bom": true}),
            json!({"multi_line": true}),
            json!({"tail": "data: [DONE]\r\n\r\n"}),
        ];
        for spelling in &spellings {
            for write_size in [1, 7, 100_000] {
                let (left, right) = TEXT.split_at(TEXT.find('京').unwrap());
                simulator
                    .script(json!([{
                        "responses": [event(left), last_event(right)],
                        "sse": spelling,
                        "write_size": write_size,
                    }]))
                    .unwrap();
                let events = proxy.stream(&question("Hi")).rest();
                assert_eq!(text_of(&events), TEXT, "{spelling}");
                assert_eq!(events.last().unwrap(), "data: [DONE]", "{spelling}");
            }
        }
    });
}

#[test]
fn every_framing_is_understood() {
    by_both_roads(|_, simulator, proxy| {
        for delivery in [
            json!({"framing": "chunked_with_extensions"}),
            json!({"framing": "content_length"}),
            json!({"framing": "until_close"}),
            json!({"then": "close"}),
        ] {
            let mut item = json!({"text": TEXT, "words": true, "times": 2});
            for (name, value) in delivery.as_object().unwrap() {
                item[name] = value.clone();
            }
            simulator.script(json!([item])).unwrap();
            assert_eq!(
                text_of(&proxy.stream(&question("Hi")).rest()),
                TEXT,
                "{delivery}"
            );
            let whole = proxy.chat(&question("Hi")).success();
            assert_eq!(
                whole["choices"][0]["message"]["content"], TEXT,
                "{delivery}"
            );
        }
    });
}

#[test]
fn large_events_and_many_of_them_arrive_whole() {
    by_both_roads(|_, simulator, proxy| {
        let large = "0123456789abcdef".repeat(256 * 1024);
        let many = vec![event("x"); 5000];
        let responses = [vec![event(&large)], many, vec![last_event("end")]].concat();
        simulator.script(json!([{"responses": responses}])).unwrap();
        let text = text_of(&proxy.stream(&question("Hi")).rest());
        assert_eq!(text.len(), large.len() + 5000 + 3);
        assert!(text.starts_with(&large) && text.ends_with("xend"));
    });
}

#[test]
fn what_google_may_add_tomorrow_does_no_harm() {
    by_both_roads(|_, simulator, proxy| {
        let part = |part: Value| json!({"candidates": [{"content": {"parts": [part]}}]});
        let responses = json!([
            {"candidates": []},
            {"candidates": null, "usageMetadata": null, "promptFeedback": {}},
            {"candidates": [{"safetyRatings": [{"category": "X", "blocked": false}]}]},
            {"candidates": [{"content": {"role": "model"}}]},
            part(json!({"hologram": {"depth": 3}})),
            part(json!({"text": "Hello", "mood": "good", "thoughtSignature": "c2ln"})),
            part(json!({"text": ""})),
            part(json!({"text": " world", "thought": false})),
            {"candidates": [{"finishReason": "STOP", "avgLogprobs": -0.1, "citationMetadata": {}}],
             "somethingNew": {"deeply": ["nested"]}},
            {"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2,
             "totalTokenCount": 5, "trafficType": "ON_DEMAND"}},
        ]);
        simulator
            .script(json!([{"responses": responses, "times": 2}]))
            .unwrap();
        let mut request = question("Hi");
        request["stream_options"] = json!({"include_usage": true});
        let events = proxy.stream(&request).rest();
        assert_eq!(text_of(&events), "Hello world");
        assert_eq!(events.last().unwrap(), "data: [DONE]");
        let usage = &chunks(&events).pop().unwrap()["usage"];
        assert_eq!(usage["total_tokens"], 5);
        let whole = proxy.chat(&request).success();
        assert_eq!(whole["choices"][0]["message"]["content"], "Hello world");
        assert_eq!(whole["usage"], *usage);
    });
}

#[test]
fn sixty_four_streams_on_a_fresh_server_all_start() {
    const STREAMS: usize = 64;
    by_both_roads(|_, simulator, proxy| {
        let responses = json!([event("first"), {"gate": "all"}, last_event(" and last")]);
        simulator
            .script(json!([{"responses": responses, "times": STREAMS}]))
            .unwrap();
        let barrier = Arc::new(Barrier::new(STREAMS));
        let started: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..STREAMS)
                .map(|_| {
                    let barrier = Arc::clone(&barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        let mut events = proxy.stream(&question("Hi"));
                        let role = events.next().unwrap();
                        let first = events.next().unwrap();
                        (events, vec![role, first])
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(started.len(), STREAMS);
        simulator.release("all");
        for (events, mut read) in started {
            read.extend(events.rest());
            assert_eq!(text_of(&read), "first and last");
            assert_eq!(read.last().unwrap(), "data: [DONE]");
        }
        assert_eq!(generations(simulator).len(), STREAMS);
    });
}

#[test]
fn connections_to_google_are_used_again() {
    by_both_roads(|_, simulator, proxy| {
        for _ in 0..4 {
            proxy.stream(&question("Hi")).rest();
            proxy.chat(&question("Hi")).success();
        }
        let requests = generations(simulator);
        assert_eq!(requests.len(), 8);
        let first = requests[0].connection;
        assert!(requests.iter().all(|request| request.connection == first));
    });
}
