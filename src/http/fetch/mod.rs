//! Fetching what a client names by its address.
//!
//! The client chooses the URL, and whoever answers chooses everything else;
//! neither is trusted. `reach` decides which addresses may be reached at all,
//! `guard` sees to it that no others are, and what is here bounds time, size and
//! redirects.

mod guard;
mod reach;

pub use reach::{Lookup, Reach};

use std::io::{self, Read};
use std::time::{Duration, Instant};

use ureq::Agent;
use url::Url;

use self::guard::{GuardedConnector, GuardedResolver};
use super::waiting::{gave_up, waiting};
use super::{BadProxy, GaveUp, Pulse, RawResponse, USER_AGENT, proxy, tls};
use crate::config::Outbound;

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 3;

/// Ports below this, but for those of HTTP, belong to protocols that a GET may
/// be meant to confuse.
const FIRST_USER_PORT: u16 = 1024;

/// Fetches by GET, without cookies or credentials, on a new connection each time.
#[derive(Debug, Clone)]
pub struct Fetcher {
    agent: Agent,
}

/// What one fetch may cost.
#[derive(Debug, Clone, Copy)]
pub struct FetchLimits {
    /// From the look-up of the name to the last byte, redirects included.
    pub time: Duration,
    /// Of the body.
    pub bytes: usize,
}

/// Completes "this URL cannot be used: …". Nothing here tells what there is inside
/// the network of this machine: an address that is refused and a name that
/// nobody knows are the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error("{0}")]
    BadUrl(&'static str),
    #[error("its host has no address on the public internet")]
    NotPublic,
    #[error("its server cannot be reached")]
    Unreachable,
    #[error("the certificate of its server is not valid")]
    Untrusted,
    #[error("what it leads to did not arrive within {} s", .0.as_secs_f32().ceil())]
    TimedOut(Duration),
    #[error("its server answered with status {0}")]
    Status(u16),
    #[error("its server redirects, but not to a URL")]
    BadRedirect,
    #[error("it is redirected more than {MAX_REDIRECTS} times")]
    TooManyRedirects,
    #[error("what it leads to is larger than {0} bytes")]
    TooLarge(usize),
    #[error("its server broke off the answer")]
    BrokenOff,
    #[error(transparent)]
    GaveUp(#[from] GaveUp),
}

impl Fetcher {
    /// The proxy of `outbound` is used, but never asked to resolve a name: it
    /// may stand where it can reach more than the internet.
    pub fn new(outbound: &Outbound, reach: Reach) -> Result<Self, BadProxy> {
        let config = |proxy| {
            let config = Agent::config_builder().proxy(proxy);
            config
                .http_status_as_error(false)
                .max_redirects(0)
                .tls_config(tls(outbound))
                .user_agent(USER_AGENT)
                .max_idle_connections(0)
                .build()
        };
        // With a proxy in the agent's own configuration, ureq would leave names to it.
        let connector = GuardedConnector::new(config(proxy(outbound)?));
        let agent = Agent::with_parts(config(None), connector, GuardedResolver::new(reach));
        Ok(Self { agent })
    }

    /// The body that the URL leads to. `pulse` is asked while nothing comes.
    pub fn get(
        &self,
        url: &str,
        limits: FetchLimits,
        pulse: &Pulse,
    ) -> Result<Vec<u8>, FetchError> {
        waiting(pulse, limits.time, || self.follow(url, limits))
    }

    fn follow(&self, url: &str, limits: FetchLimits) -> Result<Vec<u8>, FetchError> {
        let begun = Instant::now();
        let explain = |error| explain(&error, limits);
        let mut url = Url::parse(url).map_err(|_| FetchError::BadUrl("it is not a valid URL"))?;
        for _ in 0..=MAX_REDIRECTS {
            check(&url)?;
            let left = limits.time.saturating_sub(begun.elapsed());
            let response = self.send(&url, left).map_err(explain)?;
            match response.status().as_u16() {
                200 | 203 => return body(response, limits),
                301 | 302 | 303 | 307 | 308 => url = target(&url, &response)?,
                status => return Err(FetchError::Status(status)),
            }
        }
        Err(FetchError::TooManyRedirects)
    }

    fn send(&self, url: &Url, limit: Duration) -> Result<RawResponse<ureq::Body>, ureq::Error> {
        // Bounds the body, too.
        let call = self.agent.get(url.as_str()).config();
        call.timeout_global(Some(limit)).build().call()
    }
}

/// What can be told from the URL alone. `url` has already written every spelling
/// of an IPv4 address (`0x7f000001`, `017700000001`, `127.1`) as the usual one.
fn check(url: &Url) -> Result<(), FetchError> {
    if !matches!(url.scheme(), "http" | "https") {
        let why = "it leads to an address without https:// or http://";
        return Err(FetchError::BadUrl(why));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(FetchError::BadUrl("it holds a user name or a password"));
    }
    match url.port_or_known_default() {
        Some(80 | 443 | FIRST_USER_PORT..) => Ok(()),
        _ => Err(FetchError::BadUrl(
            "its port belongs to another protocol than HTTP",
        )),
    }
}

/// Where a redirect leads.
fn target(url: &Url, response: &RawResponse<ureq::Body>) -> Result<Url, FetchError> {
    let location = response.headers().get("location");
    let location = location.and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| url.join(location).ok());
    target.ok_or(FetchError::BadRedirect)
}

fn body(response: RawResponse<ureq::Body>, limits: FetchLimits) -> Result<Vec<u8>, FetchError> {
    let stated = response.body().content_length();
    if stated.is_some_and(|length| length > limits.bytes as u64) {
        return Err(FetchError::TooLarge(limits.bytes));
    }
    let body = response.into_body().into_with_config().limit(u64::MAX);
    let mut bytes = Vec::new();
    let mut limited = body.reader().take(limits.bytes as u64 + 1);
    limited.read_to_end(&mut bytes).map_err(|error| {
        if let Some(gave_up) = gave_up(&error) {
            FetchError::GaveUp(gave_up)
        } else if is_timeout(&error) {
            FetchError::TimedOut(limits.time)
        } else {
            FetchError::BrokenOff
        }
    })?;
    if bytes.len() > limits.bytes {
        return Err(FetchError::TooLarge(limits.bytes));
    }
    Ok(bytes)
}

fn explain(error: &ureq::Error, limits: FetchLimits) -> FetchError {
    if let ureq::Error::Io(error) = error
        && let Some(gave_up) = gave_up(error)
    {
        return FetchError::GaveUp(gave_up);
    }
    match error {
        ureq::Error::HostNotFound => FetchError::NotPublic,
        ureq::Error::Timeout(_) => FetchError::TimedOut(limits.time),
        ureq::Error::Io(error) if is_timeout(error) => FetchError::TimedOut(limits.time),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            FetchError::BadUrl("it is not a valid URL")
        }
        error if error.to_string().contains("invalid peer certificate") => FetchError::Untrusted,
        _ => FetchError::Unreachable,
    }
}

fn is_timeout(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| {
        matches!(
            inner.downcast_ref::<ureq::Error>(),
            Some(ureq::Error::Timeout(_))
        )
    })
}
