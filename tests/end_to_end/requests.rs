//! What Google is asked: roles, content, settings, envelope, headers.

use gemini_proxy::simulator::{Recorded, Simulator};
use serde_json::{Value, json};

use crate::home::{GEMINI_KEY, Home};
use crate::proxy::{MODEL, Proxy, Road, by_both_roads, generations, question};

/// Every `null` in it, by path.
fn nulls(value: &Value, path: &str) -> Vec<String> {
    match value {
        Value::Null => vec![path.to_owned()],
        Value::Array(list) => list
            .iter()
            .enumerate()
            .flat_map(|(index, value)| nulls(value, &format!("{path}[{index}]")))
            .collect(),
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| nulls(value, &format!("{path}.{key}")))
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_role_finds_its_place() {
    by_both_roads(|road, simulator, proxy| {
        let request = json!({"model": MODEL, "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "One."},
            {"role": "user", "content": [
                {"type": "text", "text": "Two?"},
                {"type": "text", "text": ""},
                {"type": "text", "text": "Or three?"},
            ]},
            {"role": "assistant", "content": [{"type": "text", "text": "Two."}]},
            {"role": "system", "content": "Now in German."},
            {"role": "user", "content": "Four?"},
        ]});
        proxy.chat(&request).success();
        let asked = road.asked(simulator);
        let instruction = json!({
            "role": "user",
            "parts": [{"text": "Be brief."}, {"text": "Be kind."}],
        });
        assert_eq!(asked["systemInstruction"], instruction);
        let contents = json!([
            {"role": "user", "parts": [{"text": "One?"}]},
            {"role": "model", "parts": [{"text": "One."}]},
            {"role": "user", "parts": [{"text": "Two?"}, {"text": "Or three?"}]},
            {"role": "model", "parts": [{"text": "Two."}]},
            {"role": "user", "parts": [
                {"text": "<system>\nNow in German.\n</system>"},
                {"text": "Four?"},
            ]},
        ]);
        assert_eq!(asked["contents"], contents);
    });
}

#[test]
fn conversations_that_gemini_would_refuse_are_put_in_order() {
    by_both_roads(|_, _, proxy| {
        for messages in [
            json!([{"role": "system", "content": "Say hello."}]),
            json!([{"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Hi"}]),
            json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hel"}]),
            json!([{"role": "user", "content": ""}]),
            json!([{"role": "user", "content": null}]),
            json!([{"role": "user", "content": []}]),
            json!([
                {"role": "user", "content": "a"},
                {"role": "user", "content": "b"},
                {"role": "assistant", "content": ""},
                {"role": "assistant"},
                {"role": "user", "content": "c", "name": "ada"},
            ]),
            // What the Python SDK's stream helper gives back.
            json!([
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": "Hello", "refusal": null, "annotations": null,
                 "audio": null, "function_call": null, "parsed": null, "tool_calls": null,
                 "reasoning_content": "Greeting."},
                {"role": "user", "content": "How are you?"},
            ]),
        ] {
            let answer = proxy.chat(&json!({"model": MODEL, "messages": messages}));
            assert_eq!(answer.status, 200, "{messages}: {}", answer.text());
        }
    });
}

#[test]
fn images_in_data_urls_arrive_as_inline_data() {
    by_both_roads(|road, simulator, proxy| {
        let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
        let request = json!({"model": MODEL, "messages": [{"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            image("data:image/png;base64,iVBORw0KGgo="),
            image("DATA:image/jpg;charset=binary;base64,_9j_4A"),
            {"type": "image_url", "image_url": "data:image/webp;base64,UklGRg=="},
            {"type": "file", "file": {
                "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0=",
            }},
            {"type": "input_audio", "input_audio": {"format": "wav", "data": "UklGRg=="}},
        ]}]});
        proxy.chat(&request).success();
        let inline =
            |kind: &str, data: &str| json!({"inlineData": {"mimeType": kind, "data": data}});
        let parts = json!([
            {"text": "What is this?"},
            inline("image/png", "iVBORw0KGgo="),
            inline("image/jpeg", "/9j/4A=="),
            inline("image/webp", "UklGRg=="),
            inline("application/pdf", "JVBERi0="),
            inline("audio/wav", "UklGRg=="),
        ]);
        assert_eq!(road.asked(simulator)["contents"][0]["parts"], parts);
    });
}

#[test]
fn images_on_this_machine_are_not_fetched() {
    by_both_roads(|_, simulator, proxy| {
        let url = format!("{}/image.png", simulator.address());
        let request = json!({"model": MODEL, "messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": url}},
        ]}]});
        let error = proxy.chat(&request).error(400);
        assert_eq!(error["code"], "invalid_image_url");
        assert_eq!(error["param"], "messages[0].content[0].image_url");
        assert!(simulator.requests().is_empty());
    });
}

