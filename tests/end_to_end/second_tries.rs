//! What the proxy asks Google once more, in other words or in the same, before
//! the client has got anything.

use serde_json::{Value, json};

use gemini_proxy::simulator::Simulator;

use crate::client::Answer;
use crate::proxy::{MODEL, Proxy, Road, by_both_roads, generations, question};

/// How often Google was asked for an answer, and what it was asked last.
fn asked(road: Road, simulator: &Simulator) -> (usize, Value) {
    (generations(simulator).len(), road.asked(simulator))
}

fn with_tool(streams: bool) -> Value {
    let mut request = question("Weather?");
    request["stream"] = streams.into();
    request["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {
        "type": "object", "properties": {"size": {"type": "integer", "minimum": 1}}}}}]);
    request
}

#[test]
fn lesson_02_a_refusal_over_a_schema_is_answered_with_plainer_schemas() {
    for name in ["schema_too_complex", "schema_too_deep", "invalid_argument"] {
        for streams in [false, true] {
            by_both_roads(|road, simulator, proxy| {
                let script = json!([{"error": name}, {"text": "Fine."}]);
                simulator.script(script).unwrap();
                let answer = proxy.chat(&with_tool(streams));
                assert_eq!(answer.status, 200, "{name}");
                assert_eq!(answer.header("x-gemini-proxy-retried"), Some("schemas"));
                let ignored = answer.header("x-gemini-proxy-ignored");
                let weakened = "tools[0].function.parameters.properties.size.minimum";
                assert_eq!(ignored, Some(weakened), "{name}, streamed: {streams}");
                let (count, last) = asked(road, simulator);
                assert_eq!(count, 2, "{name}");
                let declaration = &last["tools"][0]["functionDeclarations"][0];
                let size = &declaration["parametersJsonSchema"]["properties"]["size"];
                assert_eq!(
                    *size,
                    json!({"type": "integer", "description": "minimum: 1."})
                );
            });
        }
    }
}

#[test]
fn lesson_30_where_a_json_schema_is_refused_googles_own_dialect_is_tried() {
    by_both_roads(|road, simulator, proxy| {
        let script = json!([{"error": "schema_too_complex"}, {"text": "{}"}]);
        simulator.script(script).unwrap();
        let mut request = question("Weather?");
        request["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {
            "type": "object", "properties": {"b": {"type": ["integer", "null"]}, "a": {"const": "x"}}}}});
        proxy.chat(&request).success();
        let config = &road.asked(simulator)["generationConfig"];
        assert!(config.get("responseJsonSchema").is_none());
        let schema = json!({"type": "object", "propertyOrdering": ["b", "a"], "properties": {
            "b": {"nullable": true, "type": "integer"},
            "a": {"type": "string", "enum": ["x"], "description": "One of: x."}}});
        assert_eq!(config["responseSchema"], schema);
    });
}

#[test]
fn lesson_03_a_refusal_over_signatures_is_answered_with_the_documented_stand_in() {
    by_both_roads(|road, simulator, proxy| {
        let calls = json!([{"calls": [{"name": "f", "args": {}}]}]);
        simulator.script(calls).unwrap();
        let mut request = with_tool(false);
        let message = proxy.chat(&request).success()["choices"][0]["message"].clone();
        let id = message["tool_calls"][0]["id"].clone();
        let messages = request["messages"].as_array_mut().unwrap();
        messages.push(message);
        messages.push(json!({"role": "tool", "tool_call_id": id, "content": "sun"}));
        for (streams, asked_so_far) in [(false, 3), (true, 5)] {
            request["stream"] = streams.into();
            let script = json!([{"error": "corrupted_thought_signature"}, {"text": "Sun."}]);
            simulator.script(script).unwrap();
            let answer = proxy.chat(&request);
            assert_eq!(answer.status, 200);
            let said = answer.header("x-gemini-proxy-retried");
            assert_eq!(said, Some("thought_signatures"));
            let (count, last) = asked(road, simulator);
            assert_eq!(count, asked_so_far);
            let call = &last["contents"][1]["parts"][0];
            assert_eq!(call["thoughtSignature"], "skip_thought_signature_validator");
        }
        request["stream"] = false.into();
        let answer = proxy.chat(&request);
        assert_eq!(answer.header("x-gemini-proxy-retried"), None);
    });
}

