//! Fields that nobody needs, of another type than they should be: they cost nothing,
//! and are named. Where somebody needs them they are refused.

use serde_json::{Value, json};

use crate::client::Answer;
use crate::proxy::{by_both_roads, question};

#[test]
fn another_dialects_field_of_a_wrong_type_is_refused_only_where_it_is_needed() {
    by_both_roads(|_, _, proxy| {
        let wrong = [
            ("input", json!(5)),
            ("instructions", json!(["be brief"])),
            ("max_output_tokens", json!("many")),
            ("text", json!("plain")),
        ];
        for (field, value) in &wrong {
            let mut request = question("Hi");
            request[field] = value.clone();
            let answer = proxy.chat(&request);
            answer.success();
            assert_eq!(answer.header("x-gemini-proxy-ignored"), Some(*field));
            request["messages"] = Value::Null;
            if *field != "input" {
                request["input"] = json!("Hi");
            }
            let error = proxy.chat(&request).error(400);
            assert_eq!(
                (&error["code"], &error["param"]),
                (&json!("invalid_type"), &json!(field))
            );
        }
        let mut request = question("Hi");
        request["messages"][0]["content"] = json!([
            {"type": "text", "text": "Hi", "detail": 1, "filename": {}, "file_data": null}]);
        let answer = proxy.chat(&request);
        answer.success();
        let named = "messages[0].content[0].detail,messages[0].content[0].filename";
        assert_eq!(answer.header("x-gemini-proxy-ignored"), Some(named));
    });
}

/// What was named as ignored.
#[track_caller]
fn named(answer: &Answer) -> Option<&str> {
    answer.success();
    answer.header("x-gemini-proxy-ignored")
}

#[test]
fn stream_options_matter_only_to_a_stream() {
    by_both_roads(|_, _, proxy| {
        for options in [
            json!(5),
            json!([true]),
            json!({"include_usage": "yes"}),
            json!({}),
        ] {
            let mut request = question("Hi");
            request["stream_options"] = options.clone();
            assert_eq!(named(&proxy.chat(&request)), Some("stream_options"));
            request["prompt"] = json!("Hi");
            let answer = proxy.send(
                "POST",
                "/v1/completions",
                &[],
                request.to_string().as_bytes(),
            );
            assert_eq!(named(&answer), Some("stream_options"));
            if options == json!({}) {
                continue;
            }
            request["stream"] = json!(true);
            for target in ["/v1/chat/completions", "/v1/completions"] {
                let body = request.to_string();
                let error = proxy.send("POST", target, &[], body.as_bytes()).error(400);
                assert_eq!(error["code"], "invalid_type", "{error}");
                let param = error["param"].as_str().unwrap();
                assert!(param.starts_with("stream_options"), "{error}");
            }
        }
        let mut request = question("Hi");
        request["stream_options"] = Value::Null;
        assert_eq!(named(&proxy.chat(&request)), None);
    });
}

#[test]
fn a_field_of_a_message_is_refused_only_where_its_role_needs_it() {
    let call = json!({"id": "a", "type": "function", "extra_content": "x",
        "function": {"name": "f", "arguments": "{}"}});
    by_both_roads(|_, _, proxy| {
        for (field, value) in [
            ("name", json!(5)),
            ("refusal", json!(false)),
            ("tool_call_id", json!(7)),
            ("function_call", json!("f")),
            ("extra_content", json!("x")),
        ] {
            let mut request = question("Hi");
            request["messages"][0][field] = value.clone();
            let expected = format!("messages[0].{field}");
            assert_eq!(named(&proxy.chat(&request)), Some(&*expected));
            let needs_it = match field {
                "name" => "function",
                "refusal" | "function_call" => "assistant",
                _ => "tool",
            };
            request["messages"][0]["role"] = json!(needs_it);
            let error = proxy.chat(&request).error(400);
            assert_eq!(error["code"], "invalid_type", "{error}");
            assert_eq!(error["param"], expected, "{error}");
        }
        let mut request = question("Hi");
        request["messages"] = json!([
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "a", "content": "b"},
        ]);
        let expected = "messages[1].tool_calls[0].extra_content";
        assert_eq!(named(&proxy.chat(&request)), Some(expected));
    });
}

#[test]
fn a_field_of_an_item_is_refused_only_where_its_kind_needs_it() {
    by_both_roads(|_, _, proxy| {
        let ask = |item: &Value| {
            let said = json!({"role": "user", "content": "Hi", "id": 1, "name": 5});
            let body = json!({"model": "gemini-2.5-flash", "input": [said, item]});
            proxy.send("POST", "/v1/responses", &[], body.to_string().as_bytes())
        };
        let unknown = json!({"type": "novelty", "id": 5, "name": {}, "namespace": 1,
            "input": {"a": 1}, "encrypted_content": false});
        assert_eq!(named(&ask(&unknown)), Some("input[1],input[0].name"));
        for field in ["name", "namespace", "input"] {
            let mut call = json!({"type": "custom_tool_call", "call_id": "a", "name": "f",
                "namespace": "n", "input": "i"});
            call[field] = json!(5);
            let error = ask(&call).error(400);
            assert_eq!(error["code"], "invalid_type", "{error}");
            assert_eq!(error["param"], format!("input[1].{field}"), "{error}");
        }
    });
}
