//! Streams that fail: before the first event with a status of their own, after it
//! with an event that cannot be taken for a good end.

use gemini_proxy::simulator::{Recorded, Simulator};
use serde_json::{Value, json};

use crate::client::{chunks, error_in, text_of};
use crate::proxy::{MODEL, Road, by_both_roads, question};
use crate::streaming::{event, last_event};

/// The events of a stream that broke: the last is the error, and nothing in it
/// looks like a good end.
#[track_caller]
fn broken(events: &[String]) -> Value {
    assert!(
        !events.iter().any(|event| event.contains("[DONE]")),
        "{events:?}"
    );
    let chunks = chunks(events);
    let (last, before) = chunks.split_last().unwrap();
    for chunk in before {
        assert_eq!(
            chunk["choices"][0]["finish_reason"],
            Value::Null,
            "{events:?}"
        );
    }
    error_in(last)
}

#[test]
fn lesson_08_a_last_event_without_its_blank_line_is_still_delivered() {
    by_both_roads(|_, simulator, proxy| {
        let item = json!({
            "responses": [event("Hello"), last_event(" world")],
            "sse": {"unterminated": true},
        });
        simulator.script(json!([item])).unwrap();
        let events = proxy.stream(&question("Hi")).rest();
        assert_eq!(text_of(&events), "Hello world");
        assert_eq!(events.last().unwrap(), "data: [DONE]");
    });
}

#[test]
fn lesson_08_a_stream_cut_short_ends_in_an_error_not_in_done() {
    by_both_roads(|_, simulator, proxy| {
        for cut in [
            json!({"then": "truncate"}),
            json!({"then": "reset"}),
            json!({"then": "close"}),
            json!({"framing": "until_close"}),
        ] {
            let mut item = json!({"responses": [event("Half"), {"gate": "read"}, event(" an")]});
            for (name, value) in cut.as_object().unwrap() {
                item[name] = value.clone();
            }
            simulator.script(json!([item])).unwrap();
            let mut events = proxy.stream(&question("Hi"));
            events.next_json();
            assert_eq!(events.next_json()["choices"][0]["delta"]["content"], "Half");
            simulator.release("read");
            let error = broken(&events.rest());
            assert_eq!(error["type"], "server_error", "{cut}");
            assert_eq!(error["code"], "upstream_stream_error", "{cut}");
        }
    });
}

#[test]
fn lesson_08_a_clean_end_without_a_reason_can_be_borne_a_broken_one_never() {
    for road in [Road::CodeAssist, Road::GeminiApi] {
        let simulator = Simulator::start().unwrap();
        let home = road.home(&simulator);
        let proxy = home.env("PROXY_TOLERATE_MISSING_FINISH", "true").serve();
        let call = json!({"candidates": [{"content": {"role": "model", "parts": [
            {"functionCall": {"name": "f", "args": {}}}]}}]});
        for (said, reason) in [(event("Whole"), "stop"), (call, "tool_calls")] {
            simulator.script(json!([{"responses": [said]}])).unwrap();
            let events = proxy.stream(&question("Hi")).rest();
            assert_eq!(events.last().unwrap(), "data: [DONE]");
            let chunks = chunks(&events);
            let finish = &chunks.last().unwrap()["choices"][0]["finish_reason"];
            assert_eq!(finish, reason);
        }
        simulator
            .script(json!([{"responses": [event("Whole")]}]))
            .unwrap();
        let old = json!({"model": MODEL, "prompt": "Hi", "stream": true}).to_string();
        let answer = proxy.send("POST", "/v1/completions", &[], old.as_bytes());
        assert!(answer.text().contains("\"finish_reason\":\"stop\""));
        assert!(answer.text().trim_end().ends_with("[DONE]"));
        for cut in ["truncate", "reset"] {
            let responses = json!([event("Half"), {"gate": "read"}, event(" an")]);
            let script = json!([{"responses": responses, "then": cut}]);
            simulator.script(script).unwrap();
            let mut events = proxy.stream(&question("Hi"));
            events.next_json();
            simulator.release("read");
            assert_eq!(broken(&events.rest())["code"], "upstream_stream_error");
        }
        let log = proxy.stop();
        let warnings = log.matches("has not said why it stopped").count();
        assert_eq!(warnings, 3, "{log}");
    }
}

