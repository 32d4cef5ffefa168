//! Google by TLS, as it really is: a server of our own with a certificate of its own.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use gemini_proxy::simulator::Simulator;
use rcgen::CertifiedKey;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use crate::client::chunks;
use crate::proxy::{Proxy, Road, question};
use crate::streaming::{event, last_event};

/// A Gemini that gives the same answer to all, whole and in events.
struct Google {
    port: u16,
    certificate: String,
    connections: Arc<AtomicUsize>,
}

impl Google {
    /// Its certificate is for `name`. `events` are sent as they are; after the last one
    /// the connection goes away without the goodbye of TLS, if it `breaks_off`.
    fn start(name: &str, events: &[serde_json::Value], breaks_off: bool) -> Self {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .unwrap();
        let (config, events) = (Arc::new(config), Arc::new(events.to_vec()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        thread::spawn(move || {
            for socket in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let connection = ServerConnection::new(config.clone()).unwrap();
                let line = StreamOwned::new(connection, socket.unwrap());
                let events = events.clone();
                thread::spawn(move || answer_all(line, &events, breaks_off));
            }
        });
        Self {
            port,
            certificate: cert.pem(),
            connections,
        }
    }

    fn proxy(&self, trusted: &str) -> Proxy {
        let simulator = Simulator::start().unwrap();
        let home = Road::GeminiApi
            .home(&simulator)
            .with_file("trusted.pem", trusted)
            .env(
                "GEMINI_API_ENDPOINT",
                &format!("https://localhost:{}", self.port),
            );
        let path = home.path("trusted.pem");
        home.env("SSL_CERT_FILE", path.to_str().unwrap()).serve()
    }
}

type Line = StreamOwned<ServerConnection, TcpStream>;

fn answer_all(mut line: Line, events: &[serde_json::Value], breaks_off: bool) {
    while let Some(streams) = read_question(&mut line) {
        let body: Vec<String> = events
            .iter()
            .map(|event| match streams {
                true => format!("data: {event}\r\n\r\n"),
                false => event.to_string(),
            })
            .collect();
        let (kind, length) = match streams {
            true => ("text/event-stream", body.concat().len()),
            false => ("application/json", body.concat().len()),
        };
        let length = length + usize::from(breaks_off);
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
        line.write_all((head + &body.concat()).as_bytes()).unwrap();
        line.flush().unwrap();
        if breaks_off {
            return;
        }
    }
}

/// Reads one request to its end, and says whether it asks for events. `None` when the
/// client has closed, or never trusted us.
fn read_question(line: &mut Line) -> Option<bool> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = match line.read(&mut piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome.ok().filter(|count| *count > 0)?,
        };
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let (_, length) = head.split_once("content-length: ").unwrap();
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        if body.len() >= length {
            return Some(head.contains("streamgeneratecontent"));
        }
    }
}

#[test]
fn google_is_asked_by_tls_over_one_connection() {
    let google = Google::start("localhost", &[last_event("Safely")], false);
    let proxy = google.proxy(&google.certificate);
    for _ in 0..3 {
        let completion = proxy.chat(&question("Hi")).json();
        assert_eq!(completion["choices"][0]["message"]["content"], "Safely");
        let events = proxy.stream(&question("Hi")).rest();
        assert_eq!(events.last().unwrap(), "data: [DONE]");
    }
    assert_eq!(google.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_and_the_way_out_is_named() {
    let google = Google::start("localhost", &[last_event("Never")], false);
    let stranger = Google::start("localhost", &[], false);
    let proxy = google.proxy(&stranger.certificate);
    let error = proxy.chat(&question("Hi")).error(502);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("certificate"), "{message}");
    assert!(message.contains("SSL_CERT_FILE"), "{message}");
}

#[test]
fn a_certificate_of_another_name_is_refused() {
    let google = Google::start("elsewhere.example", &[last_event("Never")], false);
    let proxy = google.proxy(&google.certificate);
    let error = proxy.chat(&question("Hi")).error(502);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("certificate"), "{message}");
}

/// Whoever can cut the wire must not be able to pass a part off as the whole.
#[test]
fn a_stream_that_is_cut_beneath_tls_does_not_end_well() {
    let google = Google::start("localhost", &[event("Half")], true);
    let proxy = google.proxy(&google.certificate);
    let mut request = question("Hi");
    request["stream"] = json!(true);
    let events = proxy.stream(&request).rest();
    let chunks = chunks(&events);
    assert_eq!(chunks[1]["choices"][0]["delta"]["content"], "Half");
    assert_eq!(
        chunks.last().unwrap()["error"]["code"],
        "upstream_stream_error"
    );
}
