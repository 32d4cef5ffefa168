//! `/v1/completions`, which LlamaIndex and completion in editors still ask for.

use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::client::{Answer, Client, Events, chunks};
use crate::proxy::{MODEL, Proxy, by_both_roads, generations};

fn complete(proxy: &Proxy, request: &Value) -> Answer {
    let body = request.to_string();
    proxy.send("POST", "/v1/completions", &[], body.as_bytes())
}

/// The events of a stream, `[DONE]` aside, which must be the last.
fn stream(proxy: &Proxy, request: &Value) -> Vec<Value> {
    let mut request = request.clone();
    request["stream"] = json!(true);
    let mut client = Client::connect(&proxy.host);
    let body = request.to_string();
    client.send("POST", "/v1/completions", &[], body.as_bytes());
    let events = Events::of(client);
    assert_eq!(events.head.status, 200);
    let events = events.rest();
    assert_eq!(events.last().unwrap(), "data: [DONE]");
    chunks(&events)
}

/// Text and finish reason of each choice, as a client puts them together.
fn gathered(events: &[Value]) -> Vec<(String, Value)> {
    let mut choices: Vec<(String, Value)> = Vec::new();
    for choice in events
        .iter()
        .flat_map(|event| event["choices"].as_array().unwrap())
    {
        let index = choice["index"].as_u64().unwrap() as usize;
        choices.resize(choices.len().max(index + 1), (String::new(), Value::Null));
        let (text, finish) = &mut choices[index];
        assert_eq!(*finish, Value::Null, "nothing comes after the end");
        text.push_str(choice["text"].as_str().unwrap());
        *finish = choice["finish_reason"].clone();
    }
    choices
}

fn prompt(prompt: impl Into<Value>) -> Value {
    json!({"model": MODEL, "prompt": prompt.into()})
}

#[test]
fn a_prompt_is_completed_in_one_piece() {
    by_both_roads(|road, simulator, proxy| {
        simulator
            .script(json!([{"thought": "Hm.", "text": "there was a proxy."}]))
            .unwrap();
        let mut request = prompt("Once upon a time ");
        request["max_tokens"] = json!(5000);
        request["temperature"] = json!(0.1);
        request["stop"] = json!(["\n"]);
        let mut answer = complete(proxy, &request).success();
        let keys: Vec<_> = answer.as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            keys,
            ["id", "object", "created", "model", "choices", "usage"]
        );
        let id = answer["id"].as_str().unwrap();
        assert!(id.starts_with("cmpl-") && id.len() == 34, "{id}");
        assert_eq!(answer["object"], "text_completion");
        assert!(answer["created"].is_u64());
        assert_eq!(answer["model"], MODEL);
        let choice = json!({"text": "there was a proxy.", "index": 0, "logprobs": null,
            "finish_reason": "stop"});
        assert_eq!(answer["choices"].take(), json!([choice]));
        let usage = &answer["usage"];
        let count = |name: &str| usage[name].as_u64().unwrap();
        assert!(count("prompt_tokens") > 0);
        let sum = count("prompt_tokens") + count("completion_tokens");
        assert_eq!(count("total_tokens"), sum);

        let asked = road.asked(simulator);
        let turns = json!([{"role": "user", "parts": [{"text": "Once upon a time "}]}]);
        assert_eq!(asked["contents"], turns);
        let config = &asked["generationConfig"];
        assert_eq!(config["maxOutputTokens"], 5000);
        assert_eq!(config["temperature"], 0.1);
        assert_eq!(config["stopSequences"], json!(["\n"]));
    });
}

#[test]
fn it_is_not_thought_about_unless_that_is_asked_for() {
    by_both_roads(|road, simulator, proxy| {
        let mut request = prompt("Hi");
        for (model, thinking) in [
            (
                MODEL,
                json!({"thinkingLevel": "MINIMAL", "includeThoughts": false}),
            ),
            (
                "gemini-2.5-flash",
                json!({"thinkingBudget": 0, "includeThoughts": false}),
            ),
        ] {
            request["model"] = json!(model);
            complete(proxy, &request).success();
            let asked = road.asked(simulator);
            assert_eq!(asked["generationConfig"]["thinkingConfig"], thinking);
        }
        request["reasoning_effort"] = json!("high");
        complete(proxy, &request).success();
        let asked = road.asked(simulator);
        let budget = &asked["generationConfig"]["thinkingConfig"]["thinkingBudget"];
        assert_eq!(*budget, 24_576);
    });
}

