//! SIGTERM and Ctrl-C: what is being answered may finish, for a while; then the
//! process ends well.

#[cfg(target_os = "linux")]
use gemini_proxy::simulator::Recorded;
use gemini_proxy::simulator::Simulator;
use rustix::process::Signal;
use serde_json::json;

use crate::client::{Client, Events};
use crate::proxy::{Proxy, Road, by_both_roads, generations, question};
use crate::streaming::event;

/// A stream that has begun, and goes on when the stand-in is told to.
fn begun_stream(simulator: &Simulator, proxy: &Proxy) -> Events {
    let mut last = event(" an answer");
    last["candidates"][0]["finishReason"] = json!("STOP");
    let responses = json!([event("Half"), {"gate": "rest"}, last]);
    simulator.script(json!([{"responses": responses}])).unwrap();
    let mut events = proxy.stream(&question("Hi"));
    events.next_json();
    events
}

fn rest(mut events: Events) -> Vec<String> {
    std::iter::from_fn(|| events.next()).collect()
}

#[test]
fn a_stream_may_finish_and_then_the_process_ends_well() {
    for (road, signal) in [
        (Road::CodeAssist, Signal::TERM),
        (Road::GeminiApi, Signal::INT),
    ] {
        let simulator = Simulator::start().unwrap();
        let proxy = road.home(&simulator).serve();
        let events = begun_stream(&simulator, &proxy);
        proxy.signal(signal);
        proxy.log().wait_for("stopping: 1 requests");
        simulator.release("rest");
        let events = rest(events);
        assert_eq!(events.last().unwrap(), "data: [DONE]");
        assert!(events.concat().contains(" an answer"));
        let (code, log) = proxy.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("end=complete"), "{log}");
        assert!(!log.contains("WARN  gemini_proxy::server"), "{log}");
    }
}

#[test]
fn without_requests_it_ends_at_once() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    proxy.chat(&question("Hi")).success();
    proxy.signal(Signal::TERM);
    let (code, log) = proxy.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.ends_with("stopped\n"), "{log}");
}

#[test]
fn new_requests_on_kept_connections_are_told_to_go_elsewhere() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let mut kept = Client::connect(&proxy.host);
    kept.send("GET", "/health", &[], b"");
    kept.answer().success();
    let mut other = Client::connect(&proxy.host);
    other.send("GET", "/health", &[], b"");
    other.answer().success();
    let events = begun_stream(&simulator, &proxy);
    proxy.signal(Signal::TERM);
    proxy.log().wait_for("stopping: ");
    // One whose body comes with its head, and one whose body comes after it.
    for (client, text) in [
        (&mut kept, "Hi".to_owned()),
        (&mut other, "Hi".repeat(9000)),
    ] {
        let body = question(&text).to_string();
        client.send("POST", "/v1/chat/completions", &[], body.as_bytes());
        let answer = client.answer();
        assert_eq!(answer.error(503)["code"], "shutting_down");
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(answer.header("retry-after"), Some("1"));
        let line = proxy.log().request(answer.header("x-request-id").unwrap());
        assert!(line.contains("status=503") && line.contains("code=shutting_down"));
    }
    simulator.release("rest");
    rest(events);
    assert_eq!(proxy.end().0, Some(0));
    assert_eq!(generations(&simulator).len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn new_clients_are_turned_away() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let events = begun_stream(&simulator, &proxy);
    proxy.signal(Signal::TERM);
    proxy.log().wait_for("stopping: ");
    assert!(std::net::TcpStream::connect(&proxy.host).is_err());
    simulator.release("rest");
    rest(events);
    assert_eq!(proxy.end().0, Some(0));
}

/// While Google is silent: nothing is written to them that could fail.
#[cfg(target_os = "linux")]
#[test]
fn clients_who_leave_after_the_signal_are_not_waited_for() {
    for leave in [drop, Client::reset] {
        let simulator = Simulator::start().unwrap();
        let proxy = Proxy::start(&simulator);
        simulator.script(json!([{"hold": "never"}])).unwrap();
        let mut client = Client::connect(&proxy.host);
        let body = question("Hi").to_string();
        client.send("POST", "/v1/chat/completions", &[], body.as_bytes());
        let is_question = |one: &Recorded| one.path.contains("enerateContent");
        simulator.wait_until(|requests| requests.iter().any(is_question));
        proxy.signal(Signal::TERM);
        proxy.log().wait_for("stopping: 1 requests");
        leave(client);
        let (code, log) = proxy.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("end=client_left"), "{log}");
    }
}

