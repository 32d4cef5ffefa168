//! Thought signatures: opaque proofs that Gemini 3 demands back with each
//! function call (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
//!
//! Three layers: what we remember by call id, what the client gave back in
//! `extra_content`, and Google's documented stand-in.

use crate::models::Generation;
use crate::wire::{Text, openai};

/// Google's documented value for histories whose signatures are lost. It turns
/// validation off for its part, at some cost in quality.
const SKIP_VALIDATION: &str = "skip_thought_signature_validator";

/// A memory of the signatures of calls that went out.
pub trait Signatures {
    /// The signature that came with the call of this id.
    fn recall(&self, call: &CallRecord<'_>) -> Recalled;

    fn remember(&self, call: &CallRecord<'_>, signature: &str);
}

/// What the memory says of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recalled {
    Signature(String),
    /// It was signed with other arguments or by another model: whatever signature
    /// the client carries would be refused as corrupted.
    Foreign,
    Unknown,
}

/// What a signature belongs to.
#[derive(Debug, Clone, Copy)]
pub struct CallRecord<'a> {
    /// The id that we gave the call.
    pub id: &'a str,
    pub name: &'a str,
    /// Compact JSON.
    pub arguments: &'a str,
    pub model: &'a str,
}

/// Remembers nothing.
#[derive(Debug)]
pub struct NoSignatures;

impl Signatures for NoSignatures {
    fn recall(&self, _: &CallRecord<'_>) -> Recalled {
        Recalled::Unknown
    }

    fn remember(&self, _: &CallRecord<'_>, _: &str) {}
}

/// The signature to send with a call that the client gives back.
pub(super) fn for_call<'a>(
    call: &'a openai::ToolCall<'a>,
    record: &CallRecord<'_>,
    is_first_of_turn: bool,
    generation: Generation,
    signatures: &dyn Signatures,
) -> Option<Text<'a>> {
    if generation < Generation::Two5 {
        return None;
    }
    match signatures.recall(record) {
        Recalled::Signature(signature) => return Some(signature.into()),
        Recalled::Unknown if carried(call).is_some() => return carried(call).map(Text::from),
        Recalled::Unknown | Recalled::Foreign => {}
    }
    // Only the first call of a turn is checked, and only by Gemini 3.
    (is_first_of_turn && generation == Generation::Three).then(|| SKIP_VALIDATION.into())
}

/// A signature in `extra_content`. An empty one would be refused as corrupted.
fn carried<'a>(call: &'a openai::ToolCall<'a>) -> Option<&'a str> {
    let google = call.extra_content.as_ref()?.google.as_ref()?;
    google
        .thought_signature
        .as_deref()
        .filter(|signature| !signature.is_empty())
}
