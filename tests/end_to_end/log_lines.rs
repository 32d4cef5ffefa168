//! Each request has one line in the log, which says how it ended.

use std::io::Write;
use std::net::TcpStream;

use gemini_proxy::simulator::Simulator;
use serde_json::json;

use crate::client::{Client, Events};
use crate::home::Home;
use crate::proxy::{MODEL, Proxy, Road, by_both_roads, question};

/// The lines of requests for this path, without time, module and id.
fn lines(log: &str, path: &str) -> Vec<String> {
    let route = format!(" route={path} ");
    let of_path = log.lines().filter(|line| line.contains(&route));
    let fields = of_path.map(|line| line.split_once(" method=").unwrap().1.to_owned());
    fields.collect()
}

/// Fields of a line, by name.
#[track_caller]
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let start = format!(" {name}=");
    let (_, rest) = line
        .split_once(&start)
        .unwrap_or_else(|| panic!("no {name} in {line}"));
    rest.split(' ').next().unwrap()
}

#[test]
fn a_whole_answer_and_a_stream_have_one_line_each() {
    by_both_roads(|_, simulator, proxy| {
        for streams in [false, true] {
            simulator.reset();
            simulator.script(json!([{"text": "Well"}])).unwrap();
            let mut request = question("Hi");
            request["stream"] = json!(streams);
            let answer = proxy.chat(&request);
            let id = answer.header("x-request-id").unwrap();
            let line = proxy.log().request(id);
            assert!(line.contains(" INFO "), "{line}");
            assert!(line.contains(&format!(
                " method=POST route=/v1/chat/completions status=200 model={MODEL} google=200 \
                 tokens_in="
            )));
            assert!(line.ends_with(" end=complete"), "{line}");
            let number = |name: &str| field(&line, name).parse::<u64>().unwrap();
            assert!(number("tokens_out") > 0);
            if streams {
                assert!(number("first_ms") <= number("ms"));
            } else {
                assert!(!line.contains("first_ms"));
            }
        }
    });
}

#[test]
fn so_it_is_with_the_other_two_ways_to_ask() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    for (path, field) in [("/v1/completions", "prompt"), ("/v1/responses", "input")] {
        for streams in [false, true] {
            let request = json!({"model": MODEL, field: "Hi", "stream": streams});
            let answer = proxy.send("POST", path, &[], request.to_string().as_bytes());
            let line = proxy.log().request(answer.header("x-request-id").unwrap());
            let said = format!(" route={path} status=200 model={MODEL} google=200 tokens_in=");
            assert!(line.contains(&said), "{line}");
            assert_eq!(line.contains(" first_ms="), streams, "{line}");
            assert!(line.ends_with(" end=complete"), "{line}");
        }
    }
}

#[test]
fn what_is_refused_says_by_what_code_and_only_what_is_not_the_clients_fault_warns() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    for (item, level, said) in [
        (
            json!({"error": "invalid_argument"}),
            " INFO ",
            "status=400 model=gemini-3.5-flash google=400 ",
        ),
        (
            json!({"error": "overloaded", "times": "always"}),
            " WARN ",
            "status=503 model=gemini-3.5-flash google=503 ",
        ),
        (
            json!({"error": "retry_info", "delay": "41s"}),
            " INFO ",
            "status=429 model=gemini-3.5-flash google=429 ",
        ),
    ] {
        for streams in [false, true] {
            simulator.reset();
            simulator.script(json!([item])).unwrap();
            let mut request = question("Hi");
            request["stream"] = json!(streams);
            let answer = proxy.chat(&request);
            let code = answer.json()["error"]["code"].clone();
            let line = proxy.log().request(answer.header("x-request-id").unwrap());
            assert!(line.contains(level) && line.contains(said), "{line}");
            assert_eq!(field(&line, "end"), "refused");
            assert_eq!(code, field(&line, "code"));
        }
    }
    let answer = proxy.chat(&json!({"model": MODEL}));
    let line = proxy.log().request(answer.header("x-request-id").unwrap());
    assert!(line.ends_with("end=refused code=missing_required_parameter"));
}

