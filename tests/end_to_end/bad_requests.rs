//! What clients get wrong: said in OpenAI's envelope, with the place of the mistake.

use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::proxy::{MODEL, Proxy, Road, by_both_roads, generations, question};

/// Of a body for chat, as it is.
#[track_caller]
fn refused(proxy: &Proxy, body: &[u8]) -> Value {
    let error = proxy
        .send("POST", "/v1/chat/completions", &[], body)
        .error(400);
    assert_eq!(error["type"], "invalid_request_error", "{error}");
    error
}

#[test]
fn a_body_that_is_no_json_object_is_refused() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    for (body, words) in [
        (&b"{\"model\":"[..], "at byte 9"),
        (b"", "at byte 0"),
        (b"{\"model\": \"m\",\n\"messages\" 1}", "at byte"),
        (b"\xff\xfe", "at byte"),
        (b"{\"model\": \"\xff\"}", "at byte"),
        (b"[]", "must be a JSON object"),
        (b"\"text\"", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b"{\"model\": \"m\", \"metadata\": \"\xff\"}", "at byte 29"),
    ] {
        let error = refused(&proxy, body);
        assert_eq!(error["code"], "invalid_json", "{error}");
        assert_eq!(error["param"], Value::Null);
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words), "{message}");
    }
    assert!(simulator.requests().is_empty());
}

#[test]
fn what_other_parsers_take_is_taken() {
    by_both_roads(|road, simulator, proxy| {
        for (body, text) in [
            (
                r#"{"model": "nobody", "messages": [{"role": "assistant", "content": "cut \ud83d", "role": "user"}],
                "model": "gemini-2.5-flash"}"#,
                "cut \u{fffd}",
            ),
            (
                r#"{"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "\\ud83d \ud83d\ude00\ude00"}]}"#,
                "\\ud83d 😀\u{fffd}",
            ),
        ] {
            let answer = proxy.send("POST", "/v1/chat/completions", &[], body.as_bytes());
            assert_eq!(answer.success()["model"], "gemini-2.5-flash");
            let asked = road.asked(simulator);
            assert_eq!(asked["contents"][0]["role"], "user");
            assert_eq!(asked["contents"][0]["parts"][0]["text"], text);
        }
        let marked = format!("\u{feff}{}", question("Hi"));
        let answer = proxy.send("POST", "/v1/chat/completions", &[], marked.as_bytes());
        answer.success();
        let body = r#"{"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}], "google": {
            "thinkingConfig": {"thinking_budget": 1}, "thinking_config": {"thinkingBudget": 2, "thinking_budget": 700}}}"#;
        let answer = proxy.send("POST", "/v1/chat/completions", &[], body.as_bytes());
        answer.success();
        let thinking = &road.asked(simulator)["generationConfig"]["thinkingConfig"];
        assert_eq!(thinking["thinkingBudget"], 700);
        for (body, text) in [
            (json!({"input": "cut HALF"}), "cut \u{fffd}"),
            (
                json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "HALF"}]}]}),
                "\u{fffd}",
            ),
        ] {
            let mut body = body;
            body["model"] = json!("gemini-2.5-flash");
            let body = body.to_string().replace("HALF", "\\ud83d");
            let answer = proxy.send("POST", "/v1/responses", &[], body.as_bytes());
            let id = answer.success()["id"].clone();
            assert_eq!(
                road.asked(simulator)["contents"][0]["parts"][0]["text"],
                text
            );
            let next =
                json!({"model": "gemini-2.5-flash", "previous_response_id": id, "input": "And?"});
            let next = next.to_string();
            proxy
                .send("POST", "/v1/responses", &[], next.as_bytes())
                .success();
            assert_eq!(
                road.asked(simulator)["contents"][0]["parts"][0]["text"],
                text
            );
        }
        let output = r#"{"model": "gemini-2.5-flash", "input": [{"type": "function_call", "call_id": "c", "name": "f",
            "arguments": "{}"}, {"type": "function_call_output", "call_id": "c", "output": "cut \ud83d"}]}"#;
        let answer = proxy.send("POST", "/v1/responses", &[], output.as_bytes());
        answer.success();
        let response =
            &road.asked(simulator)["contents"][2]["parts"][0]["functionResponse"]["response"];
        assert_eq!(response["output"], "cut \u{fffd}");
    });
}

