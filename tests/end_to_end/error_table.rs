//! Every row of the table of errors, provoked: what clients decide by (status,
//! type, code, param, and the headers about trying again) for each thing that can
//! go wrong. Other files tell the stories; this one is the contract.

use std::net::TcpListener;

use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::home::Home;
use crate::proxy::{Proxy, Road, by_both_roads, question};

/// The headers by which clients decide; a row names all that must be there.
const DECISIVE: [&str; 6] = [
    "allow",
    "accept-encoding",
    "retry-after",
    "retry-after-ms",
    "www-authenticate",
    "x-should-retry",
];

/// What a client sees.
struct Row {
    status: u16,
    kind: &'static str,
    code: Option<&'static str>,
    param: Option<&'static str>,
    headers: &'static [(&'static str, &'static str)],
    /// A part of the message.
    says: &'static str,
}

impl Row {
    const fn new(status: u16, kind: &'static str, code: &'static str, says: &'static str) -> Self {
        Self {
            status,
            kind,
            code: Some(code),
            param: None,
            headers: &[],
            says,
        }
    }

    const fn invalid(status: u16, code: &'static str, says: &'static str) -> Self {
        Self::new(status, "invalid_request_error", code, says)
    }

    const fn at(self, param: &'static str) -> Self {
        Self {
            param: Some(param),
            ..self
        }
    }

