//! What a client sees of Google's refusals and failures: always OpenAI's envelope,
//! with the status that makes clients do the right thing.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};

use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::browser_login::consented;
use crate::home::Home;
use crate::proxy::{MODEL, Road, by_both_roads, generations, question};

#[test]
fn lesson_10_a_short_limit_says_when_to_come_back() {
    by_both_roads(|_, simulator, proxy| {
        for (delay, seconds, milliseconds, words) in [
            ("7s", "7", "7000", "Please try again in 7s."),
            ("41.2s", "42", "41200", "Please try again in 42s."),
            ("60s", "60", "60000", "Please try again in 60s."),
        ] {
            for name in ["rate_limit", "retry_info", "retry_in_message"] {
                simulator
                    .script(json!([{"error": name, "delay": delay}]))
                    .unwrap();
                let answer = proxy.chat(&question("Hi"));
                let error = answer.error(429);
                assert_eq!(error["type"], "requests", "{name}");
                assert_eq!(error["code"], "rate_limit_exceeded", "{name}");
                assert_eq!(answer.header("retry-after"), Some(seconds), "{name}");
                assert_eq!(
                    answer.header("retry-after-ms"),
                    Some(milliseconds),
                    "{name}"
                );
                assert_eq!(answer.header("x-should-retry"), None);
                let message = error["message"].as_str().unwrap();
                assert!(message.ends_with(words), "{name}: {message}");
            }
        }
        // Of how long it takes Google says nothing: that is tried out, thrice in all.
        for (name, times) in [("minute_quota", 1), ("no_details", 3)] {
            simulator
                .script(json!([{"error": name, "times": times}]))
                .unwrap();
            let answer = proxy.chat(&question("Hi"));
            assert_eq!(answer.error(429)["code"], "rate_limit_exceeded", "{name}");
            let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds), "{name}");
        }
    });
}

#[test]
fn what_passes_soon_is_asked_again_by_the_proxy() {
    by_both_roads(|_, simulator, proxy| {
        for failure in [
            json!({"error": "rate_limit", "delay": "0.3s"}),
            json!({"error": "internal", "times": 2}),
            json!({"error": "overloaded"}),
        ] {
            simulator.script(json!([failure])).unwrap();
            proxy.chat(&question("Hi")).success();
        }
        let asked = simulator.requests();
        let asked = asked
            .iter()
            .filter(|request| request.path.contains("enerateContent"));
        assert_eq!(asked.count(), 2 + 3 + 2, "each once more than it failed");
    });
}

#[test]
fn lesson_10_a_quota_that_is_used_up_is_not_asked_again() {
    by_both_roads(|_, simulator, proxy| {
        for (name, delay, words) in [
            ("quota_exhausted", "1s", "13h19m"),
            ("daily_quota", "1s", "quota"),
            ("limit_zero", "1s", "limit: 0"),
            ("no_credits", "1s", "credit balance"),
            ("rate_limit_without_delay", "1s", "exhausted your capacity"),
            ("rate_limit", "61s", "1m1s"),
            ("retry_info", "300s", "5m0s"),
        ] {
            simulator
                .script(json!([{"error": name, "delay": delay}]))
                .unwrap();
            let answer = proxy.chat(&question("Hi"));
            let error = answer.error(429);
            assert_eq!(error["type"], "insufficient_quota", "{name}");
            assert_eq!(error["code"], "insufficient_quota", "{name}");
            assert_eq!(answer.header("x-should-retry"), Some("false"), "{name}");
            assert_eq!(answer.header("retry-after"), None, "{name}");
            assert_eq!(answer.header("retry-after-ms"), None, "{name}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(words), "{name}: {message}");
        }
    });
}

#[test]
fn too_much_to_do_at_googles_is_a_503_soon_to_be_tried_again() {
    by_both_roads(|_, simulator, proxy| {
        for name in ["capacity", "no_capacity", "overloaded"] {
            simulator
                .script(json!([{"error": name, "times": "always"}]))
                .unwrap();
            let answer = proxy.chat(&question("Hi"));
            let error = answer.error(503);
            assert_eq!(error["type"], "server_error", "{name}");
            assert_eq!(error["code"], "server_is_overloaded", "{name}");
            let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=10).contains(&seconds), "{name}");
            simulator.reset();
        }
    });
}

