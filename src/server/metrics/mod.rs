//! What has happened since the start, in numbers; `page` shows them. What happens just
//! now, and went wrong lately, is in `activity`.
//!
//! All labels have values from fixed lists, so that no client can make them many;
//! what is on no list counts as `other`. Counting is one atomic addition.

pub(super) mod activity;
mod page;

pub(super) use page::show;

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::http::HttpError;
use crate::server::metrics::activity::Activity;
use crate::upstream::{UpstreamError, Verdict};
use crate::wire::openai::Usage;

/// [`super::router::Route::name`]
const ROUTES: [&str; 13] = [
    "chat_completions",
    "completions",
    "responses",
    "response",
    "models",
    "model",
    "health",
    "metrics",
    "welcome",
    "status",
    "auth",
    "unsupported",
    "other",
];

/// Of statuses; `none` was sent to a client who left before.
const CLASSES: [&str; 6] = ["2xx", "3xx", "4xx", "5xx", "none", "other"];

/// The codes of errors that clients are told, and `page` for a page that says no.
const CODES: [&str; 45] = [
    "array_above_max_length",
    "context_length_exceeded",
    "decimal_above_max_value",
    "decimal_below_min_value",
    "endpoint_not_supported",
    "google_account_action_required",
    "host_not_allowed",
    "incomplete_body",
    "insufficient_quota",
    "integer_above_max_value",
    "integer_below_min_value",
    "internal_error",
    "invalid_api_key",
    "invalid_argument",
    "invalid_base64",
    "invalid_encrypted_content",
    "invalid_image_url",
    "invalid_json",
    "invalid_request_error",
    "invalid_type",
    "invalid_value",
    "item_not_found",
    "malformed_request",
    "method_not_allowed",
    "missing_required_parameter",
    "model_not_found",
    "not_signed_in",
    "origin_not_allowed",
    "page",
    "previous_response_not_found",
    "rate_limit_exceeded",
    "request_too_large",
    "response_not_found",
    "server_is_overloaded",
    "shutting_down",
    "slow_down",
    "unknown_url",
    "unsupported_media_type",
    "unsupported_parameter",
    "unsupported_value",
    "upstream_error",
    "upstream_invalid_response",
    "upstream_stream_error",
    "upstream_timeout",
    "other",
];

/// [`kind`]
const KINDS: [&str; 18] = [
    "invalid",
    "context_too_long",
    "too_large",
    "not_found",
    "unauthenticated",
    "denied",
    "rate_limited",
    "quota_exhausted",
    "at_capacity",
    "timed_out",
    "failed",
    "account",
    "silent",
    "broken_off",
    "unreachable",
    "too_long",
    "garbled",
    "other",
];

const SECOND_TRIES: [&str; 4] = ["thought_signatures", "schemas", "empty", "other"];

/// Upper ends, in seconds: a first word of Flash, an answer of Pro that thinks long.
const BUCKETS: [f64; 12] = [
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0,
];

/// What the second try at a question did otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecondTry {
    ThoughtSignatures,
    Schemas,
    /// Nothing: the first answer was empty.
    Empty,
}

impl SecondTry {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ThoughtSignatures => "thought_signatures",
            Self::Schemas => "schemas",
            Self::Empty => "empty",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn count(&self) {
        self.add(1);
    }

    fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Goes down, too.
#[derive(Debug, Default)]
pub(super) struct Gauge(AtomicU64);

impl Gauge {
    pub(super) fn rise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn fall(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A counter for each value of a label; the last is for all others.
#[derive(Debug)]
pub(super) struct Family<const N: usize> {
    values: &'static [&'static str; N],
    counters: [Counter; N],
}

impl<const N: usize> Family<N> {
    fn of(values: &'static [&'static str; N]) -> Self {
        Self {
            values,
            counters: array::from_fn(|_| Counter::default()),
        }
    }

    pub(super) fn count(&self, value: &str) {
        let known = self.values.iter().position(|known| *known == value);
        self.counters[known.unwrap_or(N - 1)].count();
    }

    fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let values = self.values.iter().copied();
        values.zip(self.counters.iter().map(Counter::get))
    }
}

/// How long something took.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// The last is for what took longer than all ends.
    buckets: [Counter; BUCKETS.len() + 1],
    microseconds: Counter,
}

impl Histogram {
    pub(super) fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let place = BUCKETS.iter().position(|end| seconds <= *end);
        self.buckets[place.unwrap_or(BUCKETS.len())].count();
        self.microseconds
            .add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }
}

