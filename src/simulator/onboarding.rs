//! Which account and which project: `loadCodeAssist`, `onboardUser` and its
//! long-running operation.

use serde_json::{Value, json};

use super::code_assist::json_body;
use super::errors::{self, GoogleError};
use super::http::{Answer, Request};
use super::script::Kind;
use super::state::{State, Tier};
use super::validate;
use super::world::World;

const OPERATION: &str = "operations/on-7f3c";

/// How far the account has come since its tier was set.
#[derive(Debug, Default)]
pub(super) struct Progress {
    loads: u64,
    /// How often the operation was looked at; `None` before `onboardUser`.
    polls: Option<u64>,
    /// The tier that was asked for, once onboarding is done.
    onboarded: Option<String>,
    /// Of the running operation.
    tier: String,
    project: Option<String>,
}

/// `POST /v1internal:loadCodeAssist`
pub(super) fn load_code_assist(world: &World, request: &Request) -> Result<Answer, GoogleError> {
    world.require_bearer(request)?;
    let body = json_body(request)?;
    let state = world.state();
    validate::body(
        &validate::LOAD_CODE_ASSIST,
        &body,
        request.body.len(),
        state.strict,
    )?;
    check_duet_project(&body)?;
    Ok(world.scripted(Kind::LoadCodeAssist, request, || {
        let mut progress = world.progress();
        progress.loads += 1;
        Answer::json(200, &tiers(&state, &progress))
    }))
}

/// `POST /v1internal:onboardUser`. Asking again polls, as older clients do.
pub(super) fn onboard_user(world: &World, request: &Request) -> Result<Answer, GoogleError> {
    world.require_bearer(request)?;
    let body = json_body(request)?;
    let state = world.state();
    validate::body(
        &validate::ONBOARD_USER,
        &body,
        request.body.len(),
        state.strict,
    )?;
    check_duet_project(&body)?;
    let Some(tier) = body["tierId"].as_str() else {
        return Err(GoogleError::named("invalid_argument"));
    };
    let project = body["cloudaicompanionProject"].as_str();
    if let Some(refusal) = refused_enrolment(state.tier, tier, project) {
        return Err(GoogleError::named(refusal));
    }
    Ok(world.scripted(Kind::Onboard, request, || {
        let mut progress = world.progress();
        progress.tier = tier.into();
        progress.project = project.map(str::to_owned);
        Answer::json(200, &progress.poll(&state))
    }))
}

/// The name of the error with which Google refuses to enrol an account in a tier.
fn refused_enrolment(account: Tier, tier: &str, project: Option<&str>) -> Option<&'static str> {
    match (tier, project) {
        _ if account == Tier::FreeRefused => Some("invalid_argument"),
        ("free-tier", Some(_)) => Some("failed_precondition"),
        ("free-tier", None) | ("standard-tier" | "legacy-tier", Some(_)) => None,
        _ => Some("invalid_argument"),
    }
}

/// `GET /v1internal/operations/{id}`
pub(super) fn operation(
    world: &World,
    request: &Request,
    name: &str,
) -> Result<Answer, GoogleError> {
    world.require_bearer(request)?;
    let state = world.state();
    Ok(world.scripted(Kind::Operation, request, || {
        let mut progress = world.progress();
        if !state.operation_by_get || name != OPERATION || progress.polls.is_none() {
            return errors::front_end_page(404);
        }
        Answer::json(200, &progress.poll(&state))
    }))
}

/// The project stands in both places, or in neither.
fn check_duet_project(body: &Value) -> Result<(), GoogleError> {
    if body["cloudaicompanionProject"] == body["metadata"]["duetProject"] {
        Ok(())
    } else {
        Err(GoogleError::invalid_argument(
            "Request contains an invalid argument. (metadata.duetProject differs from \
             cloudaicompanionProject)",
        ))
    }
}