#[test]
fn what_google_refuses_twice_is_not_asked_a_third_time() {
    by_both_roads(|road, simulator, proxy| {
        let script = json!([{"error": "schema_too_complex", "times": 2}]);
        simulator.script(script).unwrap();
        proxy.chat(&with_tool(false)).error(400);
        assert_eq!(asked(road, simulator).0, 2);
        // Without schemas there is nothing to say otherwise.
        let script = json!([{"error": "invalid_argument"}]);
        simulator.script(script).unwrap();
        proxy.chat(&question("Hi")).error(400);
        assert_eq!(asked(road, simulator).0, 3);
    });
}

#[test]
fn lesson_09_an_empty_answer_is_asked_for_once_more() {
    for empty in [
        json!({"candidates": [{"finishReason": "STOP"}]}),
        json!({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "f("}]}),
    ] {
        for streams in [false, true] {
            by_both_roads(|road, simulator, proxy| {
                let script = json!([{"responses": [empty]}, {"text": "Here."}]);
                simulator.script(script).unwrap();
                let answer = proxy.chat(&with_tool(streams));
                assert_eq!(answer.status, 200);
                assert!(answer.text().contains("Here."));
                assert_eq!(asked(road, simulator).0, 2);
            });
        }
    }
}

#[test]
fn lesson_09_an_empty_answer_to_a_prompt_or_an_input_is_asked_for_once_more() {
    let empty = json!({"candidates": [{"finishReason": "OTHER"}]});
    for streams in [false, true] {
        by_both_roads(|road, simulator, proxy| {
            for (nth, path, words) in [
                (1, "/v1/completions", "prompt"),
                (2, "/v1/responses", "input"),
            ] {
                let script = json!([{"responses": [empty]}, {"text": "Here."}]);
                simulator.script(script).unwrap();
                let body = json!({"model": MODEL, "stream": streams, words: "Hi"}).to_string();
                let answer = proxy.send("POST", path, &[], body.as_bytes());
                assert_eq!(answer.status, 200, "{path}");
                assert!(answer.text().contains("Here."), "{path}");
                assert_eq!(asked(road, simulator).0, 2 * nth, "{path}");
            }
        });
    }
}

#[test]
fn an_answer_that_is_cut_or_filtered_is_not_asked_for_again() {
    for reason in ["MAX_TOKENS", "SAFETY"] {
        for streams in [false, true] {
            by_both_roads(|road, simulator, proxy| {
                let empty = json!({"candidates": [{"finishReason": reason}]});
                simulator.script(json!([{"responses": [empty]}])).unwrap();
                let mut request = question("Hi");
                request["stream"] = streams.into();
                assert_eq!(proxy.chat(&request).status, 200, "{reason}");
                assert_eq!(asked(road, simulator).0, 1, "{reason}");
            });
        }
    }
}