#[derive(Debug)]
pub(super) struct Metrics {
    /// One family of [`CLASSES`] for each of [`ROUTES`].
    requests: [Family<{ CLASSES.len() }>; ROUTES.len()],
    pub(super) in_flight: Gauge,
    pub(super) refusals: Family<{ CODES.len() }>,
    pub(super) disconnects: Counter,
    pub(super) panics: Counter,
    upstream_errors: Family<{ KINDS.len() }>,
    pub(super) second_tries: Family<{ SECOND_TRIES.len() }>,
    /// Ended by Google without its reason for stopping.
    pub(super) unfinished_streams: Counter,
    input_tokens: Counter,
    output_tokens: Counter,
    cached_tokens: Counter,
    thought_tokens: Counter,
    /// Of streams.
    pub(super) first_byte: Histogram,
    /// Of requests for an answer.
    pub(super) duration: Histogram,
    /// Seconds since 1970.
    started: f64,
    pub(super) activity: Activity,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            requests: array::from_fn(|_| Family::of(&CLASSES)),
            in_flight: Gauge::default(),
            refusals: Family::of(&CODES),
            disconnects: Counter::default(),
            panics: Counter::default(),
            upstream_errors: Family::of(&KINDS),
            second_tries: Family::of(&SECOND_TRIES),
            unfinished_streams: Counter::default(),
            input_tokens: Counter::default(),
            output_tokens: Counter::default(),
            cached_tokens: Counter::default(),
            thought_tokens: Counter::default(),
            first_byte: Histogram::default(),
            duration: Histogram::default(),
            started: now.unwrap_or_default().as_secs_f64(),
            activity: Activity::default(),
        }
    }

    pub(super) fn request(&self, route: &str, status: Option<u16>) {
        let class = match status {
            None => "none",
            Some(200..300) => "2xx",
            Some(300..400) => "3xx",
            Some(400..500) => "4xx",
            Some(500..600) => "5xx",
            Some(_) => "other",
        };
        let place = ROUTES.iter().position(|known| *known == route);
        self.requests[place.unwrap_or(ROUTES.len() - 1)].count(class);
    }

    pub(super) fn upstream_error(&self, error: &UpstreamError) {
        if let Some(kind) = kind(error) {
            self.upstream_errors.count(kind);
        }
    }

    pub(super) fn tokens(&self, usage: &Usage) {
        self.input_tokens.add(usage.prompt_tokens);
        self.output_tokens.add(usage.completion_tokens);
        self.cached_tokens
            .add(usage.prompt_tokens_details.cached_tokens);
        self.thought_tokens
            .add(usage.completion_tokens_details.reasoning_tokens);
    }
}

/// Google's verdict, or why there was none; nothing, if nobody waited for one.
fn kind(error: &UpstreamError) -> Option<&'static str> {
    let kind = match error {
        UpstreamError::Google(error) | UpstreamError::KeyRefused(error) => match error.verdict() {
            Verdict::Invalid => "invalid",
            Verdict::ContextTooLong { .. } => "context_too_long",
            Verdict::TooLarge => "too_large",
            Verdict::NotFound => "not_found",
            Verdict::Unauthenticated => "unauthenticated",
            Verdict::Denied => "denied",
            Verdict::RateLimited { .. } => "rate_limited",
            Verdict::QuotaExhausted { .. } => "quota_exhausted",
            Verdict::AtCapacity { .. } => "at_capacity",
            Verdict::TimedOut => "timed_out",
            Verdict::Failed => "failed",
        },
        UpstreamError::Account(_) => "account",
        UpstreamError::Garbled { .. } => "garbled",
        UpstreamError::Http(error) => match error {
            HttpError::TimedOut { .. } => "silent",
            HttpError::BrokenOff { .. } => "broken_off",
            HttpError::Unreachable { .. } => "unreachable",
            HttpError::TooLong { .. } | HttpError::HeadTooLong { .. } => "too_long",
            HttpError::GaveUp(_) => return None,
        },
    };
    Some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_no_list_counts_as_other() {
        let metrics = Metrics::new();
        metrics.refusals.count("slow_down");
        metrics.refusals.count("unheard_of");
        let counted = metrics.refusals.iter().filter(|(_, count)| *count > 0);
        assert_eq!(
            counted.collect::<Vec<_>>(),
            [("slow_down", 1), ("other", 1)]
        );
    }
}