    const fn with(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    #[track_caller]
    fn check(&self, answer: &Answer) {
        let error = answer.error(self.status);
        assert_eq!(error["type"], self.kind, "{error}");
        assert_eq!(error["code"], json!(self.code), "{error}");
        assert_eq!(error["param"], json!(self.param), "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(self.says), "{message}");
        for name in DECISIVE {
            let expected = self.headers.iter().find(|(header, _)| *header == name);
            let expected = expected.map(|(_, value)| *value);
            assert_eq!(answer.header(name), expected, "{name}: {error}");
        }
        let id = answer.header("x-request-id").unwrap();
        assert!(id.starts_with("req_"), "{id}");
    }
}

/// `GET /metrics` knows each code that was told by its name.
#[track_caller]
fn assert_all_codes_are_counted(proxy: &Proxy) {
    let metrics = proxy.get("/metrics");
    let refusals = metrics
        .text()
        .lines()
        .filter(|line| line.contains("refusals_total{"));
    let counted: Vec<_> = refusals.filter(|line| !line.ends_with(" 0")).collect();
    assert!(counted.len() > 3, "{counted:?}");
    assert!(
        !counted.iter().any(|line| line.contains("\"other\"")),
        "{counted:?}"
    );
}

const CHAT: &str = "/v1/chat/completions";

const BEARER: &[(&str, &str)] = &[("www-authenticate", "Bearer")];

/// A request with these fields changed.
fn with(changes: Value) -> Vec<u8> {
    let mut request = question("Hi");
    for (name, value) in changes.as_object().unwrap() {
        request[name] = value.clone();
    }
    request.to_string().into_bytes()
}

fn content(part: Value) -> Value {
    json!({"messages": [{"role": "user", "content": [part]}]})
}

#[test]
fn what_is_wrong_with_a_body() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let file = json!({"type": "file", "file": {"file_id": "file-1"}});
    let hologram = json!({"type": "hologram"});
    for (body, row) in [
        (
            b"{\"model\":".to_vec(),
            Row::invalid(400, "invalid_json", "at byte 9"),
        ),
        (b"[]".to_vec(), Row::invalid(400, "invalid_json", "object")),
        (
            b"{\"model\": \"\xff\"}".to_vec(),
            Row::invalid(400, "invalid_json", "at byte"),
        ),
        (
            with(json!({"messages": null})),
            Row::invalid(400, "missing_required_parameter", "'messages'").at("messages"),
        ),
        (
            with(json!({"stream": "yes"})),
            Row::invalid(400, "invalid_type", "'stream'").at("stream"),
        ),
        (
            with(content(hologram)),
            Row::invalid(400, "invalid_value", "hologram").at("messages[0].content[0].type"),
        ),
        (
            with(json!({"n": 9})),
            Row::invalid(400, "integer_above_max_value", "'n'").at("n"),
        ),
        (
            with(json!({"max_tokens": 0})),
            Row::invalid(400, "integer_below_min_value", "'max_tokens'").at("max_tokens"),
        ),
        (
            with(json!({"temperature": 2.1})),
            Row::invalid(400, "decimal_above_max_value", "2.1").at("temperature"),
        ),
        (
            with(json!({"top_p": -0.1})),
            Row::invalid(400, "decimal_below_min_value", "-0.1").at("top_p"),
        ),
        (
            with(content(file)),
            Row::invalid(400, "unsupported_value", "file_data")
                .at("messages[0].content[0].file.file_id"),
        ),
        (
            with(json!({"modalities": ["text", "audio"]})),
            Row::invalid(400, "unsupported_value", "text").at("modalities"),
        ),
    ] {
        row.check(&proxy.send("POST", CHAT, &[], &body));
    }
    assert!(simulator.requests().is_empty());
    assert_all_codes_are_counted(&proxy);
}

#[test]
fn what_is_wrong_with_a_request_before_its_body_is_read() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let body = with(json!({}));
    let brotli = [("Content-Encoding", "br")];
    let large = [("Content-Length", "40000000")];
    for (method, target, headers, row) in [
        (
            "POST",
            "/v1/foo",
            &[][..],
            Row::invalid(404, "unknown_url", "Unknown request URL: POST /v1/foo"),
        ),
        (
            "POST",
            "/v1/embeddings",
            &[],
            Row::invalid(
                404,
                "endpoint_not_supported",
                "Embeddings are not available",
            ),
        ),
        (
            "GET",
            CHAT,
            &[],
            Row::invalid(405, "method_not_allowed", "POST").with(&[("allow", "POST")]),
        ),
        (
            "POST",
            CHAT,
            &large,
            Row::invalid(413, "request_too_large", "32 MiB"),
        ),
        (
            "POST",
            CHAT,
            &brotli,
            Row::invalid(415, "unsupported_media_type", "'br'")
                .with(&[("accept-encoding", "gzip")]),
        ),
        (
            "GET",
            "/v1/models/gpt-4o",
            &[],
            Row::invalid(404, "model_not_found", "The model `gpt-4o` does not exist").at("model"),
        ),
    ] {
        let body = if method == "POST" && headers != large {
            &body[..]
        } else {
            b""
        };
        row.check(&proxy.send(method, target, headers, body));
    }
    // The endpoints of OpenAI's that have no equal here, one by one.
    for endpoint in [
        "images/generations",
        "audio/speech",
        "files",
        "batches",
        "moderations",
        "assistants",
        "threads",
        "fine_tuning/jobs",
        "realtime/sessions",
    ] {
        let row = Row::invalid(404, "endpoint_not_supported", endpoint);
        row.check(&proxy.send("POST", &format!("/v1/{endpoint}"), &[], b"{}"));
    }
}

#[test]
fn who_may_not_ask() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator).env("PROXY_API_KEY", "k");
    let proxy = home.serve();
    let no_key = Row {
        code: None,
        ..Row::invalid(401, "", "didn't provide an API key").with(BEARER)
    };
    no_key.check(&proxy.send("POST", CHAT, &[], &with(json!({}))));
    let wrong = Row::invalid(401, "invalid_api_key", "Incorrect API key").with(BEARER);
    let headers = [("Authorization", "Bearer secret-guess")];
    let answer = proxy.send("POST", CHAT, &headers, &with(json!({})));
    wrong.check(&answer);
    assert!(!answer.text().contains("secret-guess"));
}

