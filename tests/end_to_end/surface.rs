//! What is there beside chat: health, models, keys, paths, request ids.

use std::collections::HashSet;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::client::Client;
use crate::home::Home;
use crate::proxy::{MODEL, Proxy, Road, by_both_roads, question, recorded};

fn ids(list: &Value) -> Vec<String> {
    let models = list["data"].as_array().unwrap();
    models
        .iter()
        .map(|model| model["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn health_needs_neither_key_nor_account() {
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator).env("PROXY_API_KEY", "k").serve();
    assert_eq!(proxy.get("/health").success(), json!({"status": "ok"}));
    assert_eq!(proxy.get("/health/").status, 200);
}

#[test]
fn the_list_holds_our_models_and_those_of_the_original_design() {
    by_both_roads(|_, _, proxy| {
        let list = proxy.get("/v1/models").success();
        assert_eq!(list["object"], "list");
        let ids = ids(&list);
        for id in [
            MODEL,
            "gemini-2.5-pro",
            "gemini-2.5-flash",
            "gemini-2.0-flash",
            "gemini-2.0-flash-lite",
            "gemini-1.5-pro",
            "gemini-1.5-flash",
        ] {
            assert!(ids.iter().any(|known| known == id), "{id}");
        }
        let distinct: HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        for model in list["data"].as_array().unwrap() {
            assert_eq!(model["object"], "model");
            assert_eq!(model["owned_by"], "google");
            assert!(model["created"].is_u64());
            assert!(model["name"].is_string());
            assert!(model["context_length"].as_u64() > Some(1000), "{model}");
        }
    });
}

#[test]
fn a_model_says_what_it_can_do_in_every_dialect_of_model_lists() {
    by_both_roads(|_, _, proxy| {
        let expected = json!({
            "id": MODEL, "object": "model", "created": 1_779_148_800, "owned_by": "google",
            "name": "Gemini 3.5 Flash",
            "context_length": 1_048_576, "context_window": 1_048_576,
            "max_model_len": 1_048_576, "max_context_length": 1_048_576,
            "max_input_tokens": 1_048_576,
            "max_output_tokens": 65_535, "max_completion_tokens": 65_535,
            "architecture": {
                "modality": "text+image+audio+video+file->text",
                "input_modalities": ["text", "image", "audio", "video", "file"],
                "output_modalities": ["text"],
            },
            "supported_parameters": ["tools", "tool_choice", "response_format",
                "structured_outputs", "reasoning", "include_reasoning", "temperature", "top_p",
                "top_k", "max_tokens", "stop", "seed"],
            "top_provider": {"context_length": 1_048_576, "max_completion_tokens": 65_535,
                "is_moderated": false},
            "pricing": {"prompt": "0", "completion": "0"},
        });
        let model = proxy.get(&format!("/v1/models/{MODEL}")).success();
        assert_eq!(model, expected);
        let list = proxy.get("/v1/models").success();
        for model in list["data"].as_array().unwrap() {
            for number in ["context_length", "max_completion_tokens"] {
                assert!(model[number].is_u64(), "{model}");
                assert_eq!(model["top_provider"][number], model[number]);
            }
            assert!(model["pricing"]["prompt"].is_string(), "{model}");
            assert_eq!(
                model["supported_parameters"]
                    .as_array()
                    .unwrap()
                    .last()
                    .unwrap(),
                "seed"
            );
        }
    });
}

#[test]
fn every_model_of_the_list_without_a_successor_answers() {
    by_both_roads(|_, _, proxy| {
        let list = proxy.get("/v1/models").success();
        for model in list["data"].as_array().unwrap() {
            if model.get("successor").is_none_or(Value::is_null) {
                let mut request = question("Hi");
                request["model"] = model["id"].clone();
                proxy.chat(&request).success();
            }
        }
    });
}

#[test]
fn what_google_offers_beyond_them_is_listed_too() {
    let simulator = Simulator::start().unwrap();
    // Three pages.
    simulator.set_state(json!({"models_page_size": 6})).unwrap();
    let proxy = Road::GeminiApi.home(&simulator).serve();
    let list = ids(&proxy.get("/v1/models").success());
    assert!(list.contains(&"gemma-4-31b-it".to_owned()));
    assert!(
        !list.contains(&"gemini-embedding-001".to_owned()),
        "it cannot chat"
    );
    let gemma = proxy.get("/v1/models/gemma-4-31b-it").success();
    assert_eq!(gemma["context_length"], 256_000);
    assert_eq!(
        recorded(&simulator, "/v1beta/models").len(),
        3,
        "asked once"
    );

    let simulator = Simulator::start().unwrap();
    let buckets =
        json!({"buckets": [{"modelId": "gemini-9-ultra"}, {"modelId": "gemini-3-flash"}]});
    simulator
        .script(json!({"quota": [{"json": buckets}]}))
        .unwrap();
    let proxy = Proxy::start(&simulator);
    let list = ids(&proxy.get("/v1/models").success());
    assert!(list.contains(&"gemini-9-ultra".to_owned()));
    assert!(
        !list.contains(&"gemini-3-flash".to_owned()),
        "it is {MODEL}"
    );
}

#[test]
fn when_google_cannot_say_the_list_is_ours() {
    by_both_roads(|_, simulator, proxy| {
        let failing = json!([{"error": "internal", "times": "always"}]);
        simulator
            .script(json!({"quota": failing, "models": failing}))
            .unwrap();
        assert!(ids(&proxy.get("/v1/models").success()).contains(&MODEL.to_owned()));
        assert_eq!(
            proxy.get("/v1/models/gemini-2.5-pro").success()["id"],
            "gemini-2.5-pro"
        );
    });
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator).serve();
    assert!(ids(&proxy.get("/v1/models").success()).contains(&MODEL.to_owned()));
}

