//! The limits of time, one for each phase of a request to Google, made short.

#[cfg(target_os = "linux")]
use std::net::SocketAddr;
#[cfg(target_os = "linux")]
use std::time::Duration;

use gemini_proxy::simulator::Simulator;
use serde_json::json;
#[cfg(target_os = "linux")]
use socket2::{Domain, Socket, Type};

use crate::client::chunks;
use crate::proxy::{Proxy, Road, question};
use crate::streaming::{event, last_event};

/// Both in one piece and in events, before anything has come.
#[track_caller]
fn times_out(proxy: &Proxy, words: &str) {
    for streams in [false, true] {
        let mut request = question("Hi");
        request["stream"] = json!(streams);
        let error = proxy.chat(&request).error(504);
        assert_eq!(error["type"], "server_error");
        assert_eq!(error["code"], "upstream_timeout");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn lesson_11_google_may_take_so_long_to_begin() {
    let simulator = Simulator::start().unwrap();
    let home = Road::GeminiApi.home(&simulator);
    let proxy = home.env("PROXY_FIRST_BYTE_TIMEOUT", "0.3").serve();
    let silence = json!([{"hold": "never", "times": "always"}]);
    simulator.script(silence).unwrap();
    times_out(&proxy, "did not begin its answer within 0.3 s");
}

/// Its one place is taken, so that the kernel drops whoever else comes.
#[cfg(target_os = "linux")]
fn full_listener() -> (Socket, SocketAddr, Vec<Socket>) {
    let tcp = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let listener = tcp();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let limit = Duration::from_millis(300);
    let connect = || {
        let client = tcp();
        client
            .connect_timeout(&address, limit)
            .ok()
            .map(|()| client)
    };
    let waiting = std::iter::from_fn(connect).collect();
    (listener, address.as_socket().unwrap(), waiting)
}

#[cfg(target_os = "linux")]
#[test]
fn lesson_11_google_may_take_so_long_to_accept_a_connection() {
    let simulator = Simulator::start().unwrap();
    let (_listener, address, _waiting) = full_listener();
    let proxy = Road::GeminiApi
        .home(&simulator)
        .env("GEMINI_API_ENDPOINT", &format!("http://{address}"))
        .env("PROXY_CONNECT_TIMEOUT", "0.3")
        .serve();
    times_out(&proxy, "did not accept a connection within 0.3 s");
}

#[test]
fn lesson_11_google_may_be_silent_so_long_amid_an_answer() {
    let simulator = Simulator::start().unwrap();
    let home = Road::GeminiApi.home(&simulator);
    let proxy = home.env("PROXY_IDLE_TIMEOUT", "0.3").serve();
    let responses = json!([event("Half"), {"gate": "never"}]);
    simulator.script(json!([{"responses": responses}])).unwrap();
    let events = proxy.stream(&question("Hi")).rest();
    let last = chunks(&events).pop().unwrap();
    assert_eq!(last["error"]["code"], "upstream_timeout");
    let message = last["error"]["message"].as_str().unwrap();
    assert!(message.contains("did not continue its answer within 0.3 s"));
}

/// The gate would end the answer, but badly, and long after the test's patience.
#[test]
fn an_answer_that_is_said_to_its_end_is_not_kept_open_by_googles_connection() {
    let simulator = Simulator::start().unwrap();
    let proxy = Road::GeminiApi.home(&simulator).serve();
    let mut counts = json!({"usageMetadata": {"promptTokenCount": 3,
        "candidatesTokenCount": 17, "totalTokenCount": 20}});
    counts["candidates"] = json!([]);
    let responses = json!([last_event("All of it"), counts, {"gate": "never"}]);
    simulator.script(json!([{"responses": responses}])).unwrap();
    let mut request = question("Hi");
    request["stream_options"] = json!({"include_usage": true});
    let events = proxy.stream(&request).rest();
    assert_eq!(events.last().unwrap(), "data: [DONE]");
    let chunks = chunks(&events);
    assert_eq!(
        chunks[chunks.len() - 2]["choices"][0]["finish_reason"],
        "stop"
    );
    assert_eq!(chunks[chunks.len() - 1]["usage"]["completion_tokens"], 17);
}
