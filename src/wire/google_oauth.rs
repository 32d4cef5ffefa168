//! What Google's OAuth endpoints answer (RFC 6749, sections 5.1 and 5.2).

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::secret::Secret;

/// New tokens, for a code or for a refresh token.
#[derive(Debug, Clone, Deserialize)]
pub struct TokenResponse {
    pub access_token: Secret,
    /// Seconds; Google says 3599. Some others write numbers as text.
    #[serde(default, deserialize_with = "number_or_text")]
    pub expires_in: Option<u64>,
    /// Google sends one when consent was given, seldom on a refresh. Never empty.
    #[serde(default, deserialize_with = "not_empty")]
    pub refresh_token: Option<Secret>,
    /// Separated by spaces, in any order. The user may have un-ticked some.
    pub scope: Option<String>,
    pub token_type: Option<String>,
}

/// A refusal by the token endpoint.
#[derive(Debug, Clone, Deserialize)]
pub struct TokenErrorResponse {
    /// `invalid_grant`, `invalid_client`, …
    pub error: String,
    pub error_description: Option<String>,
    /// Google's own: `invalid_rapt` when an administrator demands a new sign-in.
    pub error_subtype: Option<String>,
}

/// Whose tokens they are.
#[derive(Debug, Clone, Deserialize)]
pub struct UserInfo {
    pub email: Option<String>,
}

fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

fn not_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let token: Option<Secret> = Option::deserialize(deserializer)?;
    Ok(token.filter(|token| !token.reveal().is_empty()))
}
