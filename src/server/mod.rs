//! How clients ask us: the OpenAI API, sign-in and health.
//!
//! A request takes this way: `transport` reads it and finds it a thread;
//! [`Service`] routes it and checks its key; a handler (`chat`, `models`,
//! `auth`) makes a reply of it; `transport` writes that. Every failure becomes
//! what the client sees in `error`; how it ended is in its `record`, for the log
//! and for `metrics`.

pub mod transport;

mod access;
mod answer_stream;
mod asking;
mod auth;
mod body;
mod browser;
mod chat;
mod completions;
mod content_encoding;
mod cors;
mod error;
pub mod explain;
mod images;
mod metrics;
pub mod models;
mod page;
mod record;
pub mod redirect;
mod response_store;
mod responses;
mod router;
mod sign_in_cookie;
mod signature_cache;
mod status;
mod welcome;

pub use auth::TERMS;

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::Serialize;

use crate::config::{Config, Origins, UpstreamKind};
use crate::http::{Fetcher, Pulse};
use crate::secret::Secret;
use crate::server::error::{ApiError, SignInPage};
use crate::server::metrics::Metrics;
use crate::server::models::OfferedModels;
use crate::server::record::Record;
use crate::server::response_store::ResponseStore;
use crate::server::router::{Guard, Route};
use crate::server::signature_cache::SignatureCache;
use crate::server::transport::exchange::Request;
use crate::server::transport::listener::{Handler, Head, Refusal};
use crate::server::transport::writer::Reply;
use crate::translate::{Manner, Seal};
use crate::upstream::account::Account;
use crate::upstream::{Answer, EventStream, Question, Upstream, UpstreamError};
use crate::wire::hex;

/// The proxy, as its clients see it.
pub struct Service {
    upstream: Upstream,
    fetcher: Fetcher,
    manner: Manner,
    kind: UpstreamKind,
    account: Arc<Account>,
    api_keys: Vec<Secret>,
    cors_origins: Origins,
    allowed_hosts: Vec<String>,
    tolerates_missing_finish: bool,
    max_body_bytes: u64,
    /// The name or address that the user gave to listen on.
    host: String,
    signatures: Arc<SignatureCache>,
    responses: ResponseStore,
    seal: Seal,
    offered: OfferedModels,
    metrics: Arc<Metrics>,
    sign_in_page: SignInPage,
    /// Where it listens.
    address: SocketAddr,
}

impl Service {
    pub fn new(
        config: &Config,
        upstream: Upstream,
        fetcher: Fetcher,
        account: Arc<Account>,
        address: SocketAddr,
    ) -> Arc<Self> {
        Arc::new(Self {
            upstream,
            fetcher,
            manner: asking::manner(config),
            kind: config.upstream,
            account,
            api_keys: config.api_keys.clone(),
            cors_origins: config.cors_origins.clone(),
            allowed_hosts: config.allowed_hosts.clone(),
            tolerates_missing_finish: config.tolerate_missing_finish,
            max_body_bytes: config.max_body_bytes,
            host: config.host.clone(),
            signatures: Arc::new(SignatureCache::new()),
            responses: ResponseStore::default(),
            seal: seal(config),
            offered: OfferedModels::default(),
            metrics: Arc::new(Metrics::new()),
            sign_in_page: SignInPage {
                base_url: base_url(address),
                has_command: !config.is_demo,
            },
            address,
        })
    }

    fn route(
        self: &Arc<Self>,
        route: &Route,
        request: &mut Request,
        record: &Arc<Record>,
    ) -> Result<Reply, ApiError> {
        if let Some(reply) = cors::preflight(&self.cors_origins, request) {
            return Ok(reply);
        }
        // Only loopback is served without a key, so these are a browser's tricks. The
        // login itself tells a person who comes by another name what to do instead.
        if self.api_keys.is_empty() && *route != Route::AuthLogin {
            browser::check(request, &self.cors_origins, &self.allowed_hosts, &self.host)?;
        }
        // Before anything is told of what there is. What asks for the options has no key
        // to send, and learns no more than the methods.
        match route.guard() {
            _ if request.method == "OPTIONS" => {}
            Guard::Open => {}
            Guard::Key => access::check(request, &self.api_keys)?,
            Guard::KeyOrHere => access::check_person(request, &self.api_keys, &self.host)?,
        }
        if !route.allows(&request.method) {
            let message = format!(
                "{} is not allowed here; use {}.",
                request.method,
                route.methods()
            );
            return Err(ApiError::invalid(405, "method_not_allowed", message)
                .header("allow", route.methods()));
        }
        content_encoding::undo(request, self.max_body_bytes)?;
        match route {
            Route::ChatCompletions => chat::create(self, request, record),
            Route::Completions => completions::create(self, request, record),
            Route::Responses => responses::create(self, request, record),
            Route::ResponseInputTokens => responses::count_tokens(self, request, record),
            Route::Response(id) if request.method == "DELETE" => {
                responses::delete(self, request, id)
            }
            Route::Response(id) => responses::retrieve(self, request, id),
            Route::Models => Ok(models::list(self)),
            Route::Model(id) => models::retrieve(self, id),
            Route::Health => Ok(json(200, &Health { status: "ok" })),
            Route::Metrics => Ok(metrics::show(self)),
            Route::Welcome => Ok(welcome::page(self, request)),
            Route::Status => Ok(status::show(self, request)),
            Route::AuthLogin => Ok(auth::login(self, request)),
            Route::AuthCallback => Ok(auth::callback(self, request)),
            Route::AuthStatus => Ok(auth::status(self, request)),
            Route::AuthLogout => auth::logout(self, request),
            Route::Unsupported => Err(unsupported(request)),
            Route::Unknown => {
                let message = format!(
                    "Unknown request URL: {} {}. What there is: POST /v1/chat/completions, \
                     POST /v1/responses, POST /v1/completions, GET /v1/models.",
                    request.method, request.path
                );
                Err(ApiError::invalid(404, "unknown_url", message))
            }
        }
    }

