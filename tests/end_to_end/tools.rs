//! Calls out, results back.

use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::client::chunks;
use crate::proxy::{MODEL, Road, by_both_roads, question};

/// Google's documented stand-in for a signature that is lost.
pub(crate) const SENTINEL: &str = "skip_thought_signature_validator";

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {
        "name": name,
        "description": "Weather now",
        "parameters": {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
            "additionalProperties": false,
        },
        "strict": true,
    }})
}

pub(crate) fn request(messages: Value) -> Value {
    json!({"model": MODEL, "messages": messages, "tools": [function("get_weather")]})
}

pub(crate) fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

pub(crate) fn calls(messages: &[Value]) -> Value {
    json!({"role": "assistant", "content": null, "tool_calls": messages})
}

fn call(id: &str, city: &str) -> Value {
    let arguments = json!({"city": city}).to_string();
    json!({"id": id, "type": "function",
        "function": {"name": "get_weather", "arguments": arguments}})
}

pub(crate) fn result(id: &str, text: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": text})
}

pub(crate) fn signature(message: &Value) -> &Value {
    &message["tool_calls"][0]["extra_content"]["google"]["thought_signature"]
}

#[test]
fn a_call_goes_out_whole_and_in_openais_form() {
    by_both_roads(|_, simulator, proxy| {
        let args = json!({"days": 12345678901234567890_u64, "city": "Zürich"});
        simulator
            .script(json!([{"calls": [{"name": "get_weather", "args": args}], "times": 2}]))
            .unwrap();
        let asked = request(json!([user("Weather?")]));
        let message = proxy.chat(&asked).success()["choices"][0]["message"].clone();
        let id = message["tool_calls"][0]["id"].as_str().unwrap();
        assert!(id.starts_with("call_") && id.len() <= 40, "{id}");
        assert!(
            signature(&message)
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        let expected = json!({
            "role": "assistant",
            "content": null,
            "refusal": null,
            "tool_calls": [{
                "id": id,
                "type": "function",
                "function": {
                    "name": "get_weather",
                    "arguments": "{\"days\":12345678901234567890,\"city\":\"Zürich\"}",
                },
                "extra_content": {"google": {"thought_signature": signature(&message)}},
            }],
        });
        assert_eq!(message, expected);

        let events = proxy.stream(&asked).rest();
        let streamed = chunks(&events)
            .into_iter()
            .find_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0).cloned())
            .unwrap();
        let mut expected = expected["tool_calls"][0].clone();
        expected["index"] = json!(0);
        expected["id"] = streamed["id"].clone();
        expected["extra_content"] = streamed["extra_content"].clone();
        assert_eq!(streamed, expected);
        assert_ne!(streamed["id"], id);
        assert!(streamed["extra_content"]["google"]["thought_signature"].is_string());
    });
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    by_both_roads(|_, simulator, proxy| {
        simulator
            .script(json!([{"calls": [{"name": "get_weather"}]}]))
            .unwrap();
        let answer = proxy.chat(&request(json!([user("Weather?")]))).success();
        let call = &answer["choices"][0]["message"]["tool_calls"][0];
        assert_eq!(call["function"]["arguments"], "{}");
    });
}

#[test]
fn lesson_06_parallel_calls_are_told_apart_by_id_and_index() {
    by_both_roads(|_, simulator, proxy| {
        for spread in [false, true] {
            let both = json!([
                {"name": "get_weather", "args": {"city": "Oslo"}},
                {"name": "get_weather", "args": {"city": "Oslo"}},
            ]);
            simulator
                .script(json!([{"calls": both, "spread": spread, "times": 2}]))
                .unwrap();
            let asked = request(json!([user("Weather, twice?")]));
            let message = proxy.chat(&asked).success()["choices"][0]["message"].clone();
            let whole = message["tool_calls"].as_array().unwrap();
            assert_eq!(whole.len(), 2);
            assert_ne!(whole[0]["id"], whole[1]["id"]);
            // Google signs the first of them only.
            assert!(whole[0].get("extra_content").is_some());
            assert!(whole[1].get("extra_content").is_none());

            let streamed: Vec<_> = chunks(&proxy.stream(&asked).rest())
                .into_iter()
                .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0).cloned())
                .collect();
            let indices: Vec<_> = streamed.iter().map(|call| call["index"].clone()).collect();
            assert_eq!(indices, [json!(0), json!(1)]);
            assert_ne!(streamed[0]["id"], streamed[1]["id"]);
        }
    });
}