#[test]
fn an_error_before_the_first_event_has_its_own_status() {
    by_both_roads(|_, simulator, proxy| {
        for (name, status, code) in [
            ("retry_info", 429, "rate_limit_exceeded"),
            ("overloaded", 503, "server_is_overloaded"),
            ("internal", 502, "upstream_error"),
            ("bad_gateway", 502, "upstream_error"),
            ("deadline_exceeded", 504, "upstream_timeout"),
            ("invalid_argument", 400, "invalid_argument"),
        ] {
            simulator
                .script(json!([{"error": name, "delay": "1s", "times": "always"}]))
                .unwrap();
            let mut request = question("Hi");
            request["stream"] = json!(true);
            assert_eq!(proxy.chat(&request).error(status)["code"], code, "{name}");
            simulator.reset();
        }
    });
}

#[test]
fn an_error_as_the_first_event_of_a_200_has_its_own_status_too() {
    by_both_roads(|_, simulator, proxy| {
        let error = json!({"error": {"code": 503, "message": "The model is overloaded.",
            "status": "UNAVAILABLE"}});
        simulator
            .script(json!([{"responses": [error], "times": "always"}]))
            .unwrap();
        let mut request = question("Hi");
        request["stream"] = json!(true);
        let error = proxy.chat(&request).error(503);
        assert_eq!(error["code"], "server_is_overloaded");
    });
}

#[test]
fn a_stream_without_any_event_is_an_error() {
    by_both_roads(|_, simulator, proxy| {
        simulator
            .script(json!([{"raw_chunks": [], "times": "always"}]))
            .unwrap();
        let mut request = question("Hi");
        request["stream"] = json!(true);
        let error = proxy.chat(&request).error(502);
        assert_eq!(error["type"], "server_error");
    });
}

#[test]
fn an_error_amid_the_stream_is_its_last_event() {
    by_both_roads(|_, simulator, proxy| {
        let error = json!({"error": {"code": 503, "message": "The model is overloaded.",
            "status": "UNAVAILABLE"}});
        let bare = json!({"verbatim": format!("{error}\r\n")});
        for (failure, code) in [
            (error, "server_is_overloaded"),
            (bare, "server_is_overloaded"),
            (
                json!({"verbatim": "data: {\"candi\r\n\r\n"}),
                "upstream_invalid_response",
            ),
        ] {
            let responses = json!([event("Half an answer"), {"gate": "read"}, failure]);
            simulator.script(json!([{"responses": responses}])).unwrap();
            let mut events = proxy.stream(&question("Hi"));
            events.next_json();
            let chunk = events.next_json();
            assert_eq!(chunk["choices"][0]["delta"]["content"], "Half an answer");
            simulator.release("read");
            assert_eq!(broken(&events.rest())["code"], code);
            simulator.reset();
        }
    });
}

#[test]
fn lesson_14_a_client_who_leaves_ends_the_request_to_google() {
    by_both_roads(|_, simulator, proxy| {
        let mut responses = Vec::new();
        for _ in 0..2000 {
            responses.push(event("and on "));
            responses.push(json!({"pause_ms": 5}));
        }
        simulator.script(json!([{"responses": responses}])).unwrap();
        let mut events = proxy.stream(&question("Talk"));
        events.next_json();
        events.next_json();
        drop(events);
        let left = |request: &Recorded| request.client_left;
        let requests = simulator.wait_until(|requests| requests.iter().any(left));
        assert!(requests.iter().any(left), "Google still sends");
    });
}