fn tiers(state: &State, progress: &Progress) -> Value {
    match state.tier {
        Tier::Standard => standard(Some(&state.server_project)),
        Tier::StandardNeedsProject => standard(None),
        Tier::ValidationRequired if progress.loads > state.validation_calls => {
            standard(Some(&state.server_project))
        }
        Tier::ValidationRequired => refused(&[json!({
            "reasonCode": "VALIDATION_REQUIRED",
            "reasonMessage": "Verify your account to continue.",
            "tierId": "free-tier",
            "tierName": "Gemini Code Assist for individuals",
            "validationErrorMessage": "Verify your account to continue.",
            "validationUrl": "https://accounts.google.com/signin/continue?plt=stand-in",
            "validationUrlLinkText": "Verify your account",
            "validationLearnMoreUrl": "https://support.google.com/accounts?p=al_alert",
            "validationLearnMoreLinkText": "Learn more",
        })]),
        Tier::FreeNew => match &progress.onboarded {
            Some(tier) => onboarded(tier, &state.server_project),
            None => json!({"allowedTiers": [free_tier(), standard_tier(false)]}),
        },
        Tier::FreeRefused => refused(&[json!({
            "reasonCode": "UNSUPPORTED_CLIENT",
            "reasonMessage": "This client is no longer supported for Gemini Code Assist for \
                individuals. To continue, move to a supported product or use a Gemini Code \
                Assist Standard or Enterprise licence.",
            "tierId": "free-tier",
            "tierName": "Gemini Code Assist for individuals",
        })]),
        Tier::Ineligible => refused(&state.ineligible_tiers),
    }
}

fn standard(project: Option<&str>) -> Value {
    let mut tier = standard_tier(true);
    tier["privacyNotice"] = json!({});
    tier["hasAcceptedTos"] = json!(true);
    tier["hasOnboardedPreviously"] = json!(true);
    let mut loaded = json!({"currentTier": tier, "allowedTiers": [standard_tier(true)]});
    if let Some(project) = project {
        loaded["cloudaicompanionProject"] = json!(project);
    }
    loaded
}

fn onboarded(tier: &str, project: &str) -> Value {
    json!({
        "currentTier": {"id": tier, "name": "Gemini Code Assist for individuals"},
        "allowedTiers": [free_tier()],
        "cloudaicompanionProject": project,
    })
}

/// No tier of their own: only one that needs a licence.
fn refused(reasons: &[Value]) -> Value {
    json!({"allowedTiers": [standard_tier(true)], "ineligibleTiers": reasons})
}

fn standard_tier(is_default: bool) -> Value {
    let mut tier = json!({
        "id": "standard-tier",
        "name": "Gemini Code Assist",
        "description": "Unlimited coding assistant with the most powerful Gemini models",
        "userDefinedCloudaicompanionProject": true,
    });
    if is_default {
        tier["isDefault"] = json!(true);
    }
    tier
}

fn free_tier() -> Value {
    json!({
        "id": "free-tier",
        "name": "Gemini Code Assist for individuals",
        "description": "Gemini-powered code suggestions and chat in multiple IDEs",
        "isDefault": true,
    })
}

impl Progress {
    /// The operation: not done a few times, then done.
    fn poll(&mut self, state: &State) -> Value {
        let polls = self.polls.unwrap_or_default();
        self.polls = Some(polls + 1);
        if polls < state.onboarding_polls {
            return json!({"name": OPERATION});
        }
        self.onboarded = Some(self.tier.clone());
        let project = match (state.tier, &self.project) {
            (Tier::FreeNew, _) => Some(&state.server_project),
            (_, project) => project.as_ref(),
        };
        let mut response = json!({
            "@type": "type.googleapis.com/google.internal.cloud.code.v1internal.OnboardUserResponse",
        });
        if let Some(id) = project {
            response["cloudaicompanionProject"] =
                json!({"id": id, "name": id, "projectNumber": "1234567890"});
        }
        json!({"name": OPERATION, "done": true, "response": response})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tier_has_its_terms_and_a_refused_account_stays_refused() {
        let refused = |tier, project| refused_enrolment(Tier::FreeNew, tier, project);
        assert_eq!(refused("free-tier", None), None);
        assert_eq!(refused("free-tier", Some("p")), Some("failed_precondition"));
        assert_eq!(refused("standard-tier", Some("p")), None);
        assert_eq!(refused("standard-tier", None), Some("invalid_argument"));
        assert_eq!(refused("golden-tier", Some("p")), Some("invalid_argument"));
        for (tier, project) in [("free-tier", None), ("standard-tier", Some("p"))] {
            let refusal = refused_enrolment(Tier::FreeRefused, tier, project);
            assert_eq!(refusal, Some("invalid_argument"));
        }
    }
}