#[test]
fn a_stream_says_what_the_whole_answer_says() {
    by_both_roads(|_, simulator, proxy| {
        let script =
            json!([{"thought": "Hm.", "text": "one two three", "words": true, "times": 2}]);
        simulator.script(script).unwrap();
        let request = prompt("Count: ");
        let whole = complete(proxy, &request).success();
        let events = stream(proxy, &request);
        let told = gathered(&events);
        assert_eq!(told, [("one two three".to_owned(), json!("stop"))]);
        assert_eq!(told[0].0, whole["choices"][0]["text"]);
        assert!(events.len() > 3, "it comes in pieces");
        for event in &events {
            assert_eq!(event["object"], "text_completion");
            assert_eq!(event["id"], events[0]["id"]);
            assert_eq!(event.get("usage"), None);
        }
    });
}

#[test]
fn usage_comes_in_the_last_event_when_asked_for() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let mut request = prompt(json!(["one", "two"]));
    request["stream_options"] = json!({"include_usage": true});
    let events = stream(&proxy, &request);
    let (last, others) = events.split_last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert!(last["usage"]["total_tokens"].as_u64() > Some(0));
    assert!(others.iter().all(|event| event["usage"] == Value::Null));
    assert!(others.iter().all(|event| event.get("usage").is_some()));
    let whole = complete(&proxy, &prompt(json!(["one", "two"]))).success();
    assert_eq!(whole["usage"], last["usage"]);
}

#[test]
fn several_prompts_are_asked_one_by_one_and_told_in_order() {
    by_both_roads(|_, simulator, proxy| {
        let script = json!([{"text": "red", "contains": "blood", "times": "always"},
            {"text": "green", "contains": "grass", "times": "always"}]);
        simulator.script(script).unwrap();
        let mut request = prompt(json!(["grass is ", "blood is "]));
        request["echo"] = json!(true);
        let whole = complete(proxy, &request).success();
        assert_eq!(generations(simulator).len(), 2);
        let texts = |choices: &Value| {
            let choices = choices.as_array().unwrap();
            let pairs = choices.iter().map(|choice| {
                assert_eq!(choice["finish_reason"], "stop");
                (choice["index"].clone(), choice["text"].clone())
            });
            pairs.collect::<Vec<_>>()
        };
        let expected = [
            (json!(0), json!("grass is green")),
            (json!(1), json!("blood is red")),
        ];
        assert_eq!(texts(&whole["choices"]), expected);
        let streamed = gathered(&stream(proxy, &request));
        let streamed: Vec<_> = streamed.into_iter().map(|(text, _)| text).collect();
        assert_eq!(streamed, ["grass is green", "blood is red"]);
    });
}

#[test]
fn a_suffix_makes_it_fill_the_gap() {
    by_both_roads(|road, simulator, proxy| {
        let mut request = prompt("fn add(a: i32, b: i32) -> i32 {");
        request["suffix"] = json!("}");
        complete(proxy, &request).success();
        let asked = road.asked(simulator);
        let instruction = &asked["systemInstruction"]["parts"][0]["text"];
        assert!(instruction.as_str().unwrap().contains("gap"));
        let text = &asked["contents"][0]["parts"][0]["text"];
        assert_eq!(
            *text,
            "<prefix>fn add(a: i32, b: i32) -> i32 {</prefix>\n<suffix>}</suffix>"
        );
        request["suffix"] = json!("");
        complete(proxy, &request).success();
        assert!(road.asked(simulator).get("systemInstruction").is_none());
    });
}