#[test]
fn a_stream_cut_at_the_limit_ends_in_an_error_and_a_whole_answer_is_one() {
    by_both_roads(|road, simulator, _| {
        let home = road.home(simulator).env("PROXY_SHUTDOWN_TIMEOUT", "0");
        let proxy = home.serve();
        let mut whole = Client::connect(&proxy.host);
        let held = json!([{"hold": "never", "contains": "The whole"}]);
        simulator.script(held).unwrap();
        let body = question("The whole").to_string();
        whole.send("POST", "/v1/chat/completions", &[], body.as_bytes());
        simulator.wait_until(|requests| {
            requests
                .iter()
                .any(|one| one.path.contains("enerateContent"))
        });
        let events = begun_stream(simulator, &proxy);
        proxy.signal(Signal::TERM);
        let events = rest(events);
        let last = events.last().unwrap();
        assert!(last.contains(r#""code":"shutting_down""#), "{last}");
        assert!(!events.concat().contains("[DONE]"));
        assert_eq!(whole.answer().error(503)["code"], "shutting_down");
        let (code, log) = proxy.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("end=broke_off code=shutting_down"), "{log}");
        assert!(log.contains("end=refused code=shutting_down"), "{log}");
    });
}

#[test]
fn a_stream_of_the_responses_that_is_cut_fails_in_its_own_words() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let proxy = home.env("PROXY_SHUTDOWN_TIMEOUT", "0").serve();
    let responses = json!([event("Half"), {"gate": "never"}]);
    simulator.script(json!([{"responses": responses}])).unwrap();
    let mut client = Client::connect(&proxy.host);
    let body = json!({"model": crate::proxy::MODEL, "input": "Hi", "stream": true});
    client.send("POST", "/v1/responses", &[], body.to_string().as_bytes());
    let mut events = Events::of(client);
    events.next().unwrap();
    proxy.signal(Signal::TERM);
    let events = rest(events);
    let last = events.last().unwrap();
    assert!(last.starts_with("event: response.failed\n"), "{last}");
    assert!(last.contains(r#""code":"shutting_down""#), "{last}");
    assert_eq!(proxy.end().0, Some(0));
}

#[test]
fn the_second_signal_ends_it_at_once() {
    for (second, expected) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let simulator = Simulator::start().unwrap();
        let proxy = Proxy::start(&simulator);
        let _events = begun_stream(&simulator, &proxy);
        proxy.signal(Signal::TERM);
        proxy.log().wait_for("stopping: 1 requests");
        proxy.signal(second);
        assert_eq!(proxy.end().0, Some(expected));
    }
}

#[test]
fn a_token_that_is_being_renewed_is_saved_before_the_end() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist
        .home(&simulator)
        .env("PROXY_SHUTDOWN_TIMEOUT", "0");
    let proxy = home.serve();
    proxy.chat(&question("Hi")).success();
    let before = home.tokens();
    simulator.expire_access_tokens();
    simulator
        .script(json!({"token": [{"hold": "refresh"}]}))
        .unwrap();
    let mut client = Client::connect(&proxy.host);
    let body = question("Hi").to_string();
    client.send("POST", "/v1/chat/completions", &[], body.as_bytes());
    simulator.wait_until(|requests| requests.iter().any(|one| one.path == "/token"));
    proxy.signal(Signal::TERM);
    proxy.log().wait_for("stopped");
    simulator.release("refresh");
    assert_eq!(proxy.end().0, Some(0));
    assert_ne!(home.tokens()["access_token"], before["access_token"]);
}

#[test]
fn the_demo_stops_well_too() {
    let home = crate::home::Home::bare();
    let proxy = Proxy::of(home.start(&["demo"]));
    proxy.signal(Signal::INT);
    let (code, log) = proxy.end();
    assert_eq!(code, Some(0), "{log}");
}
