//! `POST /v1/responses`: its events on a real socket, its signs of life, and how it
//! fails.

use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::client::{Answer, Client, Events};
use crate::proxy::{MODEL, Proxy, Road, by_both_roads, generations};
use crate::streaming::{event, last_event};
use crate::tools::SENTINEL;

pub(crate) fn asked(input: impl Into<Value>) -> Value {
    json!({"model": MODEL, "input": input.into()})
}

pub(crate) fn respond(proxy: &Proxy, request: &Value) -> Answer {
    let body = request.to_string();
    proxy.send("POST", "/v1/responses", &[], body.as_bytes())
}

pub(crate) fn respond_in_events(proxy: &Proxy, request: &Value) -> Events {
    let mut request = request.clone();
    request["stream"] = json!(true);
    let mut client = Client::connect(&proxy.host);
    let body = request.to_string();
    client.send("POST", "/v1/responses", &[], body.as_bytes());
    Events::of(client)
}

/// The data of an event, which is called the same in both of its lines.
#[track_caller]
pub(crate) fn data(event: &str) -> Value {
    let (name, data) = event.split_once("\ndata: ").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
    data
}

/// The data of all events, whose numbers have no gaps.
#[track_caller]
pub(crate) fn numbered(events: Events) -> Vec<Value> {
    let events: Vec<_> = events.rest().iter().map(|event| data(event)).collect();
    for (nth, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], nth, "{events:?}");
    }
    events
}

/// Without `response.` in front.
fn kinds(events: &[Value]) -> Vec<&str> {
    let kinds = events.iter().map(|event| event["type"].as_str().unwrap());
    kinds
        .map(|kind| kind.strip_prefix("response.").unwrap())
        .collect()
}

fn with_tool(input: impl Into<Value>) -> Value {
    let mut request = asked(input);
    request["tools"] = json!([{"type": "function", "name": "get_weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string", "minLength": 1}}}}]);
    request
}

/// What is not of one answer alone.
fn without_names(response: &Value) -> Value {
    let mut response = response.clone();
    for item in response["output"].as_array_mut().unwrap() {
        item.as_object_mut().unwrap().remove("id");
        item.as_object_mut().unwrap().remove("call_id");
        item.as_object_mut().unwrap().remove("encrypted_content");
    }
    for name in ["id", "created_at", "completed_at"] {
        response.as_object_mut().unwrap().remove(name);
    }
    response
}

#[test]
fn the_events_come_in_openais_order_and_the_last_is_the_whole_answer() {
    by_both_roads(|_, simulator, proxy| {
        let item = json!({"thought": "Looking up…", "text": "Let me check.", "times": 2,
            "calls": [{"name": "get_weather", "args": {"city": "Paris"}}, {"name": "get_weather"}]});
        simulator.script(json!([item])).unwrap();
        let events = numbered(respond_in_events(proxy, &with_tool("Paris?")));
        let call = [
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
        ];
        let expected = [
            &["created", "in_progress"][..],
            &["output_item.added", "reasoning_summary_part.added"],
            &[
                "reasoning_summary_text.delta",
                "reasoning_summary_text.done",
            ],
            &["reasoning_summary_part.done", "output_item.done"],
            &["output_item.added", "content_part.added"],
            &["output_text.delta", "output_text.done"],
            &["content_part.done", "output_item.done"],
            // The first call is signed.
            &["output_item.added", "output_item.done"],
            &call,
            &call,
            &["completed"],
        ]
        .concat();
        assert_eq!(kinds(&events), expected);
        let begun: Vec<_> = events[0]["response"]["output"].as_array().unwrap().clone();
        assert!(begun.is_empty());
        let last = &events.last().unwrap()["response"];
        let done = events
            .iter()
            .filter(|event| event["type"] == "response.output_item.done");
        let done: Vec<_> = done.map(|event| event["item"].clone()).collect();
        assert_eq!(last["output"], json!(done));
        assert_eq!(last["status"], "completed");
        let whole = respond(proxy, &with_tool("Paris?")).success();
        assert_eq!(without_names(&whole), without_names(last));
    });
}

#[test]
fn every_event_of_a_response_leaves_the_moment_it_arrives() {
    by_both_roads(|_, simulator, proxy| {
        let responses = json!([event("one"), {"gate": "1"}, last_event("two")]);
        simulator.script(json!([{"responses": responses}])).unwrap();
        let mut events = respond_in_events(proxy, &asked("Count"));
        let mut next = || data(&events.next().unwrap());
        while next()["delta"] != "one" {}
        simulator.release("1");
        assert_eq!(next()["delta"], "two");
        assert_eq!(next()["type"], "response.output_text.done");
    });
}