#[test]
fn where_parallel_calls_are_not_wanted_the_first_is_passed_on() {
    by_both_roads(|_, simulator, proxy| {
        let both = json!([
            {"name": "get_weather", "args": {"city": "Oslo"}},
            {"name": "get_weather", "args": {"city": "Rome"}},
        ]);
        simulator
            .script(json!([{"calls": both, "times": 2}]))
            .unwrap();
        let mut asked = request(json!([user("Weather?")]));
        asked["parallel_tool_calls"] = json!(false);
        let answer = proxy.chat(&asked).success();
        let calls = answer["choices"][0]["message"]["tool_calls"]
            .as_array()
            .unwrap()
            .clone();
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0]["function"]["arguments"], "{\"city\":\"Oslo\"}");
        let events = proxy.stream(&asked).rest();
        let with_calls = events
            .iter()
            .filter(|event| event.contains("tool_calls\":["));
        assert_eq!(with_calls.count(), 1);
    });
}

#[test]
fn declarations_are_what_google_accepts() {
    by_both_roads(|road, simulator, proxy| {
        let mut asked = request(json!([user("Weather?")]));
        asked["tools"] = json!([
            function("get_weather"),
            function("get_weather"),
            {"type": "function", "function": {"name": "now", "description": null}},
            {"type": "function", "name": "flat", "parameters": {}},
            {"type": "web_search"},
        ]);
        proxy.chat(&asked).success();
        let expected = json!([{"functionDeclarations": [
            {
                "name": "get_weather",
                "description": "Weather now",
                "parametersJsonSchema": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
                    "required": ["city"],
                    "additionalProperties": false,
                },
            },
            {"name": "now", "parametersJsonSchema": {"type": "object", "properties": {}}},
            {"name": "flat", "parametersJsonSchema": {"type": "object", "properties": {}}},
        ]}]);
        assert_eq!(road.asked(simulator)["tools"], expected);
    });
}

#[test]
fn every_form_of_tool_choice_is_understood() {
    by_both_roads(|road, simulator, proxy| {
        let named = json!({"mode": "ANY", "allowedFunctionNames": ["b"]});
        let allowed = |mode: &str| {
            json!({"type": "allowed_tools", "allowed_tools": {"mode": mode,
                "tools": [{"type": "function", "function": {"name": "b"}}]}})
        };
        for (choice, config, declared) in [
            (Value::Null, Value::Null, 2),
            (json!("auto"), Value::Null, 2),
            (json!("none"), json!({"mode": "NONE"}), 2),
            (json!("required"), json!({"mode": "ANY"}), 2),
            (
                json!({"type": "function", "function": {"name": "b"}}),
                named.clone(),
                2,
            ),
            (json!({"type": "function", "name": "b"}), named.clone(), 2),
            (json!({"type": "tool", "name": "b"}), named.clone(), 2),
            (allowed("required"), named, 2),
            (allowed("auto"), Value::Null, 1),
        ] {
            let mut asked = request(json!([user("Weather?")]));
            asked["tools"] = json!([function("a"), function("b")]);
            asked["tool_choice"] = choice.clone();
            proxy.chat(&asked).success();
            let asked = road.asked(simulator);
            assert_eq!(
                asked["toolConfig"]["functionCallingConfig"], config,
                "{choice}"
            );
            let declarations = asked["tools"][0]["functionDeclarations"].as_array();
            assert_eq!(declarations.unwrap().len(), declared, "{choice}");
        }
        let mut asked = request(json!([user("Weather?")]));
        asked["tool_choice"] = json!({"type": "function", "function": {"name": "unheard"}});
        let error = proxy.chat(&asked).error(400);
        assert_eq!(
            (&error["code"], &error["param"]),
            (&json!("invalid_value"), &json!("tool_choice"))
        );
        // Without tools there is nothing to choose from, and no fault either.
        let mut asked = question("Hi");
        asked["tool_choice"] = json!("required");
        proxy.chat(&asked).success();
    });
}

