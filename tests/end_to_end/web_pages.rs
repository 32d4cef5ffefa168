//! Web pages of other sites: kept out while no key does it, let in by
//! `PROXY_CORS_ORIGINS`.

use gemini_proxy::simulator::Simulator;
use serde_json::json;

use crate::client::{Answer, Client, Events};
use crate::home::Home;
use crate::proxy::{Proxy, Road, generations, question};

const PAGE: &str = "https://chat.example.com";
const EXPOSED: &str = "x-request-id, retry-after, retry-after-ms, x-should-retry, \
                       x-gemini-proxy-ignored, x-gemini-proxy-retried";

/// What the OpenAI SDK for Node sends beside `Authorization` and `Content-Type`.
const SDK_HEADERS: &str = "authorization,content-type,openai-organization,openai-project,\
    x-stainless-arch,x-stainless-helper-method,x-stainless-lang,x-stainless-os,\
    x-stainless-package-version,x-stainless-retry-count,x-stainless-runtime,\
    x-stainless-runtime-version,x-stainless-timeout";

fn letting_in(simulator: &Simulator, origins: &str) -> Home {
    let home = Road::CodeAssist.home(simulator);
    home.env("PROXY_CORS_ORIGINS", origins)
}

/// As a browser asks before the request itself.
fn preflight(proxy: &Proxy, target: &str, origin: &str) -> Answer {
    let headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", SDK_HEADERS),
    ];
    proxy.send("OPTIONS", target, &headers, b"")
}

#[track_caller]
fn assert_readable(answer: &Answer, origin: &str) {
    let header = |name| answer.header(name);
    assert_eq!(header("access-control-allow-origin"), Some(origin));
    assert_eq!(header("access-control-expose-headers"), Some(EXPOSED));
    assert_eq!(header("vary"), Some("Origin"));
    assert_eq!(header("access-control-allow-credentials"), None);
}

#[test]
fn lesson_27_a_preflight_is_answered_on_every_path_and_without_a_key() {
    let simulator = Simulator::start().unwrap();
    for origins in [
        PAGE,
        "https://other.example, https://chat.example.com/",
        "*",
    ] {
        let home = letting_in(&simulator, origins).env("PROXY_API_KEY", "k");
        let proxy = home.serve();
        for target in ["/v1/chat/completions", "/v1/models", "/v1/unheard", "/"] {
            let answer = preflight(&proxy, target, PAGE);
            assert_eq!(answer.status, 204, "{target}");
            for (name, value) in [
                ("access-control-allow-origin", PAGE),
                ("access-control-allow-methods", "GET, POST, DELETE, OPTIONS"),
                ("access-control-allow-headers", SDK_HEADERS),
                ("access-control-max-age", "600"),
            ] {
                assert_eq!(answer.header(name), Some(value), "{target}");
            }
            let all = |name| {
                answer
                    .headers
                    .iter()
                    .filter(move |(given, _)| given == name)
            };
            let varies: Vec<_> = all("vary").map(|(_, value)| value.as_str()).collect();
            assert_eq!(varies, ["Access-Control-Request-Headers", "Origin"]);
            // A browser that is told twice refuses both.
            assert_eq!(all("access-control-allow-origin").count(), 1);
            let private = "access-control-allow-private-network";
            assert_eq!(answer.header(private), None);
        }
    }
    assert!(simulator.requests().is_empty());
}

#[test]
fn a_private_network_is_opened_only_when_the_browser_asks() {
    let simulator = Simulator::start().unwrap();
    let proxy = letting_in(&simulator, PAGE).serve();
    let headers = [
        ("Origin", PAGE),
        ("Access-Control-Request-Private-Network", "true"),
    ];
    let answer = proxy.send("OPTIONS", "/v1/models", &headers, b"");
    let name = "access-control-allow-private-network";
    assert_eq!(answer.header(name), Some("true"));
}