/// The signs of life come after 10 s before the head, every 15 s after it.
#[test]
fn lesson_12_signs_of_life_are_events_that_say_nothing_new() {
    let before = [json!({"gate": "end"}), last_event("At last")];
    let after = [event("At "), json!({"gate": "end"}), last_event("last")];
    std::thread::scope(|scope| {
        for (is_before, responses) in [(true, json!(before)), (false, json!(after))] {
            scope.spawn(move || {
                let simulator = Simulator::start().unwrap();
                let proxy = Road::GeminiApi.home(&simulator).serve();
                simulator.script(json!([{"responses": responses}])).unwrap();
                let mut events = respond_in_events(&proxy, &asked("Hi"));
                let mut seen = Vec::new();
                let mut in_progress = 0;
                // Google is held until the proxy has sent a sign of its own accord.
                let enough = if is_before { 1 } else { 2 };
                while in_progress < enough {
                    let event = data(&events.next().unwrap());
                    in_progress += usize::from(event["type"] == "response.in_progress");
                    seen.push(event);
                }
                assert_eq!(
                    seen.iter().any(|event| event["delta"].is_string()),
                    !is_before
                );
                simulator.release("end");
                seen.extend(events.rest().iter().map(|event| data(event)));
                let created = seen
                    .iter()
                    .filter(|event| event["type"] == "response.created");
                assert_eq!(created.count(), 1);
                for (nth, event) in seen.iter().enumerate() {
                    assert_eq!(event["sequence_number"], nth);
                }
                let last = &seen.last().unwrap()["response"];
                assert_eq!(last["output"][0]["content"][0]["text"], "At last");
            });
        }
    });
}

#[test]
fn before_the_first_event_a_failure_has_its_status() {
    by_both_roads(|_, simulator, proxy| {
        for (name, status, code) in [
            ("quota_exhausted", 429, "insufficient_quota"),
            ("token_limit", 400, "context_length_exceeded"),
            ("overloaded", 503, "server_is_overloaded"),
        ] {
            let script = json!([{"error": name, "times": "always"}]);
            simulator.script(script).unwrap();
            let mut request = asked("Hi");
            for streams in [false, true] {
                request["stream"] = json!(streams);
                assert_eq!(respond(proxy, &request).error(status)["code"], code);
            }
            simulator.reset();
        }
    });
}

#[test]
fn after_it_a_failure_is_the_last_event() {
    by_both_roads(|_, simulator, proxy| {
        let error = json!({"error": {"code": 503, "message": "The model is overloaded.",
            "status": "UNAVAILABLE"}});
        for (end, then, code) in [
            (error, "close", "server_is_overloaded"),
            (event(" an"), "truncate", "upstream_stream_error"),
        ] {
            let responses = json!([event("Half"), {"gate": "read"}, end]);
            let script = json!([{"responses": responses, "then": then}]);
            simulator.script(script).unwrap();
            let mut events = respond_in_events(proxy, &asked("Hi"));
            let mut next = || data(&events.next().unwrap());
            while next()["delta"] != "Half" {}
            simulator.release("read");
            let last = data(events.rest().last().unwrap());
            assert_eq!(last["type"], "response.failed");
            let response = &last["response"];
            assert_eq!(response["status"], "failed");
            assert_eq!(response["error"]["code"], code);
            assert!(response["error"]["message"].is_string());
            simulator.reset();
        }
    });
}

#[test]
fn what_google_refuses_is_asked_again_in_plainer_words() {
    by_both_roads(|road, simulator, proxy| {
        for streams in [false, true] {
            let script = json!([{"error": "schema_too_complex"}, {"text": "Fine."}]);
            simulator.script(script).unwrap();
            let mut request = with_tool("Weather?");
            request["stream"] = json!(streams);
            let answer = respond(proxy, &request);
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("x-gemini-proxy-retried"), Some("schemas"));
            let weakened = "tools[0].parameters.properties.city.minLength";
            assert_eq!(answer.header("x-gemini-proxy-ignored"), Some(weakened));
            let schema = &road.asked(simulator)["tools"][0]["functionDeclarations"][0];
            let city = &schema["parametersJsonSchema"]["properties"]["city"];
            assert!(city["description"].is_string() && city["minLength"].is_null());
        }
        assert_eq!(generations(simulator).len(), 4);
    });
}