#[test]
fn a_wrong_type_is_told_in_words_of_json() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    for (field, value, param, words) in [
        (
            "stream_options",
            json!([true]),
            "stream_options",
            "an object, but got an array",
        ),
        (
            "messages",
            json!([["user", "Hi"]]),
            "messages[0]",
            "an object, but got an array",
        ),
        (
            "messages",
            json!({"role": "user"}),
            "messages",
            "an array, but got an object",
        ),
        (
            "messages",
            json!([{"role": "user", "content": [[]]}]),
            "messages[0].content[0]",
            "a content part, but got an array",
        ),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "image_url", "image_url": [1]}]}]),
            "messages[0].content[0].image_url",
            "an object with a url, or a string, but got an array",
        ),
        (
            "tools",
            json!([["function"]]),
            "tools[0]",
            "an object, but got an array",
        ),
        (
            "tools",
            json!([{"function": ["f"]}]),
            "tools[0].function",
            "an object, but got an array",
        ),
        (
            "response_format",
            json!(["text"]),
            "response_format",
            "an object, but got an array",
        ),
        (
            "reasoning",
            json!(["low"]),
            "reasoning",
            "an object, but got an array",
        ),
        (
            "thinking",
            json!("low"),
            "thinking",
            "an object, but got a string",
        ),
        (
            "extra_body",
            json!({"google": [1]}),
            "extra_body.google",
            "an object, but got an array",
        ),
        (
            "temperature",
            json!("hot, expected f64"),
            "temperature",
            "a number, but got a string",
        ),
        (
            "stop",
            json!({}),
            "stop",
            "a string or an array of strings, but got an object",
        ),
        ("seed", json!("one"), "seed", "a number, but got a string"),
        (
            "seed",
            json!(1.5),
            "seed",
            "an integer, but got the number 1.5",
        ),
        (
            "stream",
            json!(1),
            "stream",
            "a boolean, but got the number 1",
        ),
        (
            "logprobs",
            json!([null]),
            "logprobs",
            "a boolean, but got an array",
        ),
        (
            "reasoning_effort",
            json!(true),
            "reasoning_effort",
            "a string, but got true",
        ),
    ] {
        let mut request = question("Hi");
        // Nobody else needs the options of a stream.
        request["stream"] = json!(true);
        request[field] = value;
        let error = refused(&proxy, request.to_string().as_bytes());
        assert_eq!(error["code"], "invalid_type", "{error}");
        assert_eq!(error["param"], param, "{error}");
        let expected = format!("Invalid type for '{param}': expected {words} instead.");
        assert_eq!(error["message"], expected);
    }
    let mut request = question("Hi");
    request["messages"][0]["content"] = json!([{"type": "image_url", "image_url": {}}]);
    let error = refused(&proxy, request.to_string().as_bytes());
    assert_eq!(error["code"], "missing_required_parameter", "{error}");
    assert_eq!(error["param"], "messages[0].content[0].image_url.url");
    assert!(simulator.requests().is_empty());
}

#[test]
fn what_is_nested_too_deeply_is_called_so() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let levels = |count: usize| {
        let schema = "{\"properties\":{\"a\":".repeat(count) + "{}" + &"}}".repeat(count);
        format!(
            "{{\"model\":\"gemini-2.5-flash\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hi\"}}],\
             \"tools\":[{{\"type\":\"function\",\"function\":{{\"name\":\"f\",\"parameters\":{schema}}}}}]}}"
        )
    };
    let read = |body: &str| proxy.send("POST", "/v1/chat/completions", &[], body.as_bytes());
    let error = read(&levels(80)).error(400);
    assert_eq!(error["param"], "tools[0].function.parameters", "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("nested too deeply"), "{message}");
    assert!(!message.contains("JSON"), "{message}");
    assert_eq!(read(&levels(50)).status, 200);
}

