//! A field of another dialect: whoever does not need it must not fail over it.

use std::fmt::Display;
use std::ops::{Deref, DerefMut};

use serde::de::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An optional field whose type is wrong only for whoever needs it.
#[derive(Debug)]
pub struct Lenient<T> {
    value: Option<T>,
    /// Why it is no `T`.
    pub misfit: Option<String>,
}

impl<T> Lenient<T> {
    fn of<E: Display>(read: Result<Option<T>, E>) -> Self {
        match read {
            Ok(value) => Self {
                value,
                misfit: None,
            },
            Err(error) => Self {
                value: None,
                misfit: Some(error.to_string()),
            },
        }
    }
}

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self {
            value: None,
            misfit: None,
        }
    }
}

impl<T> Deref for Lenient<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        &self.value
    }
}

impl<T> DerefMut for Lenient<T> {
    fn deref_mut(&mut self) -> &mut Option<T> {
        &mut self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&'de RawValue>::deserialize(deserializer)?;
        Ok(Self::of(serde_json::from_str(json.get())))
    }
}
