//! Every failure that a client can see, and its envelope: the only place that
//! makes one (<https://platform.openai.com/docs/guides/error-codes>).

use std::time::Duration;

use crate::http::{GaveUp, HttpError};
use crate::models;
use crate::oauth::AuthError;
use crate::server::transport::writer::Reply;
use crate::translate::{Failure, Fields, Rejection, Unfinished, parameter_behind};
use crate::upstream::account::AccountError;
use crate::upstream::refusal::AccountRefusal;
use crate::upstream::{GoogleError, UpstreamError, Verdict};
use crate::wire::openai::{ErrorBody, ErrorDetail};

/// The longest `Retry-After` that every client bears: some sleep through any
/// value, others give up beyond a minute.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The code of an answer with nothing in it; its message may hold the model's words.
const EMPTY_ANSWER: &str = "upstream_invalid_response";

const SHUTTING_DOWN: &str = "shutting_down";

const CLIENT_LEFT: u16 = 499;

/// What a client is told. OpenAI's SDKs retry 408, 409, 429 and 5xx by
/// themselves, so the status says above all whether that could help.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    pub(super) status: u16,
    kind: &'static str,
    code: Option<&'static str>,
    param: Option<String>,
    message: String,
    headers: Vec<(&'static str, String)>,
}

impl ApiError {
    /// The client's to mend.
    pub(super) fn invalid(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(status, "invalid_request_error", code, message)
    }

    /// Google's, or ours.
    fn server(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(status, "server_error", code, message)
    }