#[test]
fn what_is_missing_wrong_or_out_of_range_is_named() {
    by_both_roads(|_, simulator, proxy| {
        let content = |part: Value| json!({"messages": [{"role": "user", "content": [part]}]});
        for (change, code, param) in [
            (
                json!({"model": null}),
                "missing_required_parameter",
                "model",
            ),
            (json!({"model": ""}), "missing_required_parameter", "model"),
            (json!({"model": 7}), "invalid_type", "model"),
            (
                json!({"messages": null}),
                "missing_required_parameter",
                "messages",
            ),
            (
                json!({"messages": []}),
                "missing_required_parameter",
                "messages",
            ),
            (json!({"messages": "Hi"}), "invalid_type", "messages"),
            (
                json!({"messages": [{}]}),
                "missing_required_parameter",
                "messages[0].role",
            ),
            (
                json!({"messages": [{"role": "wizard", "content": "Hi"}]}),
                "invalid_value",
                "messages[0].role",
            ),
            (
                json!({"messages": [{"role": "user", "content": 7}]}),
                "invalid_type",
                "messages[0].content",
            ),
            (
                content(json!({"type": "hologram"})),
                "invalid_value",
                "messages[0].content[0].type",
            ),
            (
                content(
                    json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}),
                ),
                "invalid_value",
                "messages[0].content[0].image_url",
            ),
            (
                content(json!({"type": "file", "file": {"file_id": "file-1"}})),
                "unsupported_value",
                "messages[0].content[0].file.file_id",
            ),
            (json!({"stream": "yes"}), "invalid_type", "stream"),
            (json!({"temperature": "hot"}), "invalid_type", "temperature"),
            (
                json!({"temperature": 2.5}),
                "decimal_above_max_value",
                "temperature",
            ),
            (json!({"top_p": -0.1}), "decimal_below_min_value", "top_p"),
            (
                json!({"max_tokens": 0}),
                "integer_below_min_value",
                "max_tokens",
            ),
            (json!({"n": 9}), "integer_above_max_value", "n"),
            (json!({"n": 0}), "integer_below_min_value", "n"),
            (json!({"seed": 1.5}), "invalid_type", "seed"),
            (json!({"stop": 7}), "invalid_type", "stop"),
            (
                json!({"reasoning_effort": "lots"}),
                "invalid_value",
                "reasoning_effort",
            ),
            (
                json!({"response_format": {"type": "xml"}}),
                "invalid_value",
                "response_format.type",
            ),
            (
                json!({"response_format": {"type": "json_schema"}}),
                "missing_required_parameter",
                "response_format.json_schema.schema",
            ),
            (
                json!({"tools": [{"type": "function", "function": {}}]}),
                "missing_required_parameter",
                "tools[0].function.name",
            ),
        ] {
            let mut request = question("Hi");
            for (name, value) in change.as_object().unwrap() {
                request[name] = value.clone();
            }
            let error = refused(proxy, request.to_string().as_bytes());
            assert_eq!(error["code"], code, "{change}: {error}");
            assert_eq!(error["param"], param, "{change}: {error}");
        }
        assert!(simulator.requests().is_empty());
    });
}

#[test]
fn a_model_that_google_does_not_know_is_said_so() {
    by_both_roads(|_, simulator, proxy| {
        for (model, words) in [
            ("gpt-4o", "GET /v1/models"),
            (
                "gemini-1.0-pro-vision",
                "Google has retired it; use `gemini-",
            ),
            (
                "gemini-9-pro-preview",
                "Preview models may have to be enabled",
            ),
        ] {
            for stream in [false, true] {
                let mut request = question("Hi");
                request["model"] = json!(model);
                request["stream"] = json!(stream);
                let error = proxy.chat(&request).error(404);
                assert_eq!(error["type"], "invalid_request_error");
                assert_eq!(error["code"], "model_not_found");
                assert_eq!(error["param"], "model");
                let message = error["message"].as_str().unwrap();
                let sentence = format!("The model `{model}` does not exist");
                assert!(message.contains(&sentence), "{message}");
                assert!(message.contains(words), "{message}");
            }
        }
        // Google was asked each time: what it knows is for it to say.
        assert_eq!(generations(simulator).len(), 6);
    });
}

#[test]
fn a_retired_model_names_its_successor() {
    by_both_roads(|_, _, proxy| {
        for model in [
            "gemini-2.0-flash",
            "gemini-2.0-flash-lite",
            "gemini-1.5-pro",
            "gemini-1.5-flash",
        ] {
            let row = proxy.get(&format!("/v1/models/{model}")).success();
            let successor = row["successor"].as_str().unwrap();
            let mut request = question("Hi");
            request["model"] = json!(model);
            let error = proxy.chat(&request).error(404);
            let message = error["message"].as_str().unwrap();
            let advice = format!("Google has retired it; use `{successor}` instead.");
            assert!(message.contains(&advice), "{message}");
        }
    });
}