    /// Asks Google for a whole answer.
    fn generate(
        &self,
        question: &Question,
        pulse: &Pulse,
        record: &Record,
    ) -> Result<Answer, UpstreamError> {
        let answer = self.upstream.generate(question, pulse);
        record.answered(&answer);
        answer
    }

    /// Asks Google for an answer in events.
    fn stream(
        &self,
        question: &Question,
        pulse: &Pulse,
        record: &Record,
    ) -> Result<EventStream, UpstreamError> {
        let events = self.upstream.stream(question, pulse);
        record.answered(&events);
        events
    }
}

impl Handler for Arc<Service> {
    fn answer(&self, request: &mut Request) -> Reply {
        let record = Record::begin(&self.metrics, request_id(), &request.method, &request.path);
        let origin = request.header("origin").map(str::to_owned);
        let route = Route::of(&request.path);
        // The transport would catch it, too, but knows nothing of the record.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.route(&route, request, &record)));
        let mut reply = match outcome {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => {
                record.ends_with(&error);
                error.into_reply()
            }
            Err(_) => {
                record.panicked();
                ApiError::internal().into_reply()
            }
        };
        // What becomes of a stream, it tells itself.
        if let Reply::Whole { status, body, .. } = &reply {
            record.is_whole(*status, body);
        }
        reply.add_header("x-request-id", record.id().to_owned());
        cors::expose(&self.cors_origins, origin.as_deref(), reply)
    }

    fn refuse(&self, refusal: Refusal, head: Head<'_>) -> Reply {
        let record = Record::begin(&self.metrics, request_id(), head.method, head.path);
        let error = match refusal {
            Refusal::MalformedFraming(what) => ApiError::invalid(
                400,
                "malformed_request",
                format!("The request is not well-formed HTTP: {what}."),
            ),
            Refusal::BodyTooLarge { limit } => ApiError::too_large(limit),
            Refusal::BodyIncomplete => ApiError::invalid(
                400,
                "incomplete_body",
                "The connection ended before the body was complete.",
            ),
            Refusal::Overloaded => ApiError::overloaded(),
            Refusal::Stopping => ApiError::stopping(),
            Refusal::Panicked => ApiError::internal(),
        };
        record.ends_with(&error);
        let mut reply = error.into_reply();
        reply.add_header("x-request-id", record.id().to_owned());
        cors::expose(&self.cors_origins, head.origin, reply)
    }

    fn is_light(&self, path: &str) -> bool {
        matches!(
            Route::of(path),
            Route::Health | Route::Metrics | Route::AuthStatus | Route::Welcome | Route::Status
        )
    }
}

/// A signature is of use on the road that it came by.
fn seal(config: &Config) -> Seal {
    Seal::new(
        config.upstream.name(),
        config.api_keys.iter().map(Secret::reveal),
    )
}

/// What a client who asked for `model` is told of this: OpenAI's code, and the message.
/// `base_url`: where the proxy is, or would be, to be reached.
pub fn told(error: UpstreamError, model: &str, base_url: String) -> (String, String) {
    let page = SignInPage {
        base_url,
        has_command: true,
    };
    let error = ApiError::upstream(error, model, &page);
    let told = error.failure();
    (told.code.to_owned(), told.message.to_owned())
}

/// The address to open on the machine itself.
pub fn base_url(address: SocketAddr) -> String {
    match address.ip() {
        ip if ip.is_unspecified() => format!("http://localhost:{}", address.port()),
        _ => format!("http://{address}"),
    }
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

fn unsupported(request: &Request) -> ApiError {
    let message = if request.path.ends_with("/embeddings") {
        "Embeddings are not available here; configure a separate embeddings provider.".to_owned()
    } else {
        format!(
            "{} is a part of OpenAI's API that this proxy does not offer.",
            request.path
        )
    };
    ApiError::invalid(404, "endpoint_not_supported", message)
}

/// `req_` and 32 hexadecimal digits. Names the request in the log and to the client.
fn request_id() -> String {
    let mut bytes = [0; 16];
    // Without randomness the id is not unique, but the request can still be served.
    if getrandom::fill(&mut bytes).is_err() {
        log::warn!("the system has no random numbers");
    }
    format!("req_{}", hex(&bytes))
}

fn json(status: u16, value: &(impl Serialize + ?Sized)) -> Reply {
    match serde_json::to_vec(value) {
        Ok(body) => {
            let headers = vec![("content-type", "application/json".to_owned())];
            Reply::Whole {
                status,
                headers,
                body,
            }
        }
        Err(error) => {
            log::error!("a reply cannot be written as JSON: {error}");
            ApiError::internal().into_reply()
        }
    }
}