#[test]
fn names_that_gemini_refuses_are_rewritten_and_restored() {
    by_both_roads(|road, simulator, proxy| {
        for name in ["1st", "größe", "search the web", &"x".repeat(65)] {
            let mut asked = request(json!([user("Do it")]));
            asked["tools"] = json!([function(name)]);
            asked["tool_choice"] = json!({"type": "function", "function": {"name": name}});
            let answer = proxy.chat(&asked).success();
            let message = answer["choices"][0]["message"].clone();
            assert_eq!(message["tool_calls"][0]["function"]["name"], name);
            let events = proxy.stream(&asked).rest();
            assert!(
                events
                    .iter()
                    .any(|event| event.contains(&format!("\"name\":\"{name}\"")))
            );

            let id = message["tool_calls"][0]["id"].as_str().unwrap();
            asked["messages"] = json!([user("Do it"), message, result(id, "done")]);
            asked["tool_choice"] = json!("auto");
            proxy.chat(&asked).success();
            let asked = road.asked(simulator);
            let declared = &asked["tools"][0]["functionDeclarations"][0]["name"];
            assert_ne!(declared, name);
            let call = &asked["contents"][1]["parts"][0]["functionCall"];
            let response = &asked["contents"][2]["parts"][0]["functionResponse"];
            assert_eq!((&call["name"], &response["name"]), (declared, declared));
        }
    });
}

#[test]
fn lesson_07_results_are_put_where_gemini_wants_them() {
    by_both_roads(|road, simulator, proxy| {
        let conversation = json!([
            user("Weather?"),
            calls(&[call("a", "Oslo"), call("b", "Rome")]),
            result("b", "sun"),
            user("Well?"),
            result("stray", "hail"),
            result("a", "rain"),
        ]);
        let answer = proxy.chat(&request(conversation));
        answer.success();
        assert_eq!(answer.header("x-gemini-proxy-ignored"), Some("messages[4]"));
        let contents = road.asked(simulator)["contents"].clone();
        let part = |id: &str, city: &str| json!({"functionCall": {"id": id, "name": "get_weather", "args": {"city": city}}});
        let mut first = part("a", "Oslo");
        first["thoughtSignature"] = json!(SENTINEL);
        assert_eq!(contents[1]["parts"], json!([first, part("b", "Rome")]));
        let response = |id: &str, output: &str| {
            json!({"functionResponse": {
                "id": id, "name": "get_weather", "response": {"output": output},
            }})
        };
        let expected = json!([
            response("a", "rain"),
            response("b", "sun"),
            {"text": "Well?"},
            {"text": "Tool result (stray): hail"},
        ]);
        assert_eq!(contents[2]["parts"], expected);
    });
}

#[test]
fn lesson_07_a_result_that_the_history_lost_is_stood_in_for() {
    by_both_roads(|road, simulator, proxy| {
        let conversation = json!([
            user("Weather?"),
            calls(&[call("a", "Oslo"), call("b", "Rome")]),
            result("a", "rain"),
            user("Never mind the other."),
        ]);
        let answer = proxy.chat(&request(conversation));
        answer.success();
        let named = Some("messages[1].tool_calls[1]");
        assert_eq!(answer.header("x-gemini-proxy-ignored"), named);
        let parts = road.asked(simulator)["contents"][2]["parts"].clone();
        let output = |nth: usize| &parts[nth]["functionResponse"]["response"]["output"];
        assert_eq!(output(0), "rain");
        assert_eq!(output(1), "(no result)");
    });
}

