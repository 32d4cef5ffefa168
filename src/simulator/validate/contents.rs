//! Contents and parts, each on its own: present, of a known role, not empty.

use serde_json::Value;

use super::messages::PART_DATA;
use super::{Verdict, elements};
use crate::simulator::errors::GoogleError;

/// What every model can look at or listen to.
const MEDIA_TYPES: [&str; 29] = [
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/heic",
    "image/heif",
    "image/gif",
    "audio/wav",
    "audio/mp3",
    "audio/mpeg",
    "audio/aiff",
    "audio/aac",
    "audio/ogg",
    "audio/flac",
    "video/mp4",
    "video/mpeg",
    "video/mov",
    "video/quicktime",
    "video/avi",
    "video/x-flv",
    "video/mpg",
    "video/webm",
    "video/wmv",
    "video/3gpp",
    "application/pdf",
    "text/plain",
    "text/html",
    "text/css",
    "text/csv",
    "text/markdown",
];

pub(super) fn check(request: &Value) -> Verdict {
    let contents = elements(&request["contents"]);
    if contents.is_empty() {
        return Err(GoogleError::at_field(
            "contents",
            "contents is not specified",
        ));
    }
    for (index, content) in contents.iter().enumerate() {
        if !matches!(content["role"].as_str(), Some("user" | "model")) {
            return Err(GoogleError::invalid_argument(
                "Please use a valid role: user, model.",
            ));
        }
        check_parts(content, &format!("contents[{index}]"))?;
    }
    if let Some(instruction) = request.get("systemInstruction") {
        check_parts(instruction, "system_instruction")?;
        check_text_only(instruction)?;
    }
    Ok(())
}

fn check_parts(content: &Value, place: &str) -> Verdict {
    let parts = elements(&content["parts"]);
    if parts.is_empty() {
        return Err(GoogleError::invalid_argument(format!(
            "Unable to submit request because it must include at least one parts field, which \
             describes the prompt input. ({place})"
        )));
    }
    for (index, part) in parts.iter().enumerate() {
        check_part(part, &format!("{place}.parts[{index}]"))?;
    }
    Ok(())
}

/// `Part` is a oneof: exactly one member of `data` is set.
fn check_part(part: &Value, place: &str) -> Verdict {
    let set: Vec<&str> = PART_DATA
        .into_iter()
        .filter(|member| part.get(member).is_some())
        .collect();
    match set.as_slice() {
        [] => {
            let rule = "required oneof field 'data' must have one initialized field";
            return Err(GoogleError::at_field(&format!("{place}.data"), rule));
        }
        [_] => {}
        [_, second, ..] => {
            return Err(GoogleError::invalid_argument(format!(
                "Invalid value at '{place}' (oneof), oneof field 'data' is already set. \
                 Cannot set '{second}'"
            )));
        }
    }
    check_media(&part["inlineData"])?;
    check_function(part, "functionCall", "function_call", place)?;
    check_function(part, "functionResponse", "function_response", place)
}

fn check_media(blob: &Value) -> Verdict {
    if blob.is_null() {
        return Ok(());
    }
    let stated = blob["mimeType"].as_str().unwrap_or_default();
    if !MEDIA_TYPES.contains(&stated) {
        return Err(GoogleError::invalid_argument(format!(
            "Unsupported MIME type: {stated}"
        )));
    }
    if blob["data"].as_str().is_none_or(str::is_empty) {
        return Err(GoogleError::invalid_argument(
            "Unable to process input image.",
        ));
    }
    Ok(())
}

fn check_function(part: &Value, key: &str, field: &str, place: &str) -> Verdict {
    let Some(function) = part.get(key) else {
        return Ok(());
    };
    if function["name"].as_str().is_none_or(str::is_empty) {
        let field = format!("{place}.{field}.name");
        return Err(GoogleError::at_field(&field, "Name cannot be empty."));
    }
    if key == "functionResponse" && !function["response"].is_object() {
        let field = format!("{place}.{field}.response");
        return Err(GoogleError::at_field(&field, "Response must be an object."));
    }
    Ok(())
}

fn check_text_only(instruction: &Value) -> Verdict {
    for part in elements(&instruction["parts"]) {
        if part.get("text").is_none() {
            return Err(GoogleError::invalid_argument(
                "System instructions can only contain text parts.",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_part_holds_one_thing_and_a_content_some_part() {
        let user = |part: Value| json!({"contents": [{"role": "user", "parts": [part]}]});
        let image = |kind: &str| json!({"inlineData": {"mimeType": kind, "data": "AAAA"}});
        for (request, complaint) in [
            (user(json!({"text": ""})), ""),
            (user(image("image/png")), ""),
            (
                user(image("image/tiff")),
                "Unsupported MIME type: image/tiff",
            ),
            (json!({"contents": []}), "contents is not specified"),
            (
                json!({"contents": [{"role": "user", "parts": []}]}),
                "at least one parts field",
            ),
            (
                json!({"contents": [{"role": "tool", "parts": [{"text": ""}]}]}),
                "valid role",
            ),
            (
                user(json!({"thought": true})),
                "required oneof field 'data'",
            ),
            (
                user(json!({"text": "", "functionCall": {"name": "f"}})),
                "already set",
            ),
            (
                user(json!({"functionCall": {"name": ""}})),
                "Name cannot be empty",
            ),
            (
                user(json!({"functionResponse": {"name": "f"}})),
                "must be an object",
            ),
        ] {
            let said = match check(&request) {
                Ok(()) => String::new(),
                Err(error) => error.body.to_string(),
            };
            assert!(said.contains(complaint), "{request}: {said}");
            assert_eq!(said.is_empty(), complaint.is_empty(), "{request}: {said}");
        }
    }
}
