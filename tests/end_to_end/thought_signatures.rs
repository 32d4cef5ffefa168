//! Thought signatures: proofs that Gemini 3 demands back with its calls, and that
//! most clients drop.

use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::client::chunks;
use crate::proxy::{Proxy, Road, by_both_roads};
use crate::tools::{SENTINEL, calls, request, result, signature, user};

/// One call for the weather in Oslo, as the client gets it.
fn called(simulator: &Simulator, proxy: &Proxy) -> Value {
    let args = json!({"city": "Zürich", "days": 1});
    simulator
        .script(json!([{"calls": [{"name": "get_weather", "args": args}]}]))
        .unwrap();
    let answer = proxy.chat(&request(json!([user("Weather?")]))).success();
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    answer["choices"][0]["message"].clone()
}

/// The conversation once the call has its result.
fn answered(message: &Value) -> Value {
    let id = message["tool_calls"][0]["id"].as_str().unwrap();
    request(json!([user("Weather?"), message, result(id, "4 °C")]))
}

/// What most clients make of a message: they keep what they know.
fn without_signatures(message: &Value) -> Value {
    let mut message = message.clone();
    for call in message["tool_calls"].as_array_mut().unwrap() {
        call.as_object_mut().unwrap().remove("extra_content");
    }
    message
}

#[test]
fn a_result_goes_back_with_the_signature_of_its_call() {
    by_both_roads(|road, simulator, proxy| {
        let message = called(simulator, proxy);
        let id = &message["tool_calls"][0]["id"];
        proxy.chat(&answered(&message)).success();
        let expected = json!([
            {"role": "user", "parts": [{"text": "Weather?"}]},
            {"role": "model", "parts": [{
                "thoughtSignature": signature(&message),
                "functionCall": {
                    "id": id, "name": "get_weather", "args": {"city": "Zürich", "days": 1},
                },
            }]},
            {"role": "user", "parts": [{"functionResponse": {
                "id": id, "name": "get_weather", "response": {"output": "4 °C"},
            }}]},
        ]);
        assert_eq!(road.asked(simulator)["contents"], expected);
    });
}

#[test]
fn lesson_03_a_signature_that_the_client_dropped_is_remembered() {
    by_both_roads(|road, simulator, proxy| {
        let message = called(simulator, proxy);
        proxy
            .chat(&answered(&without_signatures(&message)))
            .success();
        let part = &road.asked(simulator)["contents"][1]["parts"][0];
        assert_eq!(part["thoughtSignature"], *signature(&message));
    });
}

#[test]
fn so_is_one_that_went_out_in_a_stream() {
    by_both_roads(|road, simulator, proxy| {
        simulator
            .script(json!([{"calls": [{"name": "get_weather", "args": {"city": "Oslo"}}]}]))
            .unwrap();
        let events = proxy.stream(&request(json!([user("Weather?")]))).rest();
        let mut call = chunks(&events)
            .into_iter()
            .find_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0).cloned())
            .unwrap();
        call.as_object_mut().unwrap().remove("index");
        let message = calls(&[call]);
        proxy
            .chat(&answered(&without_signatures(&message)))
            .success();
        let part = &road.asked(simulator)["contents"][1]["parts"][0];
        assert_eq!(part["thoughtSignature"], *signature(&message));
    });
}

#[test]
fn arguments_that_the_client_wrote_anew_keep_their_signature() {
    by_both_roads(|road, simulator, proxy| {
        let message = called(simulator, proxy);
        let mut anew = without_signatures(&message);
        anew["tool_calls"][0]["function"]["arguments"] =
            json!("{ \"days\": 1,\n \"city\": \"Z\\u00fcrich\" }");
        proxy.chat(&answered(&anew)).success();
        let part = &road.asked(simulator)["contents"][1]["parts"][0];
        assert_eq!(part["thoughtSignature"], *signature(&message));
        assert_eq!(
            part["functionCall"]["args"],
            json!({"city": "Zürich", "days": 1})
        );
    });
}

#[test]
fn arguments_that_were_changed_lose_it() {
    by_both_roads(|road, simulator, proxy| {
        let mut message = called(simulator, proxy);
        message["tool_calls"][0]["function"]["arguments"] = json!("{\"city\":\"Rome\"}");
        proxy.chat(&answered(&message)).success();
        let part = &road.asked(simulator)["contents"][1]["parts"][0];
        assert_eq!(part["thoughtSignature"], SENTINEL);
    });
}

#[test]
fn lesson_03_another_model_does_not_get_it() {
    by_both_roads(|road, simulator, proxy| {
        let item = json!({
            "thought": "Hm.", "calls": [{"name": "get_weather", "args": {"city": "Oslo"}}],
        });
        simulator.script(json!([item])).unwrap();
        let mut asked = request(json!([user("Weather?")]));
        asked["model"] = json!("gemini-2.5-pro");
        let message = proxy.chat(&asked).success()["choices"][0]["message"].clone();
        assert!(signature(&message).is_string());
        proxy.chat(&answered(&message)).success();
        let part = &road.asked(simulator)["contents"][1]["parts"][0];
        assert_eq!(part["thoughtSignature"], SENTINEL);
    });
}

#[test]
fn after_a_restart_a_lost_signature_has_googles_stand_in() {
    for road in [Road::CodeAssist, Road::GeminiApi] {
        let simulator = Simulator::start().unwrap();
        let home = road.home(&simulator);
        let message = called(&simulator, &home.serve());
        let proxy = home.serve();
        proxy.chat(&answered(&message)).success();
        let part = road.asked(&simulator)["contents"][1]["parts"][0].clone();
        assert_eq!(
            part["thoughtSignature"],
            *signature(&message),
            "the client kept it"
        );
        proxy
            .chat(&answered(&without_signatures(&message)))
            .success();
        let part = &road.asked(&simulator)["contents"][1]["parts"][0];
        assert_eq!(part["thoughtSignature"], SENTINEL);
    }
}

#[test]
fn a_loop_of_many_steps_works_with_a_client_that_drops_everything() {
    by_both_roads(|_, simulator, proxy| {
        let mut messages = vec![user("Weather, everywhere?")];
        for city in ["Oslo", "Rome", "Lima"] {
            let both = json!([
                {"name": "get_weather", "args": {"city": city}},
                {"name": "get_weather", "args": {"city": "Bonn"}},
            ]);
            simulator
                .script(json!([{"text": "Next.", "calls": both}]))
                .unwrap();
            let answer = proxy.chat(&request(json!(messages))).success();
            let message = without_signatures(&answer["choices"][0]["message"]);
            let ids: Vec<_> = message["tool_calls"]
                .as_array()
                .unwrap()
                .iter()
                .map(|call| call["id"].as_str().unwrap().to_owned())
                .collect();
            messages.push(message);
            messages.extend(ids.iter().map(|id| result(id, "sun")));
        }
        let answer = proxy.chat(&request(json!(messages))).success();
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    });
}
