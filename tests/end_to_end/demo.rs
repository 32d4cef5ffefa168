//! The newcomer's first command, and the stand-in alone.

use serde_json::{Value, json};

use crate::client::{Client, Events, ask, chunks, open, text_of};
use crate::home::Home;
use crate::proxy::{Proxy, question};

/// The `curl` that the demo prints: its headers, its body, and where it goes.
struct Printed {
    url: String,
    headers: Vec<String>,
    body: Value,
}

fn printed(proxy: &Proxy) -> Printed {
    let text = proxy.stdout().find(|text| {
        let command = text.split("  curl ").nth(1)?;
        command
            .split_once("\n\n")
            .map(|(command, _)| command.to_owned())
    });
    let body = text.split("-d '").nth(1).unwrap().trim_end_matches('\'');
    let quoted = |mark: &str| -> Vec<String> {
        let before = format!("-H {mark}");
        let pieces = text.split(&before).skip(1);
        pieces
            .map(|piece| piece.split(mark).next().unwrap().to_owned())
            .collect()
    };
    Printed {
        url: text
            .split_whitespace()
            .find(|word| word.starts_with("http"))
            .unwrap()
            .into(),
        headers: [quoted("'"), quoted("\"")].concat(),
        body: serde_json::from_str(body).unwrap(),
    }
}

/// Sends what `curl` would.
fn send(printed: &Printed, key: &str) -> Events {
    let rest = printed.url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let headers: Vec<(String, String)> = printed
        .headers
        .iter()
        .map(|header| header.replace("YOUR_KEY", key))
        .map(|header| {
            let (name, value) = header.split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        })
        .collect();
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut client = Client::connect(host);
    let body = printed.body.to_string();
    client.send("POST", &format!("/{path}"), &headers, body.as_bytes());
    Events::of(client)
}

#[test]
fn the_demo_answers_the_curl_that_it_prints() {
    for arguments in [&["demo"][..], &["demo", "--upstream", "gemini-api"]] {
        let home = Home::bare().with_file("tokens.json", "mine");
        let proxy = Proxy::of(home.start(arguments));
        let printed = printed(&proxy);
        assert_eq!(printed.url, proxy.url("/v1/chat/completions"));
        assert!(proxy.stdout().text().contains("none needed"));
        let events = send(&printed, "");
        assert_eq!(events.head.status, 200);
        let events = events.rest();
        assert!(chunks(&events).len() > 5, "it streams");
        assert!(text_of(&events).contains("Why is the sky blue?"));
        assert_eq!(events.last().unwrap(), "data: [DONE]");
        assert_eq!(
            std::fs::read_to_string(home.path("tokens.json")).unwrap(),
            "mine"
        );
    }
}

#[test]
fn the_demo_with_a_key_prints_where_it_goes() {
    let home = Home::bare().env("PROXY_API_KEY", "my-key");
    let proxy = Proxy::of(home.start(&["demo"]));
    let printed = printed(&proxy);
    assert!(proxy.stdout().text().contains("your PROXY_API_KEY"));
    assert!(!proxy.stdout().text().contains("my-key"));
    assert_eq!(send(&printed, "wrong").head.status, 401);
    assert_eq!(send(&printed, "my-key").head.status, 200);
}

#[test]
fn the_demo_shows_everything_without_an_account() {
    // Settings that would lead to Google's real services are not heeded.
    let home = Home::bare().env("GEMINI_API_KEY", "a-real-one").env(
        "CODE_ASSIST_ENDPOINT",
        "https://cloudcode-pa.googleapis.com",
    );
    let proxy = Proxy::of(home.start(&["demo"]));
    let status = proxy.get("/auth/status").success();
    assert_eq!(status["authenticated"], true);
    assert_eq!(status["email"], "demo@example.com");
    let mut request = question("What is the weather?");
    request["tools"] = json!([{"type": "function", "function": {"name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
            "required": ["city"]}}}]);
    let answer = proxy.chat(&request).success();
    let call = &answer["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(call["function"]["name"], "get_weather");
    proxy.get("/v1/models").success();
    let page = proxy.get("/auth/login");
    let location = page.header("location").unwrap();
    assert!(location.starts_with("http://127.0.0.1:"), "{location}");
    let consent = open(location);
    assert!(
        consent.text().contains("stand-in for Google"),
        "{}",
        consent.text()
    );
}

#[test]
fn the_stand_in_can_run_alone() {
    let running = Home::bare().without("PROXY_PORT").start(&["simulator"]);
    let address = running
        .stdout
        .find(|text| text.split_once('\n').map(|(line, _)| line.to_owned()));
    let host = address.strip_prefix("http://").unwrap();
    let answer = ask(host, "GET", "/_simulator/requests", &[], b"");
    assert_eq!(answer.json(), json!([]));
    assert_eq!(ask(host, "GET", "/unheard", &[], b"").status, 404);
}