    fn new(
        status: u16,
        kind: &'static str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            kind,
            code: Some(code),
            param: None,
            message: message.into(),
            headers: Vec::new(),
        }
    }

    pub(super) fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// OpenAI has two fields for one limit of Google's: names the one that was sent.
    pub(super) fn limited_in(mut self, field: &str) -> Self {
        if self.param.as_deref() == Some("max_tokens") {
            self.param = Some(field.to_owned());
        }
        self
    }

    /// Completions of old have a prompt where chats have messages.
    pub(super) fn of_a_prompt(mut self) -> Self {
        if self.param.as_deref() == Some("messages") {
            self.param = Some("prompt".to_owned());
        }
        self
    }

    /// Names the field as the client did, in the text, too.
    pub(super) fn in_fields(mut self, fields: &Fields) -> Self {
        if let Some(param) = self.param.take() {
            let original = fields.original(&param).into_owned();
            self.message = self
                .message
                .replace(&format!("'{param}'"), &format!("'{original}'"));
            self.param = Some(original);
        }
        self
    }

    pub(super) fn previous_response_not_found(id: &str) -> Self {
        let message = format!(
            "Previous response with id '{id}' not found. This proxy keeps answers in memory, for \
             two hours at most and until it is started again; send the whole conversation as \
             'input'."
        );
        Self::invalid(400, "previous_response_not_found", message).param("previous_response_id")
    }

    pub(super) fn response_not_found(id: &str) -> Self {
        let message = format!(
            "Response with id '{id}' not found. This proxy keeps answers in memory, for two hours \
             at most and until it is started again."
        );
        Self::invalid(404, "response_not_found", message)
    }

    pub(super) fn item_not_found(id: &str) -> Self {
        let message = format!(
            "Item with id '{id}' not found. This proxy keeps answers in memory, for two hours at \
             most and until it is started again; send the item itself."
        );
        Self::invalid(404, "item_not_found", message).param("input")
    }

    /// What a stream of the Responses ends with.
    pub(super) fn failure(&self) -> Failure<'_> {
        Failure {
            code: self.code(),
            message: &self.message,
        }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// What kind of error it is, in one word.
    pub(super) fn code(&self) -> &'static str {
        self.code.unwrap_or(self.kind)
    }

    /// The message, but where that may quote the conversation: what is wrong with a
    /// request, or what the model tried to write.
    pub(super) fn for_log(&self) -> Option<&str> {
        let may_quote = matches!(self.status, 400 | 413) || self.code() == EMPTY_ANSWER;
        (!may_quote).then_some(&*self.message)
    }

    pub(super) fn no_key() -> Self {
        let message = "You didn't provide an API key. Send the key of this proxy (its \
                       PROXY_API_KEY) as 'Authorization: Bearer YOUR_KEY'.";
        let error = Self {
            code: None,
            ..Self::invalid(401, "", message)
        };
        error.header("www-authenticate", "Bearer")
    }

    pub(super) fn wrong_key() -> Self {
        let message = "Incorrect API key provided. This proxy expects its own PROXY_API_KEY.";
        Self::invalid(401, "invalid_api_key", message).header("www-authenticate", "Bearer")
    }

    pub(super) fn too_large(limit: u64) -> Self {
        let message = format!(
            "The body is larger than the {} MiB that this proxy accepts (its PROXY_MAX_BODY_MB).",
            limit >> 20
        );
        Self::invalid(413, "request_too_large", message)
    }

    pub(super) fn overloaded() -> Self {
        let message = "This proxy is serving as many requests as it may. Please try again in 1s.";
        Self::server(503, "slow_down", message).retry_after(Duration::from_secs(1))
    }

    /// A request that came too late.
    pub(super) fn stopping() -> Self {
        let message =
            "This proxy is being stopped and takes no more requests. Please try again in 1s.";
        Self::server(503, SHUTTING_DOWN, message).retry_after(Duration::from_secs(1))
    }

    /// An answer that took too long for the stop.
    fn stopped() -> Self {
        let message = "This proxy was stopped before the answer was complete. Please try again in \
                       1s.";
        Self::server(503, SHUTTING_DOWN, message).retry_after(Duration::from_secs(1))
    }

    /// A defect of ours; its details belong into the log.
    pub(super) fn internal() -> Self {
        Self::server(
            500,
            "internal_error",
            "The proxy failed on this request. Its log says why.",
        )
    }

    /// For the log alone: nobody is there to read it, and the transport sends nothing.
    /// The status is nginx's.
    fn left() -> Self {
        Self::invalid(CLIENT_LEFT, "client_left", "The client left.")
    }

    pub(super) fn is_of_one_who_left(&self) -> bool {
        self.status == CLIENT_LEFT
    }

    /// `Retry-After` in whole seconds, and exactly.
    fn retry_after(self, wait: Duration) -> Self {
        let wait = wait.clamp(Duration::from_millis(1), MAX_RETRY_AFTER);
        self.header("retry-after", whole_seconds(wait).to_string())
            .header("retry-after-ms", wait.as_millis().to_string())
    }

    /// OpenAI's SDKs obey this.
    fn never_retry(self) -> Self {
        self.header("x-should-retry", "false")
    }

    /// `{"error": {…}}`
    pub(super) fn envelope(&self) -> Vec<u8> {
        let error = ErrorDetail {
            message: &self.message,
            kind: self.kind,
            param: self.param.as_deref(),
            code: self.code,
        };
        serde_json::to_vec(&ErrorBody { error }).unwrap_or_default()
    }

    pub(super) fn into_reply(self) -> Reply {
        let body = self.envelope();
        let mut headers = self.headers;
        headers.push(("content-type", "application/json".to_owned()));
        Reply::Whole {
            status: self.status,
            headers,
            body,
        }
    }

    /// After the 200: one event, and neither a finish chunk nor `[DONE]` after it.
    pub(super) fn write_event(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.envelope());
        out.extend_from_slice(b"\n\n");
    }

    /// Why Google gave no answer. `model` is as the client asked for it,
    /// `sign_in` where one signs in.
    pub(super) fn upstream(error: UpstreamError, model: &str, sign_in: &SignInPage) -> Self {
        match error {
            UpstreamError::Account(error) => Self::account(&error, sign_in),
            UpstreamError::Google(error) => Self::refused(&error, model, sign_in),
            UpstreamError::KeyRefused(error) => Self::key_refused(&error),
            UpstreamError::Http(error) => Self::from(error),
            UpstreamError::Garbled { .. } => {
                Self::server(502, "upstream_invalid_response", error.to_string())
            }
        }
    }

    fn refused(error: &GoogleError, model: &str, sign_in: &SignInPage) -> Self {
        let said = &error.message;
        match error.verdict() {
            Verdict::Invalid => {
                let mut message = format!("Google refused the request: {said}");
                for violation in &error.field_violations {
                    if !said.contains(violation.as_str()) {
                        message.push_str(&format!(" [{violation}]"));
                    }
                }
                // The fields first: they are what Google's sentence is about.
                let words = format!("{} {said}", error.field_violations.join(" "));
                let refused = Self::invalid(400, "invalid_argument", message);
                match parameter_behind(&words) {
                    Some(param) => refused.param(param),
                    None => refused,
                }
            }
            Verdict::ContextTooLong { given, limit } => {
                // Clients recognise an overflow by OpenAI's own sentence.
                let limit = limit.unwrap_or(1_048_576);
                let given = given.map_or("more".to_owned(), |given| given.to_string());
                let message = format!(
                    "This model's maximum context length is {limit} tokens. However, your messages \
                     resulted in {given} tokens. Please reduce the length of the messages."
                );
                Self::invalid(400, "context_length_exceeded", message).param("messages")
            }
            Verdict::TooLarge => Self::invalid(
                413,
                "request_too_large",
                format!("Google refused the request as too large: {said}"),
            ),
            Verdict::NotFound => Self::unknown_model(model, said),
            Verdict::Unauthenticated => {
                let message = format!(
                    "Google does not accept the credentials of this proxy: {said} Sign in again: \
                     {sign_in}."
                );
                Self::new(401, "authentication_error", "not_signed_in", message)
            }
            Verdict::Denied => {
                let message = AccountRefusal::from_google(error, None).to_string();
                Self::new(
                    403,
                    "permission_error",
                    "google_account_action_required",
                    message,
                )
            }
            Verdict::RateLimited { retry_after } => {
                let wait = retry_after.unwrap_or(Duration::from_secs(5));
                let quota = quota_named(error);
                // A client's pattern for this knows seconds, not minutes.
                let seconds = whole_seconds(wait);
                let message = format!("{said}{quota} Please try again in {seconds}s.");
                Self::new(429, "requests", "rate_limit_exceeded", message).retry_after(wait)
            }
            Verdict::QuotaExhausted { resets_after } => {
                let reset = match resets_after {
                    // Google tells a few seconds beside quotas of a day: not when it resets.
                    Some(wait) if wait > MAX_RETRY_AFTER => {
                        format!(" It resets in {}.", in_words(wait))
                    }
                    _ => String::new(),
                };
                let quota = quota_named(error);
                let message =
                    format!("Google's quota for this account is used up: {said}{quota}{reset}");
                Self::new(429, "insufficient_quota", "insufficient_quota", message).never_retry()
            }
            Verdict::AtCapacity { retry_after } => {
                let wait = retry_after.unwrap_or(Duration::from_secs(2));
                let message = format!("Google has no capacity for this model right now: {said}");
                Self::server(503, "server_is_overloaded", message).retry_after(wait)
            }
            Verdict::TimedOut => {
                Self::server(504, "upstream_timeout", format!("Google gave up: {said}"))
            }
            Verdict::Failed => {
                Self::server(502, "upstream_error", format!("Google failed: {said}"))
            }
        }
    }

    fn key_refused(error: &GoogleError) -> Self {
        let said = &error.message;
        let next_step = match error.metadata.get("activationUrl") {
            Some(url) => format!("Switch the API on at {url}, and wait a few minutes."),
            None => "Check GEMINI_API_KEY, or make a new one at \
                     https://aistudio.google.com/apikey"
                .to_owned(),
        };
        let message =
            format!("Google does not serve the API key of this proxy: {said} {next_step}");
        match error.verdict() {
            Verdict::Unauthenticated => {
                Self::new(401, "authentication_error", "not_signed_in", message)
            }
            _ => Self::new(
                403,
                "permission_error",
                "google_account_action_required",
                message,
            ),
        }
    }

    pub(super) fn account(error: &AccountError, sign_in: &SignInPage) -> Self {
        let message = format!("{error}.");
        match error {
            // SDKs do not retry a 401; they would retry every 5xx in vain.
            error if error.needs_sign_in() => {
                let message = format!("{message} To sign in, {sign_in}.");
                Self::new(401, "authentication_error", "not_signed_in", message)
            }
            AccountError::Refused(_) => Self::new(
                403,
                "permission_error",
                "google_account_action_required",
                message,
            ),
            AccountError::Auth(AuthError::Store(_)) => Self::server(500, "internal_error", message),
            AccountError::GaveUp(gave_up) => HttpError::from(*gave_up).into(),
            _ => Self::server(502, "upstream_error", message),
        }
    }

    fn unknown_model(model: &str, said: &str) -> Self {
        let mut message =
            format!("The model `{model}` does not exist or you do not have access to it.");
        match models::successor(model) {
            Some(successor) => message.push_str(&format!(
                " Google has retired it; use `{successor}` instead."
            )),
            None if model.contains("preview") => message.push_str(
                " Preview models may have to be enabled; with a Code Assist licence, by an \
                 administrator who sets the release channel to Preview.",
            ),
            None if models::find(model).is_some() => message.push_str(
                " Google has such a model, but not for this account or not on this road: \
                 try another of GET /v1/models.",
            ),
            None => message.push_str(" GET /v1/models lists what is known."),
        }
        message.push_str(&format!(" (Google: {said})"));
        Self::invalid(404, "model_not_found", message).param("model")
    }
}

