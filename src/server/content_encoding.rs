//! Bodies that come compressed (RFC 9110, section 8.4): gzip, and nothing else.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::error::ApiError;
use super::transport::exchange::Request;

/// Undoes what was done to the body, at most to `limit` bytes: a few kilobytes of
/// gzip can hold gigabytes.
pub(super) fn undo(request: &mut Request, limit: u64) -> Result<(), ApiError> {
    if request.body().is_empty() {
        return Ok(());
    }
    match coding(request)? {
        Coding::Identity => Ok(()),
        Coding::Gzip => {
            let body = gunzip(request.body(), limit)?;
            request.replace_body(body);
            Ok(())
        }
    }
}

enum Coding {
    Identity,
    Gzip,
}

/// What the headers name, `identity` aside. One coding is enough for everyone.
fn coding(request: &Request) -> Result<Coding, ApiError> {
    let headers = request.headers();
    let values = headers.filter(|(name, _)| name.eq_ignore_ascii_case("content-encoding"));
    let names = values.flat_map(|(_, value)| value.split(',').map(str::trim));
    let is_named = |name: &&str| !name.is_empty() && !name.eq_ignore_ascii_case("identity");
    let names: Vec<_> = names.filter(is_named).collect();
    match names[..] {
        [] => Ok(Coding::Identity),
        // `x-gzip`: RFC 9110, section 8.4.1.3.
        [name] if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
            Ok(Coding::Gzip)
        }
        _ => {
            let message = format!(
                "The Content-Encoding '{}' is not understood here. Send the body as it is, or as \
                 gzip.",
                names.join(", ")
            );
            let error = ApiError::invalid(415, "unsupported_media_type", message);
            Err(error.header("accept-encoding", "gzip"))
        }
    }
}

/// Not inlined: what inflating takes of the stack (43 KiB) would lie under every stream,
/// and stay in memory as long as its thread.
#[inline(never)]
fn gunzip(compressed: &[u8], limit: u64) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    // One byte more shows that there is more.
    let mut decoder = MultiGzDecoder::new(compressed).take(limit.saturating_add(1));
    if let Err(error) = decoder.read_to_end(&mut body) {
        let message = format!("The body is not the gzip that its Content-Encoding says: {error}.");
        return Err(ApiError::invalid(400, "malformed_request", message));
    }
    if body.len() as u64 > limit {
        return Err(ApiError::too_large(limit));
    }
    Ok(body)
}
