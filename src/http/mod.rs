//! Outgoing HTTP: to Google, with connection reuse and time limits, and to whatever
//! a client names (`fetch`); through a proxy where the user has one. The only
//! folder that names `ureq`.

mod fetch;
#[cfg(test)]
mod tests;
mod waiting;

pub use fetch::{FetchError, FetchLimits, Fetcher, Lookup, Reach};
pub use waiting::{GaveUp, Pulse};

use std::io::{ErrorKind, Read};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ureq::http::{Response as RawResponse, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, BodyReader, Proxy, ProxyProtocol, RequestBuilder, Timeout};

use self::waiting::{SlicedConnector, connecting, gave_up, waiting};
use crate::config::Outbound;

const USER_AGENT: &str = concat!("gemini-proxy/", env!("CARGO_PKG_VERSION"));

/// How many connections that lay in the pool may turn out to be dead.
const MAX_STALE: usize = 3;

/// Connections to Google, kept and reused by every thread.
#[derive(Debug, Clone)]
pub struct Http {
    agent: Agent,
    limits: Limits,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    connect: Duration,
    first_byte: Duration,
    idle: Duration,
}

/// One request. Header values must not hold control characters.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub url: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    /// Absent: a GET. Present: a POST.
    pub body: Option<&'a [u8]>,
}

/// Headers and body hold keys, tokens and prompts.
impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Any answer, whatever its status.
#[derive(Debug)]
pub struct Response {
    raw: RawResponse<ureq::Body>,
    host: String,
    idle: Duration,
}

/// What arrives after the head.
pub struct Body {
    reader: BodyReader<'static>,
    host: String,
    idle: Duration,
    /// Nothing is waited for any longer.
    deadline: Option<Instant>,
}

/// No answer, or only a part of one. Google's refusals are answers, not errors.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HttpError {
    #[error("cannot reach {host}: {detail}{}", hint(detail))]
    Unreachable { host: String, detail: String },
    #[error("{host} did not {what} within {} s", limit.as_secs_f32())]
    TimedOut {
        host: String,
        /// Completes "did not …".
        what: &'static str,
        limit: Duration,
    },
    #[error("{host} broke off its answer: {detail}")]
    BrokenOff { host: String, detail: String },
    #[error("the answer of {host} is longer than {limit} bytes")]
    TooLong { host: String, limit: usize },
    #[error("the headers of {host}'s answer are longer than {limit} bytes")]
    HeadTooLong { host: String, limit: usize },
    #[error(transparent)]
    GaveUp(#[from] GaveUp),
}

/// `HTTPS_PROXY` and its kin cannot be understood. Does not repeat the value,
/// which may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("not a proxy address; expected http://host:port, https://host:port or socks5://host:port")]
pub struct BadProxy;