#[test]
fn settings_of_a_request_arrive_in_googles_words() {
    by_both_roads(|road, simulator, proxy| {
        for (settings, expected) in [
            (
                json!({"temperature": 0.2, "top_p": 0.9, "seed": 7}),
                json!({"temperature": 0.2, "topP": 0.9, "seed": 7}),
            ),
            (json!({"temperature": 0}), json!({"temperature": 0.0})),
            (json!({"top_p": 0}), json!({"topK": 1})),
            (json!({"stop": "END"}), json!({"stopSequences": ["END"]})),
            (
                json!({"stop": ["a", "", "b", "a"]}),
                json!({"stopSequences": ["a", "b"]}),
            ),
            (
                json!({"max_tokens": 4000}),
                json!({"maxOutputTokens": 4000}),
            ),
            (
                json!({"max_tokens": 4000, "max_completion_tokens": 3000}),
                json!({"maxOutputTokens": 3000}),
            ),
            (json!({"max_tokens": -1}), json!({})),
            (
                json!({"temperature": null, "stop": null, "max_tokens": null, "n": 1}),
                json!({}),
            ),
            (
                json!({"presence_penalty": 0, "frequency_penalty": 0.0}),
                json!({}),
            ),
            (
                json!({"response_format": {"type": "json_object"}}),
                json!({"responseMimeType": "application/json"}),
            ),
        ] {
            let mut request = question("Hi");
            for (name, value) in settings.as_object().unwrap() {
                request[name] = value.clone();
            }
            let answer = proxy.chat(&request);
            assert_eq!(answer.status, 200, "{settings}: {}", answer.text());
            assert_eq!(answer.header("x-gemini-proxy-ignored"), None, "{settings}");
            let mut config = road.asked(simulator)["generationConfig"].clone();
            let thinking = config.as_object_mut().unwrap().remove("thinkingConfig");
            assert_eq!(thinking, Some(json!({"includeThoughts": true})));
            assert_eq!(config, expected, "{settings}");
        }
    });
}

#[test]
fn how_hard_to_think_is_told_in_the_words_of_each_model() {
    by_both_roads(|road, simulator, proxy| {
        for (model, effort, expected) in [
            (
                MODEL,
                "low",
                json!({"includeThoughts": true, "thinkingLevel": "LOW"}),
            ),
            (
                MODEL,
                "none",
                json!({"includeThoughts": false, "thinkingLevel": "MINIMAL"}),
            ),
            (
                "gemini-2.5-pro",
                "high",
                json!({"includeThoughts": true, "thinkingBudget": 24576}),
            ),
            (
                "gemini-2.5-flash",
                "none",
                json!({"includeThoughts": false, "thinkingBudget": 0}),
            ),
            (
                "gemini-2.5-pro",
                "none",
                json!({"includeThoughts": false, "thinkingBudget": 128}),
            ),
        ] {
            let mut request = question("Hi");
            request["model"] = json!(model);
            request["reasoning_effort"] = json!(effort);
            proxy.chat(&request).success();
            let config = &road.asked(simulator)["generationConfig"]["thinkingConfig"];
            assert_eq!(*config, expected, "{model} {effort}");
        }
    });
}

#[test]
fn a_short_limit_on_the_answer_is_not_spent_on_thoughts() {
    by_both_roads(|road, simulator, proxy| {
        let mut request = question("Hi");
        request["max_tokens"] = json!(16);
        proxy.chat(&request).success();
        let config = json!({"includeThoughts": false, "thinkingLevel": "MINIMAL"});
        assert_eq!(
            road.asked(simulator)["generationConfig"]["thinkingConfig"],
            config
        );
    });
}

#[test]
fn what_had_no_effect_is_named_in_a_header() {
    by_both_roads(|road, simulator, proxy| {
        let mut request = question("Hi");
        request["stop"] = json!(["a", "b", "c", "d", "e", "f"]);
        request["max_tokens"] = json!(10_000_000);
        let answer = proxy.chat(&request);
        answer.success();
        assert_eq!(
            answer.header("x-gemini-proxy-ignored"),
            Some("max_tokens,stop")
        );
        let config = &road.asked(simulator)["generationConfig"];
        assert_eq!(config["stopSequences"], json!(["a", "b", "c", "d", "e"]));
        let events = proxy.stream(&request);
        assert_eq!(
            events.head.header("x-gemini-proxy-ignored"),
            Some("max_tokens,stop")
        );
    });
}

#[test]
fn fields_we_do_not_know_are_ignored() {
    by_both_roads(|_, _, proxy| {
        let mut request = question("Hi");
        for name in [
            "logit_bias",
            "prediction",
            "store",
            "metadata",
            "user",
            "keep_alive",
        ] {
            request[name] = json!({"any": ["thing"]});
        }
        proxy.chat(&request).success();
    });
}

