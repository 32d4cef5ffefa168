//! The switches: what kind of account asks, how strict Google is, how fast.
//!
//! | key | value | at first |
//! |---|---|---|
//! | `tier` | one of [`Tier`]'s names | `"standard"` |
//! | `server_project` | the project Google gives the account | `"stand-in-project"` |
//! | `onboarding_polls` | how often onboarding says "not done" | 1 |
//! | `operation_by_get` | whether operations can be fetched; else 404 | true |
//! | `validation_calls` | `loadCodeAssist` calls until validation has passed | 2 |
//! | `ineligible_tiers` | what tier `ineligible` reports | one `UNSUPPORTED_LOCATION` |
//! | `preview` | whether the account may use preview models | true |
//! | `strict` | true, false, or an object of [`Strict`]'s fields | true |
//! | `access_token_seconds` | how long new access tokens live | 3599 |
//! | `rotate_refresh_tokens` | each refresh replaces the refresh token | false |
//! | `api_key` | the one key the Gemini API accepts | `"demo-key"` |
//! | `pace_ms` | pause between the pieces of default answers | 0; 25 in the demo |
//! | `consent_page` | ask before redirecting; in the demo | false |
//! | `clock_ahead_seconds` | by how much the `Date` of answers is too late | 0 |
//! | `models_page_size` | the most rows of one page of models | 50 |

use std::time::Duration;

use serde_json::{Value, json};

use super::document::Document;

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) tier: Tier,
    pub(super) server_project: String,
    pub(super) onboarding_polls: u64,
    pub(super) operation_by_get: bool,
    pub(super) validation_calls: u64,
    pub(super) ineligible_tiers: Vec<Value>,
    pub(super) preview: bool,
    pub(super) strict: Strict,
    pub(super) access_token_lifetime: Duration,
    pub(super) rotate_refresh_tokens: bool,
    pub(super) api_key: String,
    pub(super) pace: Duration,
    pub(super) consent_page: bool,
    pub(super) clock_ahead: Duration,
    pub(super) models_page_size: usize,
}

/// What `loadCodeAssist` says of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    /// `standard`: a licensed seat, the project given by Google.
    Standard,
    /// `standard-needs-project`: a licensed seat, the project given by the user.
    StandardNeedsProject,
    /// `free-new`: must be onboarded first.
    FreeNew,
    /// `free-refused`: the consumer account of today; `UNSUPPORTED_CLIENT`.
    FreeRefused,
    /// `validation-required`: the user must open a link first, then `standard`.
    ValidationRequired,
    /// `ineligible`: refused for the reasons in `ineligible_tiers`.
    Ineligible,
}

/// Which of Google's rules are enforced. Each can be switched off alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Strict {
    /// Unknown fields, wrong types, values outside an enumeration.
    pub(super) fields: bool,
    /// `null` counts as a wrong type. (Google takes it for an absent field.)
    pub(super) nulls: bool,
    /// Roles, and calls answered by results.
    pub(super) turns: bool,
    /// `user` and `model` take turns, and a `user` has the last word.
    pub(super) alternation: bool,
    /// Function declarations and how they are to be called.
    pub(super) tools: bool,
    /// Ranges, thinking, JSON mode.
    pub(super) parameters: bool,
    /// Gemini 3's thought signatures.
    pub(super) signatures: bool,
    /// `project` is present and the account's own.
    pub(super) project: bool,
}

impl State {
    pub(super) fn for_tests() -> Self {
        Self {
            tier: Tier::Standard,
            server_project: "stand-in-project".into(),
            onboarding_polls: 1,
            operation_by_get: true,
            validation_calls: 2,
            ineligible_tiers: vec![json!({
                "reasonCode": "UNSUPPORTED_LOCATION",
                "reasonMessage": "Your current account is not eligible for Gemini Code Assist \
                    for individuals because it is not currently available in your location.",
                "tierId": "free-tier",
                "tierName": "Gemini Code Assist for individuals",
            })],
            preview: true,
            strict: Strict::all(true),
            access_token_lifetime: Duration::from_secs(3599),
            rotate_refresh_tokens: false,
            api_key: "demo-key".into(),
            pace: Duration::ZERO,
            consent_page: false,
            clock_ahead: Duration::ZERO,
            models_page_size: 50,
        }
    }

