//! `loadCodeAssist` and `onboardUser`: which tier an account has and which
//! project it works in. A private interface without a reference: every field of
//! an answer may be missing or null, every enumeration may grow.

use serde::{Deserialize, Deserializer, Serialize};

/// Asks what this account may use.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadCodeAssistRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloudaicompanion_project: Option<&'a str>,
    pub metadata: ClientMetadata<'a>,
}

/// Joins an account to a tier. The free tier refuses a project.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OnboardUserRequest<'a> {
    pub tier_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloudaicompanion_project: Option<&'a str>,
    pub metadata: ClientMetadata<'a>,
}

/// Who asks. `duet_project` repeats the project, and is absent without one.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientMetadata<'a> {
    pub ide_type: &'static str,
    pub platform: &'static str,
    pub plugin_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duet_project: Option<&'a str>,
}

impl<'a> ClientMetadata<'a> {
    pub fn new(project: Option<&'a str>) -> Self {
        Self {
            ide_type: "IDE_UNSPECIFIED",
            platform: "PLATFORM_UNSPECIFIED",
            plugin_type: "GEMINI",
            duet_project: project,
        }
    }
}

/// What an account has, may have, and may not have.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadCodeAssistResponse {
    /// Present: the account is on board already.
    pub current_tier: Option<Tier>,
    /// A subscription on top of the current tier.
    pub paid_tier: Option<Tier>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub allowed_tiers: Vec<Tier>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub ineligible_tiers: Vec<IneligibleTier>,
    pub cloudaicompanion_project: Option<Project>,
}

/// `free-tier`, `legacy-tier`, `standard-tier`, `g1-pro-tier`, …
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tier {
    pub id: Option<String>,
    pub name: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub is_default: bool,
    /// The user must bring the project.
    #[serde(default, deserialize_with = "null_is_default")]
    pub user_defined_cloudaicompanion_project: bool,
}

/// A tier the account may not have, and why.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IneligibleTier {
    /// `UNSUPPORTED_CLIENT`, `VALIDATION_REQUIRED`, `UNSUPPORTED_LOCATION`, …
    pub reason_code: Option<String>,
    /// For the user, to be shown as it is.
    pub reason_message: Option<String>,
    pub validation_url: Option<String>,
    pub validation_learn_more_url: Option<String>,
}

/// A project: its id, or an object that holds the id.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Project {
    Id(String),
    Object { id: Option<String> },
}

impl Project {
    /// The id, unless it is empty.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Id(id) => Some(id.as_str()),
            Self::Object { id } => id.as_deref(),
        }
        .filter(|id| !id.is_empty())
    }
}

/// A google.longrunning.Operation.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Operation {
    /// Like `operations/abc123`; where to ask how far it is.
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub done: bool,
    pub response: Option<OnboardUserResponse>,
    /// A google.rpc.Status, without the `error` key around it.
    pub error: Option<serde_json::Value>,
}

/// What a finished `onboardUser` gave.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OnboardUserResponse {
    pub cloudaicompanion_project: Option<Project>,
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