#[test]
fn nobody_is_signed_in_to_google() {
    let kind = "authentication_error";
    let never = Simulator::start().unwrap();
    let expired = Simulator::start().unwrap();
    let expired_home = Road::CodeAssist.home(&expired);
    expired.expire_access_tokens();
    expired.revoke_refresh_tokens();
    let row = Row::new(401, kind, "not_signed_in", "gemini-proxy login");
    for home in [Home::new(&never), expired_home] {
        let proxy = home.serve();
        for stream in [false, true] {
            row.check(&proxy.send("POST", CHAT, &[], &with(json!({"stream": stream}))));
        }
    }
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator).env("GEMINI_API_KEY", "wrong").serve();
    let row = Row::new(401, kind, "not_signed_in", "GEMINI_API_KEY");
    row.check(&proxy.send("POST", CHAT, &[], &with(json!({}))));
}

/// What a script makes Google say, and what becomes of it on either road.
fn of_google() -> Vec<(Value, Row)> {
    let server = |status, code, says| Row::new(status, "server_error", code, says);
    let quota = |says| {
        Row::new(429, "insufficient_quota", "insufficient_quota", says)
            .with(&[("x-should-retry", "false")])
    };
    vec![
        (
            json!({"error": "not_found"}),
            Row::invalid(404, "model_not_found", "The model `gemini-3.5-flash`").at("model"),
        ),
        (
            json!({"error": "token_limit"}),
            Row::invalid(
                400,
                "context_length_exceeded",
                "maximum context length is 1048576 tokens. However, your messages resulted in \
                 1200000 tokens",
            )
            .at("messages"),
        ),
        (
            json!({"error": "unprocessable_image"}),
            Row::invalid(400, "invalid_argument", "Unable to process input image"),
        ),
        (
            json!({"error": "payload_too_large"}),
            Row::invalid(413, "request_too_large", "too large"),
        ),
        (
            json!({"error": "rate_limit", "delay": "41.2s"}),
            Row::new(
                429,
                "requests",
                "rate_limit_exceeded",
                "Please try again in 42s.",
            )
            .with(&[("retry-after", "42"), ("retry-after-ms", "41200")]),
        ),
        (json!({"error": "quota_exhausted"}), quota("13h19m")),
        (json!({"error": "daily_quota"}), quota("quota")),
        (json!({"error": "limit_zero"}), quota("limit: 0")),
        (json!({"error": "no_credits"}), quota("credit balance")),
        (
            json!({"error": "rate_limit", "delay": "61s"}),
            quota("1m1s"),
        ),
        (
            json!({"error": "overloaded"}),
            server(503, "server_is_overloaded", "capacity")
                .with(&[("retry-after", "2"), ("retry-after-ms", "2000")]),
        ),
        (
            json!({"error": "capacity"}),
            server(503, "server_is_overloaded", "capacity")
                .with(&[("retry-after", "2"), ("retry-after-ms", "2000")]),
        ),
        (
            json!({"error": "internal"}),
            server(502, "upstream_error", "Internal error"),
        ),
        (
            json!({"error": "bad_gateway"}),
            server(502, "upstream_error", "Google failed"),
        ),
        (
            json!({"text": "", "finish": "MALFORMED_FUNCTION_CALL"}),
            server(502, "upstream_invalid_response", "MALFORMED_FUNCTION_CALL"),
        ),
        (
            json!({"error": "deadline_exceeded"}),
            server(504, "upstream_timeout", "Google gave up"),
        ),
    ]
}

#[test]
fn what_google_says_no_to() {
    by_both_roads(|_, simulator, proxy| {
        for (mut script, row) in of_google() {
            script["times"] = json!("always");
            simulator.script(json!([script])).unwrap();
            for stream in [false, true] {
                row.check(&proxy.send("POST", CHAT, &[], &with(json!({"stream": stream}))));
            }
            simulator.reset();
        }
        assert_all_codes_are_counted(proxy);
    });
}

