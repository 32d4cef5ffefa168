//! Who may ask: the proxy's own keys, wherever a client puts them.

use super::browser;
use super::error::ApiError;
use crate::secret::Secret;
use crate::server::transport::exchange::Request;

/// OpenAI's place is the first; the others are Anthropic's, Azure's and Google's.
const KEY_HEADERS: [&str; 3] = ["x-api-key", "api-key", "x-goog-api-key"];

/// Lets a request pass that presents one of `keys`; everyone, if there are none.
pub(super) fn check(request: &Request, keys: &[Secret]) -> Result<(), ApiError> {
    if keys.is_empty() {
        return Ok(());
    }
    let mut presented = presented(request).peekable();
    if presented.peek().is_none() {
        return Err(ApiError::no_key());
    }
    // Every pair is compared, so that the time tells nothing.
    let matches = presented.fold(false, |any, given| {
        keys.iter().fold(any, |any, key| any | key.matches(&given))
    });
    if matches {
        Ok(())
    } else {
        Err(ApiError::wrong_key())
    }
}

/// Which of `keys` a request presents.
pub(super) fn owner(request: &Request, keys: &[Secret]) -> Option<usize> {
    let presented: Vec<_> = presented(request).collect();
    let matching = |key: &Secret| presented.iter().any(|given| key.matches(given));
    keys.iter().position(matching)
}

/// Lets pass whoever sits at this machine, or presents a key. For what a browser
/// opens: it has no key to send. (Behind a proxy on this machine that hides the
/// name it was asked by, everyone seems to sit here.)
pub(super) fn check_person(
    request: &Request,
    keys: &[Secret],
    listening_on: &str,
) -> Result<(), ApiError> {
    if is_here(request, listening_on) {
        Ok(())
    } else {
        check(request, keys)
    }
}

/// Whether someone at this machine asks, by a name of its own.
pub(super) fn is_here(request: &Request, listening_on: &str) -> bool {
    let is_loopback = request
        .peer
        .is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    is_loopback && browser::has_own_host(request, listening_on)
}

fn presented(request: &Request) -> impl Iterator<Item = String> {
    let bearer = request.header("authorization").and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let headers = KEY_HEADERS.iter().filter_map(|name| request.header(name));
    let query = request.query.as_deref().unwrap_or_default();
    let in_query = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "key")
        .map(|(_, value)| value.into_owned());
    bearer
        .into_iter()
        .chain(headers)
        .map(str::to_owned)
        .chain(in_query)
        .filter(|key| !key.is_empty())
}
