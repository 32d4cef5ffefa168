//! Answers in one piece.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::proxy::{MODEL, by_both_roads, question};

/// A turn of Google's with everything that a completion is made from.
fn full_answer() -> Value {
    json!([{"responses": [{
        "candidates": [{
            "content": {"role": "model", "parts": [
                {"text": "Why, light. ", "thought": true},
                {"text": "Blue scatters most."},
            ]},
            "finishReason": "STOP",
        }],
        "usageMetadata": {
            "promptTokenCount": 412,
            "toolUsePromptTokenCount": 8,
            "cachedContentTokenCount": 256,
            "candidatesTokenCount": 25,
            "thoughtsTokenCount": 71,
            "totalTokenCount": 516,
        },
        "modelVersion": "gemini-3-flash",
        "responseId": "r-1",
    }]}])
}

#[test]
fn an_answer_has_exactly_the_fields_of_the_contract() {
    by_both_roads(|_, simulator, proxy| {
        simulator.script(full_answer()).unwrap();
        let answer = proxy.chat(&question("Why is the sky blue?")).success();
        let id = answer["id"].as_str().unwrap();
        let random = id.strip_prefix("chatcmpl-").unwrap();
        assert!(random.len() >= 24 && random.chars().all(|c| c.is_ascii_alphanumeric()));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let created = answer["created"].as_u64().unwrap();
        assert!(now.as_secs().abs_diff(created) < 60);
        let expected = json!({
            "id": id,
            "object": "chat.completion",
            "created": created,
            "model": MODEL,
            "choices": [{
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Blue scatters most.",
                    "refusal": null,
                    "reasoning_content": "Why, light. ",
                },
                "logprobs": null,
                "finish_reason": "stop",
            }],
            "usage": {
                "prompt_tokens": 420,
                "completion_tokens": 96,
                "total_tokens": 516,
                "prompt_tokens_details": {"cached_tokens": 256, "audio_tokens": 0},
                "completion_tokens_details": {
                    "reasoning_tokens": 71,
                    "audio_tokens": 0,
                    "accepted_prediction_tokens": 0,
                    "rejected_prediction_tokens": 0,
                },
            },
            "system_fingerprint": answer["system_fingerprint"],
        });
        let fingerprint = answer["system_fingerprint"].as_str().unwrap();
        assert!(fingerprint.starts_with("fp_") && fingerprint.len() == 13);
        assert_eq!(answer, expected);
    });
}

#[test]
fn without_thoughts_and_calls_their_keys_are_absent() {
    by_both_roads(|_, simulator, proxy| {
        simulator.script(json!([{"text": "Hello"}])).unwrap();
        let answer = proxy.chat(&question("Hi")).success();
        let message = &answer["choices"][0]["message"];
        let expected = json!({"role": "assistant", "content": "Hello", "refusal": null,
            "extra_content": message["extra_content"]});
        assert_eq!(message, &expected);
    });
}

#[test]
fn the_signature_of_a_text_comes_back_on_that_text() {
    by_both_roads(|road, simulator, proxy| {
        simulator.script(json!([{"text": "Hello"}])).unwrap();
        let mut chat = question("Hi");
        let answer = proxy.chat(&chat).success();
        let message = answer["choices"][0]["message"].clone();
        let signature = message["extra_content"]["google"]["thought_signature"].clone();
        assert!(signature.is_string(), "{message}");
        let messages = chat["messages"].as_array_mut().unwrap();
        messages.extend([message, json!({"role": "user", "content": "And?"})]);
        proxy.chat(&chat).success();
        let part = json!({"text": "Hello", "thoughtSignature": signature});
        let asked = road.asked(simulator);
        assert_eq!(asked["contents"][1]["parts"], json!([part]));
    });
}

#[test]
fn without_a_script_the_stand_in_still_answers_to_the_point() {
    by_both_roads(|_, _, proxy| {
        let answer = proxy.chat(&question("Why is the sky blue?")).success();
        let content = answer["choices"][0]["message"]["content"].as_str();
        assert!(content.unwrap().contains("Why is the sky blue?"));
    });
}

#[test]
fn finish_reasons_become_openais_words() {
    by_both_roads(|_, simulator, proxy| {
        for (googles, openais) in [
            ("STOP", "stop"),
            ("MAX_TOKENS", "length"),
            ("SAFETY", "content_filter"),
            ("RECITATION", "content_filter"),
            ("PROHIBITED_CONTENT", "content_filter"),
            ("MODEL_ARMOR", "content_filter"),
            ("OTHER", "stop"),
            ("SOMETHING_NEW", "stop"),
        ] {
            simulator
                .script(json!([{"text": "Part", "finish": googles, "times": 2}]))
                .unwrap();
            let answer = proxy.chat(&question("Hi")).success();
            assert_eq!(answer["choices"][0]["finish_reason"], openais, "{googles}");
            assert_eq!(answer["choices"][0]["message"]["content"], "Part");
            let events = proxy.stream(&question("Hi")).rest();
            let last = &events[events.len() - 2];
            assert!(
                last.contains(&format!("\"finish_reason\":\"{openais}\"")),
                "{last}"
            );
        }
    });
}

#[test]
fn a_prompt_that_google_blocks_is_a_refusal() {
    by_both_roads(|_, simulator, proxy| {
        let blocked = json!({
            "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
            "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5},
        });
        simulator.script(json!([{"responses": [blocked]}])).unwrap();
        let answer = proxy.chat(&question("Hi")).success();
        let expected = json!({
            "index": 0,
            "message": {
                "role": "assistant",
                "content": null,
                "refusal": "Gemini blocked the prompt (PROHIBITED_CONTENT).",
            },
            "logprobs": null,
            "finish_reason": "content_filter",
        });
        assert_eq!(answer["choices"], json!([expected]));
    });
}

#[test]
fn lesson_09_an_answer_with_nothing_in_it_is_an_error() {
    by_both_roads(|_, simulator, proxy| {
        let item = json!([{
            "text": "", "finish": "MALFORMED_FUNCTION_CALL", "signed": false,
            "finish_message": "Malformed function call: f(", "times": "always",
        }]);
        simulator.script(item).unwrap();
        let error = proxy.chat(&question("Hi")).error(502);
        assert_eq!(error["code"], "upstream_invalid_response");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("MALFORMED_FUNCTION_CALL"), "{message}");
    });
}

#[test]
fn a_whole_answer_needs_no_finish_reason_but_it_needs_words() {
    by_both_roads(|_, simulator, proxy| {
        simulator
            .script(json!([{"text": "Hello", "finish": null}]))
            .unwrap();
        let answer = proxy.chat(&question("Hi")).success();
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
        simulator
            .script(json!([{"json": {}, "times": "always"}]))
            .unwrap();
        proxy.chat(&question("Hi")).error(502);
    });
}
