//! A request's body as a value, and what is wrong with it if it is none.

use serde::Deserialize;
use serde_json::error::Category;

use super::error::ApiError;

/// Parses a JSON object. The plain parse is fast; only for a body that fails is
/// it done again, to find the path of the field.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| *byte != b'{')
        && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
    {
        return Err(ApiError::invalid(
            400,
            "invalid_json",
            "The body must be a JSON object.",
        ));
    }
    serde_json::from_slice(body).map_err(|error| explain::<T>(body, &error))
}

fn explain<'a, T: Deserialize<'a>>(body: &'a [u8], error: &serde_json::Error) -> ApiError {
    if error.classify() != Category::Data || std::str::from_utf8(body).is_err() {
        let offset = offset(body, error);
        let message = format!("The body could not be parsed as JSON, at byte {offset}: {error}.");
        return ApiError::invalid(400, "invalid_json", message);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(error) => {
            let path = error.path().to_string();
            let inner = error.into_inner().to_string();
            // Line and column mean little to whoever built the body from objects.
            let what = inner.split(" at line ").next().unwrap_or(&inner);
            // The body itself has no name: `duplicate field`, at the outermost level.
            if path == "." {
                return ApiError::invalid(400, "invalid_json", format!("Invalid body: {what}."));
            }
            let message = format!("Invalid type for '{path}': {what}.");
            ApiError::invalid(400, "invalid_type", message).param(path)
        }
        Ok(_) => ApiError::invalid(400, "invalid_type", error.to_string()),
    }
}

/// Where the parser stopped.
fn offset(body: &[u8], error: &serde_json::Error) -> usize {
    let lines_before = body
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1));
    lines_before.map(<[u8]>::len).sum::<usize>() + error.column()
}