#[test]
fn every_end_has_a_word_that_clients_know() {
    by_both_roads(|_, simulator, proxy| {
        for (script, text, finish) in [
            (
                json!({"text": "cut", "finish": "MAX_TOKENS"}),
                "cut",
                "length",
            ),
            (
                json!({"text": "bad", "finish": "SAFETY"}),
                "bad",
                "content_filter",
            ),
            (
                json!({"responses": [{"promptFeedback": {"blockReason": "SAFETY"}}]}),
                "",
                "content_filter",
            ),
        ] {
            let mut twice = script.clone();
            twice["times"] = json!(2);
            simulator.script(json!([twice])).unwrap();
            let whole = complete(proxy, &prompt("Hi")).success();
            assert_eq!(whole["choices"][0]["text"], text);
            assert_eq!(whole["choices"][0]["finish_reason"], finish);
            let told = gathered(&stream(proxy, &prompt("Hi")));
            assert_eq!(told, [(text.to_owned(), json!(finish))]);
        }
    });
}

#[test]
fn what_cannot_be_completed_is_refused_before_google_is_asked() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    for (change, code, param) in [
        (
            json!({"prompt": null}),
            "missing_required_parameter",
            "prompt",
        ),
        (
            json!({"prompt": []}),
            "missing_required_parameter",
            "prompt",
        ),
        (json!({"prompt": [15496, 995]}), "invalid_type", "prompt[0]"),
        (
            json!({"prompt": [[15496], [995]]}),
            "invalid_type",
            "prompt[0]",
        ),
        (
            json!({"prompt": vec!["x"; 9]}),
            "array_above_max_length",
            "prompt",
        ),
        (json!({"model": ""}), "missing_required_parameter", "model"),
        (json!({"best_of": 2}), "integer_above_max_value", "best_of"),
        (
            json!({"max_tokens": 0}),
            "integer_below_min_value",
            "max_tokens",
        ),
        (
            json!({"temperature": 3}),
            "decimal_above_max_value",
            "temperature",
        ),
    ] {
        let mut request = prompt("Hi");
        for (name, value) in change.as_object().unwrap() {
            request[name] = value.clone();
        }
        let error = complete(&proxy, &request).error(400);
        assert_eq!(error["type"], "invalid_request_error", "{error}");
        assert_eq!(
            (&error["code"], &error["param"]),
            (&json!(code), &json!(param))
        );
    }
    assert!(simulator.requests().is_empty());
    let answer = proxy.get("/v1/completions");
    answer.error(405);
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[test]
fn what_has_no_effect_is_named() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let mut request = prompt(json!(["a", "b"]));
    request["logprobs"] = json!(5);
    request["logit_bias"] = json!({"50256": -100});
    request["best_of"] = json!(1);
    let answer = complete(&proxy, &request);
    answer.success();
    let named = answer.header("x-gemini-proxy-ignored");
    assert_eq!(named, Some("logprobs,logit_bias"));
}

#[test]
fn failures_are_those_of_chat() {
    by_both_roads(|_, simulator, proxy| {
        simulator
            .script(
                json!([{"error": "quota_exhausted"}, {"error": "quota_exhausted"},
                {"text": "x"}, {"error": "internal", "times": "always"}]),
            )
            .unwrap();
        let error = complete(proxy, &prompt("Hi")).error(429);
        assert_eq!(error["code"], "insufficient_quota");
        let mut request = prompt("Hi");
        request["stream"] = json!(true);
        let error = complete(proxy, &request).error(429);
        assert_eq!(error["code"], "insufficient_quota");
        // The second prompt fails when the first has been told.
        request["prompt"] = json!(["one", "two"]);
        let mut client = Client::connect(&proxy.host);
        let body = request.to_string();
        client.send("POST", "/v1/completions", &[], body.as_bytes());
        let events = Events::of(client).rest();
        let last: Value = serde_json::from_str(&events.last().unwrap()[6..]).unwrap();
        assert_eq!(last["error"]["code"], "upstream_error");
        assert!(events[0].contains("\"text\":\"x\""), "{events:?}");
    });
}

#[test]
fn a_prompt_that_is_too_long_is_named() {
    by_both_roads(|_, simulator, proxy| {
        simulator
            .script(json!([{"error": "token_limit", "times": "always"}]))
            .unwrap();
        for streams in [false, true] {
            let mut request = prompt("Hi");
            request["stream"] = json!(streams);
            let error = complete(proxy, &request).error(400);
            assert_eq!(error["code"], "context_length_exceeded");
            assert_eq!(error["param"], "prompt");
        }
    });
}
