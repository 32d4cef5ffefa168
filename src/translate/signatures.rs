//! Thought signatures: opaque proofs that Gemini 3 demands back with each
//! function call (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
//!
//! Three layers: what we remember by call id, what the client gave back in
//! `extra_content`, and Google's documented stand-in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

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

/// Trusts no signature, remembered or carried.
#[derive(Debug)]
pub struct Distrust;

impl Signatures for Distrust {
    fn recall(&self, _: &CallRecord<'_>) -> Recalled {
        Recalled::Foreign
    }

    fn remember(&self, _: &CallRecord<'_>, _: &str) {}
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

/// The signature to send with a call that the client gives back; `carried` is the
/// one that came with it.
pub(super) fn for_call<'a>(
    record: &CallRecord<'_>,
    carried: Option<&'a str>,
    is_first_of_turn: bool,
    generation: Generation,
    signatures: &dyn Signatures,
) -> Option<Text<'a>> {
    match (signatures.recall(record), carried) {
        (Recalled::Signature(signature), _) => Some(signature.into()),
        (Recalled::Unknown, Some(carried)) => Some(carried.into()),
        // Only the first call of a turn is checked, and only by Gemini 3.
        _ => (is_first_of_turn && generation == Generation::Three).then(|| SKIP_VALIDATION.into()),
    }
}

/// The signature to send with a text that the client gives back: the one that it
/// carries, unless that is known to be another model's. None is ever demanded.
pub(super) fn for_text<'a>(
    carried: &'a str,
    model: &str,
    signatures: &dyn Signatures,
) -> Option<Text<'a>> {
    let id = text_id(carried);
    let is_foreign = signatures.recall(&text_record(&id, model)) == Recalled::Foreign;
    (!is_foreign).then(|| carried.into())
}

/// Keeps whose the signature of a text is.
pub(super) fn remember_text(signature: &str, model: &str, signatures: &dyn Signatures) {
    let id = text_id(signature);
    signatures.remember(&text_record(&id, model), signature);
}

/// Texts have no ids; their signatures are as good.
fn text_id(signature: &str) -> String {
    let digest = Sha256::digest(signature.as_bytes());
    format!("text_{}", STANDARD.encode(digest))
}

fn text_record<'a>(id: &'a str, model: &'a str) -> CallRecord<'a> {
    CallRecord {
        id,
        name: "",
        arguments: "",
        model,
    }
}

/// LiteLLM carries signatures in the ids of calls: the id, and the signature.
pub(super) fn split_id(id: &str) -> (&str, Option<&str>) {
    match id.split_once("__thought__") {
        Some((id, signature)) if !signature.is_empty() => (id, Some(signature)),
        _ => (id, None),
    }
}

/// A signature in `extra_content`. An empty one would be refused as corrupted.
pub(super) fn carried<'a>(extra: Option<&'a openai::ExtraContent<'a>>) -> Option<&'a str> {
    let extra = extra?;
    [&extra.google, &extra.vertex]
        .into_iter()
        .flatten()
        .filter_map(|content| content.thought_signature.as_deref())
        .find(|signature| !signature.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Memory(Recalled);

    impl Signatures for Memory {
        fn recall(&self, _: &CallRecord<'_>) -> Recalled {
            self.0.clone()
        }

        fn remember(&self, _: &CallRecord<'_>, _: &str) {}
    }

    #[test]
    fn memory_comes_before_what_the_client_carries_and_that_before_the_stand_in() {
        let record = CallRecord {
            id: "a",
            name: "f",
            arguments: "{}",
            model: "gemini-3",
        };
        let sent = |recalled: Recalled, carried, generation| {
            let signature = for_call(&record, carried, true, generation, &Memory(recalled));
            signature.map(|signature| signature.to_string())
        };
        let of = |text: &str| Some(text.to_owned());
        let ours = Recalled::Signature("ours".into());
        assert_eq!(sent(ours, Some("theirs"), Generation::Three), of("ours"));
        assert_eq!(
            sent(Recalled::Unknown, Some("theirs"), Generation::Three),
            of("theirs")
        );
        assert_eq!(
            sent(Recalled::Foreign, Some("theirs"), Generation::Three),
            of(SKIP_VALIDATION)
        );
        assert_eq!(
            sent(Recalled::Foreign, Some("theirs"), Generation::Two5),
            None
        );
        assert_eq!(sent(Recalled::Unknown, None, Generation::Two5), None);
    }

    #[test]
    fn a_text_is_signed_unless_by_another_model_or_distrusted() {
        let sent = |recalled| for_text("theirs", "m", &Memory(recalled));
        assert_eq!(sent(Recalled::Unknown), Some("theirs".into()));
        assert_eq!(
            sent(Recalled::Signature("theirs".into())),
            Some("theirs".into())
        );
        assert_eq!(sent(Recalled::Foreign), None);
        assert_eq!(for_text("theirs", "m", &Distrust), None);
    }
}