#[test]
fn a_preview_model_that_the_account_may_not_use_says_what_to_do() {
    let simulator = Simulator::start().unwrap();
    simulator.set_state(json!({"preview": false})).unwrap();
    let mut request = question("Hi");
    request["model"] = json!("gemini-3.1-pro-preview");
    let error = Proxy::start(&simulator).chat(&request).error(404);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("release channel"), "{message}");
}

#[test]
fn paths_that_are_not_there_are_told_apart_from_those_not_offered() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    for (method, target) in [
        ("GET", "/v1/unheard"),
        ("POST", "/v1/chat"),
        ("GET", "/v1"),
        ("GET", "/favicon.ico"),
        ("POST", "/v1/chat/completions/x"),
    ] {
        let error = proxy.send(method, target, &[], b"{}").error(404);
        assert_eq!(error["code"], "unknown_url", "{target}");
        let message = error["message"].as_str().unwrap();
        let named = format!("Unknown request URL: {method} {target}");
        assert!(message.contains(&named), "{message}");
    }
    for target in [
        "/v1/embeddings",
        "/v1/images/generations",
        "/v1/audio/speech",
        "/v1/moderations",
        "/v1/files",
        "/v1/assistants",
        "/embeddings",
    ] {
        let error = proxy.send("POST", target, &[], b"{}").error(404);
        assert_eq!(error["code"], "endpoint_not_supported", "{target}");
    }
}

#[test]
fn a_wrong_method_is_told_the_right_one() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    for (method, target, allowed) in [
        ("GET", "/v1/chat/completions", "POST"),
        ("DELETE", "/v1/chat/completions", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", "/v1/models/gemini-2.5-pro", "GET, HEAD"),
        ("POST", "/health", "GET, HEAD"),
        ("POST", "/auth/login", "GET"),
        ("GET", "/auth/logout", "POST"),
    ] {
        let answer = proxy.send(method, target, &[], b"");
        assert_eq!(answer.error(405)["code"], "method_not_allowed", "{target}");
        assert_eq!(answer.header("allow"), Some(allowed), "{target}");
    }
}

#[test]
fn whoever_has_no_key_is_told_nothing_else() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let proxy = home.env("PROXY_API_KEY", "sk-the-right-one").serve();
    for (method, target) in [
        ("GET", "/v1/chat/completions"),
        ("DELETE", "/v1/models"),
        ("POST", "/v1/unheard"),
        ("POST", "/v1/embeddings"),
        ("PUT", "/metrics"),
    ] {
        let error = proxy.send(method, target, &[], b"{}").error(401);
        assert_eq!(error["code"], Value::Null, "{target}");
        let wrong = [("api-key", "sk-another")];
        let error = proxy.send(method, target, &wrong, b"{}").error(401);
        assert_eq!(error["code"], "invalid_api_key", "{target}");
        let right = [("api-key", "sk-the-right-one")];
        let status = proxy.send(method, target, &right, b"{}").status;
        assert!(matches!(status, 404 | 405), "{target}: {status}");
    }
    assert_eq!(proxy.get("/health").status, 200);
    // Without CORS there is nothing to be asked before a request.
    let asked = proxy.send("OPTIONS", "/v1/chat/completions", &[], b"");
    assert_eq!(asked.error(405)["code"], "method_not_allowed");
}

#[test]
fn a_limit_is_called_as_it_was_sent() {
    by_both_roads(|_, simulator, proxy| {
        let refusal = json!({"code": 400, "status": "INVALID_ARGUMENT",
            "message": "* GenerateContentRequest.generation_config.max_output_tokens: too many"});
        for (field, target) in [
            ("max_tokens", "/v1/chat/completions"),
            ("max_completion_tokens", "/v1/chat/completions"),
            ("max_output_tokens", "/v1/responses"),
        ] {
            simulator.script(json!([{"error": refusal}])).unwrap();
            let mut request = question("Hi");
            if target == "/v1/responses" {
                request = json!({"model": MODEL, "input": "Hi"});
            }
            request[field] = json!(5000);
            let body = request.to_string();
            let error = proxy.send("POST", target, &[], body.as_bytes()).error(400);
            assert_eq!(error["param"], field, "{error}");
        }
    });
}
