//! Thought signatures of calls that went out, for clients that drop them. Most
//! do: without this memory Gemini 3 would refuse their next request.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::discriminant;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use serde_json::Value;

use crate::translate::{CallRecord, Recalled, Signatures};

/// Calls remembered; a signature has about a kilobyte.
const MAX_CALLS: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// Bytes of signatures remembered.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Signatures by call id. The least recently used go first.
#[derive(Debug)]
pub(super) struct SignatureCache {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    entries: LruCache<String, Entry>,
    bytes: usize,
    /// Counts the accounts that signed in.
    account: u64,
}

struct Entry {
    /// Of name and arguments: Google signed exactly these.
    call: u64,
    account: u64,
    model: String,
    signature: String,
}

impl SignatureCache {
    pub(super) fn new() -> Self {
        let entries = LruCache::new(MAX_CALLS);
        Self {
            inner: Mutex::new(Inner {
                entries,
                bytes: 0,
                account: 0,
            }),
        }
    }

    /// Another account has signed in: what was signed for the last one is foreign
    /// from now on. It is not forgotten, so that clients who carry it are known, too.
    pub(super) fn change_account(&self) {
        self.inner().account += 1;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Signatures are opaque, but no business of a log.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

impl Signatures for SignatureCache {
    fn recall(&self, call: &CallRecord<'_>) -> Recalled {
        let mut inner = self.inner();
        let account = inner.account;
        match inner.entries.get(call.id) {
            None => Recalled::Unknown,
            Some(entry)
                if entry.model == call.model
                    && entry.account == account
                    && entry.call == hash(call) =>
            {
                Recalled::Signature(entry.signature.clone())
            }
            Some(_) => Recalled::Foreign,
        }
    }

    fn remember(&self, call: &CallRecord<'_>, signature: &str) {
        let mut inner = self.inner();
        let entry = Entry {
            call: hash(call),
            account: inner.account,
            model: call.model.to_owned(),
            signature: signature.to_owned(),
        };
        inner.bytes += signature.len();
        if let Some((_, replaced)) = inner.entries.push(call.id.to_owned(), entry) {
            inner.bytes -= replaced.signature.len();
        }
        while inner.bytes > MAX_BYTES {
            let Some((_, oldest)) = inner.entries.pop_lru() else {
                return;
            };
            inner.bytes -= oldest.signature.len();
        }
    }
}

fn hash(call: &CallRecord<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    call.name.hash(&mut hasher);
    match serde_json::from_str(call.arguments) {
        Ok(arguments) => hash_value(&arguments, &mut hasher),
        Err(_) => call.arguments.hash(&mut hasher),
    }
    hasher.finish()
}

/// Clients parse arguments and write them anew: other escapes, other spelling of
/// numbers, other order of keys. The value is still the one that was signed.
fn hash_value(value: &Value, hasher: &mut DefaultHasher) {
    discriminant(value).hash(hasher);
    match value {
        Value::Null => {}
        Value::Bool(truth) => truth.hash(hasher),
        Value::Number(number) => number.as_f64().map(f64::to_bits).hash(hasher),
        Value::String(text) => text.hash(hasher),
        Value::Array(list) => {
            list.len().hash(hasher);
            list.iter().for_each(|value| hash_value(value, hasher));
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            for (key, value) in entries {
                key.hash(hasher);
                hash_value(value, hasher);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record<'a>(id: &'a str, arguments: &'a str, model: &'a str) -> CallRecord<'a> {
        CallRecord {
            id,
            name: "f",
            arguments,
            model,
        }
    }

    #[test]
    fn a_signature_is_given_back_only_for_the_call_it_came_with() {
        let cache = SignatureCache::new();
        cache.remember(&record("a", "{}", "gemini-3"), "sig");
        assert_eq!(
            cache.recall(&record("a", "{}", "gemini-3")),
            Recalled::Signature("sig".into())
        );
        assert_eq!(
            cache.recall(&record("a", "{\"x\":1}", "gemini-3")),
            Recalled::Foreign
        );
        assert_eq!(
            cache.recall(&record("a", "{}", "gemini-2.5-pro")),
            Recalled::Foreign
        );
        assert_eq!(
            cache.recall(&record("b", "{}", "gemini-3")),
            Recalled::Unknown
        );
    }

    #[test]
    fn lesson_03_another_accounts_signatures_are_foreign() {
        let cache = SignatureCache::new();
        cache.remember(&record("a", "{}", "m"), "sig");
        cache.change_account();
        assert_eq!(cache.recall(&record("a", "{}", "m")), Recalled::Foreign);
    }

    #[test]
    fn arguments_that_a_client_wrote_anew_are_still_the_same() {
        let cache = SignatureCache::new();
        cache.remember(&record("a", r#"{"city":"Zürich","n":1.0}"#, "m"), "sig");
        let anew = record("a", r#"{ "n": 1, "city": "Z\u00fcrich" }"#, "m");
        assert_eq!(cache.recall(&anew), Recalled::Signature("sig".into()));
    }

    #[test]
    fn lesson_24_memory_is_bounded_by_bytes_and_by_count() {
        let cache = SignatureCache::new();
        let large = "x".repeat(MAX_BYTES / 4);
        for id in ["a", "b", "c", "d", "e"] {
            cache.remember(&record(id, "{}", "m"), &large);
        }
        assert_eq!(cache.recall(&record("a", "{}", "m")), Recalled::Unknown);
        for id in 0..2 * MAX_CALLS.get() {
            cache.remember(&record(&id.to_string(), "{}", "m"), "s");
        }
        let inner = cache.inner();
        assert_eq!(
            (inner.entries.len(), inner.bytes),
            (MAX_CALLS.get(), MAX_CALLS.get())
        );
    }
}