impl Http {
    pub fn new(outbound: &Outbound) -> Result<Self, BadProxy> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(tls(outbound))
            .proxy(proxy(outbound)?)
            .user_agent(USER_AGENT)
            // ureq keeps 3 idle connections a host by default: bursts of parallel
            // requests would open new ones each time.
            .max_idle_connections(64)
            .max_idle_connections_per_host(64)
            .max_idle_age(Duration::from_secs(60))
            // The default of 128 KiB a direction is paid by every open stream. The
            // input buffer also bounds the response head: Google's take about 1 KiB, and
            // what a company's proxy adds (cookies, policies) rarely 4 more.
            .input_buffer_size(8 * 1024)
            .output_buffer_size(8 * 1024)
            .timeout_connect(Some(outbound.connect_timeout))
            .build();
        Ok(Self {
            agent: Agent::with_parts(
                config,
                SlicedConnector::default(),
                DefaultResolver::default(),
            ),
            limits: Limits {
                connect: outbound.connect_timeout,
                first_byte: outbound.first_byte_timeout,
                idle: outbound.idle_timeout,
            },
        })
    }

    /// The same connections, for questions whose answer comes quickly or not at all.
    pub fn with_patience(&self, limit: Duration) -> Self {
        let limits = Limits {
            first_byte: self.limits.first_byte.min(limit),
            idle: self.limits.idle.min(limit),
            ..self.limits
        };
        Self {
            agent: self.agent.clone(),
            limits,
        }
    }

    /// Sends, and returns as soon as the head of the answer is here.
    pub fn send(&self, request: Request<'_>) -> Result<Response, HttpError> {
        self.send_while(request, &Pulse::none())
    }

    /// The same; `pulse` is asked while the answer does not begin.
    pub fn send_while(&self, request: Request<'_>, pulse: &Pulse) -> Result<Response, HttpError> {
        let first_byte = self.limits.first_byte;
        let send = || waiting(pulse, first_byte, || self.send_once(request));
        let (mut outcome, mut is_live) = connecting(send);
        for _ in 0..MAX_STALE {
            // Google closes connections that lay idle. On one that was alive a request
            // that broke off may have been answered, and must not be sent again.
            if is_live || !outcome.as_ref().is_err_and(is_stale) {
                break;
            }
            (outcome, is_live) = connecting(send);
        }
        let host = peer_of(request.url);
        match outcome {
            Ok(raw) => Ok(Response {
                raw,
                host,
                idle: self.limits.idle,
            }),
            Err(error) => Err(self.explain(error, host)),
        }
    }

    fn send_once(&self, request: Request<'_>) -> Result<RawResponse<ureq::Body>, ureq::Error> {
        match request.body {
            None => {
                let mut call = self.agent.get(request.url);
                for (name, value) in request.headers {
                    call = call.header(*name, *value);
                }
                self.limited(call, request.url).call()
            }
            Some(body) => {
                let mut call = self.agent.post(request.url);
                for (name, value) in request.headers {
                    call = call.header(*name, *value);
                }
                self.limited(call, request.url).send(body)
            }
        }
    }

    fn limited<B>(&self, call: RequestBuilder<B>, url: &str) -> RequestBuilder<B> {
        let config = call
            .config()
            .timeout_recv_response(Some(self.limits.first_byte))
            // Restarts at each write: a large request may take its time, but not stand still.
            .timeout_per_write(Some(self.limits.idle));
        // ureq would ask the proxy for loopback addresses, too.
        if is_loopback(url) {
            config.proxy(None).build()
        } else {
            config.build()
        }
    }

    fn explain(&self, error: ureq::Error, host: String) -> HttpError {
        if let ureq::Error::Io(error) = &error
            && let Some(gave_up) = gave_up(error)
        {
            return HttpError::GaveUp(gave_up);
        }
        match error {
            ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => HttpError::TimedOut {
                host,
                what: "accept a connection",
                limit: self.limits.connect,
            },
            ureq::Error::Timeout(Timeout::PerWrite) => HttpError::TimedOut {
                host,
                what: "read the request",
                limit: self.limits.idle,
            },
            ureq::Error::LargeResponseHeader(_, limit) => HttpError::HeadTooLong { host, limit },
            // It may have read the request, and even answered it.
            error if is_stale(&error) => HttpError::BrokenOff {
                host,
                detail: error.to_string(),
            },
            ureq::Error::Timeout(_) => HttpError::TimedOut {
                host,
                what: "begin its answer",
                limit: self.limits.first_byte,
            },
            error => HttpError::Unreachable {
                host,
                detail: error.to_string(),
            },
        }
    }
}

impl Response {
    pub fn status(&self) -> u16 {
        self.raw.status().as_u16()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.raw.headers().get(name)?.to_str().ok()
    }

    pub fn into_body(self) -> Body {
        Body {
            reader: self
                .raw
                .into_body()
                .into_with_config()
                .limit(u64::MAX)
                .reader(),
            host: self.host,
            idle: self.idle,
            deadline: None,
        }
    }

    /// The whole answer. Reading to the end gives the connection back to the pool.
    pub fn bytes(self, limit: usize) -> Result<Vec<u8>, HttpError> {
        self.bytes_while(limit, &Pulse::none())
    }

    /// The same; `pulse` is asked while nothing comes.
    pub fn bytes_while(self, limit: usize, pulse: &Pulse) -> Result<Vec<u8>, HttpError> {
        let mut body = self.into_body();
        let mut bytes = Vec::new();
        let mut piece = vec![0; 8 * 1024];
        loop {
            let count = body.read_while(&mut piece, pulse)?;
            if count == 0 {
                return Ok(bytes);
            }
            if bytes.len() + count > limit {
                return Err(HttpError::TooLong {
                    host: body.host,
                    limit,
                });
            }
            bytes.extend_from_slice(&piece[..count]);
        }
    }
}

impl Response {
    /// As much of the answer as comes, up to `limit` bytes. For error texts, of
    /// which a part is better than none.
    pub fn excerpt(self, limit: usize, pulse: &Pulse) -> Vec<u8> {
        let mut body = self.into_body();
        let mut bytes = vec![0; limit];
        let mut filled = 0;
        while filled < limit {
            match body.read_while(&mut bytes[filled..], pulse) {
                Ok(0) | Err(_) => break,
                Ok(count) => filled += count,
            }
        }
        bytes.truncate(filled);
        bytes
    }
}