#[test]
fn a_stream_that_breaks_off_warns() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let half = json!({"text": "Half", "finish": null, "then": "reset"});
    simulator.script(json!([half])).unwrap();
    let mut request = question("Hi");
    request["stream"] = json!(true);
    let answer = proxy.chat(&request);
    let line = proxy.log().request(answer.header("x-request-id").unwrap());
    assert!(
        line.contains(" WARN ") && line.contains(" status=200 "),
        "{line}"
    );
    assert_eq!(field(&line, "end"), "broke_off");
    assert_eq!(field(&line, "code"), "upstream_stream_error");
}

#[cfg(target_os = "linux")]
#[test]
fn a_client_who_leaves_has_one_line() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let responses = json!([crate::streaming::event("Half an"), {"gate": "never"}]);
    simulator.script(json!([{"responses": responses}])).unwrap();
    let mut events = proxy.stream(&question("Hi"));
    events.next_json();
    drop(events);
    let line = proxy.log().request("end=client_left");
    assert!(line.contains(" INFO "), "{line}");
    assert_eq!(lines(&proxy.stop(), "/v1/chat/completions").len(), 1);
}

#[test]
fn what_the_transport_refuses_has_a_line_too() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let large = [("Content-Length", "99999999")];
    proxy.send("POST", "/v1/chat/completions", &large, b"");
    let line = proxy.log().request("status=413");
    assert_eq!(field(&line, "route"), "/v1/chat/completions");
    assert!(
        line.ends_with("end=refused code=request_too_large"),
        "{line}"
    );
    let twice = [("Content-Length", "1"), ("Transfer-Encoding", "chunked")];
    proxy.send("POST", "/v1/x?key=secret", &twice, b"");
    let line = proxy.log().request("status=400");
    assert!(
        line.contains("method=POST route=/v1/x status=400"),
        "{line}"
    );
    assert!(
        line.ends_with("end=refused code=malformed_request"),
        "{line}"
    );
}

#[test]
fn nothing_that_a_client_sends_looks_like_a_line_of_ours() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let mut connection = TcpStream::connect(&proxy.host).unwrap();
    connection
        .write_all(b"GET /a\x1b[31mb HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let line = proxy.log().request("code=malformed_request");
    assert!(line.contains(" method=GET route=- status=400 "), "{line}");
    let model = "m status=200\nrequest id=req_0 end=complete";
    proxy.chat(&json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]}));
    let line = proxy.log().request("/v1/chat/completions");
    assert_eq!(field(&line, "model"), "-");
    assert!(!proxy.stop().lines().any(|line| line.starts_with("request")));
}

#[test]
fn health_is_told_to_those_alone_who_want_all() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let proxy = home.serve();
    proxy.get("/health");
    proxy.get("/v1/unheard?key=secret");
    let log = proxy.stop();
    assert!(lines(&log, "/health").is_empty(), "{log}");
    assert_eq!(lines(&log, "/v1/unheard").len(), 1, "{log}");
    assert!(!log.contains("secret"));
    let proxy = home.env("RUST_LOG", "gemini_proxy=debug").serve();
    proxy.get("/health");
    assert_eq!(lines(&proxy.stop(), "/health").len(), 1);
}

#[test]
fn with_warnings_alone_failures_are_all_that_is_told_of_requests() {
    let simulator = Simulator::start().unwrap();
    let proxy = Road::CodeAssist
        .home(&simulator)
        .env("RUST_LOG", "warn")
        .serve();
    proxy.chat(&question("Hi"));
    simulator
        .script(json!([{"error": "internal", "times": "always"}]))
        .unwrap();
    proxy.chat(&question("Hi"));
    let lines = lines(&proxy.stop(), "/v1/chat/completions");
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains(" status=502 "), "{lines:?}");
}

#[test]
fn a_second_try_is_in_the_line_of_its_request() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    simulator
        .script(json!([{"text": ""}, {"text": "Well"}]))
        .unwrap();
    let mut client = Client::connect(&proxy.host);
    let mut request = question("Hi");
    request["stream"] = json!(true);
    client.send(
        "POST",
        "/v1/chat/completions",
        &[],
        request.to_string().as_bytes(),
    );
    let events = Events::of(client);
    let id = events.head.header("x-request-id").unwrap();
    assert_eq!(field(&proxy.log().request(id), "second_try"), "empty");
}

#[test]
fn nobody_who_is_not_signed_in_is_asked_about_at_googles() {
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator).serve();
    proxy.chat(&question("Hi"));
    let line = proxy.log().request("code=not_signed_in");
    assert!(!line.contains("google="), "{line}");
    assert!(line.contains(" why=\""), "{line}");
}