#[test]
fn failures_of_googles_are_502_and_504() {
    by_both_roads(|_, simulator, proxy| {
        for (failure, status, code) in [
            (json!({"error": "internal"}), 502, "upstream_error"),
            (json!({"error": "bad_gateway"}), 502, "upstream_error"),
            (json!({"html": true, "status": 500}), 502, "upstream_error"),
            (
                json!({"raw_chunks": [], "status": 500}),
                502,
                "upstream_error",
            ),
            (
                json!({"error": "deadline_exceeded"}),
                504,
                "upstream_timeout",
            ),
            (json!({"html": true}), 502, "upstream_invalid_response"),
            (
                json!({"raw_chunks": ["{\"candi"]}),
                502,
                "upstream_invalid_response",
            ),
            (
                json!({"text": "x", "then": "truncate"}),
                502,
                "upstream_stream_error",
            ),
        ] {
            let mut item = failure.clone();
            item["times"] = json!("always");
            simulator.script(json!([item])).unwrap();
            let answer = proxy.chat(&question("Hi"));
            let error = answer.error(status);
            assert_eq!(error["type"], "server_error", "{failure}");
            assert_eq!(error["code"], code, "{failure}: {error}");
            assert!(!answer.text().contains("<html"), "{}", answer.text());
            assert!(!answer.text().contains("DOCTYPE"), "{}", answer.text());
            simulator.reset();
        }
    });
}

#[test]
fn every_form_of_googles_errors_is_understood() {
    by_both_roads(|_, simulator, proxy| {
        for form in ["object", "array", "nested"] {
            for stream in [false, true] {
                simulator
                    .script(json!([{"error": "retry_info", "delay": "7s", "form": form}]))
                    .unwrap();
                let mut request = question("Hi");
                request["stream"] = json!(stream);
                let answer = proxy.chat(&request);
                assert_eq!(answer.error(429)["code"], "rate_limit_exceeded", "{form}");
                assert_eq!(answer.header("retry-after"), Some("7"), "{form}");
            }
        }
    });
}

#[test]
fn googles_own_words_about_a_bad_request_arrive() {
    by_both_roads(|_, simulator, proxy| {
        for (name, words) in [
            ("unknown_field", "Unknown name \"strict\""),
            ("unsupported_mime_type", "image/tiff"),
            ("schema_too_deep", "nesting depth"),
            ("location_not_supported", "User location is not supported"),
        ] {
            simulator.script(json!([{"error": name}])).unwrap();
            let error = proxy.chat(&question("Hi")).error(400);
            assert_eq!(error["type"], "invalid_request_error", "{name}");
            assert_eq!(error["code"], "invalid_argument", "{name}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(words), "{name}: {message}");
        }
    });
}

#[test]
fn too_long_a_conversation_is_said_in_openais_sentence() {
    by_both_roads(|_, simulator, proxy| {
        simulator.script(json!([{"error": "token_limit"}])).unwrap();
        let error = proxy.chat(&question("Hi")).error(400);
        assert_eq!(error["code"], "context_length_exceeded");
        assert_eq!(error["param"], "messages");
        let sentence = "This model's maximum context length is 1048576 tokens. However, your \
                        messages resulted in 1200000 tokens. Please reduce the length of the \
                        messages.";
        assert_eq!(error["message"], sentence);
    });
}

#[test]
fn lesson_25_too_large_a_body_is_a_413_ours_or_googles() {
    by_both_roads(|_, simulator, proxy| {
        for name in ["payload_too_large", "payload_size_exceeded"] {
            simulator.script(json!([{"error": name}])).unwrap();
            let error = proxy.chat(&question("Hi")).error(413);
            assert_eq!(error["code"], "request_too_large", "{name}");
        }
        let asked = generations(simulator).len();
        let body = vec![b' '; 33 * 1024 * 1024];
        let error = proxy
            .send("POST", "/v1/chat/completions", &[], &body)
            .error(413);
        assert_eq!(error["type"], "invalid_request_error");
        assert_eq!(error["code"], "request_too_large");
        assert_eq!(generations(simulator).len(), asked);
    });
}

#[test]
fn where_nobody_listens_the_answer_is_a_502() {
    let simulator = Simulator::start().unwrap();
    // A port that was free a moment ago.
    let nowhere = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nowhere = format!("http://{nowhere}");
    for (road, setting) in [
        (Road::CodeAssist, "CODE_ASSIST_ENDPOINT"),
        (Road::GeminiApi, "GEMINI_API_ENDPOINT"),
    ] {
        let proxy = road.home(&simulator).env(setting, &nowhere).serve();
        for stream in [false, true] {
            let mut request = question("Hi");
            request["stream"] = json!(stream);
            let error = proxy.chat(&request).error(502);
            assert_eq!(error["code"], "upstream_error");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("127.0.0.1"), "{message}");
        }
    }
}

