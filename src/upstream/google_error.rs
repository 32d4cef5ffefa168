//! What Google says when it refuses: `google.rpc.Status` as JSON, in the many
//! shapes in which it really arrives
//! (<https://cloud.google.com/apis/design/errors>).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

/// How many errors may be wrapped in one another's messages.
const MAX_NESTING: usize = 10;

/// Of a body that is not JSON, this much is kept for the log.
const EXCERPT: usize = 200;

/// One refusal, as Google told it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GoogleError {
    pub http_status: u16,
    /// Such as `RESOURCE_EXHAUSTED`.
    pub status: Option<String>,
    /// Never empty.
    pub message: String,
    /// `ErrorInfo`: a word such as `RATE_LIMIT_EXCEEDED`, whose it is, and more.
    pub reason: Option<String>,
    pub domain: Option<String>,
    pub metadata: BTreeMap<String, String>,
    /// `Help`
    pub links: Vec<Link>,
    /// `QuotaFailure`: names such as `…PerDayPerProjectPerModel`.
    pub quota_ids: Vec<String>,
    /// `BadRequest`: which fields, and what is wrong with them.
    pub field_violations: Vec<String>,
    /// How long to wait, by Google's own word.
    pub retry_delay: Option<Duration>,
}

/// A page that helps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    pub description: String,
    pub url: String,
}

impl GoogleError {
    /// Reads an error body of any shape; never fails.
    pub fn parse(http_status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let Some(error) = find_error(&text, 0) else {
            return Self {
                http_status,
                message: describe_unreadable(http_status, &text),
                ..Self::default()
            };
        };
        let mut parsed = Self {
            http_status,
            status: string(&error, "status"),
            message: string(&error, "message").unwrap_or_default(),
            ..Self::default()
        };
        // In a stream HTTP has said 200 already.
        if http_status < 400 {
            let code = error.get("code").and_then(Value::as_u64);
            let code = code.and_then(|code| u16::try_from(code).ok());
            parsed.http_status = code.filter(|code| *code >= 400).unwrap_or(500);
        }
        for detail in error
            .get("details")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            parsed.add_detail(detail);
        }
        if parsed.message.is_empty() {
            parsed.message = describe_unreadable(parsed.http_status, "");
        }
        parsed.retry_delay = parsed
            .retry_delay
            .or_else(|| duration(parsed.metadata.get("quotaResetDelay")?))
            .or_else(|| delay_in_words(&parsed.message));
        parsed
    }

    fn add_detail(&mut self, detail: &Value) {
        let Some(detail) = detail.as_object() else {
            return;
        };
        // Seen with a space around the key.
        let kind = detail.iter().find(|(key, _)| key.trim() == "@type");
        let kind = kind.and_then(|(_, kind)| kind.as_str()).unwrap_or_default();
        match kind.rsplit('.').next().unwrap_or_default() {
            // Some proxies in between drop the type.
            "ErrorInfo" | "" => {
                self.reason = string(detail, "reason").or(self.reason.take());
                self.domain = string(detail, "domain").or(self.domain.take());
                for (key, value) in detail
                    .get("metadata")
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten()
                {
                    if let Some(value) = value.as_str() {
                        self.metadata.insert(key.clone(), value.to_owned());
                    }
                }
            }
            "RetryInfo" => {
                let delay = string(detail, "retryDelay").and_then(|delay| duration(&delay));
                self.retry_delay = delay.filter(|delay| !delay.is_zero());
            }
            "QuotaFailure" => {
                let ids = objects(detail, "violations")
                    .filter_map(|violation| string(violation, "quotaId"));
                self.quota_ids.extend(ids);
            }
            "BadRequest" => {
                for violation in objects(detail, "fieldViolations") {
                    let parts = [string(violation, "field"), string(violation, "description")];
                    self.field_violations
                        .push(parts.into_iter().flatten().collect::<Vec<_>>().join(": "));
                }
            }
            "Help" => self.links.extend(objects(detail, "links").map(|link| Link {
                description: string(link, "description").unwrap_or_default(),
                url: string(link, "url").unwrap_or_default(),
            })),
            _ => {}
        }
    }
}

