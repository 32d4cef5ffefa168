//! One request and its reply: from what tiny_http received to what it sends.

use std::fmt;
use std::io::{Cursor, Write};
use std::mem;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tiny_http::{Header, Response, StatusCode};

use crate::http::Pulse;
use crate::server::transport::intake::{self, Fault, MAX_DRAINED_BYTES};
use crate::server::transport::listener::{Handler, Head, Limits, Refusal};
use crate::server::transport::presence::{Client, Identity, Presence};
use crate::server::transport::writer::{self, Reply, Silence, Terms};

/// A request with its whole body.
pub struct Request {
    /// As sent; methods are case-sensitive.
    pub method: String,
    /// Percent-encoded, without query. Of an absolute-form target
    /// (`GET http://host/path`) only the path.
    pub path: String,
    /// What follows the `?`.
    pub query: Option<String>,
    /// Who connected; a reverse proxy's own address if there is one.
    pub peer: Option<SocketAddr>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) client: Client,
}

/// Told, before the refusal is sent, that what comes next on this connection may be the
/// rest of a body. tiny_http cannot close it, so nothing that comes must be acted upon.
/// Once the client has its answer it may be gone, and its address another's.
pub(super) type OutOfStep<'a> = &'a dyn Fn(Option<Identity>);

/// tiny_http reads bodies up to this length together with the head.
const READ_WITH_HEAD: usize = 1024;

/// Connections left to hang; see [`abandon`]. Each costs a thread and two descriptors.
static ABANDONED: AtomicUsize = AtomicUsize::new(0);

impl Request {
    /// The value of the first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All headers in the order sent. Values hold no control characters but tabs.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The body as sent, until somebody undoes its `Content-Encoding`.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    pub fn replace_body(&mut self, body: Vec<u8>) {
        self.body = body;
    }

    /// To be asked while the reply is waited for: whether the client is still there.
    pub fn pulse(&self) -> Pulse {
        self.client.pulse()
    }

    /// Moves the body out; afterwards it is empty.
    pub fn take_body(&mut self) -> Vec<u8> {
        mem::take(&mut self.body)
    }
}

/// Headers, query and body may hold keys and prompts.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Path and query of a request target (RFC 9112 section 3.2).
pub(super) fn split_target(target: &str) -> (&str, Option<&str>) {
    let origin = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
            rest.find(['/', '?']).map_or("", |start| &rest[start..])
        }
        _ => target,
    };
    let (path, query) = match origin.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (origin, None),
    };
    (if path.is_empty() { "/" } else { path }, query)
}

/// Reads the request, asks the handler, sends its reply.
pub(super) fn serve(
    mut raw: tiny_http::Request,
    handler: &dyn Handler,
    limits: Limits,
    presence: &Arc<Presence>,
    out_of_step: OutOfStep<'_>,
) {
    let client = Client::new(presence, raw.remote_addr().copied());
    let mut request = match intake::receive(&mut raw, limits.max_body_bytes, &client) {
        Ok(request) => request,
        Err(fault) => {
            if !fault.in_step {
                out_of_step(client.identity());
            }
            return refuse(raw, handler, fault);
        }
    };
    let reply =
        catch_unwind(AssertUnwindSafe(|| handler.answer(&mut request))).unwrap_or_else(|_| {
            let head = Head {
                method: &request.method,
                path: &request.path,
                origin: request.header("origin"),
            };
            handler.refuse(Refusal::Panicked, head)
        });
    // A stream may last, and the body be large.
    drop(request);
    if client.has_left() {
        log::debug!("the client left before it was answered");
        return drop(raw.into_writer());
    }
    let terms = Terms {
        silence: limits.silence,
        ..terms(&raw)
    };
    if let Err(error) = writer::send(raw.into_writer(), reply, terms, client) {
        log::debug!("the client left before its reply was complete: {error}");
    }
}

/// Says no to a request that nobody has read yet.
pub(super) fn refuse_unread(
    raw: tiny_http::Request,
    handler: &dyn Handler,
    refusal: Refusal,
    presence: &Arc<Presence>,
    out_of_step: OutOfStep<'_>,
) {
    let in_step = !intake::is_chunked(&raw);
    if !in_step {
        out_of_step(Client::new(presence, raw.remote_addr().copied()).identity());
    }
    refuse(raw, handler, Fault { refusal, in_step });
}

/// Takes a request away without a reply. Blocks while its body arrives.
pub(super) fn discard(raw: tiny_http::Request) {
    match unread_length(&raw) {
        Some(length) if length > MAX_DRAINED_BYTES => {
            count_abandoned();
            mem::forget(raw);
        }
        _ => drop(raw.into_writer()),
    }
}

