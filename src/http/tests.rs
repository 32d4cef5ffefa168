//! Waits that end and waits that do not, and which way the bytes go.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use super::*;
use crate::secret::Secret;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const PIECE: &[u8] = b"1\r\nx\r\n";

/// Too short for anything but a test.
fn brief() -> Outbound {
    Outbound {
        first_byte_timeout: Duration::from_millis(300),
        idle_timeout: Duration::from_millis(400),
        ..Outbound::default()
    }
}

/// Accepts one connection and hands it over.
fn server(serve: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || serve(listener.accept().unwrap().0));
    address
}

/// Reads what is asked: to close with it unread would break off the answer.
fn hear(mut connection: &TcpStream) {
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        heard.extend(byte);
    }
}

fn ask(outbound: &Outbound, url: &str) -> Result<Response, HttpError> {
    Http::new(outbound).unwrap().send(Request {
        url,
        headers: &[],
        body: None,
    })
}

fn read_to_end(response: Response) -> Result<usize, HttpError> {
    response.bytes(usize::MAX).map(|bytes| bytes.len())
}

#[track_caller]
fn timed_out<T>(outcome: Result<T, HttpError>) -> (&'static str, Duration) {
    match outcome {
        Err(HttpError::TimedOut { what, limit, .. }) => (what, limit),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was answered"),
    }
}

#[test]
fn lesson_11_each_silence_has_a_limit_and_words_of_its_own() {
    let limits = Outbound::default();
    for limit in [
        limits.connect_timeout,
        limits.first_byte_timeout,
        limits.idle_timeout,
    ] {
        assert!(limit <= Duration::from_secs(300));
    }
    // Whoever holds the other end holds it until the client has gone.
    let (_silent, gone) = mpsc::channel::<()>();
    let address = server(move |connection| {
        let _ = gone.recv();
        drop(connection);
    });
    let outcome = ask(&brief(), &format!("http://{address}/"));
    let expected = ("begin its answer", brief().first_byte_timeout);
    assert_eq!(timed_out(outcome), expected);

    let (_silent, gone) = mpsc::channel::<()>();
    let address = server(move |mut connection| {
        connection.write_all(&[HEAD, PIECE].concat()).unwrap();
        let _ = gone.recv();
    });
    let response = ask(&brief(), &format!("http://{address}/")).unwrap();
    let expected = ("continue its answer", brief().idle_timeout);
    assert_eq!(timed_out(read_to_end(response)), expected);
}

#[test]
fn lesson_12_a_stream_may_last_longer_than_every_limit() {
    let limits = brief().first_byte_timeout + brief().idle_timeout;
    let address = server(move |mut connection| {
        hear(&connection);
        connection.write_all(HEAD).unwrap();
        let begun = Instant::now();
        while begun.elapsed() <= limits {
            connection.write_all(PIECE).unwrap();
        }
        connection.write_all(b"0\r\n\r\n").unwrap();
    });
    let response = ask(&brief(), &format!("http://{address}/")).unwrap();
    assert!(read_to_end(response).unwrap() > 0);
}

/// It was read on a connection that had served before, and not answered.
#[test]
fn a_connection_from_the_pool_that_google_closes_costs_no_request() {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let google = thread::spawn(move || {
        let mut first = listener.accept().unwrap().0;
        hear(&first);
        first.write_all(ANSWER).unwrap();
        hear(&first);
        drop(first);
        let mut second = listener.accept().unwrap().0;
        hear(&second);
        second.write_all(ANSWER).unwrap();
    });
    let http = Http::new(&brief()).unwrap();
    for _ in 0..2 {
        let request = Request {
            url: &url,
            headers: &[],
            body: None,
        };
        assert_eq!(http.send(request).unwrap().bytes(2).unwrap(), b"ok");
    }
    google.join().unwrap();
}