/// Where one signs in to this proxy, in words.
#[derive(Debug)]
pub(super) struct SignInPage {
    /// `http://host:port`
    pub(super) base_url: String,
    /// `gemini-proxy login` leads to the same account.
    pub(super) has_command: bool,
}

impl std::fmt::Display for SignInPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "open {}/auth/login in a browser", self.base_url)?;
        if self.has_command {
            f.write_str(", or run `gemini-proxy login`")?;
        }
        Ok(())
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        let error = Self::invalid(400, rejection.code, rejection.message);
        Self {
            param: rejection.param,
            ..error
        }
    }
}

impl From<Unfinished> for ApiError {
    fn from(unfinished: Unfinished) -> Self {
        let code = match unfinished {
            Unfinished::CutShort => "upstream_stream_error",
            Unfinished::CallInPieces | Unfinished::Empty { .. } => EMPTY_ANSWER,
        };
        Self::server(502, code, format!("{unfinished}."))
    }
}

impl From<HttpError> for ApiError {
    fn from(error: HttpError) -> Self {
        let (status, code) = match &error {
            HttpError::TimedOut { .. } => (504, "upstream_timeout"),
            HttpError::BrokenOff { .. } => (502, "upstream_stream_error"),
            HttpError::Unreachable { .. } => (502, "upstream_error"),
            HttpError::TooLong { .. } | HttpError::HeadTooLong { .. } => {
                (502, "upstream_invalid_response")
            }
            HttpError::GaveUp(GaveUp::Left) => return Self::left(),
            HttpError::GaveUp(GaveUp::Stopped) => return Self::stopped(),
        };
        Self::server(status, code, format!("{error}."))
    }
}

/// Google has many quotas, and its sentence does not say which is meant.
fn quota_named(error: &GoogleError) -> String {
    let unsaid = |id: &&String| !error.message.contains(id.as_str());
    let ids: Vec<&str> = error
        .quota_ids
        .iter()
        .filter(unsaid)
        .map(String::as_str)
        .collect();
    if ids.is_empty() {
        String::new()
    } else {
        format!(" (quota: {})", ids.join(", "))
    }
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// `7s`, `1m30s`, `13h19m`: the form that clients find in OpenAI's messages.
fn in_words(wait: Duration) -> String {
    let seconds = whole_seconds(wait);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, _) => format!("{hours}h{minutes}m"),
    }
}
