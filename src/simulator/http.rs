//! Requests and answers of HTTP/1.1 (RFC 9112), as values.
//!
//! An [`Answer`] is a list of steps, because the stand-in must be able to stop
//! between any two bytes, to wait there, and to break off.

use std::time::Duration;

use serde_json::Value;

/// One request, as it came.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    /// Without the question mark; empty if there is none.
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Counts from 1; the same number means that a connection was reused.
    pub(super) connection: u64,
    /// The client would use the connection again.
    pub(super) keep_alive: bool,
}

/// What goes back, and how.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// A gate to wait at before the first byte.
    pub(super) hold: Option<String>,
    pub(super) body: Vec<Step>,
    pub(super) framing: Framing,
    pub(super) ending: Ending,
}

/// One thing to do while the body is sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// One write, and one chunk where the body is chunked.
    Send(Vec<u8>),
    /// Wait until the gate of this name is released.
    Gate(String),
    Pause(Duration),
}

/// How the client learns where the body ends (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    ContentLength,
    Chunked,
    /// Each chunk with an extension (RFC 9112, section 7.1.1).
    ChunkedWithExtensions,
    UntilClose,
}

/// What happens to the connection after the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    KeepAlive,
    /// Complete, then closed in good order.
    Close,
    /// Closed before the body is complete.
    Truncate,
    /// TCP RST before the body is complete.
    Reset,
    /// Silence before the body is complete, until the client leaves.
    Stall,
}

impl Request {
    /// The first header of this name, whatever its case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The first parameter of this name in the query.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        value_of(self.query.as_bytes(), name)
    }

    /// The first field of this name in a form-encoded body.
    pub(super) fn form_field(&self, name: &str) -> Option<String> {
        value_of(&self.body, name)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the body says it is of this media type, parameters aside.
    pub(super) fn is_of_type(&self, media_type: &str) -> bool {
        let stated = self.header("content-type").unwrap_or_default();
        let essence = stated.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(media_type)
    }
}

fn value_of(form: &[u8], name: &str) -> Option<String> {
    url::form_urlencoded::parse(form)
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::whole(status, "application/json; charset=UTF-8", pretty(body))
    }

    pub(super) fn html(status: u16, page: impl Into<String>) -> Self {
        Self::whole(status, "text/html; charset=UTF-8", page.into().into_bytes())
    }

    pub(super) fn redirect(location: &str) -> Self {
        let mut answer = Self::html(302, "");
        answer.headers.push(("Location".into(), location.into()));
        answer
    }

    pub(super) fn whole(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".into(), content_type.into())],
            hold: None,
            body: vec![Step::Send(body)],
            framing: Framing::ContentLength,
            ending: Ending::KeepAlive,
        }
    }

    /// All bytes of the body in one piece.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for step in &self.body {
            if let Step::Send(piece) = step {
                bytes.extend_from_slice(piece);
            }
        }
        bytes
    }

    /// Replaces a header of the same name, or adds one.
    pub(super) fn set_header(&mut self, name: &str, value: &str) {
        self.headers
            .retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.headers.push((name.into(), value.into()));
    }

    /// The status line and the headers, to the empty line.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.framing {
            Framing::ContentLength => {
                let missing = usize::from(!self.is_complete());
                let length = self.bytes().len() + missing;
                head.push_str(&format!("Content-Length: {length}\r\n"));
            }
            Framing::Chunked | Framing::ChunkedWithExtensions => {
                head.push_str("Transfer-Encoding: chunked\r\n");
            }
            Framing::UntilClose => {}
        }
        if self.ending == Ending::Close || self.framing == Framing::UntilClose {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Whether the body arrives whole.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.ending, Ending::KeepAlive | Ending::Close)
    }

    pub(super) fn is_chunked(&self) -> bool {
        matches!(
            self.framing,
            Framing::Chunked | Framing::ChunkedWithExtensions
        )
    }
}

/// Google indents its JSON by two spaces.
fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}