#[test]
fn one_model_is_found_by_its_id_in_any_spelling() {
    by_both_roads(|_, _, proxy| {
        for path in [
            "/v1/models/gemini-3.5-flash",
            "/v1/models/models%2Fgemini-3.5-flash",
            "/v1/models/models/gemini-3.5-flash",
            "/v1/models/gemini%2D3.5-flash",
        ] {
            assert_eq!(proxy.get(path).success()["id"], MODEL, "{path}");
        }
        let error = proxy.get("/v1/models/gpt-4o").error(404);
        assert_eq!(
            (&error["code"], &error["param"]),
            (&json!("model_not_found"), &json!("model"))
        );
        assert!(error["message"].as_str().unwrap().contains("`gpt-4o`"));
    });
}

#[test]
fn lesson_28_bodies_come_in_every_form_that_clients_send() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let body = question("Hi").to_string();
    let (left, right) = body.split_at(10);
    let chunked = format!(
        "{:x}\r\n{left}\r\n{:x}\r\n{right}\r\n0\r\n\r\n",
        left.len(),
        right.len()
    );
    let target = "/v1/chat/completions";
    let framing = [("Transfer-Encoding", "chunked")];
    let mut client = Client::connect(&proxy.host);
    client.send("POST", target, &framing, chunked.as_bytes());
    assert_eq!(client.answer().status, 200);
    // On the same connection.
    for headers in [
        &[("Content-Type", "text/plain")][..],
        &[("Expect", "100-continue")],
        &[("Accept", "text/event-stream"), ("Accept-Encoding", "gzip")],
    ] {
        client.send("POST", target, headers, body.as_bytes());
        client.answer().success();
    }
}

/// As a client compresses a body.
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn bodies_may_be_gzip_and_nothing_else() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let plain = question("Grüße").to_string();
    let zipped = gzip(plain.as_bytes());
    let send = |coding: &str, body: &[u8]| {
        let headers = [("Content-Encoding", coding)];
        proxy.send("POST", "/v1/chat/completions", &headers, body)
    };
    for (coding, body) in [
        ("identity", plain.as_bytes()),
        ("", plain.as_bytes()),
        ("gzip", &zipped),
        ("GZIP", &zipped),
        ("x-gzip", &zipped),
        ("identity, gzip", &zipped),
    ] {
        let answer = send(coding, body).success().to_string();
        assert!(answer.contains("Grüße"), "{coding}: {answer}");
    }
    for coding in ["br", "zstd", "deflate", "gzip, gzip", "nonsense"] {
        let answer = send(coding, &zipped);
        let error = answer.error(415);
        assert_eq!(error["code"], "unsupported_media_type", "{coding}");
        assert_eq!(answer.header("accept-encoding"), Some("gzip"));
    }
    let cuts = (0..zipped.len()).map(|cut| &zipped[..cut]);
    for broken in cuts.chain([plain.as_bytes(), &zipped[4..]]) {
        assert_eq!(send("gzip", broken).status, 400);
    }
}

#[test]
fn the_limit_on_bodies_counts_what_comes_out_of_the_gzip() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let headers = [("Content-Encoding", "gzip")];
    let limit = 32 * 1024 * 1024;
    let mut body = question("Hi").to_string().into_bytes();
    body.resize(limit, b' ');
    let target = "/v1/chat/completions";
    proxy.send("POST", target, &headers, &gzip(&body)).success();
    body.push(b' ');
    let bomb = gzip(&body);
    assert!(bomb.len() < 100_000);
    let error = proxy.send("POST", target, &headers, &bomb).error(413);
    assert_eq!(error["code"], "request_too_large");
}