/// The conversation after one call, given back as it came.
fn after_a_call(proxy: &Proxy, simulator: &Simulator) -> Value {
    let calls = json!([{"name": "get_weather", "args": {"city": "Oslo"}}]);
    simulator.script(json!([{"calls": calls}])).unwrap();
    let answer = respond(proxy, &with_tool("Oslo?")).success();
    let mut input = vec![json!({"role": "user", "content": "Oslo?"})];
    let output = answer["output"].as_array().unwrap();
    input.extend(output.iter().cloned());
    let call = &output.last().unwrap()["call_id"];
    input.push(json!({"type": "function_call_output", "call_id": call, "output": "4 °C"}));
    with_tool(input)
}

fn signature(asked: &Value) -> &Value {
    &asked["contents"][1]["parts"][0]["thoughtSignature"]
}

#[test]
fn lesson_03_the_reasoning_brings_the_signature_through_a_restart() {
    for road in [Road::CodeAssist, Road::GeminiApi] {
        let simulator = Simulator::start().unwrap();
        let home = road.home(&simulator);
        let request = after_a_call(&home.serve(), &simulator);
        let proxy = home.serve();
        respond(&proxy, &request).success();
        let signed = signature(&road.asked(&simulator)).clone();
        assert_ne!(signed, SENTINEL);

        // Without the reasoning nobody knows it any more.
        let proxy = home.serve();
        let mut bare = request.clone();
        let items = bare["input"].as_array_mut().unwrap();
        items.retain(|item| item["type"] != "reasoning");
        respond(&proxy, &bare).success();
        assert_eq!(*signature(&road.asked(&simulator)), SENTINEL);

        let script = json!([{"error": "corrupted_thought_signature"}, {"text": "4 °C."}]);
        simulator.script(script).unwrap();
        let answer = respond(&proxy, &request);
        let retried = answer.header("x-gemini-proxy-retried");
        assert_eq!(retried, Some("thought_signatures"));
        assert_eq!(*signature(&road.asked(&simulator)), SENTINEL);
    }
}

#[test]
fn errors_name_what_the_client_sent() {
    by_both_roads(|_, simulator, proxy| {
        let bad_result = json!([
            {"role": "user", "content": "Oslo?"},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": [
                {"type": "input_text", "text": "4 °C"}, {"type": "hologram"}]},
        ]);
        let after_lost_thoughts = json!([
            {"type": "item_reference", "id": "rs_gone"},
            {"role": "user", "content": [{"type": "hologram"}]},
        ]);
        let mut bad_tool = asked("Hi");
        bad_tool["tools"] = json!([{"type": "web_search"}, {"type": "function"}]);
        let mut bad_format = asked("Hi");
        bad_format["text"] = json!({"format": {"type": "json_schema", "name": "n"}});
        let mut background = asked("Hi");
        background["background"] = json!(true);
        for (request, param) in [
            (asked(bad_result), "input[2].output[1].type"),
            (asked(after_lost_thoughts), "input[1].content[0].type"),
            (
                asked(json!([{"role": "nobody", "content": "Hi"}])),
                "input[0].role",
            ),
            (bad_tool, "tools[1].name"),
            (bad_format, "text.format.schema"),
            (background, "background"),
            (json!({"model": MODEL}), "input"),
        ] {
            for streams in [false, true] {
                let mut request = request.clone();
                request["stream"] = json!(streams);
                assert_eq!(respond(proxy, &request).error(400)["param"], param);
            }
        }
        let error = respond(proxy, &asked(json!(["Hi"]))).error(400);
        let message = error["message"].as_str().unwrap();
        assert!(
            message.ends_with("expected an object, but got a string instead."),
            "{message}"
        );
        assert!(generations(simulator).is_empty());
    });
}

#[test]
fn sixty_four_streams_at_once_on_a_fresh_server_all_come_to_their_end() {
    by_both_roads(|_, _, proxy| {
        let streams: Vec<_> = (0..64)
            .map(|nth| respond_in_events(proxy, &asked(format!("Question {nth}"))))
            .collect();
        for stream in streams {
            let events = numbered(stream);
            assert_eq!(kinds(&events).last(), Some(&"completed"));
        }
    });
}
