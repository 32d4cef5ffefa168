//! What was asked of Google, in order, for tests to look at.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use super::gates::PATIENCE;
use super::http::Request;

/// A demo may run for days: beyond these, the oldest requests are forgotten.
const MAX_RECORDED: usize = 4096;
const MAX_RECORDED_BYTES: usize = 512 * 1024 * 1024;

/// One request, as it came.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    pub method: String,
    pub path: String,
    /// Without the question mark; empty if there was none.
    pub query: String,
    /// Names as they were spelt.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// Counts from 1; the same number means that a connection was reused.
    pub connection: u64,
    /// The status that was answered; `None` while the stand-in is still thinking.
    pub status: Option<u16>,
    /// The client closed before the answer was finished.
    pub client_left: bool,
}

impl Recorded {
    /// The value of the first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `Null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": self.headers,
            "body": self.body,
            "connection": self.connection,
            "status": self.status,
            "client_left": self.client_left,
        })
    }
}

/// Tells one recorded request from all others, also after a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Serial(u64);

#[derive(Debug, Default)]
pub(super) struct Recorder {
    tape: Mutex<Tape>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Tape {
    next: u64,
    bytes: usize,
    entries: VecDeque<(Serial, Recorded)>,
}

impl Recorder {
    pub(super) fn record(&self, request: &Request) -> Serial {
        let recorded = Recorded {
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers: request.headers.clone(),
            body: request.text(),
            connection: request.connection,
            status: None,
            client_left: false,
        };
        let mut tape = self.tape();
        let serial = Serial(tape.next);
        tape.next += 1;
        tape.bytes += recorded.body.len();
        tape.entries.push_back((serial, recorded));
        while tape.entries.len() > MAX_RECORDED || tape.bytes > MAX_RECORDED_BYTES {
            if let Some((_, forgotten)) = tape.entries.pop_front() {
                tape.bytes -= forgotten.body.len();
            }
        }
        self.changed.notify_all();
        serial
    }

    pub(super) fn amend(&self, serial: Serial, change: impl FnOnce(&mut Recorded)) {
        let mut tape = self.tape();
        if let Some((_, recorded)) = tape.entries.iter_mut().find(|(key, _)| *key == serial) {
            change(recorded);
        }
        self.changed.notify_all();
    }

    pub(super) fn all(&self) -> Vec<Recorded> {
        self.tape().copies()
    }

    pub(super) fn clear(&self) {
        let mut tape = self.tape();
        tape.entries.clear();
        tape.bytes = 0;
    }

    /// Waits until `condition` holds of all that was recorded, or patience ends.
    pub(super) fn wait_until(&self, condition: impl Fn(&[Recorded]) -> bool) -> Vec<Recorded> {
        let deadline = Instant::now() + PATIENCE;
        let mut tape = self.tape();
        loop {
            let recorded = tape.copies();
            let left = deadline.saturating_duration_since(Instant::now());
            if condition(&recorded) || left.is_zero() {
                return recorded;
            }
            tape = self
                .changed
                .wait_timeout(tape, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tape {
    fn copies(&self) -> Vec<Recorded> {
        self.entries.iter().map(|(_, one)| one.clone()).collect()
    }
}
