//! What a handler returns, and how it goes over the wire.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use crate::http::{GaveUp, Pulse};
use crate::server::transport::presence::Client;

/// An HTTP/1.0 client that keeps its connection gets a stream in one piece, and not
/// more than this many bytes of it.
const MAX_GATHERED_BYTES: usize = 32 * 1024 * 1024;

/// The last chunk and the empty trailer (RFC 9112 section 7.1).
const END_OF_CHUNKS: &[u8] = b"0\r\n\r\n";

/// The answer to a request. Header values are our own text, but for what CORS echoes;
/// one with a control byte is left out. `Content-Length`, `Transfer-Encoding`,
/// `Connection` and `Date` are the writer's business.
pub enum Reply {
    /// Sent in one write.
    Whole {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// Status 200, then whatever the source yields, each piece the moment it is there.
    Stream {
        headers: Vec<(&'static str, String)>,
        source: Box<dyn Source>,
    },
}

impl Reply {
    pub fn add_header(&mut self, name: &'static str, value: String) {
        let (Self::Whole { headers, .. } | Self::Stream { headers, .. }) = self;
        headers.push((name, value));
    }

    pub fn with_headers(mut self, more: Vec<(&'static str, String)>) -> Self {
        let (Self::Whole { headers, .. } | Self::Stream { headers, .. }) = &mut self;
        headers.extend(more);
        self
    }
}

/// Where a streamed reply comes from. Dropped as soon as the client is found to have
/// left, which is the sign to cancel the work behind it.
///
/// While it waits a source beats the pulse: that sends a heartbeat when it is time for
/// one, and fails when the client has left. Then the source gives up.
pub trait Source: Send {
    /// Blocks until it is decided whether this becomes a stream: until then a refusal
    /// can still have a status of its own. Asked once, first.
    fn begin(&mut self, pulse: &Pulse) -> Result<(), Refused> {
        let _ = pulse;
        Ok(())
    }

    /// What the head should say that only [`begin`](Self::begin) found out: in place of headers
    /// of the same name. Lost if a heartbeat has sent the head already. Asked once, after it.
    fn late_headers(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Blocks until something can be sent, and appends it to `out`: complete events, as
    /// many as are at hand. Failures are written as events by the source itself.
    fn fill(&mut self, out: &mut Vec<u8>, pulse: &Pulse) -> More;

    /// Makes what keeps a silent connection alive; nothing, for what is no event stream.
    fn heartbeat(&self) -> Heartbeat {
        Box::new(|_| ())
    }

    /// What the client is told when the source panicked.
    fn broken(&mut self) -> Refused;
}

/// Appends one event that says nothing.
pub type Heartbeat = Box<dyn Fn(&mut Vec<u8>)>;

/// It does not become a stream.
#[derive(Debug)]
pub struct Refused {
    /// Whole.
    pub reply: Reply,
    /// The same as an event, in case that heartbeats have been sent already.
    pub event: Vec<u8>,
}

/// How long a client is left without a sign of life.
#[derive(Debug, Clone, Copy)]
pub struct Silence {
    /// Until the stream begins: then the head is sent, though nothing is decided.
    pub before_head: Duration,
    /// Between two pieces of it.
    pub between: Duration,
}

impl Default for Silence {
    fn default() -> Self {
        // Proxies in between cut connections after a minute or two.
        Self {
            before_head: Duration::from_secs(10),
            between: Duration::from_secs(15),
        }
    }
}

/// Whether a [`Source`] has to be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    Yes,
    No,
}

/// Bodies may hold what somebody asked.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole { status, body, .. } => f
                .debug_struct("Whole")
                .field("status", status)
                .field("body_bytes", &body.len())
                .finish_non_exhaustive(),
            Self::Stream { .. } => f.debug_struct("Stream").finish_non_exhaustive(),
        }
    }
}

/// What the request allows its reply.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// Chunks are unknown to the client; the end of the connection ends the body.
    pub http_1_0: bool,
    /// HEAD: nothing follows the head.
    pub head_only: bool,
    /// The connection can take another request.
    pub keep_alive: bool,
    pub silence: Silence,
}

