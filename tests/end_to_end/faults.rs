//! Google's faults by name, as far as other files do not have them: what came
//! before arrives, the error is honest, and once a byte of an answer has come
//! nothing is asked again.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::client::{chunks, error_in, text_of};
use crate::home::Home;
use crate::proxy::{Proxy, Road, by_both_roads, generations, question, recorded};
use crate::streaming::event;

/// An event of Google's, as it stands in the stream.
fn line(road: Road, text: &str) -> String {
    let event = match road {
        Road::CodeAssist => json!({"response": event(text)}),
        Road::GeminiApi => event(text),
    };
    format!("data: {event}\r\n\r\n")
}

/// The bytes of an answer, from the script's point of view.
fn bytes(bytes: &[u8]) -> Value {
    json!({"base64": STANDARD.encode(bytes)})
}

/// Half an answer, then these pieces; the message of the error at its end.
#[track_caller]
fn amid_a_stream(
    road: Road,
    simulator: &Simulator,
    proxy: &Proxy,
    pieces: &[Value],
    code: &str,
) -> String {
    let half = [json!(line(road, "Half")), json!({"gate": "read"})];
    let body = [&half, pieces].concat();
    simulator.script(json!([{"raw_chunks": body}])).unwrap();
    let mut events = proxy.stream(&question("Hi"));
    events.next_json();
    let half = events.next_json();
    assert_eq!(half["choices"][0]["delta"]["content"], "Half");
    simulator.release("read");
    let rest = events.rest();
    assert!(!rest.iter().any(|event| event.contains("[DONE]")));
    assert_eq!(text_of(&rest), "");
    let error = error_in(chunks(&rest).last().unwrap());
    assert_eq!(error["code"], code, "{error}");
    assert_eq!(error["type"], "server_error");
    let asked = simulator.requests();
    let questions = asked
        .iter()
        .filter(|one| one.path.contains("enerateContent"));
    assert_eq!(questions.count(), 1, "nothing is asked again");
    simulator.reset();
    error["message"].as_str().unwrap().to_owned()
}

#[test]
fn bytes_that_are_no_text_amid_a_stream_are_an_error_not_an_answer() {
    by_both_roads(|road, simulator, proxy| {
        let text = line(road, "?").into_bytes();
        let text = text.split(|byte| *byte == b'?').collect::<Vec<_>>();
        for garbage in [
            text.join(&b"\xff\xfe"[..]),
            // The beginning of a letter that does not go on.
            text.join(&b"\xc3"[..]),
            b"data: \x00\x01\x02\r\n\r\n".to_vec(),
            b"data: [1, 2\r\n\r\n".to_vec(),
        ] {
            let code = "upstream_invalid_response";
            amid_a_stream(road, simulator, proxy, &[bytes(&garbage)], code);
        }
    });
}

/// See also `streaming`, where four megabytes arrive.
#[test]
fn an_event_beyond_all_measure_is_an_error_and_bounded_in_memory() {
    let simulator = Simulator::start().unwrap();
    let (road, proxy) = (Road::GeminiApi, Road::GeminiApi.home(&simulator).serve());
    let endless = json!({"text": "x".repeat(64 * 1024), "repeat": 1100});
    let start = json!("data: {\"text\": \"");
    let code = "upstream_invalid_response";
    let message = amid_a_stream(road, &simulator, &proxy, &[start, endless], code);
    assert!(message.contains("an event of more than"), "{message}");
    #[cfg(target_os = "linux")]
    {
        let peak = crate::memory::peak(&proxy);
        assert!(peak < 300 * 1024, "{peak} KiB");
    }
    proxy.chat(&question("Hi")).success();
}

#[test]
fn an_answer_that_comes_zipped_though_nobody_asked_is_an_error() {
    by_both_roads(|_, simulator, proxy| {
        simulator
            .script(json!([{"text": "Hello", "gzip": true, "times": "always"}]))
            .unwrap();
        for stream in [false, true] {
            let mut request = question("Hi");
            request["stream"] = json!(stream);
            let error = proxy.chat(&request).error(502);
            assert_eq!(error["code"], "upstream_invalid_response", "{error}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("gzip"), "{message}");
        }
        for asked in simulator.requests() {
            assert!(asked.header("accept-encoding").is_none(), "{asked:?}");
        }
    });
}

/// Answers every connection with these bytes, and closes it; how many came.
fn elsewhere(answer: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&count);
    thread::spawn(move || {
        for connection in listener.incoming() {
            counting.fetch_add(1, Ordering::SeqCst);
            read_request(&connection.unwrap())
                .write_all(answer.as_bytes())
                .unwrap();
        }
    });
    (address, count)
}

