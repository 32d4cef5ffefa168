//! What it means: OpenAI's requests as Gemini's, and Gemini's answers as
//! OpenAI's. Pure: no socket, no file, no clock, no dice; ids and times come in
//! as a [`Stamp`], remembered signatures through [`Signatures`], media from
//! elsewhere as [`Fetched`].
//!
//! A request is one function, [`request()`]. An answer is read once, by
//! [`said::Reader`], into [`said::Said`]: whole or in pieces it is the same
//! sequence, which each dialect (`chat`, `completions`, `responses`) gathers or
//! passes on.

mod answer_format;
mod chat;
mod citations;
mod completions;
mod fence;
mod fetched;
mod form;
mod logprobs;
mod media;
mod messages;
mod misfits;
mod notes;
mod parameters;
mod parts;
mod plain_schema;
mod refused_field;
mod request;
mod responses;
pub mod said;
mod schema;
mod signatures;
mod sniff;
mod thinking;
mod tools;
mod usage;

pub use chat::{StreamTranslator, response};
pub use completions::{Chats, CompletionTranslator};
pub use fetched::{Fetched, Remote, remote_media};
pub use form::Form;
pub use notes::{Note, Notes};
pub use refused_field::parameter_behind;
pub use request::{Manner, Translated, limit_field, request};
pub use responses::{
    Failure, Fields, Namespaces, Opening, ResponseTranslator, Seal, Told, as_chat,
};
pub use signatures::{CallRecord, Distrust, NoSignatures, Recalled, Signatures};
pub use tools::Names;

use sha2::{Digest, Sha256};

/// The client asked for what cannot be done. Always the client's to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    pub message: String,
    /// Where in the request, such as `messages[0].content[1].type`.
    pub param: Option<String>,
    /// OpenAI's word for it.
    pub code: &'static str,
}

impl Rejection {
    pub fn new(code: &'static str, param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            param: Some(param.into()),
            code,
        }
    }

    pub fn missing(param: impl Into<String>) -> Self {
        let param = param.into();
        let message = format!("Missing required parameter: '{param}'.");
        Self::new("missing_required_parameter", param, message)
    }

    /// `why`: what it should be, and what it is.
    pub fn of_another_type(param: impl Into<String>, why: &str) -> Self {
        let param = param.into();
        let message = format!("Invalid type for '{param}': {why}.");
        Self::new("invalid_type", param, message)
    }
}

/// What all pieces of one answer repeat, and what its ids are made from.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// `chatcmpl-…`
    pub id: String,
    /// Seconds since 1970.
    pub created: u64,
    /// As the client asked for it, without prefixes.
    pub model: String,
    /// Chance, from outside.
    pub seed: [u8; 16],
}

impl Stamp {
    pub fn new(created: u64, model: String, seed: [u8; 16]) -> Self {
        let id = format!("chatcmpl-{}", token(&seed, "completion", 29));
        Self {
            id,
            created,
            model,
            seed,
        }
    }

    /// The id of the nth tool call of this answer: 29 characters. Some clients
    /// cannot hold more than 40.
    fn call_id(&self, nth: usize) -> String {
        format!("call_{}", token(&self.seed, &format!("call {nth}"), 24))
    }
}

/// Letters and digits, 32 at most, that follow from the seed and a purpose.
fn token(seed: &[u8; 16], purpose: &str, length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let digest = Sha256::new()
        .chain_update(seed)
        .chain_update(purpose)
        .finalize();
    digest
        .iter()
        .take(length)
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % 62]))
        .collect()
}

/// Why an answer is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfinished {
    /// The stream ended without a finish reason: what came may be cut anywhere.
    #[error("Google ended the answer before it was finished")]
    CutShort,
    /// We never ask for this, and must not pass on a call without its arguments.
    #[error("Google sent a function call in pieces, which cannot be put together here")]
    CallInPieces,
    /// Finished, but with nothing in it.
    #[error("Google returned an empty answer (finish reason {reason}){}", detail(.message))]
    Empty {
        reason: String,
        message: Option<String>,
    },
}

fn detail(message: &Option<String>) -> String {
    message
        .as_ref()
        .map(|text| format!(": {text}"))
        .unwrap_or_default()
}
