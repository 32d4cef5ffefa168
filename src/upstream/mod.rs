//! How we ask Google. Speaks Gemini and knows nothing of OpenAI.

pub mod account;
mod code_assist;
mod event_stream;
mod gemini_api;
mod google_error;
pub mod onboarding;
pub mod preview;
mod question;
pub mod refusal;
mod retry;
mod verdict;

pub use code_assist::CodeAssist;
pub use event_stream::{Answer, Event, EventStream};
pub use gemini_api::GeminiApi;
pub use google_error::{GoogleError, Link};
pub use question::Question;
pub use retry::retries;
pub use verdict::Verdict;

use std::time::Duration;

use crate::http::{HttpError, Pulse, Response};
use crate::wire::count_tokens::CountTokensResponse;

/// Asks for a whole answer.
const GENERATE: &str = "generateContent";

/// Asks for an answer in events.
const STREAM: &str = "streamGenerateContent?alt=sse";

/// Asks how long a request is.
const COUNT: &str = "countTokens";

/// A whole answer may hold images.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// A list of models comes at once or not at all; some clients wait 5 s for it.
const LIST_PATIENCE: Duration = Duration::from_secs(3);

/// Of an error body, this much is read.
const MAX_ERROR_BYTES: usize = 256 * 1024;

/// The two roads to Gemini.
#[derive(Debug)]
pub enum Upstream {
    CodeAssist(CodeAssist),
    GeminiApi(GeminiApi),
}

impl Upstream {
    /// Asks for a whole answer; again, if that may help soon. `pulse` is asked
    /// meanwhile whether anyone waits for it.
    pub fn generate(&self, question: &Question, pulse: &Pulse) -> Result<Answer, UpstreamError> {
        retry::asking(pulse, || match self {
            Self::CodeAssist(service) => service.generate(question, pulse),
            Self::GeminiApi(service) => service.generate(question, pulse),
        })
    }

    /// Asks for an answer in events; returns when the first is here, for that may be a
    /// refusal.
    pub fn stream(&self, question: &Question, pulse: &Pulse) -> Result<EventStream, UpstreamError> {
        retry::asking(pulse, || match self {
            Self::CodeAssist(service) => service.stream(question, pulse),
            Self::GeminiApi(service) => service.stream(question, pulse),
        })
    }

    /// How many tokens a question has, before it is asked.
    pub fn count_tokens(&self, question: &Question, pulse: &Pulse) -> Result<u64, UpstreamError> {
        let response = retry::asking(pulse, || match self {
            Self::CodeAssist(service) => service.count_tokens(question, pulse),
            Self::GeminiApi(service) => service.count_tokens(question, pulse),
        })?;
        let answer = response.bytes_while(MAX_ANSWER_BYTES, pulse)?;
        let counted: CountTokensResponse =
            serde_json::from_slice(&answer).map_err(|error| UpstreamError::garbled(&error))?;
        Ok(counted.total_tokens)
    }

    /// What is left for each model; nothing on the Gemini API, which does not tell.
    pub fn quotas(&self) -> Result<Vec<Quota>, UpstreamError> {
        match self {
            Self::CodeAssist(service) => service.quotas(),
            Self::GeminiApi(_) => Ok(Vec::new()),
        }
    }

    /// The models that Google offers to this account or key.
    pub fn models(&self) -> Result<Vec<OfferedModel>, UpstreamError> {
        match self {
            Self::CodeAssist(service) => service.models(),
            Self::GeminiApi(service) => service.models(),
        }
    }
}

/// What Google says is left for a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Quota {
    /// The public id.
    pub model: String,
    /// `REQUESTS`, or whatever Google counts.
    pub counts: Option<String>,
    /// 0 to 1.
    pub fraction_left: f64,
    pub amount_left: Option<String>,
    /// RFC 3339, as Google writes it.
    pub resets_at: Option<String>,
}

/// A model, as far as Google describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfferedModel {
    /// The public id, without `models/`.
    pub id: String,
    pub name: Option<String>,
    /// Tokens.
    pub input_limit: Option<u64>,
    pub output_limit: Option<u64>,
}

/// Why there is no answer; the variant says whose fault it is.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// We could not even ask: nobody is signed in, or Google refuses the account.
    #[error(transparent)]
    Account(account::AccountError),
    /// Google answered, and refused.
    #[error("Google refused: {0}")]
    Google(Box<GoogleError>),
    /// Google answered, and refused `GEMINI_API_KEY` or what it belongs to.
    #[error("Google refused the API key: {0}")]
    KeyRefused(Box<GoogleError>),
    /// No answer, or only a part of one.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// An answer that is not what was promised.
    #[error("Google sent an answer that cannot be understood: {detail}")]
    Garbled { detail: String },
}

impl UpstreamError {
    /// serde quotes what it could not read, which may be somebody's words.
    fn garbled(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let detail = format!(
            "{:?} error at line {line}, column {column}",
            error.classify()
        );
        Self::Garbled {
            detail: detail.to_lowercase(),
        }
    }

    fn not_utf8(error: &std::str::Utf8Error) -> Self {
        Self::Garbled {
            detail: format!("no UTF-8 after byte {}", error.valid_up_to()),
        }
    }

    /// Requests are made of strings, numbers and JSON that was read before.
    fn unwritable(error: serde_json::Error) -> Self {
        Self::Garbled {
            detail: format!("the request cannot be written: {error}"),
        }
    }
}

impl From<account::AccountError> for UpstreamError {
    fn from(error: account::AccountError) -> Self {
        match error {
            account::AccountError::GaveUp(gave_up) => HttpError::from(gave_up).into(),
            error => Self::Account(error),
        }
    }
}

/// The one gate where Google's refusals become errors.
fn checked(response: Response, pulse: &Pulse) -> Result<Response, UpstreamError> {
    let status = response.status();
    if status == 200 {
        return match response.header("content-encoding") {
            None | Some("" | "identity") => Ok(response),
            // We ask for none: something in between has its own mind.
            Some(encoding) => Err(UpstreamError::Garbled {
                detail: format!("it comes encoded ({encoding:.20}), which was not asked for"),
            }),
        };
    }
    let body = response.excerpt(MAX_ERROR_BYTES, pulse);
    pulse.beat().map_err(HttpError::from)?;
    Err(UpstreamError::Google(Box::new(GoogleError::parse(
        status, &body,
    ))))
}