/// To its end: what is not read would make a reset of the close.
fn read_request(mut connection: &TcpStream) -> &TcpStream {
    let mut reader = BufReader::new(&mut connection);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    std::io::copy(
        &mut std::io::Read::take(reader, length),
        &mut std::io::sink(),
    )
    .unwrap();
    connection
}

#[test]
fn a_redirect_is_not_followed_and_the_token_goes_nowhere_else() {
    let (address, count) = elsewhere("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    let location = format!("http://{address}/v1");
    let redirect = |status: u16| {
        json!({"raw_chunks": [], "status": status,
            "headers": {"location": location}, "times": "always"})
    };
    by_both_roads(|_, simulator, proxy| {
        for status in [301, 302, 303, 307, 308] {
            let script = json!({"generate": [redirect(status)]});
            simulator.script(script).unwrap();
            for stream in [false, true] {
                let mut request = question("Hi");
                request["stream"] = json!(stream);
                let error = proxy.chat(&request).error(502);
                assert_eq!(error["code"], "upstream_error", "{error}");
                let message = error["message"].as_str().unwrap();
                assert!(message.contains(&status.to_string()), "{message}");
            }
            simulator.reset();
        }
    });
    for kind in ["token", "load_code_assist", "onboard"] {
        let simulator = Simulator::start().unwrap();
        simulator.set_state(json!({"tier": "free-new"})).unwrap();
        let proxy = stale(&simulator).serve();
        simulator.script(json!({kind: [redirect(307)]})).unwrap();
        assert!(proxy.chat(&question("Hi")).status >= 400, "{kind}");
        assert_eq!(proxy.get("/auth/status").success()["authenticated"], true);
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

/// Signed in, with an access token that has to be renewed and no project yet.
pub(crate) fn stale(simulator: &Simulator) -> Home {
    let mut credentials = simulator.sign_in();
    credentials["expiry_date"] = json!(1);
    Home::new(simulator).with_tokens(&credentials)
}

#[test]
fn a_connection_dropped_before_the_head_is_an_error_and_not_tried_again() {
    for answer in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Type: text/"] {
        let (address, count) = elsewhere(answer);
        let simulator = Simulator::start().unwrap();
        let home = Road::GeminiApi.home(&simulator);
        let home = home.env("GEMINI_API_ENDPOINT", &format!("http://{address}"));
        let proxy = home.serve();
        for stream in [false, true] {
            let mut request = question("Hi");
            request["stream"] = json!(stream);
            let error = proxy.chat(&request).error(502);
            assert_eq!(error["code"], "upstream_stream_error", "{answer}: {error}");
        }
        assert_eq!(count.load(Ordering::SeqCst), 2, "it may have been answered");
    }
}

#[test]
fn each_step_to_a_project_may_fail_and_the_next_request_tries_again() {
    for kind in ["load_code_assist", "onboard"] {
        for failure in [
            json!({"error": "internal"}),
            json!({"error": "overloaded"}),
            json!({"error": "bad_gateway"}),
            json!({"html": true}),
            json!({"raw_chunks": ["{\"done\""]}),
            json!({"json": {}, "then": "reset"}),
            json!({"json": {}, "gzip": "truncated"}),
        ] {
            let simulator = Simulator::start().unwrap();
            simulator.set_state(json!({"tier": "free-new"})).unwrap();
            let proxy = Proxy::start(&simulator);
            simulator.script(json!({kind: [failure]})).unwrap();
            let error = proxy.chat(&question("Hi")).error(502);
            assert_eq!(error["code"], "upstream_error", "{kind} {failure}: {error}");
            assert!(!error.to_string().contains("DOCTYPE"), "{error}");
            proxy.chat(&question("Hi")).success();
            assert_eq!(generations(&simulator).len(), 1);
        }
    }
}

/// Five minutes are too long for a test: see
/// `upstream::onboarding`, `an_operation_that_never_ends_is_given_up`.
#[test]
fn an_onboarding_that_goes_on_holds_up_nothing_else() {
    let simulator = Simulator::start().unwrap();
    simulator
        .set_state(json!({"tier": "free-new", "onboarding_polls": 1_000_000}))
        .unwrap();
    let proxy = Proxy::start(&simulator);
    let mut client = crate::client::Client::connect(&proxy.host);
    let body = question("Hi").to_string();
    client.send("POST", "/v1/chat/completions", &[], body.as_bytes());
    simulator.wait_until(|requests| {
        let polls = requests
            .iter()
            .filter(|one| one.path.contains("/operations/"));
        polls.count() >= 2
    });
    assert_eq!(proxy.get("/health").success()["status"], "ok");
    let status = proxy.get("/auth/status").success();
    assert_eq!(status["authenticated"], true);
    assert!(recorded(&simulator, "enerateContent").is_empty());
}