    pub(super) fn for_demo() -> Self {
        Self {
            pace: Duration::from_millis(25),
            consent_page: true,
            ..Self::for_tests()
        }
    }

    /// The switches after `patch`; a wrong patch changes nothing.
    pub(super) fn patched(&self, patch: Value) -> Result<Self, String> {
        let mut patch = Document::new(patch, "state")?;
        let mut next = self.clone();
        if let Some(tier) = patch.text("tier")? {
            next.tier = Tier::named(&tier)?;
        }
        if let Some(strict) = patch.value("strict") {
            next.strict = self.strict.patched(strict)?;
        }
        if let Some(seconds) = patch.number("access_token_seconds")? {
            next.access_token_lifetime = Duration::from_secs(seconds);
        }
        if let Some(pace) = patch.number("pace_ms")? {
            next.pace = Duration::from_millis(pace);
        }
        if let Some(seconds) = patch.number("clock_ahead_seconds")? {
            next.clock_ahead = Duration::from_secs(seconds);
        }
        if let Some(size) = patch.number("models_page_size")? {
            next.models_page_size = usize::try_from(size).unwrap_or(usize::MAX).max(1);
        }
        replace(&mut next.server_project, patch.text("server_project")?);
        replace(&mut next.api_key, patch.text("api_key")?);
        replace(
            &mut next.onboarding_polls,
            patch.number("onboarding_polls")?,
        );
        replace(
            &mut next.validation_calls,
            patch.number("validation_calls")?,
        );
        replace(&mut next.ineligible_tiers, patch.list("ineligible_tiers")?);
        replace(&mut next.operation_by_get, patch.flag("operation_by_get")?);
        replace(&mut next.preview, patch.flag("preview")?);
        replace(&mut next.consent_page, patch.flag("consent_page")?);
        replace(
            &mut next.rotate_refresh_tokens,
            patch.flag("rotate_refresh_tokens")?,
        );
        patch.finish()?;
        Ok(next)
    }
}

impl Tier {
    fn named(name: &str) -> Result<Self, String> {
        Ok(match name {
            "standard" => Self::Standard,
            "standard-needs-project" => Self::StandardNeedsProject,
            "free-new" => Self::FreeNew,
            "free-refused" => Self::FreeRefused,
            "validation-required" => Self::ValidationRequired,
            "ineligible" => Self::Ineligible,
            _ => return Err(format!("state.tier: there is no tier {name:?}")),
        })
    }
}

impl Strict {
    pub(super) fn all(strict: bool) -> Self {
        Self {
            fields: strict,
            nulls: strict,
            turns: strict,
            alternation: strict,
            tools: strict,
            parameters: strict,
            signatures: strict,
            project: strict,
        }
    }

    fn patched(self, patch: Value) -> Result<Self, String> {
        if let Value::Bool(all) = patch {
            return Ok(Self::all(all));
        }
        let mut patch = Document::new(patch, "state.strict")?;
        let mut next = self;
        replace(&mut next.fields, patch.flag("fields")?);
        replace(&mut next.nulls, patch.flag("nulls")?);
        replace(&mut next.turns, patch.flag("turns")?);
        replace(&mut next.alternation, patch.flag("alternation")?);
        replace(&mut next.tools, patch.flag("tools")?);
        replace(&mut next.parameters, patch.flag("parameters")?);
        replace(&mut next.signatures, patch.flag("signatures")?);
        replace(&mut next.project, patch.flag("project")?);
        patch.finish()?;
        Ok(next)
    }
}

fn replace<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_and_refuses_what_it_misspells() {
        let state = State::for_tests();
        let patched = state
            .patched(json!({"tier": "free-new", "strict": {"nulls": false}}))
            .unwrap();
        assert_eq!(patched.tier, Tier::FreeNew);
        assert!(!patched.strict.nulls && patched.strict.fields);
        let complaint = state.patched(json!({"tire": "standard"})).unwrap_err();
        assert_eq!(complaint, "state: unknown key tire");
    }
}
