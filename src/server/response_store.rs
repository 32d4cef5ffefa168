//! Answers that clients refer to later instead of sending them again: in memory,
//! bounded, and gone when the proxy ends. Nothing is kept for `store: false`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::error::ApiError;
use crate::wire::halves;

const MAX_RESPONSES: NonZeroUsize = NonZeroUsize::new(2000).unwrap();
const MAX_BYTES: usize = 64 * 1024 * 1024;
const MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// Which of the proxy's keys asked; `None` where it has none.
pub(super) type Owner = Option<usize>;

/// The answers of this process.
#[derive(Default)]
pub(super) struct ResponseStore(Mutex<Inner>);

struct Inner {
    /// The least recently used goes first.
    responses: LruCache<String, Kept>,
    /// Which answer an item is of.
    items: HashMap<String, String>,
    bytes: usize,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            responses: LruCache::new(MAX_RESPONSES),
            items: HashMap::new(),
            bytes: 0,
        }
    }
}

/// An answer, and what was asked.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) owner: Owner,
    /// The answer that was referred to as the one before.
    pub(super) previous: Option<String>,
    /// The items of the input, without those of the answers before.
    pub(super) input: Arc<RawValue>,
    /// The whole answer.
    pub(super) response: Arc<RawValue>,
    pub(super) since: Instant,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.input.get().len() + self.response.get().len()
    }

    fn is_for(&self, owner: Owner) -> bool {
        self.owner == owner && self.since.elapsed() < MAX_AGE
    }
}

/// A request with everything in it that it only referred to.
pub(super) struct Expanded {
    pub(super) body: Vec<u8>,
    /// The items of the client's own input.
    pub(super) input: Arc<RawValue>,
    /// Items before those.
    pub(super) remembered: usize,
    pub(super) previous: Option<String>,
}

/// The parts of an answer, or of a request, that are looked at here.
#[derive(Deserialize)]
struct Items<'a> {
    #[serde(borrow)]
    output: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Reference<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    role: Option<serde::de::IgnoredAny>,
}

impl ResponseStore {
    pub(super) fn keep(&self, id: &str, kept: Kept) {
        let mut inner = self.inner();
        for item in output(&kept.response) {
            if let Some(item) = id_of(item) {
                inner.items.insert(item, id.to_owned());
            }
        }
        inner.bytes += kept.bytes();
        if let Some((id, replaced)) = inner.responses.push(id.to_owned(), kept) {
            inner.forget(&id, &replaced);
        }
        while inner.bytes > MAX_BYTES {
            let Some((id, oldest)) = inner.responses.pop_lru() else {
                return;
            };
            inner.forget(&id, &oldest);
        }
    }

    pub(super) fn get(&self, id: &str, owner: Owner) -> Option<Arc<RawValue>> {
        self.find(id, owner).map(|kept| kept.response)
    }

    /// False if there is none of this id.
    pub(super) fn remove(&self, id: &str, owner: Owner) -> bool {
        let mut inner = self.inner();
        if !inner
            .responses
            .peek(id)
            .is_some_and(|kept| kept.is_for(owner))
        {
            return false;
        }
        if let Some(kept) = inner.responses.pop(id) {
            inner.forget(id, &kept);
        }
        true
    }

    /// Puts into a request what it refers to: the conversation before it, and items
    /// of earlier answers.
    pub(super) fn expand(&self, body: Vec<u8>, owner: Owner) -> Result<Expanded, ApiError> {
        // What is wrong with a body is told where it is read for good.
        let Ok(mut fields) = serde_json::from_slice::<BTreeMap<String, Box<RawValue>>>(&body)
        else {
            return Ok(Expanded::as_is(body, RawValue::NULL));
        };
        let previous = fields.get("previous_response_id").and_then(|id| {
            serde_json::from_str::<Option<String>>(id.get())
                .ok()
                .flatten()
        });
        let given = fields.get("input").map_or(RawValue::NULL, |input| input);
        let own = match self.resolved(given, owner)? {
            Some(own) => own,
            // The conversation so far may be all that there is to say.
            None if previous.is_some() && given.get() == "null" => Vec::new(),
            None => return Ok(Expanded::as_is(body, given)),
        };
        let mut items = match &previous {
            Some(id) => self.story(id, owner)?,
            None => Vec::new(),
        };
        let remembered = items.len();
        let input: Arc<RawValue> = list(&own).into();
        items.extend(own);
        fields.insert("input".to_owned(), list(&items));
        let body = serde_json::to_vec(&fields).map_err(|_| ApiError::internal())?;
        Ok(Expanded {
            body,
            input,
            remembered,
            previous,
        })
    }