/// Whether tiny_http reads nothing more from the connection until this request is gone,
/// which may take as long as its body.
pub(super) fn holds_connection(raw: &tiny_http::Request) -> bool {
    intake::is_chunked(raw) || intake::is_upgrade(raw) || unread_length(raw).is_some()
}

/// How many connections were left to hang so far.
pub(super) fn abandoned() -> usize {
    ABANDONED.load(Ordering::Relaxed)
}

/// How to refuse depends on what tiny_http does with the body when it is dropped.
fn refuse(raw: tiny_http::Request, handler: &dyn Handler, fault: Fault) {
    let head = Head {
        method: raw.method().as_str(),
        path: split_target(raw.url()).0,
        origin: intake::value(&raw, "Origin"),
    };
    let reply = handler.refuse(fault.refusal, head);
    let mut terms = terms(&raw);
    let is_stopping = fault.refusal == Refusal::Stopping;
    terms.keep_alive &= fault.in_step && !is_stopping;
    match unread_length(&raw) {
        Some(length) if length > MAX_DRAINED_BYTES => abandon(raw, reply, terms),
        // Only what we write ourselves can say `Connection: close`.
        Some(_) if is_stopping && intake::value(&raw, "Expect").is_none() => {
            refuse_at_once(raw.into_writer(), reply, terms);
        }
        // `into_writer` would read the body first, and never return if the client
        // waits for `100 Continue`; `respond` writes first.
        Some(_) => respond(raw, reply),
        None => refuse_at_once(raw.into_writer(), reply, terms),
    }
}

/// The length of a body that tiny_http reads to its end when it drops the request.
fn unread_length(raw: &tiny_http::Request) -> Option<u64> {
    if intake::is_upgrade(raw) {
        return None;
    }
    let waits_for_continue = intake::value(raw, "Expect").is_some();
    raw.body_length()
        .filter(|length| *length > READ_WITH_HEAD || (*length > 0 && waits_for_continue))
        .map(|length| length as u64)
}

fn refuse_at_once(mut writer: Box<dyn Write + Send>, reply: Reply, terms: Terms) {
    let Reply::Whole {
        status,
        headers,
        body,
    } = reply
    else {
        return; // tiny_http answers a dropped request with 500
    };
    let bytes = writer::whole(status, &headers, &body, terms);
    if let Err(error) = writer.write_all(&bytes).and_then(|()| writer.flush()) {
        log::debug!("the client left before it was refused: {error}");
    }
}

fn respond(raw: tiny_http::Request, reply: Reply) {
    let Reply::Whole {
        status,
        headers,
        body,
    } = reply
    else {
        return; // tiny_http answers a dropped request with 500
    };
    let headers = headers
        .into_iter()
        .chain([("Server", "gemini-proxy".to_owned())])
        .filter(|(_, value)| !value.bytes().any(|byte| byte.is_ascii_control()))
        .filter_map(|(name, value)| Header::from_bytes(name, value).ok())
        .collect();
    let length = body.len();
    let response = Response::new(
        StatusCode(status),
        headers,
        Cursor::new(body),
        Some(length),
        None,
    );
    if let Err(error) = raw.respond(response.with_chunked_threshold(usize::MAX)) {
        log::debug!("the client left before it was refused: {error}");
    }
}

/// Refuses, and leaves the connection to hang for ever.
///
/// A request with an absurd `Content-Length` must not be dropped (see
/// [`MAX_DRAINED_BYTES`]), and `respond` and `into_writer` drop it. `upgrade` takes it
/// apart instead; it writes `100 Continue` first, which does no harm.
fn abandon(raw: tiny_http::Request, reply: Reply, terms: Terms) {
    count_abandoned();
    let mut connection = raw.upgrade("none", Response::empty(100));
    if let Reply::Whole {
        status,
        headers,
        body,
    } = reply
    {
        let terms = Terms {
            keep_alive: false,
            ..terms
        };
        let bytes = writer::whole(status, &headers, &body, terms);
        if connection
            .write_all(&bytes)
            .and_then(|()| connection.flush())
            .is_err()
        {
            log::debug!("the client left before it was refused");
        }
    }
    mem::forget(connection);
}

fn count_abandoned() {
    let count = ABANDONED.fetch_add(1, Ordering::Relaxed) + 1;
    log::warn!(
        "a client announced a body too large even to skip; its connection is lost, {count} so far"
    );
}

fn terms(raw: &tiny_http::Request) -> Terms {
    let http_1_0 = *raw.http_version() < (1, 1);
    let connection = intake::value(raw, "Connection")
        .unwrap_or_default()
        .to_ascii_lowercase();
    Terms {
        http_1_0,
        head_only: raw.method().as_str() == "HEAD",
        keep_alive: !connection.contains("close")
            && !connection.contains("upgrade")
            && (!http_1_0 || connection.contains("keep-alive")),
        silence: Silence::default(),
    }
}
