//! What never reaches the log, at its most talkative, nor the metrics, nor the front page:
//! conversations, keys, tokens, codes. And what no answer shows, whatever goes wrong: keys, tokens, codes.

use gemini_proxy::config::OauthClient;
use gemini_proxy::simulator::Simulator;
use serde_json::json;

use crate::browser_login::consented;
use crate::client::{Answer, open};
use crate::home::{GEMINI_KEY, Home};
use crate::proxy::{Proxy, question, recorded};

const PROXY_KEY: &str = "proxy-key-of-the-test";
const PROMPT: &str = "a-prompt-nobody-else-may-read";
const ANSWER: &str = "an-answer-nobody-else-may-read";
const ARGUMENT: &str = "an-argument-nobody-else-may-read";
const RESULT: &str = "a-result-nobody-else-may-read";

/// Of somebody else, who will try it elsewhere, too.
const WRONG_KEY: &str = "the-wrong-key-of-somebody-else";

/// Everything that can go well or wrong in a session, with secrets in all of it; all
/// that is answered.
fn talk(simulator: &Simulator, proxy: &Proxy) -> String {
    let mut answers = String::new();
    let ask = |text: &str, stream: bool| {
        let mut request = question(text);
        request["stream"] = json!(stream);
        request["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
        request["messages"].as_array_mut().unwrap().extend([
            json!({"role": "assistant", "tool_calls": [{"id": "a", "type": "function",
                "function": {"name": "f", "arguments": json!({"x": ARGUMENT}).to_string()}}]}),
            json!({"role": "tool", "tool_call_id": "a", "content": RESULT}),
        ]);
        let bearer = format!("Bearer {PROXY_KEY}");
        let headers = [("Authorization", bearer.as_str())];
        let body = request.to_string();
        proxy.send("POST", "/v1/chat/completions", &headers, body.as_bytes())
    };
    for stream in [false, true] {
        for item in [
            json!({"thought": ANSWER, "text": ANSWER,
                "calls": [{"name": "f", "args": {"x": ARGUMENT}}]}),
            json!({"text": ANSWER, "finish": null, "then": "reset"}),
            json!({"error": "invalid_argument", "message": format!("{PROMPT} is too odd")}),
            json!({"error": "internal"}),
            json!({"error": "unauthenticated", "times": 2}),
            json!({"raw_chunks": [format!("<p>{ANSWER}")]}),
        ] {
            simulator.script(json!([item])).unwrap();
            answers += &shown(&ask(PROMPT, stream));
        }
    }
    // What the client gets wrong is its own secret, too.
    for body in [
        format!("{{\"model\": \"m\", \"messages\": [{{\"role\": \"{PROMPT}\"}}]}}"),
        format!("{{\"model\": \"m\", \"messages\": \"{PROMPT}\"}}"),
        format!("{{\"model\": \"m\", \"stop\": {{\"{PROMPT}\": 1}}, \"messages\": []}}"),
        format!("{PROMPT} {{"),
    ] {
        let headers = [("x-api-key", PROXY_KEY)];
        answers += &shown(&proxy.send("POST", "/v1/chat/completions", &headers, body.as_bytes()));
    }
    let target = format!("/v1/models?key={PROXY_KEY}");
    let listed = proxy.get(&target);
    assert_eq!(listed.status, 200);
    for header in ["authorization", "x-api-key", "api-key", "x-goog-api-key"] {
        let value = match header {
            "authorization" => format!("Bearer {WRONG_KEY}"),
            _ => WRONG_KEY.to_owned(),
        };
        let refused = proxy.send("GET", "/v1/models", &[(header, &value)], b"");
        refused.error(401);
        answers += &shown(&refused);
    }
    for target in [
        "/v1/models",
        "/v1/unheard",
        "/metrics",
        "/auth/status",
        "/status",
        "/",
    ] {
        answers += &shown(&proxy.get(&format!("{target}?key={WRONG_KEY}")));
        answers += &shown(&proxy.get(&format!("{target}?key={PROXY_KEY}")));
    }
    answers + &shown(&listed)
}

fn ask_with_key(proxy: &Proxy) -> Answer {
    let body = question(PROMPT).to_string();
    let key = [("x-api-key", PROXY_KEY)];
    proxy.send("POST", "/v1/chat/completions", &key, body.as_bytes())
}

/// Head and body.
fn shown(answer: &Answer) -> String {
    format!("{:?}\n{}\n", answer.headers, answer.text())
}

/// So much of a secret must not be seen anywhere: hex dumps, with 16 characters
/// a line, would hide a longer piece.
const PIECE: usize = 10;

#[track_caller]
fn assert_silent(log: &str, secrets: &[String]) {
    for secret in secrets {
        assert!(secret.is_ascii() && secret.len() >= 2 * PIECE, "{secret}");
        for start in 0..=secret.len() - PIECE {
            let piece = &secret[start..start + PIECE];
            let line = log.lines().find(|line| line.contains(piece));
            assert_eq!(line, None, "{secret}");
        }
    }
}

/// The log of a session, which is known to be talkative, its metrics, and what the page
/// tells of it.
fn session(proxy: Proxy) -> String {
    let mut told = proxy.stdout().text();
    for target in ["/metrics", "/status", "/"] {
        let answer = proxy.send("GET", target, &[("x-api-key", PROXY_KEY)], b"");
        assert_eq!(answer.status, 200, "{target}");
        told += answer.text();
    }
    assert!(told.contains("upstream_stream_error"), "{told}");
    let log = told + &proxy.stop();
    for sign in [
        "DEBUG tiny_http",
        "method=POST route=/v1/chat/completions status=200",
    ] {
        assert!(log.contains(sign), "{log}");
    }
    log
}

fn conversation() -> Vec<String> {
    [PROMPT, ANSWER, ARGUMENT, RESULT]
        .map(str::to_owned)
        .to_vec()
}

fn keys() -> Vec<String> {
    let mut secrets = [PROXY_KEY, WRONG_KEY].map(str::to_owned).to_vec();
    // Public, and a secret in form: people paste logs into reports.
    secrets.push(OauthClient::gemini_cli().secret.reveal().to_owned());
    secrets
}

/// All values of fields that go to or come from Google's OAuth in requests.
fn oauth_secrets(simulator: &Simulator) -> Vec<String> {
    let mut secrets = Vec::new();
    for request in simulator.requests() {
        let form = if request.path == "/token" || request.path == "/revoke" {
            request.body
        } else {
            request.query
        };
        for (name, value) in url::form_urlencoded::parse(form.as_bytes()) {
            if [
                "code",
                "code_verifier",
                "refresh_token",
                "token",
                "state",
                "code_challenge",
            ]
            .contains(&&*name)
            {
                secrets.push(value.into_owned());
            }
        }
        for (name, value) in &request.headers {
            if name.eq_ignore_ascii_case("authorization") {
                secrets.push(value.trim_start_matches("Bearer ").to_owned());
            }
        }
    }
    secrets
}

#[test]
fn lesson_22_a_session_by_code_assist_leaves_no_secret_in_the_log() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator)
        .env("RUST_LOG", "trace")
        .env("PROXY_API_KEY", PROXY_KEY);
    let proxy = home.serve();
    let callback = consented(&proxy);
    let mut answers = String::new();
    for page in [open(&callback.address), callback.open(), callback.open()] {
        answers += &shown(&page);
    }
    let tokens = home.tokens();
    answers += &talk(&simulator, &proxy);
    simulator.expire_access_tokens();
    answers += &talk(&simulator, &proxy);
    for failure in ["internal", "invalid_client", "rate_limit"] {
        simulator.expire_access_tokens();
        let script = json!({"token": [{"error": failure}]});
        simulator.script(script).unwrap();
        answers += &shown(&ask_with_key(&proxy));
    }
    let garbled =
        json!({"json": {"access_token": "ya29.cut-off-in-the-middle"}, "then": "truncate"});
    simulator.expire_access_tokens();
    simulator.script(json!({"token": [garbled]})).unwrap();
    answers += &shown(&ask_with_key(&proxy));
    simulator.revoke_refresh_tokens();
    simulator.expire_access_tokens();
    answers += &talk(&simulator, &proxy);
    answers += &shown(&proxy.send("POST", "/auth/logout", &[], b""));

    let mut secrets = [keys(), oauth_secrets(&simulator)].concat();
    secrets.push("ya29.cut-off-in-the-middle".to_owned());
    for name in ["access_token", "refresh_token"] {
        secrets.push(tokens[name].as_str().unwrap().to_owned());
    }
    assert!(recorded(&simulator, "/token").len() >= 6);
    assert!(secrets.len() > 20);
    assert_silent(&answers, &secrets);
    assert_silent(&session(proxy), &[conversation(), secrets].concat());
}

