//! What is kept of the Responses: referred to, given back, deleted; for whom, and
//! for how long.

use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::proxy::{MODEL, Proxy, Road, by_both_roads, generations, recorded};
use crate::responses::{asked, numbered, respond, respond_in_events};

/// What Google was told last, turn by turn.
fn told(road: Road, simulator: &Simulator) -> Vec<String> {
    let asked = road.asked(simulator);
    let turns = asked["contents"].as_array().unwrap().iter();
    turns
        .map(|turn| turn["parts"][0]["text"].as_str().unwrap().to_owned())
        .collect()
}

fn item_id(response: &Value) -> &Value {
    let items = response["output"].as_array().unwrap();
    &items.last().unwrap()["id"]
}

#[test]
fn an_answer_can_be_referred_to_by_its_id_and_by_its_items() {
    by_both_roads(|road, simulator, proxy| {
        let script = json!([{"text": "Hello Ada."}, {"text": "Ada."}, {"text": "Yes."}, {"text": "Fine."}, {"text": "Fine."}]);
        simulator.script(script).unwrap();
        let first = respond(proxy, &asked("I am Ada.")).success();
        let mut request = asked("Who am I?");
        request["previous_response_id"] = first["id"].clone();
        // A stream is kept like a whole answer.
        let events = numbered(respond_in_events(proxy, &request));
        let second = &events.last().unwrap()["response"];
        assert_eq!(second["previous_response_id"], first["id"]);
        assert_eq!(
            told(road, simulator),
            ["I am Ada.", "Hello Ada.", "Who am I?"]
        );

        request["input"] = json!("Sure?");
        request["previous_response_id"] = second["id"].clone();
        respond(proxy, &request).success();
        let story = ["I am Ada.", "Hello Ada.", "Who am I?", "Ada.", "Sure?"];
        assert_eq!(told(road, simulator), story);

        // With nothing to add the model goes on.
        let goes_on = json!({"model": MODEL, "previous_response_id": first["id"]});
        respond(proxy, &goes_on).success();
        let told_so_far = told(road, simulator);
        assert_eq!(told_so_far[..2], ["I am Ada.", "Hello Ada."]);

        let referring = asked(json!([
            {"role": "user", "content": "I am Ada."},
            {"type": "item_reference", "id": item_id(&first)},
            {"role": "user", "content": "And you?"},
        ]));
        respond(proxy, &referring).success();
        assert_eq!(
            told(road, simulator),
            ["I am Ada.", "Hello Ada.", "And you?"]
        );
    });
}

fn get(proxy: &Proxy, key: &str, id: &Value) -> crate::client::Answer {
    let path = format!("/v1/responses/{}", id.as_str().unwrap());
    proxy.send(
        "GET",
        &path,
        &[("Authorization", &format!("Bearer {key}"))],
        b"",
    )
}

#[test]
fn an_answer_is_given_back_and_deleted() {
    by_both_roads(|_, _, proxy| {
        let response = respond(proxy, &asked("Hi")).success();
        let path = format!("/v1/responses/{}", response["id"].as_str().unwrap());
        assert_eq!(proxy.get(&path).success(), response);
        let deleted = proxy.send("DELETE", &path, &[], b"").success();
        let expected = json!({"id": response["id"], "object": "response", "deleted": true});
        assert_eq!(deleted, expected);
        proxy.get(&path).error(404);
        proxy.send("DELETE", &path, &[], b"").error(404);
        let mut request = asked("And?");
        request["previous_response_id"] = response["id"].clone();
        let error = respond(proxy, &request).error(400);
        assert_eq!(error["code"], "previous_response_not_found");
        assert_eq!(error["param"], "previous_response_id");
        let referring = asked(json!([{"type": "item_reference", "id": item_id(&response)}]));
        respond(proxy, &referring).error(404);
    });
}

#[test]
fn nothing_is_kept_where_it_is_not_wanted_or_of_what_failed() {
    by_both_roads(|_, simulator, proxy| {
        let mut unkept = asked("Hi");
        unkept["store"] = json!(false);
        let response = respond(proxy, &unkept).success();
        assert_eq!(response["store"], false);
        get(proxy, "any", &response["id"]).error(404);

        let script = json!([{"text": "one two", "words": true, "finish": null}]);
        simulator.script(script).unwrap();
        let events = numbered(respond_in_events(proxy, &asked("Hi")));
        let last = &events.last().unwrap();
        assert_eq!(last["type"], "response.failed");
        get(proxy, "any", &last["response"]["id"]).error(404);
    });
}