/// A proxy that wants another password: its address, and the head of what it is
/// asked first.
fn refusing_proxy() -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let refuses = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let head: Vec<String> = BufReader::new(&connection)
            .lines()
            .map(|line| line.unwrap())
            .take_while(|line| !line.is_empty())
            .collect();
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
        connection.write_all(refusal).unwrap();
        head
    });
    (address, refuses)
}

#[test]
fn lesson_33_where_a_proxy_is_set_google_is_asked_through_it() {
    let (address, refuses) = refusing_proxy();
    let simulator = Simulator::start().unwrap();
    let proxy = Road::GeminiApi
        .home(&simulator)
        .env("GEMINI_API_ENDPOINT", "https://gemini.invalid")
        .env("HTTPS_PROXY", &format!("http://me:pass-word@{address}"))
        .env("RUST_LOG", "trace")
        .serve();
    let error = proxy.chat(&question("Hi")).error(502);
    assert_eq!(error["code"], "upstream_error");
    let head = refuses.join().unwrap();
    assert_eq!(head[0], "CONNECT gemini.invalid:443 HTTP/1.1");
    assert!(
        head.iter()
            .any(|line| line.eq_ignore_ascii_case("proxy-authorization: basic bWU6cGFzcy13b3Jk")),
        "{head:?}"
    );
    assert!(!error.to_string().contains("pass-word"), "{error}");
    assert!(!proxy.log().text().contains("pass-word"));
}

#[test]
fn lesson_33_a_renewal_and_a_login_go_through_the_proxy_too() {
    let simulator = Simulator::start().unwrap();
    let (address, refuses) = refusing_proxy();
    let home = Road::CodeAssist
        .home(&simulator)
        .env("GOOGLE_OAUTH_TOKEN_URL", "https://oauth.invalid/token")
        .env("ALL_PROXY", &format!("http://{address}"));
    let mut stale = home.tokens();
    stale["expiry_date"] = json!(1);
    let proxy = home.with_tokens(&stale).serve();
    assert!(proxy.chat(&question("Hi")).status >= 500);
    let head = refuses.join().unwrap();
    assert_eq!(head[0], "CONNECT oauth.invalid:443 HTTP/1.1");

    let (address, refuses) = refusing_proxy();
    let home = Home::new(&simulator)
        .env("GOOGLE_OAUTH_TOKEN_URL", "https://oauth.invalid/token")
        .env("ALL_PROXY", &format!("http://{address}"));
    let proxy = home.serve();
    consented(&proxy).open().page(502);
    let head = refuses.join().unwrap();
    assert_eq!(head[0], "CONNECT oauth.invalid:443 HTTP/1.1");
}