#[test]
fn an_answer_that_is_none() {
    let row = |code, says| Row::new(502, "server_error", code, says);
    by_both_roads(|_, simulator, proxy| {
        let script = json!([{"html": true, "times": "always"}]);
        simulator.script(script).unwrap();
        let ask = |stream| proxy.send("POST", CHAT, &[], &with(json!({"stream": stream})));
        row("upstream_invalid_response", "cannot be understood").check(&ask(false));
        row("upstream_stream_error", "before it was finished").check(&ask(true));
    });
}

#[test]
fn nobody_is_there_to_be_asked() {
    let simulator = Simulator::start().unwrap();
    // A port that was free a moment ago.
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let nowhere = format!("http://{}", nowhere.unwrap());
    let row = Row::new(502, "server_error", "upstream_error", "127.0.0.1");
    let home = Road::GeminiApi.home(&simulator);
    let proxy = home.env("GEMINI_API_ENDPOINT", &nowhere).serve();
    for stream in [false, true] {
        row.check(&proxy.send("POST", CHAT, &[], &with(json!({"stream": stream}))));
    }
}

#[test]
fn the_proxy_itself_is_at_fault() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator);
    let proxy = home.serve();
    // Somebody makes a mess of its folder.
    std::fs::create_dir(home.path("tokens.json")).unwrap();
    let row = Row::new(500, "server_error", "internal_error", "tokens.json");
    row.check(&proxy.send("POST", CHAT, &[], &with(json!({}))));
}

#[test]
fn the_proxy_has_too_much_to_do() {
    let simulator = Simulator::start().unwrap();
    let proxy = Road::CodeAssist
        .home(&simulator)
        .serve_with_descriptors(220);
    let script = json!([{"text": "late", "hold": "door", "times": "always"}]);
    simulator.script(script).unwrap();
    let row = Row::new(503, "server_error", "slow_down", "Please try again in 1s.")
        .with(&[("retry-after", "1"), ("retry-after-ms", "1000")]);
    // The fewest that are ever answered at once; each waits for Google.
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let mut client = Client::connect(&proxy.host);
            client.send("POST", CHAT, &[], &with(json!({})));
            client
        })
        .collect();
    simulator.wait_until(|requests| {
        let asked = requests.iter();
        let asked = asked.filter(|request| request.path.contains("generateContent"));
        asked.count() == waiting.len()
    });
    row.check(&proxy.send("POST", CHAT, &[], &with(json!({}))));
    assert_eq!(proxy.get("/health").status, 200);
    simulator.release("door");
    for mut client in waiting {
        client.answer().success();
    }
}

#[test]
fn what_the_user_must_see_to_at_google() {
    let row = |says| {
        let (kind, code) = ("permission_error", "google_account_action_required");
        Row::new(403, kind, code, says)
    };
    for (road, error, says) in [
        (
            Road::CodeAssist,
            "account_validation_required",
            "https://accounts.google.com/signin/continue?plt=stand-in",
        ),
        (
            Road::CodeAssist,
            "tos_violation",
            "https://forms.gle/stand-in-appeal",
        ),
        (
            Road::CodeAssist,
            "subscription_required",
            "https://cloud.google.com/gemini/docs/codeassist/request-license",
        ),
        (
            Road::CodeAssist,
            "service_disabled",
            "https://console.developers.google.com/apis/api/cloudaicompanion",
        ),
        (
            Road::GeminiApi,
            "gemini_api_disabled",
            "https://console.developers.google.com/apis/api/generativelanguage",
        ),
    ] {
        let simulator = Simulator::start().unwrap();
        let proxy = road.home(&simulator).serve();
        for stream in [false, true] {
            simulator
                .script(json!([{"error": error, "times": "always"}]))
                .unwrap();
            row(says).check(&proxy.send("POST", CHAT, &[], &with(json!({"stream": stream}))));
            simulator.reset();
        }
    }
}