#[test]
fn code_assist_gets_its_envelope_and_the_token() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator).signed_in(&simulator);
    let proxy = home.serve();
    proxy.chat(&question("Hi")).success();
    proxy.stream(&question("Hi")).rest();
    let requests = generations(&simulator);
    let places: Vec<_> = requests
        .iter()
        .map(|request| {
            (
                request.method.as_str(),
                request.path.as_str(),
                request.query.as_str(),
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            ("POST", "/v1internal:generateContent", ""),
            ("POST", "/v1internal:streamGenerateContent", "alt=sse"),
        ]
    );
    let bearer = format!("Bearer {}", home.tokens()["access_token"].as_str().unwrap());
    for request in &requests {
        let body = request.json();
        let keys: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["model", "project", "user_prompt_id", "request"]);
        assert_eq!(body["model"], "gemini-3-flash");
        assert_eq!(body["project"], "stand-in-project");
        assert!(!body["user_prompt_id"].as_str().unwrap().is_empty());
        assert_eq!(nulls(&body, "body"), [""; 0]);
        assert_eq!(request.header("authorization"), Some(bearer.as_str()));
        assert_eq!(request.header("x-goog-api-key"), None);
        assert_eq!(request.header("content-type"), Some("application/json"));
    }
    assert_ne!(
        requests[0].json()["user_prompt_id"],
        requests[1].json()["user_prompt_id"]
    );
}

#[test]
fn lesson_22_the_gemini_api_gets_the_bare_request_and_the_key_in_a_header() {
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator).gemini_api().serve();
    proxy.chat(&question("Hi")).success();
    proxy.stream(&question("Hi")).rest();
    let requests = generations(&simulator);
    let places: Vec<_> = requests
        .iter()
        .map(|request| (request.path.as_str(), request.query.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            ("/v1beta/models/gemini-3.5-flash:generateContent", ""),
            (
                "/v1beta/models/gemini-3.5-flash:streamGenerateContent",
                "alt=sse"
            ),
        ]
    );
    for request in &requests {
        let body = request.json();
        let keys: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["contents", "generationConfig"]);
        assert_eq!(nulls(&body, "body"), [""; 0]);
        assert_eq!(request.header("x-goog-api-key"), Some(GEMINI_KEY));
        assert_eq!(request.header("authorization"), None);
    }
    assert_eq!(simulator.requests().len(), 2, "nobody had to sign in");
}

#[test]
fn code_assist_is_told_who_asks_in_the_form_of_the_gemini_cli() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    proxy.chat(&question("Hi")).success();
    let request = generations(&simulator).remove(0);
    let agent = request.header("user-agent").unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let rest = agent
        .strip_prefix(&format!(
            "GeminiCLI-gemini-proxy/{version}/gemini-3-flash ("
        ))
        .unwrap_or_else(|| panic!("{agent}"));
    let platform: Vec<_> = rest.strip_suffix(')').unwrap().split("; ").collect();
    assert_eq!((platform.len(), platform[2]), (3, "terminal"), "{agent}");
    assert!(
        ["linux", "darwin", "win32"].contains(&platform[0]),
        "{agent}"
    );
    assert!(["x64", "arm64"].contains(&platform[1]), "{agent}");
}

#[test]
fn the_user_agent_can_be_replaced() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist
        .home(&simulator)
        .env("CODE_ASSIST_USER_AGENT", "MyTool/1.0 (test)");
    home.serve().chat(&question("Hi")).success();
    let of_code_assist = |request: &&Recorded| request.path.starts_with("/v1internal");
    let requests = simulator.requests();
    let agents = requests.iter().filter(of_code_assist);
    for request in agents {
        assert_eq!(request.header("user-agent"), Some("MyTool/1.0 (test)"));
    }
}

#[test]
fn models_are_asked_for_by_the_name_of_each_road() {
    by_both_roads(|road, simulator, proxy| {
        for prefix in [
            "",
            "models/",
            "google/",
            "gemini/",
            "openai/",
            "publishers/google/models/",
        ] {
            let mut request = question("Hi");
            request["model"] = json!(format!("{prefix}{MODEL}"));
            let answer = proxy.chat(&request).success();
            assert_eq!(answer["model"], MODEL, "{prefix}");
            let asked = generations(simulator).pop().unwrap();
            match road {
                Road::CodeAssist => assert_eq!(asked.json()["model"], "gemini-3-flash"),
                Road::GeminiApi => assert!(asked.path.contains("/models/gemini-3.5-flash:")),
            }
        }
    });
}

/// No notice, no default prompt, no answer of our own to "hi", no second question
/// where an answer is cut: what is to be said is said in headers and in the log.
#[test]
fn lesson_35_neither_the_users_words_nor_googles_are_altered() {
    by_both_roads(|road, simulator, proxy| {
        simulator
            .script(json!([{"text": " Hel", "finish": "MAX_TOKENS"}]))
            .unwrap();
        let answer = proxy.chat(&question("hi")).success();
        assert_eq!(answer["choices"][0]["message"]["content"], " Hel");
        assert_eq!(answer["choices"][0]["finish_reason"], "length");
        let asked = road.asked(simulator);
        let contents = json!([{"role": "user", "parts": [{"text": "hi"}]}]);
        assert_eq!(asked["contents"], contents);
        assert_eq!(asked.get("systemInstruction"), None);
        assert_eq!(asked.get("tools"), None);
        assert_eq!(generations(simulator).len(), 1);
    });
}
