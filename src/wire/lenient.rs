//! A field that not everybody needs: whoever does not must not fail over it.

use std::ops::{Deref, DerefMut};

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::misfit::{Misfit, in_plain_words};

/// An optional field whose type is wrong only for whoever needs it.
#[derive(Debug)]
pub struct Lenient<T> {
    value: Option<T>,
    /// Why it is no `T`.
    pub misfit: Option<Misfit>,
}

impl<T> From<Option<T>> for Lenient<T> {
    fn from(value: Option<T>) -> Self {
        Self {
            value,
            misfit: None,
        }
    }
}

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self::from(None)
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
        let json = <&'de RawValue>::deserialize(deserializer)?.get();
        match serde_json::from_str::<Option<T>>(json) {
            Ok(value) => Ok(value.into()),
            Err(error) if is_of_another_type(&error) => Ok(Self {
                value: None,
                misfit: Some(misfit::<T>(json, &error)),
            }),
            // What can be mended, whoever reads the whole mends.
            Err(error) => Err(D::Error::custom(error)),
        }
    }
}

fn is_of_another_type(error: &serde_json::Error) -> bool {
    error.classify() == Category::Data && error.to_string().starts_with("invalid ")
}

/// Reads once more, to see where it fails.
fn misfit<'de, T: Deserialize<'de>>(json: &'de str, error: &serde_json::Error) -> Misfit {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let again: Result<Option<T>, _> = serde_path_to_error::deserialize(&mut deserializer);
    let within = match again.map_err(|error| error.path().to_string()) {
        Err(path) if path != "." => format!(".{path}"),
        _ => String::new(),
    };
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or(&what);
    Misfit {
        within,
        what: in_plain_words(what),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::openai::StreamOptions;

    fn read(json: &str) -> Result<Lenient<StreamOptions>, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn another_type_is_told_with_its_place() {
        for (json, within, what) in [
            ("5", "", "expected an object, but got the number 5 instead"),
            ("[true]", "", "expected an object, but got an array instead"),
            (
                r#"{"include_usage": "yes"}"#,
                ".include_usage",
                "expected a boolean, but got a string instead",
            ),
        ] {
            let misfit = read(json).unwrap().misfit.unwrap();
            assert_eq!((&*misfit.within, &*misfit.what), (within, what), "{json}");
        }
    }

    #[test]
    fn what_could_be_mended_is_an_error_all_the_same() {
        let text: Result<Lenient<String>, _> = serde_json::from_str(r#""\ud83d""#);
        assert!(text.is_err());
        let twice = read(r#"{"include_usage": true, "include_usage": true}"#);
        let error = twice.unwrap_err().to_string();
        assert!(error.starts_with("duplicate field"), "{error}");
        assert!(read("null").unwrap().is_none());
    }
}