#[test]
fn images_in_a_result_stand_beside_it() {
    by_both_roads(|road, simulator, proxy| {
        let image = json!({"type": "image_url",
            "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}});
        let conversation = json!([
            user("Weather?"),
            calls(&[call("a", "Oslo")]),
            {"role": "tool", "tool_call_id": "a", "content": [
                {"type": "text", "text": "radar"}, image, {"type": "text", "text": "rain"},
            ]},
        ]);
        proxy.chat(&request(conversation)).success();
        let expected = json!([
            {"functionResponse": {
                "id": "a", "name": "get_weather", "response": {"output": "radar\nrain"},
            }},
            {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
        ]);
        assert_eq!(road.asked(simulator)["contents"][2]["parts"], expected);
    });
}

#[test]
fn older_models_get_no_ids() {
    by_both_roads(|road, simulator, proxy| {
        let conversation = json!([
            user("Weather?"),
            calls(&[call("a", "Oslo")]),
            result("a", "rain")
        ]);
        let mut asked = request(conversation);
        asked["model"] = json!("gemini-2.5-flash");
        proxy.chat(&asked).success();
        let contents = road.asked(simulator)["contents"].clone();
        let call = json!({"functionCall": {"name": "get_weather", "args": {"city": "Oslo"}}});
        assert_eq!(contents[1]["parts"], json!([call]));
        assert!(
            contents[2]["parts"][0]["functionResponse"]
                .get("id")
                .is_none()
        );
    });
}

#[test]
fn arguments_of_any_kind_become_an_object() {
    by_both_roads(|road, simulator, proxy| {
        for (arguments, expected) in [
            (json!(""), json!({})),
            (Value::Null, json!({})),
            (json!("{\"city\":\"Oslo\"}"), json!({"city": "Oslo"})),
            (json!({"city": "Oslo"}), json!({"city": "Oslo"})),
            (json!("[1]"), json!({"value": [1]})),
            (json!("{broken"), json!({"_raw": "{broken"})),
        ] {
            let mut call = call("a", "Oslo");
            call["function"]["arguments"] = arguments.clone();
            let conversation = json!([user("Weather?"), calls(&[call]), result("a", "rain")]);
            proxy.chat(&request(conversation)).success();
            let part = &road.asked(simulator)["contents"][1]["parts"][0];
            assert_eq!(part["functionCall"]["args"], expected, "{arguments}");
        }
    });
}

/// Clients store ids in columns of 40 characters; OpenAI's own limit is 64.
#[test]
fn lesson_04_ids_stay_short_however_long_the_name_and_the_signature() {
    by_both_roads(|_, simulator, proxy| {
        let name = "n".repeat(64);
        simulator
            .script(json!([{"calls": [{"name": name}], "times": 2}]))
            .unwrap();
        let mut asked = request(json!([user("Weather?")]));
        asked["tools"] = json!([function(&name)]);
        let message = proxy.chat(&asked).success()["choices"][0]["message"].clone();
        let events = proxy.stream(&asked).rest();
        let streamed = chunks(&events)
            .into_iter()
            .find_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0).cloned())
            .unwrap();
        assert!(signature(&message).is_string());
        for call in [&message["tool_calls"][0], &streamed] {
            let id = call["id"].as_str().unwrap();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            assert!(id.len() <= 40 && id.chars().all(is_plain), "{id}");
        }
    });
}

#[test]
fn lesson_29_search_and_functions_go_together_where_it_is_asked_for() {
    for (model, together) in [("gemini-3.5-flash", true), ("gemini-2.5-flash", false)] {
        for road in [Road::CodeAssist, Road::GeminiApi] {
            let simulator = Simulator::start().unwrap();
            let home = road.home(&simulator);
            let proxy = home.env("PROXY_SEARCH_WITH_TOOLS", "true").serve();
            let mut request = question("Hi");
            request["model"] = json!(model);
            request["web_search_options"] = json!({});
            request["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
            let answer = proxy.chat(&request);
            assert_eq!(answer.status, 200, "{}", answer.text());
            let asked = road.asked(&simulator);
            let config = json!({"functionCallingConfig": {"mode": "VALIDATED"},
                "includeServerSideToolInvocations": true});
            let expected = if together { config } else { json!(null) };
            assert_eq!(asked["toolConfig"], expected);
            assert_eq!(
                asked["tools"].as_array().unwrap().len(),
                1 + usize::from(together)
            );
            let ignored = answer.header("x-gemini-proxy-ignored");
            assert_eq!(ignored.is_none(), together, "{ignored:?}");
        }
    }
}
