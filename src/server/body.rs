//! A request's body as a value, and what is wrong with it if it is none. What other
//! JSON parsers take, and real clients send, is mended; only a body that fails costs
//! anything.

use std::cell::OnceCell;

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::{Map, Value};

use super::error::ApiError;
use crate::translate::Rejection;
use crate::wire::{halves, misfit};

/// How much of a place in a deep body is worth telling.
const NAMED_LEVELS: usize = 4;

/// Where Google's own options may stand, which go by two spellings.
const GOOGLE_OPTIONS: [&str; 4] = [
    "/google",
    "/google/thinking_config",
    "/extra_body/google",
    "/extra_body/google/thinking_config",
];

/// What a client sent.
#[derive(Default)]
pub(super) struct Body {
    sent: Vec<u8>,
    /// What is read in its place, where it could not be read as it is; mended once,
    /// or for two reasons.
    mended: [OnceCell<String>; 2],
}

impl Body {
    pub(super) fn new(sent: Vec<u8>) -> Self {
        Self {
            sent,
            ..Self::default()
        }
    }

    /// As it is read.
    pub(super) fn bytes(&self) -> &[u8] {
        let mended = self.mended.iter().rev().find_map(OnceCell::get);
        mended.map_or(&self.sent, |mended| mended.as_bytes())
    }

    /// Parses a JSON object. The plain parse is fast; what helps a body that fails,
    /// and what finds the field that is wrong, is done only then.
    pub(super) fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ApiError> {
        // All of it, for serde looks only at what it does not skip.
        let mut text = std::str::from_utf8(self.bytes()).map_err(|error| {
            let place = format!("at byte {}", error.valid_up_to() + 1);
            unparsable(&place, "it is not UTF-8")
        })?;
        let mut unused = self.mended.iter().filter(|cell| cell.get().is_none());
        loop {
            let error = match serde_json::from_str(text) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            match (mended(text, &error), unused.next()) {
                (Some(mended), Some(cell)) => text = cell.get_or_init(|| mended),
                _ => return Err(explain::<T>(text, &error)),
            }
        }
    }
}

/// The same body without what serde alone objects to.
fn mended(text: &str, error: &serde_json::Error) -> Option<String> {
    // Some editors and shells put this mark before every text.
    if let Some(rest) = text.strip_prefix('\u{feff}') {
        return Some(rest.to_owned());
    }
    let what = error.to_string();
    if what.starts_with("duplicate field") {
        last_of_each(&halves::replaced(text))
    } else if what.contains("surrogate") || what.contains("end of hex escape") {
        Some(halves::replaced(text))
    } else {
        None
    }
}

/// Of a key that is there twice, the last counts, as in every other parser.
fn last_of_each(text: &str) -> Option<String> {
    let mut body: Value = serde_json::from_str(text).ok()?;
    for place in GOOGLE_OPTIONS {
        if let Some(Value::Object(options)) = body.pointer_mut(place) {
            *options = in_one_spelling(std::mem::take(options));
        }
    }
    Some(body.to_string())
}

/// `thinkingConfig` as `thinking_config`.
fn in_one_spelling(options: Map<String, Value>) -> Map<String, Value> {
    let snake_case = |key: String| {
        key.chars().fold(String::new(), |mut snake, letter| {
            if letter.is_ascii_uppercase() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
            snake
        })
    };
    let options = options.into_iter();
    options
        .map(|(key, value)| (snake_case(key), value))
        .collect()
}

fn explain<'a, T: Deserialize<'a>>(text: &'a str, error: &serde_json::Error) -> ApiError {
    let is_too_deep = error.to_string().starts_with("recursion limit");
    if error.classify() != Category::Data && !is_too_deep {
        let place = format!("at byte {}", offset(text, error));
        return unparsable(&place, &error.to_string());
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut deserializer) else {
        return unparsable("as a whole", &error.to_string());
    };
    if is_too_deep {
        return too_deep(error.path());
    }
    let path = error.path().to_string();
    // The body itself has no name.
    if path == "." {
        return ApiError::invalid(400, "invalid_json", "The body must be a JSON object.");
    }
    let inner = error.into_inner().to_string();
    // Line and column mean little to whoever built the body from objects.
    let what = inner.split(" at line ").next().unwrap_or(&inner);
    if let Some(field) = what.strip_prefix("missing field ") {
        return Rejection::missing(format!("{path}.{}", field.trim_matches('`'))).into();
    }
    Rejection::of_another_type(path, &misfit::in_plain_words(what)).into()
}

fn unparsable(place: &str, why: &str) -> ApiError {
    let message = format!("The body could not be parsed as JSON, {place}: {why}.");
    ApiError::invalid(400, "invalid_json", message)
}

fn too_deep(path: &serde_path_to_error::Path) -> ApiError {
    let levels = path.iter().take(NAMED_LEVELS);
    let place = levels.fold(String::new(), |mut place, level| {
        let is_key = !matches!(level, serde_path_to_error::Segment::Seq { .. });
        if is_key && !place.is_empty() {
            place.push('.');
        }
        place + &level.to_string()
    });
    let message = format!(
        "Invalid '{place}': nested too deeply. This proxy reads no more than 127 objects and \
         arrays within one another."
    );
    ApiError::invalid(400, "invalid_value", message).param(place)
}

/// Where the parser stopped.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let lines_before = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1));
    lines_before.map(str::len).sum::<usize>() + error.column()
}
