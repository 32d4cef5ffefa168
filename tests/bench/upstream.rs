//! A Gemini that is nothing but fast: its answers are made before they are asked for.
//! What it answers is in the name of the model: `gemini-bench-EVENTS-PAUSE`, the pause
//! between two events in microseconds. `gemini-fault-KIND` is for `faulty`.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::faulty;
use crate::wire::Line;

/// Of one write while nothing is paced.
const BATCH: usize = 16 * 1024;

/// What it can be asked about itself.
#[derive(Default)]
pub(crate) struct Books {
    connections: AtomicUsize,
    /// Streams that are not over yet, and answers that will never be.
    pub(crate) answering: AtomicUsize,
    /// When clients were found to have left amid an answer.
    left: Mutex<Vec<u128>>,
}

impl Books {
    /// Of the client of such a one.
    pub(crate) fn note_leaving(&self) {
        self.answering.fetch_sub(1, Ordering::Relaxed);
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.push(now());
    }

    /// The page of that name.
    fn page(&self, name: &str) -> Option<String> {
        match name {
            "/connections" => Some(self.connections.load(Ordering::Relaxed).to_string()),
            "/answering" => Some(self.answering.load(Ordering::Relaxed).to_string()),
            "/left" => {
                let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
                let times: Vec<_> = left.iter().map(u128::to_string).collect();
                Some(times.join(" "))
            }
            _ => None,
        }
    }
}

/// Serves until the process ends; prints its address first. By TLS, if there is a place
/// for its certificate.
pub(crate) fn serve(certificate: Option<&str>) -> io::Result<()> {
    let tls = certificate.map(tls).transpose()?;
    let listener = crate::listen()?;
    let books = Arc::new(Books::default());
    for socket in listener.incoming() {
        let (books, tls) = (books.clone(), tls.clone());
        books.connections.fetch_add(1, Ordering::Relaxed);
        crate::small_thread(move || {
            let line = socket.and_then(|socket| match tls {
                Some(tls) => Line::secured(socket, tls),
                None => Line::new(socket),
            });
            if let Ok(line) = line {
                // Whoever leaves in the midst of it has what it wanted.
                drop(answer_all(line, &books));
            }
        })?;
    }
    Ok(())
}

/// Writes the certificate of a new key to this path.
fn tls(certificate: &str) -> io::Result<Arc<ServerConfig>> {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(io::Error::other)?;
    std::fs::write(certificate, cert.pem())?;
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .map_err(io::Error::other)?;
    Ok(Arc::new(config))
}

fn answer_all(mut line: Line, books: &Books) -> io::Result<()> {
    while let Some(head) = line.head()? {
        line.body(head.body, |_| ())?;
        let target = String::from_utf8_lossy(&head.bytes);
        let target = target.split(' ').nth(1).unwrap_or_default();
        let streams = target.contains("streamGenerateContent");
        if let Some(page) = books.page(target) {
            line.send(whole(&page).as_bytes())?;
        } else if let Some((_, fault)) = target.split_once("gemini-fault-") {
            let kind = fault.split(':').next().unwrap_or_default();
            faulty::answer(&mut line, kind, streams, books)?;
        } else if streams {
            let (events, pause) = numbers(target);
            books.answering.fetch_add(1, Ordering::Relaxed);
            stream(&mut line, events, pause).inspect_err(|_| books.note_leaving())?;
            books.answering.fetch_sub(1, Ordering::Relaxed);
        } else {
            line.send(whole(ANSWER).as_bytes())?;
        }
    }
    Ok(())
}

pub(crate) const ANSWER: &str = r#"{"candidates":[{"content":{"parts":[{"text":"The quick brown fox jumps over the lazy dog."}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":10,"totalTokenCount":19},"modelVersion":"gemini-bench","responseId":"r"}"#;

pub(crate) fn whole(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn numbers(target: &str) -> (usize, Duration) {
    let model = target.split("gemini-bench-").nth(1).unwrap_or_default();
    let mut numbers = model
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse().unwrap_or(0));
    let events = numbers.next().unwrap_or(1);
    (
        events as usize,
        Duration::from_micros(numbers.next().unwrap_or(0)),
    )
}

pub(crate) const STREAM_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

fn stream(line: &mut Line, events: usize, pause: Duration) -> io::Result<()> {
    line.send(STREAM_HEAD)?;
    let mut out = Vec::with_capacity(2 * BATCH);
    let begun = Instant::now();
    for nth in 0..events {
        let is_last = nth + 1 == events;
        if !pause.is_zero() {
            // From the beginning, so that no lateness of ours adds up.
            let due = pause * u32::try_from(nth).unwrap_or(u32::MAX);
            thread::sleep(due.saturating_sub(begun.elapsed()));
        }
        put_event(&mut out, nth, is_last);
        if is_last {
            out.extend_from_slice(b"0\r\n\r\n");
        }
        if !pause.is_zero() || is_last || out.len() > BATCH {
            line.send(&out)?;
            out.clear();
        }
    }
    Ok(())
}

/// Its text says when it was sent, and as which: `t=…;i=…;`.
pub(crate) fn put_event(out: &mut Vec<u8>, nth: usize, is_last: bool) {
    let sent = now();
    let finish = if is_last {
        r#","finishReason":"STOP""#
    } else {
        ""
    };
    let event = format!(
        "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"t={sent};i={nth}; and some words.\"}}],\"role\":\"model\"}}{finish},\"index\":0}}],\"usageMetadata\":{{\"promptTokenCount\":9,\"candidatesTokenCount\":{nth},\"totalTokenCount\":{}}},\"modelVersion\":\"gemini-bench\",\"responseId\":\"r\"}}\r\n\r\n",
        nth + 9
    );
    out.extend_from_slice(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes());
}

/// Nanoseconds since 1970: one clock for all processes of a run.
pub(crate) fn now() -> u128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_nanos()
}
