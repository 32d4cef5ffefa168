//! Workers, pipelining, body sizes.

use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver, Sender};

use gemini_proxy::server::transport::listener::Limits;

use crate::client::{Client, PATIENCE, request};
use crate::server::Server;

fn with_workers(max_in_flight: usize) -> Server {
    Server::with(Limits {
        max_in_flight,
        ..Limits::default()
    })
}

fn with_bodies_of(max_body_bytes: u64) -> Server {
    Server::with(Limits {
        max_body_bytes,
        ..Limits::default()
    })
}

#[test]
fn over_the_cap_clients_are_refused_at_once_while_light_paths_answer() {
    let server = with_workers(2);
    let mut busy = [server.connect(), server.connect()];
    let controls = busy.each_mut().map(|client| {
        client.send(&request("GET", "/wait"));
        server.next()
    });
    let mut client = server.connect();
    for _ in 0..50 {
        assert_eq!(client.get("/echo").status, 503);
        assert_eq!(client.get("/health").text(), "well");
    }
    client.send("POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 9000\r\n\r\n");
    assert_eq!(client.response().status, 503);
    client.send(&"b".repeat(9000));
    assert_eq!(client.get("/health").text(), "well");

    drop(controls);
    for client in &mut busy {
        assert_eq!(client.response().text(), "waited");
    }
    // A worker is free a moment after its client has the whole answer.
    while client.get("/echo").status == 503 {}
    assert_eq!(client.get("/echo").status, 200);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start();
    let mut client = server.connect();
    let targets: Vec<String> = (0..40).map(|turn| format!("/echo?{turn}")).collect();
    let requests: String = targets
        .iter()
        .map(|target| request("GET", target))
        .collect();
    client.send(&requests);
    for turn in 0..40 {
        assert_eq!(client.response().text(), format!("GET /echo {turn} "));
    }
}

#[test]
fn who_pipelines_takes_one_worker_and_a_bounded_place_in_the_queue() {
    let complaints = complaints();
    let server = with_workers(2);
    let mut client = server.connect();
    client.send(&request("GET", "/wait"));
    let control = server.next();
    let ahead: String = (0..500)
        .map(|turn| request("GET", &format!("/echo?{turn}")))
        .collect();
    client.send(&ahead);
    assert_eq!(server.connect().get("/echo").status, 200);

    // All that may be queued is queued when the rest is complained about.
    complaints
        .lock()
        .unwrap()
        .recv_timeout(PATIENCE)
        .expect("no complaint");
    drop(control);
    assert_eq!(client.response().text(), "waited");
    for turn in 0..64 {
        assert_eq!(client.response().text(), format!("GET /echo {turn} "));
    }
    let refusal = client.response();
    assert_eq!(refusal.status, 503);
    assert_eq!(client.everything(), "");
}

#[test]
fn a_body_announced_too_large_is_refused_before_it_is_sent() {
    let server = with_bodies_of(2000);
    let mut client = server.connect();
    let head = "POST /echo HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\n";
    client.send(&format!("{head}Content-Length: 2001\r\n\r\n"));
    assert_eq!(client.response().status, 413);
    client.send(&"b".repeat(2001));
    assert_eq!(client.get("/echo").status, 200);
}

#[test]
fn a_chunked_body_too_large_is_refused_and_the_connection_goes_on() {
    let server = with_bodies_of(2000);
    let mut client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..5 {
        client.send(&format!("3e8\r\n{}\r\n", "b".repeat(1000)));
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.response().status, 413);
    assert_eq!(client.get("/echo").status, 200);
}

#[test]
fn an_absurd_content_length_does_not_end_the_process() {
    let server = Server::start();
    for length in [
        "35184372088832",
        "18446744073709551615",
        "99999999999999999999999",
    ] {
        let mut client = server.connect();
        client.send(&format!(
            "POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: {length}\r\n\r\nsome"
        ));
        let response = after_continue(&mut client);
        assert_eq!(response.status, 413, "{length}");
        assert_eq!(response.header("Connection"), Some("close"));
    }
    assert_eq!(server.connect().get("/echo").status, 200);
}

#[test]
fn a_body_cut_short_is_refused() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 5000\r\n\r\nsome");
    let all = client.everything();
    assert!(all.starts_with("HTTP/1.1 400 "), "{all}");
    assert!(all.ends_with("BodyIncomplete"), "{all}");
}

/// Interim responses may precede any final one (RFC 9110 section 15.2).
fn after_continue(client: &mut Client) -> crate::client::Response {
    let first = client.response();
    if first.status == 100 {
        client.response()
    } else {
        first
    }
}

/// What the log says about clients who pipeline too much.
fn complaints() -> &'static Mutex<Receiver<()>> {
    struct Complaints(Mutex<Sender<()>>);

    impl log::Log for Complaints {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            if record.args().to_string().contains("requests ahead") {
                let _ = self.0.lock().unwrap().send(());
            }
        }
        fn flush(&self) {}
    }

    static RECEIVER: OnceLock<Mutex<Receiver<()>>> = OnceLock::new();
    RECEIVER.get_or_init(|| {
        let (sender, receiver) = mpsc::channel();
        log::set_boxed_logger(Box::new(Complaints(Mutex::new(sender)))).unwrap();
        log::set_max_level(log::LevelFilter::Warn);
        Mutex::new(receiver)
    })
}
