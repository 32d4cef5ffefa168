//! Google's errors: google.rpc.Status in JSON.

use std::collections::BTreeMap;

use serde_json::Value;

/// What Google refused, and why.
#[derive(Debug, Clone, Default)]
pub struct GoogleError {
    pub http_status: u16,
    pub status: Option<String>,
    pub message: String,
    /// Of the first `ErrorInfo`, as are `domain` and `metadata`.
    pub reason: Option<String>,
    pub domain: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub links: Vec<Link>,
}

/// A page that helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub description: String,
    pub url: String,
}

impl GoogleError {
    pub fn parse(http_status: u16, body: &[u8]) -> Self {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = &answer["error"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mut parsed = Self {
            http_status,
            status: text(&error["status"]),
            message: text(&error["message"]).unwrap_or_else(|| format!("HTTP {http_status}")),
            ..Self::default()
        };
        for detail in error["details"].as_array().into_iter().flatten() {
            if let Some(reason) = text(&detail["reason"]) {
                parsed.reason = Some(reason);
                parsed.domain = text(&detail["domain"]);
                let metadata = detail["metadata"].as_object().into_iter().flatten();
                parsed.metadata = metadata
                    .filter_map(|(name, value)| Some((name.clone(), text(value)?)))
                    .collect();
            }
            for link in detail["links"].as_array().into_iter().flatten() {
                parsed.links.push(Link {
                    description: text(&link["description"]).unwrap_or_default(),
                    url: text(&link["url"]).unwrap_or_default(),
                });
            }
        }
        parsed
    }
}
