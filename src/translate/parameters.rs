//! The parameters of functions, cleaned; those cleaned before are remembered. Agents
//! send the same dozens of schemas with each turn, and cleaning them is most of what
//! a turn costs here.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use lru::LruCache;
use serde_json::Value;

use super::{Notes, schema};
use crate::wire::{Json, halves};

/// An agent with many servers of tools brings some hundred.
const MAX_REMEMBERED: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// Longer ones are cleaned each time. So all of them take at most 16 MiB, counting
/// what was given and what became of it; real ones take about one.
const MAX_REMEMBERED_BYTES: usize = 8 * 1024;

/// What became of one schema.
#[derive(Debug)]
pub(super) struct Parameters {
    pub(super) schema: Json<'static>,
    /// Their fields go on from where the schema stands: `.properties.a`.
    pub(super) notes: Notes,
}

/// By the text that was given. What becomes of a text is always the same, so that it
/// may be known to the whole process.
static REMEMBERED: LazyLock<Mutex<LruCache<Box<str>, Arc<Parameters>>>> =
    LazyLock::new(|| Mutex::new(LruCache::new(MAX_REMEMBERED)));

/// Fails when `given` cannot be read: it is nested too deeply.
pub(super) fn cleaned(given: &str) -> Result<Arc<Parameters>, serde_json::Error> {
    let remembered = || REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = remembered().get(given) {
        return Ok(known.clone());
    }
    let read = serde_json::from_str(given);
    let read = read.or_else(|_| serde_json::from_str(&halves::replaced(given)));
    let parameters = Arc::new(clean(&read?));
    if given.len() + parameters.schema.text().len() <= 2 * MAX_REMEMBERED_BYTES {
        remembered().put(given.into(), parameters.clone());
    }
    Ok(parameters)
}

fn clean(given: &Value) -> Parameters {
    let mut notes = Notes::default();
    let kind = given.get("type").and_then(Value::as_str);
    if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("object")) {
        let reason = "rewritten: the parameters of a function are always an object";
        notes.add(".type", reason);
    }
    let schema = schema::parameters(given, "", &mut notes);
    Parameters {
        schema: Json::of(&schema),
        notes,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_remembered_is_what_was_made_of_it() {
        let given = r#"{"type":"string","properties":{"a":{"const":1,"deprecated":true}}}"#;
        let first = cleaned(given).unwrap();
        let again = cleaned(given).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let fields: Vec<&str> = again.notes.iter().map(|note| &*note.field).collect();
        assert_eq!(fields, [".type"]);
        let expected = r#"{"type":"object","properties":{"a":{"enum":[1]}}}"#;
        assert_eq!(again.schema.text(), expected);
    }

    #[test]
    fn a_long_schema_is_not_remembered() {
        let words = "word ".repeat(2 * MAX_REMEMBERED_BYTES / 5);
        let given = format!(r#"{{"type":"object","description":"{words}"}}"#);
        let (first, again) = (cleaned(&given).unwrap(), cleaned(&given).unwrap());
        assert!(!Arc::ptr_eq(&first, &again));
        assert_eq!(first.schema.text(), again.schema.text());
    }
}