    /// The items of an input, each reference replaced by what it refers to. `None`
    /// for what is no input.
    fn resolved(
        &self,
        input: &RawValue,
        owner: Owner,
    ) -> Result<Option<Vec<Box<RawValue>>>, ApiError> {
        if let Some(text) = halves::text(input.get()) {
            let message = json!({"role": "user", "content": text});
            return Ok(Some(to_raw_value(&message).into_iter().collect()));
        }
        let Ok(items) = serde_json::from_str::<Vec<Box<RawValue>>>(input.get()) else {
            return Ok(None);
        };
        let mut resolved = Vec::with_capacity(items.len());
        for item in items {
            match reference(&item) {
                None => resolved.push(item),
                Some(id) => match self.item(&id, owner) {
                    Some(found) => resolved.push(found),
                    // What the model thought can be done without; its place is kept,
                    // so that errors count the client's items.
                    None if id.starts_with("rs_") => {
                        resolved.extend(to_raw_value(&json!({"type": "reasoning"})));
                    }
                    None => return Err(ApiError::item_not_found(&id)),
                },
            }
        }
        Ok(Some(resolved))
    }

    /// All that was said up to the end of an answer.
    fn story(&self, id: &str, owner: Owner) -> Result<Vec<Box<RawValue>>, ApiError> {
        let mut answers = Vec::new();
        let mut next = Some(id.to_owned());
        while let Some(id) = next {
            let kept = self.find(&id, owner);
            let kept = kept.ok_or_else(|| ApiError::previous_response_not_found(&id))?;
            next = kept.previous.clone();
            answers.push(kept);
        }
        let mut story = Vec::new();
        for kept in answers.iter().rev() {
            let input: Vec<Box<RawValue>> =
                serde_json::from_str(kept.input.get()).unwrap_or_default();
            story.extend(input);
            story.extend(output(&kept.response).into_iter().map(ToOwned::to_owned));
        }
        Ok(story)
    }

    fn item(&self, id: &str, owner: Owner) -> Option<Box<RawValue>> {
        let response_id = self.inner().items.get(id).cloned()?;
        let kept = self.find(&response_id, owner)?;
        let found = output(&kept.response)
            .into_iter()
            .find(|item| id_of(item).as_deref() == Some(id))?;
        Some(found.to_owned())
    }