impl std::fmt::Display for GoogleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HTTP {}", self.http_status)?;
        for word in [&self.status, &self.reason].into_iter().flatten() {
            write!(f, " {word}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// The object with `message` and `status`, wherever it is: under `error`, in a
/// list, inside text, or as text inside another error's message.
fn find_error(text: &str, depth: usize) -> Option<Map<String, Value>> {
    let value: Value = serde_json::from_str(text).ok().or_else(|| {
        let inner = text.get(text.find('{')?..=text.rfind('}')?)?;
        serde_json::from_str(inner).ok()
    })?;
    let value = match value {
        Value::Array(list) => list.into_iter().next()?,
        other => other,
    };
    let Value::Object(mut object) = value else {
        return None;
    };
    let error = match object.remove("error") {
        Some(Value::Object(error)) => error,
        Some(Value::String(message)) => {
            Map::from_iter([("message".to_owned(), Value::String(message))])
        }
        Some(_) => return None,
        None if object.contains_key("message") => object,
        None => return None,
    };
    let message = error
        .get("message")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if depth < MAX_NESTING && message.trim_start().starts_with(['{', '[']) {
        let plain = message.replace('\u{a0}', "").replace('\n', " ");
        if let Some(inner) = find_error(&plain, depth + 1) {
            return Some(inner);
        }
    }
    Some(error)
}

/// A front end's HTML page, or nothing at all.
fn describe_unreadable(http_status: u16, text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return format!("Google answered HTTP {http_status} without an explanation");
    }
    if text.starts_with('<') {
        let title = text.split_once("<title>").and_then(|(_, rest)| {
            let (title, _) = rest.split_once("</title>")?;
            Some(format!(" ({})", title.trim()))
        });
        let title = title.unwrap_or_default();
        return format!("Google answered HTTP {http_status} with a page of HTML{title}");
    }
    let excerpt: String = text
        .chars()
        .take(EXCERPT)
        .filter(|c| !c.is_control())
        .collect();
    format!("Google answered HTTP {http_status} with something that is not JSON: {excerpt}")
}

fn string(object: &Map<String, Value>, key: &str) -> Option<String> {
    object.get(key)?.as_str().map(str::to_owned)
}

fn objects<'a>(
    object: &'a Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'a Map<String, Value>> {
    object
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}

/// "Please retry in 12.5s", "Your quota will reset after 19h14m47s."
fn delay_in_words(message: &str) -> Option<Duration> {
    ["retry in ", "reset after "].iter().find_map(|phrase| {
        let (_, rest) = message.split_once(phrase)?;
        let word = rest.split_whitespace().next()?;
        duration(word.trim_end_matches(['.', ',']))
    })
}

/// `41.2s`, `900ms`, `13h19m1.2s`. Zero and nonsense are no delay.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let (seconds, length) = match unit.as_bytes() {
            [b'm', b's', ..] => (0.001, 2),
            [b'h', ..] => (3600.0, 1),
            [b'm', ..] => (60.0, 1),
            [b's', ..] => (1.0, 1),
            _ => return None,
        };
        total += number * seconds;
        rest = &unit[length..];
    }
    Duration::try_from_secs_f64(total)
        .ok()
        .filter(|delay| !delay.is_zero())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn full() -> Value {
        serde_json::json!({"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED",
        "details": [
            {" @type ": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "R",
             "domain": "cloudcode-pa.googleapis.com", "metadata": {"quotaResetDelay": "13h19m1.5s"}},
            {"@type": "type.googleapis.com/google.rpc.Help",
             "links": [{"description": "d", "url": "https://x"}]},
        ]}})
    }

    #[test]
    fn every_shape_of_the_body_gives_the_same_error() {
        let plain = full().to_string();
        let nested = serde_json::json!({"error": {"code": 500, "message": plain}}).to_string();
        let shapes = [
            plain.clone(),
            format!("[{plain}]"),
            format!("data: {plain}\r\n\r\n"),
            nested.replace("\\\"code", "\u{a0}\\\"code"),
        ];
        let expected = GoogleError::parse(429, plain.as_bytes());
        assert_eq!(expected.retry_delay, Some(Duration::from_secs_f64(47941.5)));
        assert_eq!(expected.links[0].url, "https://x");
        for shape in shapes {
            assert_eq!(
                GoogleError::parse(429, shape.as_bytes()),
                expected,
                "{shape}"
            );
        }
    }

    #[test]
    fn what_is_not_json_is_described() {
        for (body, words) in [
            ("", "without"),
            ("<html><title>Bad Gateway</title>", "HTML (Bad Gateway)"),
            ("{\"a\"", "not JSON"),
        ] {
            let error = GoogleError::parse(502, body.as_bytes());
            assert!(error.message.contains(words), "{error}");
        }
    }

    #[test]
    fn lesson_10_delays_are_read_in_every_spelling() {
        for (text, seconds) in [
            ("41.203547882s", 41.203547882),
            ("900ms", 0.9),
            ("1m0.5s", 60.5),
        ] {
            assert_eq!(duration(text), Some(Duration::from_secs_f64(seconds)));
        }
        for nothing in ["0s", "", "soon", "5", "-1s", "1e99999s"] {
            assert_eq!(duration(nothing), None, "{nothing}");
        }
        assert_eq!(
            delay_in_words("Please retry in 850ms."),
            Some(Duration::from_millis(850))
        );
    }
}
