//! The faults of the upstream, by name.

use std::io;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::upstream::{ANSWER, Books, STREAM_HEAD, put_event, whole};
use crate::wire::Line;

/// Of an answer that is cut: more than what comes of it.
const PROMISED: usize = 100_000;

/// An error ends the connection.
pub(crate) fn answer(line: &mut Line, kind: &str, streams: bool, books: &Books) -> io::Result<()> {
    match (kind, streams) {
        ("dropped", _) => Err(io::ErrorKind::ConnectionAborted.into()),
        ("cut", true) => {
            line.send(STREAM_HEAD)?;
            line.send(&events(3, false))?;
            Err(io::ErrorKind::ConnectionAborted.into())
        }
        ("cut", false) => {
            line.send(whole_but_cut().as_bytes())?;
            Err(io::ErrorKind::ConnectionAborted.into())
        }
        ("garbled", true) => {
            line.send(STREAM_HEAD)?;
            line.send(&events(3, false))?;
            line.send(b"13\r\ndata: {\"candida\r\n\r\n\r\n0\r\n\r\n")
        }
        ("garbled", false) => line.send(whole(&ANSWER[..ANSWER.len() / 2]).as_bytes()),
        ("babble", _) => {
            line.send(b"\x16\x03\x01 this is not HTTP \x00\xff\r\n\r\n")?;
            Err(io::ErrorKind::ConnectionAborted.into())
        }
        ("long-head", _) => {
            let header = format!("X-Policy: {}\r\n", "x".repeat(90)).repeat(200);
            let head = format!("HTTP/1.1 200 OK\r\n{header}Content-Length: 2\r\n\r\n{{}}");
            line.send(head.as_bytes())
        }
        ("endless", _) => {
            line.send(STREAM_HEAD)?;
            line.send(b"6\r\ndata: \r\n")?;
            let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
            loop {
                line.send(piece.as_bytes())?;
            }
        }
        ("unavailable", _) => {
            let answer = whole(UNAVAILABLE).replace("200 OK", "503 Service Unavailable");
            line.send(answer.as_bytes())
        }
        ("slow", true) => {
            line.send(STREAM_HEAD)?;
            drip(line, &events(3, true))
        }
        ("slow", false) => drip(line, whole(ANSWER).as_bytes()),
        ("silent", true) => {
            line.send(STREAM_HEAD)?;
            line.send(&events(1, false))?;
            hold(line, books)
        }
        // `held`, and a whole answer that is silent.
        _ => hold(line, books),
    }
}

/// Says nothing more until the client leaves.
fn hold(line: &mut Line, books: &Books) -> io::Result<()> {
    books.answering.fetch_add(1, Ordering::Relaxed);
    line.wait_for_end();
    books.note_leaving();
    Err(io::ErrorKind::ConnectionAborted.into())
}

fn events(count: usize, are_all: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for nth in 0..count {
        put_event(&mut out, nth, are_all && nth + 1 == count);
    }
    if are_all {
        out.extend_from_slice(b"0\r\n\r\n");
    }
    out
}

fn whole_but_cut() -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {PROMISED}\r\n\r\n{ANSWER}")
}

/// Byte by byte, as if over a bad line.
fn drip(line: &mut Line, bytes: &[u8]) -> io::Result<()> {
    for byte in bytes {
        line.send(&[*byte])?;
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

const UNAVAILABLE: &str = r#"{"error":{"code":503,"message":"The service is currently unavailable.","status":"UNAVAILABLE"}}"#;
