//! The page at `/` and the document behind it: what they show, and to whom. How it is in
//! a browser is in `tests/clients/node/page.test.mjs`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gemini_proxy::simulator::Simulator;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::home::Home;
use crate::proxy::{MODEL, Proxy, Road, by_both_roads, question, recorded};
use crate::streaming::event;

const KEY: (&str, &str) = ("Authorization", "Bearer the-key");

#[test]
fn without_the_key_nothing_is_told_of_the_account_at_this_machine_neither() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let proxy = home.env("PROXY_API_KEY", "the-key").serve();
    let body = question("Hi").to_string();
    let chat = "/v1/chat/completions";
    proxy.send("POST", chat, &[KEY], body.as_bytes()).success();
    let wrong = [("Authorization", "Bearer the-wrong-one")];
    for headers in [&[][..], &wrong] {
        let page = proxy.send("GET", "/", headers, b"").page(200);
        assert!(page.contains("Key of this proxy"), "{page}");
        assert!(page.contains(&proxy.url("/v1")), "{page}");
        for told in ["ada@example.com", "stand-in-project", MODEL, "Code Assist."] {
            assert!(!page.contains(told), "{page}");
        }
        let error = proxy.send("GET", "/status", headers, b"");
        error.error(401);
    }
    let page = proxy.send("GET", "/", &[KEY], b"").page(200);
    let status = proxy.send("GET", "/status", &[KEY], b"");
    assert_eq!(status.header("cache-control"), Some("no-store"));
    for text in [&page, status.text()] {
        for told in ["ada@example.com", "stand-in-project", MODEL] {
            assert!(text.contains(told), "{text}");
        }
        assert!(!text.contains("the-key"), "{text}");
    }
}

#[test]
fn under_another_name_there_is_neither_page_nor_document() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    for target in ["/", "/status"] {
        let host = [("Host", "rebound.evil.example")];
        let error = proxy.send("GET", target, &host, b"").error(403);
        assert_eq!(error["code"], "host_not_allowed");
        let page = [("Origin", "https://evil.example")];
        let error = proxy.send("GET", target, &page, b"").error(403);
        assert_eq!(error["code"], "origin_not_allowed");
    }
    let error = proxy.send("POST", "/status", &[], b"").error(405);
    assert_eq!(error["code"], "method_not_allowed");
}

#[test]
fn its_policy_lets_run_what_stands_in_it_and_nothing_else() {
    let simulator = Simulator::start().unwrap();
    let answer = Proxy::start(&simulator).get("/");
    let hash = |element: &str| {
        let (_, rest) = answer.text().split_once(&format!("<{element}")).unwrap();
        let (_, rest) = rest.split_once('>').unwrap();
        let (text, _) = rest.split_once(&format!("</{element}>")).unwrap();
        STANDARD.encode(Sha256::digest(text))
    };
    let expected = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    );
    let policy = answer.header("content-security-policy");
    assert_eq!(policy, Some(expected.as_str()));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn what_runs_is_there_while_it_does() {
    by_both_roads(|_, simulator, proxy| {
        let responses = json!([event("Half"), {"gate": "slow"}, {"candidates": [
            {"content": {"role": "model", "parts": [{"text": " an hour"}]},
             "finishReason": "STOP"}]}]);
        simulator.script(json!([{"responses": responses}])).unwrap();
        let mut events = proxy.stream(&question("Hi"));
        events.next_json();
        let running = json!([{"route": "chat_completions", "model": MODEL, "count": 1}]);
        let status = proxy.get("/status").success();
        assert_eq!(status["running"], running);
        let page = proxy.get("/").page(200);
        assert!(
            page.contains(&format!("{MODEL} chat_completions ×&nbsp;1")),
            "{page}"
        );
        simulator.release("slow");
        events.rest();
        // The line in the log is written when the record is closed.
        proxy.log().request("end=complete");
        let status = proxy.get("/status").success();
        assert_eq!(status["running"], json!([]));
    });
}

#[test]
fn what_went_wrong_is_told_once_for_all_that_is_alike_and_without_the_conversation() {
    by_both_roads(|_, simulator, proxy| {
        let refused = json!({"error": "invalid_argument", "message": "a-prompt is too odd"});
        let failing = json!({"error": "internal", "times": 6});
        simulator.script(json!([refused, failing])).unwrap();
        proxy.chat(&question("a-prompt")).error(400);
        proxy.chat(&question("a-prompt")).error(502);
        proxy.chat(&question("a-prompt")).error(502);
        proxy.get("/v1/unheard?key=a-secret").error(404);
        let status = proxy.get("/status").success();
        let failures = status["failures"].as_array().unwrap();
        let told: Vec<_> = failures
            .iter()
            .map(|failure| {
                let at: jiff::Timestamp = failure["at"].as_str().unwrap().parse().unwrap();
                assert_eq!(at.subsec_nanosecond(), 0);
                json!([
                    failure["route"],
                    failure["model"],
                    failure["status"],
                    failure["code"],
                    failure["times"]
                ])
            })
            .collect();
        let chat = "chat_completions";
        assert_eq!(
            told,
            [
                json!(["other", null, 404, "unknown_url", 1]),
                json!([chat, MODEL, 502, "upstream_error", 2]),
                json!([chat, MODEL, 400, "invalid_argument", 1]),
            ]
        );
        let why = failures[1]["why"].as_str().unwrap();
        assert!(why.starts_with("Google failed: "), "{why}");
        let page = proxy.get("/");
        assert!(page.page(200).contains("502 upstream_error"));
        for text in [status.to_string().as_str(), page.text()] {
            assert!(
                !text.contains("a-prompt") && !text.contains("a-secret"),
                "{text}"
            );
        }
    });
}

#[test]
fn google_is_never_waited_for() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    proxy.chat(&question("Hi")).success();
    let never = json!({"raw_chunks": [{"gate": "never"}]});
    simulator.script(json!({"quota": [never]})).unwrap();
    let status = proxy.get("/status").success();
    let models = status["models"].as_array().unwrap();
    assert!(models.iter().any(|model| model["id"] == MODEL));
    proxy.get("/").page(200);
}

#[test]
fn whoever_looks_without_an_account_asks_nothing_of_google() {
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator).serve();
    for target in ["/", "/status"] {
        assert_eq!(proxy.get(target).status, 200);
    }
    assert!(recorded(&simulator, "").is_empty());
}

#[test]
fn a_form_without_a_script_signs_out_and_leads_back() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let own = proxy.url("");
    let visit = [
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
    ];
    let logout = |site: &str, origin: &str| {
        let from = [("Sec-Fetch-Site", site), ("Origin", origin)];
        let headers = [&visit[..], &from].concat();
        proxy.send("POST", "/auth/logout", &headers, b"")
    };
    logout("same-site", "http://localhost:1").error(403);
    assert_eq!(proxy.get("/auth/status").success()["authenticated"], true);
    let answer = logout("same-origin", &own);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    assert_eq!(proxy.get("/auth/status").success()["authenticated"], false);
}
