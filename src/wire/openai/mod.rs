//! OpenAI's chat completions, models and errors
//! (<https://platform.openai.com/docs/api-reference/chat>).
//!
//! Requests: unknown fields are ignored and `null` means absent. Answers: clients
//! parse strictly, so that nothing is added to OpenAI's own but what some of
//! them are known to look for.

mod answer;
mod either;
mod models;
mod request;

pub use answer::*;
use either::small_whole_number;
pub(crate) use either::whole_number;
pub use models::*;
pub use request::*;

use serde::Serialize;

/// The error envelope. All four keys are always present.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    pub error: ErrorDetail<'a>,
}

#[derive(Debug, Serialize)]
pub struct ErrorDetail<'a> {
    pub message: &'a str,
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub param: Option<&'a str>,
    pub code: Option<&'a str>,
}
