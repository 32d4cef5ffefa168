//! Checks a request's framing, then reads its body.
//!
//! tiny_http takes any `Transfer-Encoding` for chunked (CVE-2026-66752), lets CR, LF and
//! NUL pass in header values (CVE-2026-66753), and treats a `Content-Length` it cannot
//! read as no body. Each lets bytes of a body be taken for the next request, so all of
//! them are refused here.

use std::io::{self, ErrorKind, Read};

use crate::server::transport::exchange::{Request, split_target};
use crate::server::transport::listener::Refusal;
use crate::server::transport::presence::Client;

/// How many bytes of a body that nobody wants are read so that the connection stays in
/// step, or at least the refusal arrives. tiny_http allocates the unread rest of a
/// `Content-Length` when it drops a request, and aborts the process if it cannot:
/// beyond this a request must never be dropped.
pub(super) const MAX_DRAINED_BYTES: u64 = 128 * 1024 * 1024;

/// Reserved for a body that is promised to be so long: grown step by step it would be
/// copied again and again, but a promise is all that it is yet.
const MAX_RESERVED_BYTES: u64 = 1024 * 1024;

/// A request that cannot be put before the handler.
pub(super) struct Fault {
    pub refusal: Refusal,
    /// Whether it is certain where the connection's next request begins.
    pub in_step: bool,
}

/// Checks, reads the whole body, and makes it a [`Request`]. Sends `100 Continue` if
/// the client waits for it.
pub(super) fn receive(
    raw: &mut tiny_http::Request,
    max_body: u64,
    client: &Client,
) -> Result<Request, Fault> {
    if let Some(reason) = malformation(raw) {
        return Err(out_of_step(Refusal::MalformedFraming(reason)));
    }
    let body = if is_chunked(raw) {
        read_chunks(raw, max_body)?
    } else if let Some(length) = content_length(raw) {
        let too_large = Fault {
            refusal: Refusal::BodyTooLarge { limit: max_body },
            // Digits that overflow are no body to tiny_http.
            in_step: raw.body_length().is_some(),
        };
        match length.parse::<u64>() {
            Ok(length) if length <= max_body && raw.body_length().is_some() => {
                read_length(raw, length)?
            }
            _ => return Err(too_large),
        }
    } else {
        Vec::new()
    };
    let (path, query) = split_target(raw.url());
    Ok(Request {
        method: raw.method().as_str().to_owned(),
        path: path.to_owned(),
        query: query.map(str::to_owned),
        peer: raw.remote_addr().copied(),
        headers: raw
            .headers()
            .iter()
            .map(|header| (header.field.to_string(), header.value.to_string()))
            .collect(),
        body,
        client: client.clone(),
    })
}

/// Whether tiny_http decodes the body as chunked.
pub(super) fn is_chunked(raw: &tiny_http::Request) -> bool {
    values(raw, "Transfer-Encoding").next().is_some()
}

/// Whether tiny_http switches framing off, as it does for `Connection: Upgrade`, and
/// hands out the bare connection. Such a connection ends with its reply.
pub(super) fn is_upgrade(raw: &tiny_http::Request) -> bool {
    values(raw, "Connection")
        .next()
        .is_some_and(|value| value.to_ascii_lowercase().contains("upgrade"))
}

/// The value of the one header `name`; the first, where there are several.
pub(super) fn value<'a>(raw: &'a tiny_http::Request, name: &'static str) -> Option<&'a str> {
    values(raw, name).next()
}

fn values<'a>(raw: &'a tiny_http::Request, name: &'static str) -> impl Iterator<Item = &'a str> {
    raw.headers()
        .iter()
        .filter(move |header| header.field.equiv(name))
        .map(|header| header.value.as_str())
}

fn content_length(raw: &tiny_http::Request) -> Option<&str> {
    value(raw, "Content-Length")
}

fn out_of_step(refusal: Refusal) -> Fault {
    Fault {
        refusal,
        in_step: false,
    }
}

/// RFC 9112 sections 3.2, 5 and 6, as strictly as it allows.
fn malformation(raw: &tiny_http::Request) -> Option<&'static str> {
    if !is_token(raw.method().as_str()) || !raw.url().bytes().all(|b| b.is_ascii_graphic()) {
        return Some("the request line holds a control character");
    }
    for header in raw.headers() {
        if !is_token(header.field.as_str().as_str()) {
            return Some("a header name is not a token");
        }
        let mut bytes = header.value.as_str().bytes();
        if bytes.any(|byte| byte.is_ascii_control() && byte != b'\t') {
            return Some("a header value holds a control character");
        }
    }
    let hosts = values(raw, "Host").count();
    if hosts > 1 || (hosts == 0 && *raw.http_version() >= (1, 1)) {
        return Some("there must be exactly one Host");
    }
    let mut lengths = values(raw, "Content-Length");
    let length = lengths.next();
    if lengths.next().is_some() {
        return Some("there is more than one Content-Length");
    }
    if length.is_some_and(|text| text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit())) {
        return Some("Content-Length is not a number");
    }
    let mut encodings = values(raw, "Transfer-Encoding");
    let encoding = encodings.next()?;
    if !encoding.eq_ignore_ascii_case("chunked") || encodings.next().is_some() {
        return Some("the only Transfer-Encoding understood is chunked");
    }
    if length.is_some() {
        return Some("there are both Transfer-Encoding and Content-Length");
    }
    is_upgrade(raw).then_some("a chunked request cannot ask for an upgrade")
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// An early end is no error to tiny_http, so the bytes are counted.
fn read_length(raw: &mut tiny_http::Request, length: u64) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::with_capacity(length.min(MAX_RESERVED_BYTES) as usize);
    if length > 0 {
        // Never more than the length: after an upgrade the reader has no end.
        let read = raw.as_reader().take(length).read_to_end(&mut body);
        if read.is_err() || body.len() as u64 != length {
            return Err(out_of_step(Refusal::BodyIncomplete));
        }
    }
    Ok(body)
}

/// Reads to the last chunk: tiny_http would take what is left for the next request. A
/// connection that ends within a chunk cannot be told from one that ended well; the
/// cut body has to betray itself.
fn read_chunks(raw: &mut tiny_http::Request, max_body: u64) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    let reader = raw.as_reader();
    reader
        .take(max_body.saturating_add(1))
        .read_to_end(&mut body)
        .map_err(|error| out_of_step(chunk_refusal(&error)))?;
    if body.len() as u64 <= max_body {
        return Ok(body);
    }
    let rest = io::copy(&mut reader.take(MAX_DRAINED_BYTES), &mut io::sink());
    Err(Fault {
        refusal: Refusal::BodyTooLarge { limit: max_body },
        in_step: rest.is_ok_and(|count| count < MAX_DRAINED_BYTES),
    })
}

fn chunk_refusal(error: &io::Error) -> Refusal {
    match error.kind() {
        // Trailers end here, too: the decoder of tiny_http does not know them.
        ErrorKind::InvalidInput => Refusal::MalformedFraming("a chunk is malformed"),
        _ => Refusal::BodyIncomplete,
    }
}