impl Body {
    /// From now on it is waited so long in all, not so long for each piece. The first
    /// call counts.
    pub fn end_within(&mut self, limit: Duration) {
        self.deadline.get_or_insert_with(|| Instant::now() + limit);
    }

    /// Waits for the next piece; 0 at the end. `pulse` is asked while nothing comes.
    /// Dropping an unfinished body closes its connection at once.
    pub fn read_while(&mut self, buffer: &mut [u8], pulse: &Pulse) -> Result<usize, HttpError> {
        let left = self
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let limit = left.map_or(self.idle, |left| left.min(self.idle));
        let outcome = waiting(pulse, limit, || self.reader.read(buffer));
        outcome.map_err(|error| {
            let timed_out = error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<ureq::Error>())
                .is_some_and(|inner| matches!(inner, ureq::Error::Timeout(_)));
            let host = self.host.clone();
            if let Some(gave_up) = gave_up(&error) {
                HttpError::GaveUp(gave_up)
            } else if timed_out {
                HttpError::TimedOut {
                    host,
                    what: "continue its answer",
                    limit,
                }
            } else {
                HttpError::BrokenOff {
                    host,
                    detail: error.to_string(),
                }
            }
        })
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

fn tls(outbound: &Outbound) -> TlsConfig {
    let roots = if outbound.system_roots {
        RootCerts::PlatformVerifier
    } else {
        RootCerts::WebPki
    };
    TlsConfig::builder().root_certs(roots).build()
}

fn proxy(outbound: &Outbound) -> Result<Option<Proxy>, BadProxy> {
    let Some(address) = &outbound.proxy else {
        return Ok(None);
    };
    let url = url::Url::parse(address.reveal()).map_err(|_| BadProxy)?;
    // An unescaped # or / in a password would end the host too early.
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(BadProxy);
    }
    let protocol = ProxyProtocol::try_from(url.scheme()).map_err(|_| BadProxy)?;
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or(BadProxy)?;
    let mut builder = Proxy::builder(protocol).host(host);
    for host in outbound
        .no_proxy
        .split(',')
        .map(str::trim)
        .filter(|host| !host.is_empty())
    {
        builder = builder.no_proxy(host);
        // curl's rule: a name stands for everything below it, too.
        if !host.starts_with(['.', '*']) && host.parse::<IpAddr>().is_err() {
            builder = builder.no_proxy(&format!(".{host}"));
        }
    }
    if let Some(port) = url.port() {
        builder = builder.port(port);
    }
    if !url.username().is_empty() {
        builder = builder.username(&decoded(url.username()));
    }
    if let Some(password) = url.password() {
        builder = builder.password(&decoded(password));
    }
    builder.build().map(Some).map_err(|_| BadProxy)
}

/// The proxy through which an address is reached, if there is one: without the name and
/// the password that it may want.
pub fn proxy_for(outbound: &Outbound, url: &str) -> Option<String> {
    let used = proxy(outbound).ok()??;
    if is_loopback(url) || used.is_no_proxy(&url.parse().ok()?) {
        return None;
    }
    let mut shown = url::Url::parse(outbound.proxy.as_ref()?.reveal()).ok()?;
    shown.set_username("").ok()?;
    shown.set_password(None).ok()?;
    Some(shown.to_string().trim_end_matches('/').to_owned())
}

/// What mends the failures that a person can mend.
fn hint(detail: &str) -> &'static str {
    if detail.contains("UnknownIssuer") || detail.contains("invalid peer certificate") {
        "; if a company's proxy stands in between, set SSL_CERT_FILE to its certificates; if a \
         certificate is not valid yet or any more, check this machine's clock"
    } else if detail.contains("407") {
        "; the proxy in HTTPS_PROXY wants a user and a password: http://user:password@host:port"
    } else if detail.contains("refused") || detail.contains("lookup") {
        "; check this machine's network, and HTTPS_PROXY if one is needed"
    } else {
        ""
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

fn is_stale(error: &ureq::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error, ureq::Error::Io(io) if matches!(io.kind(), UnexpectedEof | ConnectionReset | BrokenPipe))
}

/// For messages: the host, and the port if the address has one.
fn peer_of(url: &str) -> String {
    let host = host_of(url);
    match url.parse::<Uri>().ok().and_then(|uri| uri.port_u16()) {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

fn host_of(url: &str) -> String {
    url.parse::<Uri>()
        .ok()
        .and_then(|uri| uri.host().map(str::to_owned))
        .unwrap_or_default()
}

fn is_loopback(url: &str) -> bool {
    let host = host_of(url);
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