#[test]
fn lesson_24_anothers_key_finds_nothing() {
    for road in [Road::CodeAssist, Road::GeminiApi] {
        let simulator = Simulator::start().unwrap();
        let home = road.home(&simulator).env("PROXY_API_KEY", "adas,bobs");
        let proxy = home.serve();
        let ask = |key: &str, request: &Value| {
            let authorization = format!("Bearer {key}");
            let headers = [("Authorization", authorization.as_str())];
            let body = request.to_string();
            proxy.send("POST", "/v1/responses", &headers, body.as_bytes())
        };
        let response = ask("adas", &asked("Hi")).success();
        let mut request = asked("And?");
        request["previous_response_id"] = response["id"].clone();
        let referring = asked(json!([{"type": "item_reference", "id": item_id(&response)}]));
        ask("bobs", &request).error(400);
        ask("bobs", &referring).error(404);
        get(&proxy, "bobs", &response["id"]).error(404);
        assert_eq!(generations(&simulator).len(), 1);
        ask("adas", &request).success();
        assert_eq!(get(&proxy, "adas", &response["id"]).success(), response);
    }
}

#[test]
fn after_a_restart_the_answers_are_gone_and_that_is_said() {
    for road in [Road::CodeAssist, Road::GeminiApi] {
        let simulator = Simulator::start().unwrap();
        let home = road.home(&simulator);
        let response = respond(&home.serve(), &asked("Hi")).success();
        let proxy = home.serve();
        let mut request = asked("And?");
        request["previous_response_id"] = response["id"].clone();
        let error = respond(&proxy, &request).error(400);
        assert_eq!(error["code"], "previous_response_not_found");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("started again"), "{message}");
    }
}

/// The whole conversation that Google would be told, tools and all.
#[test]
fn the_tokens_of_an_input_are_googles_count() {
    by_both_roads(|road, simulator, proxy| {
        let first = respond(proxy, &asked("I am Ada.")).success();
        let request = json!({"model": MODEL, "input": "Who am I?", "instructions": "Be brief.",
            "previous_response_id": first["id"], "text": {"format": {"type": "json_object"}},
            "tools": [{"type": "function", "name": "f"}], "temperature": 0.5});
        let body = request.to_string();
        let count = || proxy.send("POST", "/v1/responses/input_tokens", &[], body.as_bytes());
        let answer = count().success();
        assert!(answer["input_tokens"].as_u64() > Some(0));
        let object =
            json!({"object": "response.input_tokens", "input_tokens": answer["input_tokens"]});
        assert_eq!(answer, object);
        let counted = recorded(simulator, "countTokens").pop().unwrap().json();
        let counted = match road {
            Road::CodeAssist => &counted["request"],
            Road::GeminiApi => &counted["generateContentRequest"],
        };
        assert!(
            counted["model"]
                .as_str()
                .unwrap()
                .starts_with("models/gemini-3")
        );
        assert_eq!(generations(simulator).len(), 1);
        respond(proxy, &request).success();
        let generated = road.asked(simulator);
        for field in ["contents", "systemInstruction", "tools"] {
            assert_eq!(counted[field], generated[field]);
        }

        let script = json!({"count_tokens": [{"json": {}}, {"error": "quota_exhausted"}]});
        simulator.script(script).unwrap();
        assert_eq!(count().success()["input_tokens"], 0);
        assert_eq!(count().error(429)["code"], "insufficient_quota");
        let get = proxy.get("/v1/responses/input_tokens");
        assert_eq!(get.error(405)["code"], "method_not_allowed");
    });
}

#[test]
fn what_is_not_built_says_so() {
    by_both_roads(|_, _, proxy| {
        for (method, path) in [
            ("POST", "/v1/responses/compact"),
            ("POST", "/v1/responses/resp_1/cancel"),
            ("GET", "/v1/responses/resp_1/input_items"),
        ] {
            let body = json!({"model": MODEL, "input": "Hi"}).to_string();
            let error = proxy.send(method, path, &[], body.as_bytes()).error(404);
            assert_eq!(error["code"], "endpoint_not_supported", "{path}");
        }
    });
}