#[test]
fn nor_does_one_by_the_gemini_api() {
    let simulator = Simulator::start().unwrap();
    let key = format!("{GEMINI_KEY}-made-much-longer");
    simulator.set_state(json!({"api_key": key})).unwrap();
    let home = Home::new(&simulator)
        .env("RUST_LOG", "trace")
        .env("PROXY_API_KEY", PROXY_KEY)
        .env("GEMINI_API_KEY", &key);
    let proxy = home.serve();
    let secrets = [keys(), vec![key]].concat();
    let mut answers = talk(&simulator, &proxy);
    // Google's own words when it refuses the key.
    let other = json!({"api_key": "another-key-is-the-right-one-now"});
    simulator.set_state(other).unwrap();
    answers += &talk(&simulator, &proxy);
    assert_silent(&answers, &secrets);
    assert_silent(&session(proxy), &[conversation(), secrets].concat());
}

#[test]
fn nor_do_a_login_and_a_logout_in_a_terminal() {
    let simulator = Simulator::start().unwrap();
    let credentials = simulator.sign_in();
    let home = Home::new(&simulator)
        .env("RUST_LOG", "trace")
        .with_file("creds.json", &credentials.to_string());
    for arguments in [
        &["login", "--import", "creds.json"][..],
        &["status"],
        &["logout"],
    ] {
        let finished = home.run(arguments);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let secrets = ["access_token", "refresh_token"]
            .map(|name| credentials[name].as_str().unwrap().to_owned());
        assert_silent(&finished.stderr, &secrets);
        assert_silent(&finished.stdout, &secrets);
    }
}