#[test]
fn every_prefix_of_a_base_url_works() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let body = question("Hi").to_string();
    for prefix in ["", "/v1", "/openai/v1", "/v1beta/openai", "//v1", "/v1/"] {
        assert_eq!(
            proxy.get(&format!("{prefix}/models")).status,
            200,
            "{prefix}"
        );
        let target = format!("{prefix}/chat/completions");
        let answer = proxy.send("POST", &target, &[], body.as_bytes());
        assert_eq!(answer.status, 200, "{prefix}");
    }
}

#[test]
fn the_key_is_taken_from_wherever_clients_put_it() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let proxy = home.env("PROXY_API_KEY", "one, two").serve();
    for key in ["one", "two"] {
        let bearer = format!("Bearer {key}");
        let lower = format!("bearer {key}");
        for header in [
            ("Authorization", bearer.as_str()),
            ("Authorization", lower.as_str()),
            ("x-api-key", key),
            ("api-key", key),
            ("x-goog-api-key", key),
        ] {
            let answer = proxy.send("GET", "/v1/models", &[header], b"");
            assert_eq!(answer.status, 200, "{header:?}");
        }
        assert_eq!(proxy.get(&format!("/v1/models?key={key}")).status, 200);
    }
    // One that fits is enough.
    let both = [("Authorization", "Bearer dummy"), ("api-key", "one")];
    assert_eq!(proxy.send("GET", "/v1/models", &both, b"").status, 200);
}

#[test]
fn without_the_key_every_path_of_the_api_is_closed() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let proxy = home.env("PROXY_API_KEY", "the-key").serve();
    let body = question("Hi").to_string();
    for (method, target) in [
        ("GET", "/v1/models"),
        ("GET", "/models/gemini-2.5-pro"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1beta/openai/chat/completions"),
        ("POST", "/v1/embeddings"),
        ("GET", "/v1/unheard"),
    ] {
        let body = if method == "POST" {
            body.as_bytes()
        } else {
            b""
        };
        let answer = proxy.send(method, target, &[], body);
        let error = answer.error(401);
        assert_eq!(error["type"], "invalid_request_error", "{target}");
        assert_eq!(error["code"], Value::Null, "{target}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        for wrong in [
            "Bearer wrong",
            "Bearer the-ke",
            "Bearer the-key2",
            "Bearer THE-KEY",
        ] {
            let answer = proxy.send(method, target, &[("Authorization", wrong)], body);
            let error = answer.error(401);
            assert_eq!(error["code"], "invalid_api_key", "{target}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert!(!answer.text().contains("the-ke"), "{}", answer.text());
        }
    }
    assert!(simulator.requests().is_empty());
    for target in ["/", "/health", "/auth/status"] {
        assert_eq!(proxy.get(target).status, 200, "{target}");
    }
}

#[test]
fn without_a_key_set_any_will_do_and_the_log_warns() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    for header in ["Bearer dummy", "Bearer ", "Basic YTpi"] {
        let answer = proxy.send("GET", "/v1/models", &[("Authorization", header)], b"");
        assert_eq!(answer.status, 200, "{header}");
    }
    proxy.log().wait_for("PROXY_API_KEY is not set");
}

#[test]
fn every_answer_has_a_request_id_of_its_own() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let mut answers = vec![proxy.chat(&question("Hi")), proxy.chat(&json!([]))];
    for target in [
        "/",
        "/health",
        "/v1/models",
        "/v1/unheard",
        "/auth/status",
        "/auth/login",
    ] {
        answers.push(proxy.get(target));
    }
    answers.push(proxy.send("DELETE", "/v1/models", &[], b""));
    answers.push(proxy.send("POST", "/v1/x", &[("Content-Length", "999999999999")], b""));
    let ids: HashSet<_> = answers
        .iter()
        .map(|answer| {
            let id = answer.header("x-request-id").unwrap();
            let digits = id.strip_prefix("req_").unwrap();
            assert!(digits.len() == 32 && digits.chars().all(|c| c.is_ascii_hexdigit()));
            id
        })
        .collect();
    assert_eq!(ids.len(), answers.len());
}

#[test]
fn lesson_01_the_front_page_says_how_to_go_on() {
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator).serve();
    let answer = proxy.get("/");
    let page = answer.page(200);
    assert!(page.contains(&proxy.url("/v1")), "{page}");
    assert!(page.contains("Sign in with Google"), "{page}");
    assert!(page.contains("Google may suspend an account"), "{page}");
    assert!(answer.text().contains("href=\"/auth/login\""));
    let proxy = Proxy::start(&simulator);
    let page = proxy.get("/").page(200);
    assert!(page.contains("Signed in as ada@example.com."), "{page}");
    let proxy = Road::GeminiApi.home(&simulator).serve();
    let page = proxy.get("/").page(200);
    assert!(page.contains("Nobody needs to sign in."), "{page}");
}
