//! What is known of one request, and its one line in the log: written when the
//! request is over, and counted for `GET /metrics` at the same time. The page at `/` is
//! told what runs and what went wrong.
//!
//! The record goes where the request goes: with a stream it lives as long as that.
//! One that nobody has ended is of a client who left. There is never anything of
//! the body in it but the model, and never a query or a key.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::Level;

use super::error::ApiError;
use super::metrics::{Metrics, SecondTry};
use super::router::Route;
use crate::upstream::UpstreamError;
use crate::wire::openai::Usage;

/// Of a path or a model's name, which the client chooses, no more than this.
const MAX_WORD: usize = 120;

/// The code of a page that says no.
const PAGE: &str = "page";

pub(super) struct Record {
    metrics: Arc<Metrics>,
    id: String,
    method: String,
    path: String,
    route: Route,
    begun: Instant,
    facts: Mutex<Facts>,
}

#[derive(Default)]
struct Facts {
    model: Option<String>,
    /// Of the reply; of a client who left before it, none.
    status: Option<u16>,
    google: Option<u16>,
    second_try: Option<SecondTry>,
    usage: Usage,
    /// Of what the model said; of another reply, its body.
    bytes: usize,
    first: Option<Duration>,
    is_over: bool,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Complete,
    Refused(&'static str),
    /// After the status had been sent.
    BrokeOff(&'static str),
    ClientLeft,
    Panicked,
}

impl Record {
    pub(super) fn begin(metrics: &Arc<Metrics>, id: String, method: &str, path: &str) -> Arc<Self> {
        metrics.in_flight.rise();
        Arc::new(Self {
            metrics: metrics.clone(),
            id,
            method: word(method).to_owned(),
            path: word(path).to_owned(),
            route: Route::of(path),
            begun: Instant::now(),
            facts: Mutex::default(),
        })
    }

    /// The request's name, to the client and in the log.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn asks(&self, model: &str) {
        let model = word(model);
        self.metrics.activity.begins(self.route.name(), model);
        self.facts().model = Some(model.to_owned());
    }

    pub(super) fn tries_again(&self, otherwise: SecondTry) {
        self.metrics.second_tries.count(otherwise.name());
        self.facts().second_try = Some(otherwise);
    }

    /// Google accepted the question, or did not.
    pub(super) fn answered<T>(&self, answer: &Result<T, UpstreamError>) {
        match answer {
            Ok(_) => self.facts().google = Some(200),
            Err(error) => self.failed(error),
        }
    }

    /// Google's answer, or a part of it, is a failure.
    pub(super) fn failed(&self, error: &UpstreamError) {
        self.metrics.upstream_error(error);
        if let UpstreamError::Google(error) | UpstreamError::KeyRefused(error) = error {
            self.facts().google = Some(error.http_status);
        }
    }

    /// Of a stream, which can have no other status any more.
    pub(super) fn head_is_sent(&self) {
        self.facts().status = Some(200);
    }

    /// Something of a streamed answer is here.
    pub(super) fn content(&self) {
        let waited = self.begun.elapsed();
        let mut facts = self.facts();
        facts.status = Some(200);
        facts.first.get_or_insert(waited);
    }

    /// What Google has counted so far, and how many bytes the model has said.
    pub(super) fn said(&self, usage: Usage, bytes: usize) {
        let mut facts = self.facts();
        facts.usage = usage;
        facts.bytes = bytes;
    }

    pub(super) fn stream_is_complete(&self) {
        self.facts().status = Some(200);
        self.end(Ending::Complete, None);
    }

    /// A reply in one piece, which may be a page that says no.
    pub(super) fn is_whole(&self, status: u16, body: &[u8]) {
        let mut facts = self.facts();
        facts.status = Some(status);
        if facts.bytes == 0 {
            facts.bytes = body.len();
        }
        drop(facts);
        let ending = match status {
            400.. => Ending::Refused(PAGE),
            _ => Ending::Complete,
        };
        self.end(ending, None);
    }

    /// The reply, or the last event of a stream that has begun, is this error.
    pub(super) fn ends_with(&self, error: &ApiError) {
        if error.is_of_one_who_left() {
            return self.end(Ending::ClientLeft, None);
        }
        let code = error.code();
        let has_begun = self.facts().status.is_some();
        let ending = match has_begun {
            true => Ending::BrokeOff(code),
            false => Ending::Refused(code),
        };
        self.facts().status.get_or_insert(error.status);
        self.end(ending, error.for_log());
    }

    /// The line before this one in the log says where.
    pub(super) fn panicked(&self) {
        self.facts().status.get_or_insert(500);
        self.end(Ending::Panicked, None);
    }

    fn end(&self, ending: Ending, why: Option<&str>) {
        let duration = self.begun.elapsed();
        let mut facts = self.facts();
        if std::mem::replace(&mut facts.is_over, true) {
            return;
        }
        self.count(&facts, ending, duration);
        self.tell_page(&facts, ending, why);
        let is_failure = matches!(ending, Ending::BrokeOff(_) | Ending::Panicked)
            || (facts.status >= Some(500) && ending != Ending::ClientLeft);
        let level = match self.route {
            _ if is_failure => Level::Warn,
            // Asked again and again by what watches.
            Route::Health | Route::Status => Level::Debug,
            _ => Level::Info,
        };
        if log::log_enabled!(level) {
            log::log!(level, "{}", self.line(&facts, ending, duration, why));
        }
    }

    fn count(&self, facts: &Facts, ending: Ending, duration: Duration) {
        let metrics = &self.metrics;
        metrics.in_flight.fall();
        metrics.request(self.route.name(), facts.status);
        match ending {
            Ending::Refused(code) | Ending::BrokeOff(code) => metrics.refusals.count(code),
            Ending::ClientLeft => metrics.disconnects.count(),
            Ending::Panicked => metrics.panics.count(),
            Ending::Complete => {}
        }
        metrics.tokens(&facts.usage);
        if let Some(first) = facts.first {
            metrics.first_byte.observe(first);
        }
        if self.route.asks_google() {
            metrics.duration.observe(duration);
        }
    }

    fn tell_page(&self, facts: &Facts, ending: Ending, why: Option<&str>) {
        let activity = &self.metrics.activity;
        let (route, model) = (self.route.name(), facts.model.as_deref());
        if let Some(model) = model {
            activity.ends(route, model);
        }
        let (code, why) = match ending {
            // What is asked for by the page itself would be no news to it.
            _ if matches!(self.route, Route::Welcome | Route::Status) => return,
            // Whoever signs in has seen the page that says no.
            Ending::Complete | Ending::ClientLeft | Ending::Refused(PAGE) => return,
            Ending::Refused(code) | Ending::BrokeOff(code) => (code, why),
            Ending::Panicked => (
                "internal_error",
                Some("A defect of the proxy; its log says where."),
            ),
        };
        activity.fails(route, model, facts.status, code, why);
    }

    fn line(&self, facts: &Facts, ending: Ending, duration: Duration, why: Option<&str>) -> String {
        let mut line = format!(
            "request id={} method={} route={}",
            self.id, self.method, self.path
        );
        let mut put = |name: &str, value: &dyn std::fmt::Display| {
            // Writing to a string cannot fail.
            let _ = write!(line, " {name}={value}");
        };
        if let Some(status) = facts.status {
            put("status", &status);
        }
        if let Some(model) = &facts.model {
            put("model", model);
        }
        if let Some(status) = facts.google {
            put("google", &status);
        }
        if let Some(otherwise) = facts.second_try {
            put("second_try", &otherwise.name());
        }
        if facts.usage.total_tokens > 0 {
            put("tokens_in", &facts.usage.prompt_tokens);
            put("tokens_out", &facts.usage.completion_tokens);
        } else {
            put("bytes", &facts.bytes);
        }
        if let Some(first) = facts.first {
            put("first_ms", &first.as_millis());
        }
        put("ms", &duration.as_millis());
        let (end, code) = match ending {
            Ending::Complete => ("complete", None),
            Ending::Refused(code) => ("refused", Some(code)),
            Ending::BrokeOff(code) => ("broke_off", Some(code)),
            Ending::ClientLeft => ("client_left", None),
            Ending::Panicked => ("panicked", None),
        };
        put("end", &end);
        if let Some(code) = code {
            put("code", &code);
        }
        if let Some(why) = why {
            put("why", &format_args!("{why:?}"));
        }
        line
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if thread::panicking() {
            self.panicked();
        } else {
            self.end(Ending::ClientLeft, None);
        }
    }
}

/// One word of the line, if it is one: what a client sends could look like another
/// line, or another field.
fn word(text: &str) -> &str {
    let is_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_word {
        &text[..text.len().min(MAX_WORD)]
    } else {
        "-"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_ends_nothing_has_left_and_a_request_ends_once() {
        let metrics = Arc::new(Metrics::new());
        let begin = || Record::begin(&metrics, "req_1".into(), "POST", "/v1/responses");
        drop(begin());
        assert_eq!(metrics.disconnects.get(), 1);
        let record = begin();
        record.panicked();
        record.stream_is_complete();
        drop(record);
        assert_eq!((metrics.disconnects.get(), metrics.panics.get()), (1, 1));
        assert_eq!(metrics.in_flight.get(), 0);
    }

    #[test]
    fn what_a_client_chooses_is_one_word_of_the_line() {
        assert_eq!(word("gemini-2.5-pro"), "gemini-2.5-pro");
        for odd in ["", "a b", "a\nrequest", "\u{1b}[1m", "ü"] {
            assert_eq!(word(odd), "-");
        }
        assert_eq!(word(&"x".repeat(500)).len(), MAX_WORD);
    }
}
