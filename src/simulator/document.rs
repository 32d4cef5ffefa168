//! Reads a JSON object key by key and complains about what nobody asked for:
//! a misspelt word in a script must not pass for silence.

use serde_json::{Map, Value};

/// The keys of one object that were not yet taken.
#[derive(Debug)]
pub(super) struct Document {
    left: Map<String, Value>,
    place: String,
}

impl Document {
    /// `place` is what complaints call it, such as `generate[0]`.
    pub(super) fn new(value: Value, place: impl Into<String>) -> Result<Self, String> {
        let place = place.into();
        match value {
            Value::Object(left) => Ok(Self { left, place }),
            other => Err(format!("{place}: expected an object, not {other}")),
        }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.left.contains_key(key)
    }

    pub(super) fn value(&mut self, key: &str) -> Option<Value> {
        self.left.shift_remove(key)
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        self.take(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>, String> {
        self.take(key, "true or false", Value::as_bool)
    }

    pub(super) fn number(&mut self, key: &str) -> Result<Option<u64>, String> {
        self.take(key, "a whole number", Value::as_u64)
    }

    pub(super) fn list(&mut self, key: &str) -> Result<Option<Vec<Value>>, String> {
        self.take(key, "a list", |value| value.as_array().cloned())
    }

    /// Complains about every key that was not taken.
    pub(super) fn finish(self) -> Result<(), String> {
        if self.left.is_empty() {
            return Ok(());
        }
        let unknown: Vec<&str> = self.left.keys().map(String::as_str).collect();
        Err(format!(
            "{}: unknown key {}",
            self.place,
            unknown.join(", ")
        ))
    }

    fn take<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, String> {
        let Some(value) = self.left.shift_remove(key) else {
            return Ok(None);
        };
        match read(&value) {
            Some(read) => Ok(Some(read)),
            None => Err(format!(
                "{}.{key}: expected {expected}, not {value}",
                self.place
            )),
        }
    }
}
