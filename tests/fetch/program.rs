//! The built program: what a client is told, and what it can make it do.
//!
//! Its proxy plays the internet. Google is the stand-in, on loopback, to which no
//! proxy is used.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::web::{Site, Trap, ok, read_head, redirect};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

/// `gemini-proxy serve`; ends on drop.
struct Proxy {
    child: Child,
    host: String,
    google: Simulator,
    /// No developer's `.env` is in it.
    _folder: TempDir,
}

impl Proxy {
    fn start(internet: Option<&Site>) -> Self {
        let google = Simulator::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gemini-proxy"));
        command
            .args(["serve", "--port", "0"])
            .current_dir(&folder)
            .env_clear()
            .env("GEMINI_API_KEY", "demo-key")
            .env("GEMINI_API_ENDPOINT", google.address())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(internet) = internet {
            command.env("HTTPS_PROXY", format!("http://{}", internet.address));
        }
        let mut child = command.spawn().unwrap();
        let mut address = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut address).unwrap();
        let host = address.trim().strip_prefix("http://").unwrap().to_owned();
        Self {
            child,
            host,
            google,
            _folder: folder,
        }
    }

    /// Asks about images; the status and the JSON of the answer.
    fn ask(&self, urls: &[&str]) -> (u16, Value) {
        let image = |url: &&str| json!({"type": "image_url", "image_url": {"url": url}});
        let content: Vec<_> = urls.iter().map(image).collect();
        let body = json!({"model": "gemini-3.5-flash",
            "messages": [{"role": "user", "content": content}]})
        .to_string();
        let mut connection = TcpStream::connect(&self.host).unwrap();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        connection.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A proxy that reaches an internet of one server, whatever it is asked for.
fn internet(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Site {
    Site::start(move |_, connection| {
        connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let asked = read_head(connection);
        let _ = connection.write_all(&answer(&asked));
    })
}

/// What is said of the image at this position.
fn refusal(why: &str, position: usize) -> (u16, Value) {
    let error = json!({
        "message": format!("This URL cannot be used: {why}."),
        "type": "invalid_request_error",
        "param": format!("messages[0].content[{position}].image_url"),
        "code": "invalid_image_url",
    });
    (400, json!({"error": error}))
}

const NOT_PUBLIC: &str = "its host has no address on the public internet";

#[test]
fn lesson_31_an_address_inside_is_refused_in_one_sentence_and_not_connected_to() {
    let trap = Trap::set();
    let proxy = Proxy::start(None);
    let port = trap.port;
    for url in [
        trap.url("127.0.0.1"),
        trap.url("localhost"),
        trap.url("[::1]"),
        trap.url("0x7f000001"),
        trap.url("0.0.0.0"),
        trap.url("[::ffff:127.0.0.1]"),
        format!("https://127.0.0.1:{port}/cat.png"),
        // The program itself.
        format!("http://{}/v1/models", proxy.host),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://10.0.0.1/".to_owned(),
        "http://[fd00:ec2::254]/".to_owned(),
    ] {
        assert_eq!(proxy.ask(&[&url]), refusal(NOT_PUBLIC, 0), "{url}");
    }
    trap.assert_untouched();
    assert!(proxy.google.requests().is_empty());
}

#[test]
fn a_redirect_to_an_address_inside_is_refused_and_not_followed() {
    let trap = Trap::set();
    let location = trap.url("127.0.0.1");
    let internet = internet(move |_| redirect(&location));
    let proxy = Proxy::start(Some(&internet));
    let answer = proxy.ask(&["http://8.8.8.8/cat.png"]);
    assert_eq!(answer, refusal(NOT_PUBLIC, 0));
    // Once for the redirect, and for nothing else.
    assert_eq!(internet.asked(), ["CONNECT 8.8.8.8:80 HTTP/1.1"]);
    trap.assert_untouched();
}

#[test]
fn lesson_31_an_image_by_address_reaches_google_and_is_fetched_once() {
    let internet = internet(|_| ok(PNG));
    let proxy = Proxy::start(Some(&internet));
    let (cat, dog) = ("http://8.8.8.8/cat", "http://8.8.8.8:8080/dog");
    let (status, answer) = proxy.ask(&[cat, dog, cat]);
    assert_eq!(status, 200, "{answer}");
    let asked = proxy.google.requests().pop().unwrap().json();
    let image = json!({"inlineData": {"mimeType": "image/png", "data": STANDARD.encode(PNG)}});
    assert_eq!(asked["contents"][0]["parts"], json!([image, image, image]));
    let connections = [
        "CONNECT 8.8.8.8:80 HTTP/1.1",
        "CONNECT 8.8.8.8:8080 HTTP/1.1",
    ];
    assert_eq!(internet.asked(), connections);
}

#[test]
fn what_cannot_be_had_is_named_with_its_place() {
    let internet = internet(|asked| match asked {
        "GET /cat.png HTTP/1.1" => ok(PNG),
        "GET /page.png HTTP/1.1" => ok(b"<!doctype html>"),
        _ => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
    });
    let proxy = Proxy::start(Some(&internet));
    let cat = "http://8.8.8.8/cat.png";
    let answer = proxy.ask(&[cat, "http://8.8.8.8/dog.png"]);
    assert_eq!(answer, refusal("its server answered with status 404", 1));
    let answer = proxy.ask(&["http://8.8.8.8/page.png", cat]);
    let why = "it leads to no image or other medium that Gemini reads";
    assert_eq!(answer, refusal(why, 0));
}

#[test]
fn a_request_may_not_name_more_than_a_proxy_bears() {
    let internet = internet(|_| ok(PNG));
    let proxy = Proxy::start(Some(&internet));
    let urls: Vec<_> = (0..65).map(|nth| format!("http://8.8.8.8/{nth}")).collect();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let why = "a request may name at most 64 different URLs";
    assert_eq!(proxy.ask(&urls), refusal(why, 64));
}