    fn find(&self, id: &str, owner: Owner) -> Option<Kept> {
        let mut inner = self.inner();
        inner
            .responses
            .get(id)
            .filter(|kept| kept.is_for(owner))
            .cloned()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget(&mut self, id: &str, kept: &Kept) {
        self.bytes -= kept.bytes();
        for item in output(&kept.response).into_iter().filter_map(id_of) {
            if self.items.get(&item).is_some_and(|of| of == id) {
                self.items.remove(&item);
            }
        }
    }
}

impl Expanded {
    fn as_is(body: Vec<u8>, input: &RawValue) -> Self {
        Self {
            body,
            input: input.to_owned().into(),
            remembered: 0,
            previous: None,
        }
    }
}

fn output(response: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str::<Items<'_>>(response.get())
        .map_or_else(|_| Vec::new(), |items| items.output)
}

fn id_of(item: &RawValue) -> Option<String> {
    let reference: Reference<'_> = serde_json::from_str(item.get()).ok()?;
    reference.id.map(Cow::into_owned)
}

/// The id, if this only refers to an item. Its type may be left out.
fn reference(item: &RawValue) -> Option<String> {
    let reference: Reference<'_> = serde_json::from_str(item.get()).ok()?;
    let is_reference = match reference.kind.as_deref() {
        Some(kind) => kind == "item_reference",
        None => reference.role.is_none(),
    };
    reference.id.filter(|_| is_reference).map(Cow::into_owned)
}

fn list(items: &[Box<RawValue>]) -> Box<RawValue> {
    to_raw_value(items).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn kept(owner: Owner, previous: Option<&str>, input: &str, output: &str) -> Kept {
        let raw = |json: String| Arc::<RawValue>::from(RawValue::from_string(json).unwrap());
        Kept {
            owner,
            previous: previous.map(str::to_owned),
            input: raw(input.to_owned()),
            response: raw(format!(r#"{{"output":{output}}}"#)),
            since: Instant::now(),
        }
    }

    fn input_of(expanded: &Expanded) -> serde_json::Value {
        let body: serde_json::Value = serde_json::from_slice(&expanded.body).unwrap();
        body["input"].clone()
    }

    #[test]
    fn a_conversation_is_put_together_from_its_answers() {
        let store = ResponseStore::default();
        store.keep(
            "resp_1",
            kept(
                None,
                None,
                r#"[{"role":"user","content":"1"}]"#,
                r#"[{"id":"msg_1","x":1.50}]"#,
            ),
        );
        store.keep(
            "resp_2",
            kept(
                None,
                Some("resp_1"),
                r#"[{"role":"user","content":"2"}]"#,
                r#"[{"id":"msg_2"}]"#,
            ),
        );
        let body = br#"{"previous_response_id":"resp_2","input":"3","n":1.50}"#.to_vec();
        let expanded = store.expand(body, None).ok().unwrap();
        assert_eq!(expanded.remembered, 4);
        let expected = json!([{"role": "user", "content": "1"}, {"id": "msg_1", "x": 1.5},
            {"role": "user", "content": "2"}, {"id": "msg_2"}, {"role": "user", "content": "3"}]);
        assert_eq!(input_of(&expanded), expected);
        assert!(String::from_utf8_lossy(&expanded.body).contains("\"n\":1.50"));
    }

    #[test]
    fn references_are_resolved_and_lost_thoughts_leave_their_place() {
        let store = ResponseStore::default();
        store.keep(
            "resp_1",
            kept(None, None, "[]", r#"[{"type":"message","id":"msg_1"}]"#),
        );
        let body = br#"{"input":[{"type":"item_reference","id":"rs_gone"},{"id":"msg_1"},{"role":"user","id":"msg_u"}]}"#;
        let expanded = store.expand(body.to_vec(), None).ok().unwrap();
        let expected = json!([{"type": "reasoning"}, {"type": "message", "id": "msg_1"},
            {"role": "user", "id": "msg_u"}]);
        assert_eq!(input_of(&expanded), expected);
        let body = br#"{"input":[{"type":"item_reference","id":"msg_gone"}]}"#;
        assert_eq!(store.expand(body.to_vec(), None).err().unwrap().status, 404);
    }

    #[test]
    fn nobody_reads_what_anothers_key_asked() {
        let store = ResponseStore::default();
        store.keep("resp_1", kept(Some(0), None, "[]", r#"[{"id":"msg_1"}]"#));
        assert!(store.get("resp_1", Some(1)).is_none());
        assert!(!store.remove("resp_1", Some(1)));
        assert!(store.item("msg_1", Some(1)).is_none());
        assert!(store.remove("resp_1", Some(0)));
        assert!(store.inner().items.is_empty());
    }

    #[test]
    fn lesson_24_what_is_kept_is_bounded_by_bytes_and_by_count() {
        let store = ResponseStore::default();
        let large = format!("[\"{}\"]", "x".repeat(MAX_BYTES / 4));
        for nth in 0..5 {
            store.keep(&format!("resp_{nth}"), kept(None, None, &large, "[]"));
        }
        assert!(store.get("resp_0", None).is_none() && store.get("resp_4", None).is_some());
        for nth in 0..2 * MAX_RESPONSES.get() {
            let item = format!("[{{\"id\":\"msg_{nth}\"}}]");
            store.keep(&format!("resp_{nth}"), kept(None, None, "[]", &item));
        }
        let inner = store.inner();
        let (count, items) = (inner.responses.len(), inner.items.len());
        assert_eq!((count, items), (MAX_RESPONSES.get(), MAX_RESPONSES.get()));
        assert!(inner.bytes < 200 * MAX_RESPONSES.get());
    }
}