#[test]
fn lesson_27_a_page_that_is_let_in_can_read_every_answer() {
    let simulator = Simulator::start().unwrap();
    let home = letting_in(&simulator, PAGE).env("PROXY_API_KEY", "k");
    let proxy = home.serve();
    let page = ("Origin", PAGE);
    let keyed = [page, ("Authorization", "Bearer k")];
    let body = question("Hi").to_string();
    let chat = "/v1/chat/completions";
    let send = |headers: &[_], body: &[u8]| proxy.send("POST", chat, headers, body);

    let answer = send(&keyed, body.as_bytes());
    answer.success();
    assert_readable(&answer, PAGE);
    for (answer, status) in [
        (send(&[page], body.as_bytes()), 401),
        (send(&keyed, b"{"), 400),
        (proxy.send("GET", "/v1/unheard", &keyed, b""), 404),
        (proxy.send("GET", chat, &keyed, b""), 405),
    ] {
        answer.error(status);
        assert_readable(&answer, PAGE);
    }
    // What the transport refuses before anybody looks at it.
    let large = [page, ("Content-Length", "40000000")];
    let answer = send(&large, b"");
    answer.error(413);
    assert_readable(&answer, PAGE);
    let answer = send(&[page, ("Transfer-Encoding", "gzip")], b"");
    answer.error(400);
    assert_readable(&answer, PAGE);

    let mut request = question("Hi");
    request["stream"] = json!(true);
    let stream = || {
        let mut client = Client::connect(&proxy.host);
        client.send("POST", chat, &keyed, request.to_string().as_bytes());
        client
    };
    let events = Events::of(stream());
    assert_eq!(events.head.status, 200);
    assert_readable(&events.head, PAGE);
    assert_eq!(events.rest().last().unwrap(), "data: [DONE]");
    // A stream that Google refuses has a head of its own.
    simulator
        .script(json!([{"error": "quota_exhausted"}]))
        .unwrap();
    let answer = stream().answer();
    answer.error(429);
    assert_readable(&answer, PAGE);
}

#[test]
fn a_page_that_is_not_named_gets_no_leave() {
    let simulator = Simulator::start().unwrap();
    let home = letting_in(&simulator, PAGE).env("PROXY_API_KEY", "k");
    let proxy = home.serve();
    for origin in ["https://evil.example", "http://chat.example.com", "null"] {
        let answers = [
            preflight(&proxy, "/v1/models", origin),
            proxy.send("GET", "/v1/models", &[("Origin", origin)], b""),
        ];
        assert_eq!((answers[0].status, answers[1].status), (204, 401));
        for answer in answers {
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }
}

#[test]
fn without_the_setting_there_is_no_cors_at_all() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let answer = preflight(&proxy, "/v1/chat/completions", "http://localhost:5173");
    assert_eq!(answer.error(405)["code"], "method_not_allowed");
    let answers = [answer, proxy.get("/v1/models")];
    for answer in answers {
        let mut headers = answer.headers.iter();
        assert!(!headers.any(|(name, _)| name.starts_with("access-control") || name == "vary"));
    }
}

#[test]
fn without_a_key_a_page_of_another_site_is_refused() {
    let simulator = Simulator::start().unwrap();
    let proxy = letting_in(&simulator, PAGE).serve();
    let body = question("Hi").to_string();
    let chat = |origin| {
        let headers = [("Origin", origin), ("Content-Type", "text/plain")];
        proxy.send("POST", "/v1/chat/completions", &headers, body.as_bytes())
    };
    for origin in ["https://evil.example", "null", "app://obsidian.md"] {
        let error = chat(origin).error(403);
        assert_eq!(error["code"], "origin_not_allowed");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("PROXY_CORS_ORIGINS"), "{message}");
    }
    assert!(generations(&simulator).is_empty());
    // Named, or of this machine.
    for origin in [PAGE, "http://localhost:5173", &proxy.url("")] {
        chat(origin).success();
    }
}