/// Sends the reply, and drops the writer, which gives the connection back to tiny_http.
/// An error means the client has left.
pub(super) fn send(
    mut writer: Box<dyn Write + Send>,
    reply: Reply,
    terms: Terms,
    client: Client,
) -> io::Result<()> {
    match reply {
        Reply::Whole {
            status,
            headers,
            body,
        } => {
            writer.write_all(&whole(status, &headers, &body, terms))?;
            writer.flush()
        }
        Reply::Stream {
            mut headers,
            mut source,
        } if terms.http_1_0 && terms.keep_alive => {
            let gathered = gather(&mut *source, &client.pulse());
            if client.has_left() {
                return Err(gone());
            }
            let bytes = match gathered {
                Ok(body) => {
                    replace(&mut headers, source.late_headers());
                    whole(200, &headers, &body, terms)
                }
                Err(Refused {
                    reply:
                        Reply::Whole {
                            status,
                            headers,
                            body,
                        },
                    ..
                }) => whole(status, &headers, &body, terms),
                Err(Refused { event, .. }) => whole(200, &headers, &event, terms),
            };
            writer.write_all(&bytes)?;
            writer.flush()
        }
        Reply::Stream { headers, source } => stream(writer, headers, source, terms, client),
    }
}

/// Head and body in one buffer: one packet for small replies.
pub(super) fn whole(
    status: u16,
    headers: &[(&'static str, String)],
    body: &[u8],
    terms: Terms,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + body.len());
    start_head(&mut out, status, headers);
    // Neither status may have a body, and 204 no length (RFC 9110 section 8.6).
    let bodiless = matches!(status, 204 | 304);
    if !bodiless {
        put_header(&mut out, "Content-Length", &body.len().to_string());
    }
    if !terms.keep_alive {
        put_header(&mut out, "Connection", "close");
    } else if terms.http_1_0 {
        put_header(&mut out, "Connection", "keep-alive");
    }
    out.extend_from_slice(b"\r\n");
    if !bodiless && !terms.head_only {
        out.extend_from_slice(body);
    }
    out
}

/// Writes the head, then one chunk, one write and one flush for each `fill`.
fn stream(
    writer: Box<dyn Write + Send>,
    headers: Vec<(&'static str, String)>,
    mut source: Box<dyn Source>,
    terms: Terms,
    client: Client,
) -> io::Result<()> {
    let line = Rc::new(RefCell::new(Line::new(
        writer,
        headers,
        source.heartbeat(),
        terms,
        client.clone(),
    )));
    let beating = line.clone();
    let pulse = Pulse::new(move || beating.borrow_mut().beat());
    let begun = begin(&mut *source, &pulse);
    if client.has_left() {
        return Err(gone());
    }
    if let Err(refused) = begun {
        return line.borrow_mut().refuse(refused, terms);
    }
    if let Some(head) = &mut line.borrow_mut().head {
        replace(head, source.late_headers());
    }
    if terms.head_only {
        return line.borrow_mut().send(&[], More::No);
    }
    let mut events = Vec::new();
    loop {
        events.clear();
        let more = fill(&mut *source, &mut events, &pulse);
        if client.has_left() {
            return Err(gone());
        }
        line.borrow_mut().send(&events, more)?;
        if more == More::No {
            return Ok(());
        }
    }
}

/// What the pulse has found out.
fn gone() -> io::Error {
    io::Error::other(GaveUp::Left)
}

/// A client's connection while a stream goes over it.
struct Line {
    writer: Box<dyn Write + Send>,
    client: Client,
    /// Its headers, until they are sent.
    head: Option<Vec<(&'static str, String)>>,
    heartbeat: Heartbeat,
    /// When something was sent last; before that, when the request was here.
    last: Instant,
    chunked: bool,
    head_only: bool,
    silence: Silence,
    out: Vec<u8>,
}

impl Line {
    fn new(
        writer: Box<dyn Write + Send>,
        headers: Vec<(&'static str, String)>,
        heartbeat: Heartbeat,
        terms: Terms,
        client: Client,
    ) -> Self {
        Self {
            writer,
            client,
            head: Some(headers),
            heartbeat,
            last: Instant::now(),
            chunked: !terms.http_1_0,
            head_only: terms.head_only,
            silence: terms.silence,
            out: Vec::new(),
        }
    }

    /// The head, if it is still to be sent, and these events, in one write.
    fn send(&mut self, events: &[u8], more: More) -> io::Result<()> {
        self.out.clear();
        if let Some(headers) = self.head.take() {
            self.put_head(&headers);
        }
        if !self.head_only {
            if self.chunked {
                put_chunk(&mut self.out, events);
            } else {
                self.out.extend_from_slice(events);
            }
            if more == More::No && self.chunked {
                self.out.extend_from_slice(END_OF_CHUNKS);
            }
        }
        if self.out.is_empty() {
            return Ok(());
        }
        self.last = Instant::now();
        self.writer.write_all(&self.out)?;
        self.writer.flush()
    }

    fn put_head(&mut self, headers: &[(&'static str, String)]) {
        start_head(&mut self.out, 200, headers);
        if self.chunked {
            put_header(&mut self.out, "Transfer-Encoding", "chunked");
        }
        // A client may be silent during a stream for longer than the listener's receive
        // timeout allows; it shall not find out by trying to reuse the connection.
        put_header(&mut self.out, "Connection", "close");
        self.out.extend_from_slice(b"\r\n");
    }

    /// Breaks a silence that has lasted too long. Fails when the client has left, or is
    /// not to be served any more.
    fn beat(&mut self) -> Result<(), GaveUp> {
        self.client.beat()?;
        let allowed = match self.head {
            Some(_) => self.silence.before_head,
            None => self.silence.between,
        };
        if self.last.elapsed() < allowed {
            return Ok(());
        }
        let mut event = Vec::new();
        (self.heartbeat)(&mut event);
        self.send(&event, More::Yes).map_err(|_| GaveUp::Left)
    }

    fn refuse(&mut self, refused: Refused, terms: Terms) -> io::Result<()> {
        match (&self.head, refused.reply) {
            (
                Some(_),
                Reply::Whole {
                    status,
                    headers,
                    body,
                },
            ) => {
                self.writer
                    .write_all(&whole(status, &headers, &body, terms))?;
                self.writer.flush()
            }
            _ => self.send(&refused.event, More::No),
        }
    }
}

/// tiny_http closes no connection that an HTTP/1.0 client asked to keep, so such a
/// client would wait for ever for the end of an unframed stream.
fn gather(source: &mut dyn Source, pulse: &Pulse) -> Result<Vec<u8>, Refused> {
    begin(source, pulse)?;
    let mut body = Vec::new();
    let mut events = Vec::new();
    while body.len() < MAX_GATHERED_BYTES {
        events.clear();
        let more = fill(source, &mut events, pulse);
        body.extend_from_slice(&events);
        if more == More::No {
            break;
        }
    }
    Ok(body)
}

fn replace(headers: &mut Vec<(&'static str, String)>, late: Vec<(&'static str, String)>) {
    for (name, value) in late {
        headers.retain(|(known, _)| *known != name);
        headers.push((name, value));
    }
}

fn begin(source: &mut dyn Source, pulse: &Pulse) -> Result<(), Refused> {
    catch_unwind(AssertUnwindSafe(|| source.begin(pulse))).unwrap_or_else(|_| Err(source.broken()))
}

/// Once the head is sent the stream must be ended properly whatever happens: tiny_http
/// keeps the connection open, and the client would wait.
fn fill(source: &mut dyn Source, events: &mut Vec<u8>, pulse: &Pulse) -> More {
    if let Ok(more) = catch_unwind(AssertUnwindSafe(|| source.fill(events, pulse))) {
        return more;
    }
    // What is there may end within an event.
    events.clear();
    if let Ok(broken) = catch_unwind(AssertUnwindSafe(|| source.broken())) {
        events.extend_from_slice(&broken.event);
    }
    More::No
}

fn start_head(out: &mut Vec<u8>, status: u16, headers: &[(&'static str, String)]) {
    let line = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    out.extend_from_slice(line.as_bytes());
    put_header(out, "Date", &httpdate::fmt_http_date(SystemTime::now()));
    for (name, value) in headers {
        put_header(out, name, value);
    }
}

/// A CR or LF in a value would begin a header, or a reply, of the client's choosing.
fn put_header(out: &mut Vec<u8>, name: &str, value: &str) {
    let clean = !value.bytes().any(|byte| byte.is_ascii_control());
    debug_assert!(clean, "control byte in the header {name}");
    if clean {
        for piece in [name, ": ", value, "\r\n"] {
            out.extend_from_slice(piece.as_bytes());
        }
    }
}

/// An empty chunk would end the body, so nothing makes no chunk.
fn put_chunk(out: &mut Vec<u8>, data: &[u8]) {
    if !data.is_empty() {
        out.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
}

/// RFC 9110 section 15; clients must ignore it.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        529 => "Overloaded",
        _ => "",
    }
}