#[test]
fn a_proxy_is_not_asked_for_what_is_on_this_machine() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let proxy = home.env("HTTPS_PROXY", "http://127.0.0.1:1").serve();
    proxy.chat(&question("Hi")).success();
}

#[test]
fn a_folder_in_place_of_the_token_file_stops_the_start() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator).with_file("tokens.json/in the way", "");
    let finished = home.run(&["serve"]);
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.stderr.contains("TOKEN_STORE_PATH"), "{finished:?}");
}

#[test]
fn after_every_failure_the_proxy_goes_on() {
    by_both_roads(|_, simulator, proxy| {
        for failure in [
            json!({"error": "internal", "times": 3}),
            json!({"text": "x", "then": "reset"}),
            json!({"html": true}),
        ] {
            simulator.script(json!([failure])).unwrap();
            assert!(proxy.chat(&question("Hi")).status >= 500);
            proxy.chat(&question("Hi")).success();
        }
    });
}

#[test]
fn a_key_that_is_missing_at_googles_stops_nothing_but_chat() {
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator).env("GEMINI_API_KEY", "wrong").serve();
    let mut request = question("Hi");
    request["model"] = json!(MODEL);
    assert_eq!(proxy.chat(&request).error(401)["code"], "not_signed_in");
    proxy.get("/v1/models").success();
    proxy.get("/health").success();
}

#[test]
fn lesson_25_eleven_megabytes_reach_google_whole() {
    by_both_roads(|road, simulator, proxy| {
        let text = "x".repeat(11 * 1024 * 1024);
        proxy.chat(&question(&text)).success();
        let asked = road.asked(simulator);
        assert!(asked["contents"][0]["parts"][0]["text"] == text);
    });
}

#[test]
fn lesson_34_a_used_up_quota_says_which_and_when_it_comes_back() {
    by_both_roads(|_, simulator, proxy| {
        for (name, words) in [
            ("quota_exhausted", "It resets in 13h19m"),
            (
                "daily_quota",
                "(quota: GenerateRequestsPerDayPerProjectPerModel-FreeTier)",
            ),
        ] {
            simulator
                .script(json!([{"error": name, "delay": "1s"}]))
                .unwrap();
            let error = proxy.chat(&question("Hi")).error(429);
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(words), "{message}");
        }
    });
}

#[test]
fn a_refusal_names_the_parameter_that_google_means() {
    by_both_roads(|_, simulator, proxy| {
        let mut request = question("Hi");
        request["stream"] = json!(true);
        let says = |message: &str, field: &str| {
            json!([{"times": "always", "responses": [{"error": {
                "code": 400, "status": "INVALID_ARGUMENT", "message": message, "details": [
                    {"@type": "type.googleapis.com/google.rpc.BadRequest",
                     "fieldViolations": [{"field": field, "description": "No."}]}]}}]}])
        };
        for (message, field, param) in [
            (
                "Multiple candidates is not enabled for this model",
                "",
                json!("n"),
            ),
            (
                "Invalid value.",
                "generation_config.candidate_count",
                json!("n"),
            ),
            ("Invalid value.", "generationConfig.topK", json!("top_k")),
            ("Something is amiss.", "", Value::Null),
        ] {
            simulator.script(says(message, field)).unwrap();
            let error = proxy.chat(&request).error(400);
            assert_eq!(error["param"], param, "{error}");
            simulator.reset();
        }
    });
}

#[test]
fn lesson_25_how_large_a_body_may_be_is_a_setting() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let proxy = home.env("PROXY_MAX_BODY_MB", "1").serve();
    let sized = |bytes: usize| {
        let mut body = question("Hi").to_string().into_bytes();
        body.resize(bytes, b' ');
        proxy.send("POST", "/v1/chat/completions", &[], &body)
    };
    sized(1024 * 1024).success();
    let error = sized(1024 * 1024 + 1).error(413);
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("1 MiB") && message.contains("PROXY_MAX_BODY_MB"),
        "{message}"
    );
}