#[test]
fn an_answer_that_is_empty_twice_is_told_as_it_is() {
    by_both_roads(|road, simulator, proxy| {
        let nothing =
            json!({"responses": [{"candidates": [{"finishReason": "STOP"}]}], "times": 2});
        simulator.script(json!([nothing])).unwrap();
        let answer = proxy.chat(&question("Hi")).success();
        assert_eq!(answer["choices"][0]["message"]["content"], "");
        let malformed = json!({"responses": [{"candidates": [
            {"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "f("}]}], "times": 2});
        simulator.script(json!([malformed])).unwrap();
        let error = proxy.chat(&question("Hi")).error(502);
        assert_eq!(error["code"], "upstream_invalid_response");
        assert_eq!(asked(road, simulator).0, 4);
    });
}

/// By both doors of a conversation and in both ways.
fn ways() -> [(&'static str, bool); 4] {
    let (chat, responses) = ("/v1/chat/completions", "/v1/responses");
    [
        (chat, false),
        (chat, true),
        (responses, false),
        (responses, true),
    ]
}

fn ask(proxy: &Proxy, (target, streams): (&str, bool)) -> Answer {
    let mut request = question("Hi");
    if target == "/v1/responses" {
        request = json!({"model": MODEL, "input": "Hi"});
    }
    request["stream"] = streams.into();
    proxy.send("POST", target, &[], request.to_string().as_bytes())
}

#[test]
fn a_call_without_a_name_is_asked_for_again_whole_or_in_events() {
    by_both_roads(|_, simulator, proxy| {
        let nameless = json!({"responses": [{"candidates": [{"finishReason": "STOP", "content": {
            "role": "model", "parts": [{"functionCall": {"args": {}}}]}}]}]});
        let thoughts = json!({"responses": [{"candidates": [
            {"finishReason": "MALFORMED_FUNCTION_CALL", "content": {"role": "model", "parts": [
                {"thought": true, "text": "Hm."}]}}]}]});
        for way in ways() {
            simulator
                .script(json!([nameless, {"text": "Hello."}]))
                .unwrap();
            let answer = ask(proxy, way);
            assert_eq!(answer.status, 200, "{way:?}");
            assert!(answer.text().contains("Hello."), "{way:?}");
            assert_eq!(generations(simulator).len(), 2, "{way:?}");
            simulator.reset();
            // Thoughts that were not passed on yet are no answer, either.
            if !way.1 {
                simulator
                    .script(json!([thoughts, {"text": "Hello."}]))
                    .unwrap();
                let answer = ask(proxy, way).success();
                assert!(!answer.to_string().contains("Hm."), "{answer}");
                assert!(answer.to_string().contains("Hello."), "{answer}");
                simulator.reset();
            }
        }
    });
}

#[test]
fn an_error_in_a_200_is_asked_again_like_one_with_a_status_of_its_own() {
    by_both_roads(|_, simulator, proxy| {
        let refusal = |code: u16, status: &str| {
            let error = json!({"error": {"code": code, "message": "No.", "status": status}});
            json!({"responses": [error]})
        };
        for way in ways() {
            let passes = refusal(503, "UNAVAILABLE");
            simulator
                .script(json!([passes, {"text": "Hello."}]))
                .unwrap();
            let answer = ask(proxy, way);
            assert_eq!(answer.status, 200, "{way:?}");
            assert!(answer.text().contains("Hello."), "{way:?}");
            assert_eq!(generations(simulator).len(), 2, "{way:?}");
            simulator.reset();
            for (code, status, answered, word, asked) in [
                (503, "UNAVAILABLE", 503, "server_is_overloaded", 3),
                (400, "INVALID_ARGUMENT", 400, "invalid_argument", 1),
                (
                    403,
                    "PERMISSION_DENIED",
                    403,
                    "google_account_action_required",
                    1,
                ),
            ] {
                let mut lasting = refusal(code, status);
                lasting["times"] = json!("always");
                simulator.script(json!([lasting])).unwrap();
                let error = ask(proxy, way).error(answered);
                assert_eq!(error["code"], word, "{way:?}");
                assert_eq!(generations(simulator).len(), asked, "{way:?}");
                simulator.reset();
            }
        }
    });
}

#[test]
fn an_answer_that_stays_empty_is_an_empty_answer() {
    by_both_roads(|_, simulator, proxy| {
        let nothing =
            json!({"responses": [{"candidates": [{"finishReason": "STOP"}]}], "times": 2});
        for way in ways() {
            simulator.script(json!([nothing])).unwrap();
            let answer = ask(proxy, way);
            assert_eq!(generations(simulator).len(), 2, "{way:?}");
            match way {
                ("/v1/responses", false) => {
                    let response = answer.success();
                    assert_eq!(response["status"], "completed");
                    assert_eq!(response["output"], json!([]));
                }
                (_, false) => {
                    let choice = &answer.success()["choices"][0];
                    assert_eq!(choice["message"]["content"], "");
                    assert_eq!(choice["finish_reason"], "stop");
                }
                ("/v1/responses", true) => {
                    assert!(answer.text().contains("event: response.completed"));
                }
                (_, true) => {
                    assert!(answer.text().contains("\"finish_reason\":\"stop\""));
                    assert!(answer.text().trim_end().ends_with("data: [DONE]"));
                }
            }
            simulator.reset();
        }
    });
}
