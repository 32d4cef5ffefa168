//! Google's refusals: `google.rpc.Status` as JSON, and the catalogue of those
//! that a script can ask for by name (`errors.json`).

use serde_json::{Map, Value, json};

use super::http::Answer;

/// Every failure worth playing, by name, with the words Google uses.
/// `{delay}` and `{model}` stand for what the script says.
const CATALOGUE: &str = include_str!("errors.json");

/// What a front end of Google says when no service stands behind it.
const FRONT_END_PAGE: &str = "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  \
    <title>Error {status} ({reason})!!1</title>\n  \
    <p><b>{status}.</b> <ins>That\u{2019}s an error.</ins>\n  \
    <p>{detail}  <ins>That\u{2019}s all we know.</ins>\n";

/// A refusal with its HTTP status.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GoogleError {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl GoogleError {
    /// `status` is the name in `google.rpc.Code`.
    pub(super) fn new(code: u16, status: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status: code,
            body: json!({"error": {"code": code, "message": message, "status": status}}),
        }
    }

    pub(super) fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(400, "INVALID_ARGUMENT", message)
    }

    /// A rule about one field, in the form of Google's request validator.
    pub(super) fn at_field(field: &str, rule: &str) -> Self {
        Self::invalid_argument(format!("* GenerateContentRequest.{field}: {rule}\n"))
    }

    /// One 400 for all violations, each listed in a `BadRequest` detail.
    pub(super) fn bad_request(violations: &[FieldViolation]) -> Self {
        let messages: Vec<&str> = violations
            .iter()
            .map(|violation| violation.description.as_str())
            .collect();
        let listed: Vec<Value> = violations
            .iter()
            .map(
                |violation| json!({"field": violation.field, "description": violation.description}),
            )
            .collect();
        Self::invalid_argument(messages.join("\n")).with_detail(json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": listed,
        }))
    }

    fn with_detail(mut self, detail: Value) -> Self {
        match &mut self.body["error"]["details"] {
            Value::Array(details) => details.push(detail),
            absent => *absent = json!([detail]),
        }
        self
    }

    /// A refusal of the catalogue.
    pub(super) fn named(name: &str) -> Self {
        Self::named_with(name, &Blanks::default())
    }

    pub(super) fn named_with(name: &str, blanks: &Blanks) -> Self {
        match named(name, blanks) {
            Ok(named) => Self {
                status: named.status,
                body: named.body.unwrap_or_default(),
            },
            Err(complaint) => Self::new(500, "INTERNAL", complaint),
        }
    }
}

impl From<GoogleError> for Answer {
    fn from(error: GoogleError) -> Self {
        Self::json(error.status, &error.body)
    }
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldViolation {
    /// In snake case, as Google writes it: `request.contents[0]`.
    pub(super) field: String,
    pub(super) description: String,
}

/// An HTML page, as Google's front ends send it.
pub(super) fn front_end_page(status: u16) -> Answer {
    let (reason, detail) = match status {
        404 => (
            "Not Found",
            "The requested URL was not found on this server.",
        ),
        413 => (
            "Request Entity Too Large",
            "Your client issued a request that was too large.",
        ),
        502 => (
            "Server Error",
            "The server encountered a temporary error and could not complete your request.\
             <p>Please try again in 30 seconds.",
        ),
        _ => ("Error", "The server could not process your request."),
    };
    let page = FRONT_END_PAGE
        .replace("{status}", &status.to_string())
        .replace("{reason}", reason)
        .replace("{detail}", detail);
    Answer::html(status, page)
}

/// A failure of the catalogue, with its blanks filled in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NamedError {
    pub(super) status: u16,
    /// `None`: the HTML page of a front end.
    pub(super) body: Option<Value>,
}

/// What may be filled in.
#[derive(Debug, Clone, Default)]
pub(super) struct Blanks {
    /// Such as `41.2s`.
    pub(super) delay: Option<String>,
    pub(super) model: Option<String>,
    /// Replaces the message.
    pub(super) message: Option<String>,
}

/// The failure of this name, or a complaint that lists all names.
pub(super) fn named(name: &str, blanks: &Blanks) -> Result<NamedError, String> {
    let text = CATALOGUE
        .replace("{delay}", blanks.delay.as_deref().unwrap_or("41.2s"))
        .replace(
            "{model}",
            blanks.model.as_deref().unwrap_or("gemini-2.5-pro"),
        );
    let catalogue: Map<String, Value> =
        serde_json::from_str(&text).map_err(|error| format!("errors.json: {error}"))?;
    let Some(entry) = catalogue.get(name) else {
        let names: Vec<&str> = catalogue.keys().map(String::as_str).collect();
        return Err(format!(
            "there is no error {name:?}; there are {}",
            names.join(", ")
        ));
    };
    let mut body = entry.get("body").cloned();
    if let (Some(body), Some(message)) = (&mut body, &blanks.message) {
        body["error"]["message"] = json!(message);
    }
    let status = entry["status"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok());
    Ok(NamedError {
        status: status.unwrap_or(500),
        body,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_google_error_of_the_catalogue_repeats_its_status_and_has_a_message() {
        let catalogue: Map<String, Value> = serde_json::from_str(CATALOGUE).unwrap();
        for name in catalogue.keys() {
            let error = named(name, &Blanks::default()).unwrap();
            let Some(body) = error.body else { continue };
            if body["error"].is_object() {
                assert_eq!(body["error"]["code"], error.status, "{name}");
                assert!(body["error"]["message"].is_string(), "{name}");
            } else {
                assert!(body["error"].is_string(), "{name}");
            }
        }
    }

    #[test]
    fn blanks_are_filled_in_and_unknown_names_refused() {
        let blanks = Blanks {
            delay: Some("0.5s".into()),
            ..Blanks::default()
        };
        let body = named("rate_limit", &blanks).unwrap().body.unwrap();
        assert_eq!(body["error"]["details"][1]["retryDelay"], "0.5s");
        assert!(
            named("rate_limits", &blanks)
                .unwrap_err()
                .contains("rate_limit,")
        );
    }
}