/// The heads of answers over one connection, and what came of each: the request that
/// brought the last one is not sent again, on whatever connection.
fn answered(heads: Vec<Vec<u8>>) -> Vec<Result<Vec<u8>, HttpError>> {
    let count = heads.len();
    let (heard, requests) = mpsc::channel();
    let address = server(move |mut connection| {
        for head in heads {
            hear(&connection);
            heard.send(()).unwrap();
            connection.write_all(&head).unwrap();
        }
    });
    let http = Http::new(&brief()).unwrap();
    let url = format!("http://{address}/");
    let ask = || {
        http.send(Request {
            url: &url,
            headers: &[],
            body: None,
        })?
        .bytes(2)
    };
    let outcomes = (0..count).map(|_| ask()).collect();
    assert_eq!(requests.iter().count(), count);
    outcomes
}

/// A new connection would find nobody, and be told as that.
#[test]
fn what_google_was_silent_over_is_not_asked_again() {
    let (beats, beat) = mpsc::channel();
    let address = server(move |mut connection| {
        hear(&connection);
        connection.write_all(&head_of(1)).unwrap();
        hear(&connection);
        beat.recv().unwrap();
    });
    let http = Http::new(&Outbound::default()).unwrap();
    let url = format!("http://{address}/");
    let request = || Request {
        url: &url,
        headers: &[],
        body: None,
    };
    assert_eq!(http.send(request()).unwrap().bytes(2).unwrap(), b"ok");
    let pulse = Pulse::new(move || {
        let _ = beats.send(());
        Ok(())
    });
    let outcome = http.send_while(request(), &pulse).map(drop);
    assert!(
        matches!(outcome, Err(HttpError::BrokenOff { .. })),
        "{outcome:?}"
    );
}

/// With as many headers of 100 bytes.
fn head_of(headers: usize) -> Vec<u8> {
    let header = format!("X-Policy: {}\r\n", "x".repeat(88)).repeat(headers);
    format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{header}\r\nok").into_bytes()
}

#[test]
fn a_long_head_is_read_and_a_longer_one_is_told_and_not_asked_for_again() {
    let outcomes = answered(vec![head_of(70), head_of(200)]);
    assert_eq!(outcomes[0].as_ref().unwrap(), b"ok");
    let Err(error @ HttpError::HeadTooLong { .. }) = &outcomes[1] else {
        panic!("{:?}", outcomes[1]);
    };
    let said = error.to_string();
    assert!(
        said.contains("headers") && said.contains("longer than"),
        "{said}"
    );
}

/// Something of an answer has come: it was asked, and may have been paid for.
#[test]
fn a_request_whose_answer_has_begun_is_not_sent_again() {
    let outcomes = answered(vec![head_of(1), b"HTTP/1.1 200 OK\r\nConte".to_vec()]);
    assert_eq!(outcomes[0].as_ref().unwrap(), b"ok");
    assert!(matches!(&outcomes[1], Err(HttpError::BrokenOff { .. })));
}

/// Addresses of documentation (RFC 5737): nobody answers there.
const NOWHERE: &str = "192.0.2.1";

#[test]
fn lesson_33_a_socks_proxy_is_asked_and_no_proxy_is_heeded() {
    let (greeted, greetings) = mpsc::channel();
    let address = server(move |mut connection| {
        let mut version = [0];
        connection.read_exact(&mut version).unwrap();
        greeted.send(version).unwrap();
    });
    let mut outbound = Outbound {
        connect_timeout: Duration::from_millis(300),
        proxy: Some(Secret::new(format!("socks5://{address}"))),
        ..brief()
    };
    assert!(ask(&outbound, &format!("http://{NOWHERE}/")).is_err());
    assert_eq!(greetings.recv().unwrap(), [5]);

    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let address = trap.local_addr().unwrap();
    outbound.proxy = Some(Secret::new(format!("socks5://{address}")));
    outbound.no_proxy = NOWHERE.to_owned();
    assert!(ask(&outbound, &format!("http://{NOWHERE}/")).is_err());
    assert_eq!(trap.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}