#[test]
fn programs_that_are_no_browsers_are_not_taken_for_one() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let body = question("Hi").to_string();
    // Node's fetch, from the command line.
    let node = [
        ("sec-fetch-mode", "cors"),
        ("accept-language", "*"),
        ("user-agent", "node"),
    ];
    let target = "/v1/chat/completions";
    let answer = proxy.send("POST", target, &node, body.as_bytes());
    answer.success();
}

#[test]
fn without_a_key_the_proxy_answers_to_its_own_names_only() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let (_, port) = proxy.host.split_once(':').unwrap();
    for name in ["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "LocalHost"] {
        for host in [name.to_owned(), format!("{name}:{port}")] {
            let answer = proxy.send("GET", "/v1/models", &[("Host", &host)], b"");
            assert_eq!(answer.status, 200, "{host}");
        }
    }
    for host in [
        "evil.example",
        &format!("rebound.evil.example:{port}"),
        "localhost.evil.example",
        "192.168.1.20:3000",
        "",
    ] {
        for target in ["/v1/models", "/auth/status", "/auth/callback", "/health"] {
            let error = proxy.send("GET", target, &[("Host", host)], b"").error(403);
            assert_eq!(error["code"], "host_not_allowed", "{host}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("PROXY_API_KEY"), "{message}");
            assert!(message.contains("PROXY_ALLOWED_HOSTS"), "{message}");
        }
    }
}

#[test]
fn without_a_key_it_answers_to_the_names_that_it_was_given_too() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let names = "Proxy.lan, 192.168.1.20,[fd00::1]";
    let proxy = home.env("PROXY_ALLOWED_HOSTS", names).serve();
    let get = |target, headers: &[_]| proxy.send("GET", target, headers, b"");
    for name in ["proxy.lan", "PROXY.LAN", "192.168.1.20", "[fd00::1]"] {
        for host in [name.to_owned(), format!("{name}:8443")] {
            let answer = proxy.send("GET", "/v1/models", &[("Host", &host)], b"");
            assert_eq!(answer.status, 200, "{host}");
        }
    }
    for host in [
        "evil.example",
        "a.proxy.lan",
        "proxy.lan.evil.example",
        "lan",
    ] {
        let error = get("/v1/models", &[("Host", host)]).error(403);
        assert_eq!(error["code"], "host_not_allowed", "{host}");
    }
    // A name is no leave for the pages under it.
    let page = [("Host", "proxy.lan"), ("Origin", "http://proxy.lan:8080")];
    assert_eq!(
        get("/v1/models", &page).error(403)["code"],
        "origin_not_allowed"
    );
    // Google sends a sign-in back to loopback only.
    get("/auth/login", &[("Host", "proxy.lan")]).page(400);
    // Nor is whoever asks by it the person at this machine, who needs no key there.
    let home = Road::CodeAssist.home(&simulator).env("PROXY_API_KEY", "k");
    let proxy = home.env("PROXY_ALLOWED_HOSTS", names).serve();
    let named = [("Host", "proxy.lan")];
    proxy.send("GET", "/auth/login", &named, b"").error(401);
    proxy.send("POST", "/auth/logout", &named, b"").error(401);
    let status = proxy.send("GET", "/auth/status", &named, b"").success();
    assert_eq!(status["email"], json!(null));
}

#[test]
fn with_a_key_any_name_will_do_but_not_for_signing_in_without_it() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator).env("PROXY_API_KEY", "k");
    let proxy = home.serve();
    let host = ("Host", "proxy.example");
    let key = ("api-key", "k");
    let page = ("Origin", "https://chat.example.com");
    let get = |target, headers: &[_]| proxy.send("GET", target, headers, b"");
    assert_eq!(get("/v1/models", &[host, page, key]).status, 200);
    get("/v1/models", &[host]).error(401);
    get("/auth/login", &[host]).error(401);
    proxy.send("POST", "/auth/logout", &[host], b"").error(401);
}
