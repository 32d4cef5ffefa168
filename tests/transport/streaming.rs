//! Pieces that leave at once, and how streams end.

use std::time::Duration;

use crate::client::request;
use gemini_proxy::server::transport::listener::Limits;
use gemini_proxy::server::transport::writer::Silence;

use crate::server::{Server, Step};

#[test]
fn every_event_leaves_the_moment_it_arrives() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(&request("GET", "/stream"));
    let control = server.next();
    control.step(Step::Send("one"));
    let head = client.head();
    assert_eq!(head.header("Transfer-Encoding"), Some("chunked"));
    assert_eq!(head.header("Connection"), Some("close"));
    assert_eq!(client.chunk().unwrap(), b"one");
    for event in ["two", "three"] {
        control.step(Step::Send(event));
        assert_eq!(client.chunk().unwrap(), event.as_bytes());
    }
    drop(control);
    assert_eq!(client.chunk(), None);
}

#[test]
fn a_source_with_nothing_to_say_does_not_end_the_stream() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(&request("GET", "/stream"));
    let control = server.next();
    control.step(Step::Send(""));
    control.step(Step::Send("more"));
    drop(control);
    assert_eq!(client.response().text(), "more");
}

#[test]
fn a_stream_that_panics_ends_with_its_error_and_properly() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(&request("GET", "/stream"));
    let control = server.next();
    control.step(Step::Send("good "));
    control.step(Step::Panic);
    assert_eq!(client.response().text(), "good broken");
    assert_eq!(client.get("/echo").status, 200);
}

#[test]
fn a_client_who_leaves_ends_the_source() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(&request("GET", "/stream"));
    let control = server.next();
    control.step(Step::Send("first"));
    client.head();
    client.chunk();
    drop(client);
    let ended = (0..200).any(|_| {
        control.step(Step::Send("anybody there?"));
        control.is_over(Duration::from_millis(100))
    });
    assert!(ended);
}

#[test]
fn http_1_0_gets_a_stream_without_chunks() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("GET /stream HTTP/1.0\r\n\r\n");
    let control = server.next();
    control.step(Step::Send("one "));
    let head = client.head();
    assert_eq!(head.header("Transfer-Encoding"), None);
    control.step(Step::Send("two"));
    drop(control);
    assert_eq!(client.rest(), "one two");
}

#[test]
fn http_1_0_that_keeps_its_connection_gets_a_stream_in_one_piece() {
    let server = Server::start();
    let mut client = server.connect();
    let kept = "HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    client.send(&format!("GET /stream {kept}"));
    let control = server.next();
    control.step(Step::Send("one "));
    control.step(Step::Send("two"));
    drop(control);
    let response = client.response();
    assert_eq!(response.header("Connection"), Some("keep-alive"));
    assert_eq!(response.text(), "one two");
    client.send(&format!("GET /echo {kept}"));
    assert_eq!(client.response().text(), "GET /echo - ");
}

#[test]
fn head_gets_no_body() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(&request("HEAD", "/large"));
    assert_eq!(client.head().header("Content-Length"), Some("300000"));
    client.send(&request("HEAD", "/stream"));
    assert_eq!(client.head().status, 200);
    let _control = server.next();
    assert_eq!(client.get("/echo").text(), "GET /echo - ");
}

#[test]
fn no_content_has_neither_body_nor_length() {
    let server = Server::start();
    let mut client = server.connect();
    let response = client.get("/nothing");
    assert_eq!(response.status, 204);
    assert_eq!(response.header("Content-Length"), None);
    assert_eq!(client.get("/echo").status, 200);
}

/// Every beat of the pulse is due.
fn impatient() -> Limits {
    let silence = Silence {
        before_head: Duration::ZERO,
        between: Duration::ZERO,
    };
    Limits {
        silence,
        ..Limits::default()
    }
}

#[test]
fn lesson_13_a_silent_stream_is_kept_alive() {
    let server = Server::with(impatient());
    let mut client = server.connect();
    client.send(&request("GET", "/stream"));
    let control = server.next();
    control.step(Step::Send("one"));
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk().unwrap(), b"one");
    for _ in 0..2 {
        control.step(Step::Beat);
        assert_eq!(client.chunk().unwrap(), b"beat ");
    }
    drop(control);
    assert_eq!(client.chunk(), None);
}

#[test]
fn a_beat_sends_nothing_before_its_time() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(&request("GET", "/undecided"));
    let control = server.next();
    for step in [Step::Beat, Step::Decide, Step::Beat, Step::Send("one")] {
        control.step(step);
    }
    drop(control);
    assert_eq!(client.response().text(), "one");
}

#[test]
fn until_it_is_decided_a_refusal_has_its_own_status() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(&request("GET", "/undecided"));
    server.next().step(Step::Refuse);
    let response = client.response();
    assert_eq!((response.status, response.text()), (502, "refused"));
    assert_eq!(client.get("/echo").status, 200);
}

#[test]
fn a_refusal_after_heartbeats_is_an_event() {
    let server = Server::with(impatient());
    let mut client = server.connect();
    client.send(&request("GET", "/undecided"));
    let control = server.next();
    control.step(Step::Beat);
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk().unwrap(), b"beat ");
    control.step(Step::Refuse);
    assert_eq!(client.chunk().unwrap(), b"refused");
    assert_eq!(client.chunk(), None);
}

#[test]
fn lesson_14_a_client_who_leaves_while_nothing_comes_is_noticed_by_the_beat() {
    let server = Server::with(impatient());
    let mut client = server.connect();
    client.send(&request("GET", "/undecided"));
    let control = server.next();
    drop(client);
    let ended = (0..200).any(|_| {
        control.step(Step::Beat);
        control.is_over(Duration::from_millis(20))
    });
    assert!(ended);
}
