//! Cloud Code Assist: generation in an envelope, counting, quota. A private API:
//! what is known of it was read in the Gemini CLI.

use serde_json::{Value, json};

use super::chatter;
use super::errors::{Blanks, GoogleError};
use super::generate::{self, Asked, Door};
use super::http::{Answer, Request};
use super::models;
use super::script::Kind;
use super::state::{State, Tier};
use super::stream::Mode;
use super::validate;
use super::world::World;

/// `POST /v1internal:generateContent` and `:streamGenerateContent`
pub(super) fn generate(
    world: &World,
    request: &Request,
    mode: Mode,
) -> Result<Answer, GoogleError> {
    let state = world.state();
    world.require_bearer(request)?;
    let body = json_body(request)?;
    if body.get("enabled_credit_types").is_some() {
        return Err(GoogleError::invalid_argument(
            "enabled_credit_types would spend the user's money; the stand-in never takes it",
        ));
    }
    validate::body(
        &validate::CODE_ASSIST_ENVELOPE,
        &body,
        request.body.len(),
        state.strict,
    )?;
    let model_id = body["model"].as_str().unwrap_or_default();
    let Some(model) = models::on_code_assist(model_id, state.preview) else {
        return Err(GoogleError::named("not_found"));
    };
    check_project(&body, &state)?;
    let asked = Asked {
        door: Door::CodeAssist,
        model,
        model_id,
        content: &body["request"],
        mode,
    };
    generate::answer(world, request, &asked)
}

/// `POST /v1internal:countTokens`
pub(super) fn count_tokens(world: &World, request: &Request) -> Result<Answer, GoogleError> {
    world.require_bearer(request)?;
    let strict = world.state().strict;
    let body = json_body(request)?;
    validate::body(
        &validate::CODE_ASSIST_COUNT_ENVELOPE,
        &body,
        request.body.len(),
        strict,
    )?;
    let asked = &body["request"];
    validate::count_tokens(&asked["contents"], strict)?;
    if let Some(name) = asked["model"].as_str() {
        let known = name
            .strip_prefix("models/")
            .and_then(|id| models::on_code_assist(id, world.state().preview));
        if known.is_none() {
            return Err(GoogleError::named("not_found"));
        }
    }
    Ok(world.scripted(Kind::CountTokens, request, || {
        Answer::json(200, &json!({"totalTokens": chatter::prompt_tokens(asked)}))
    }))
}

/// `POST /v1internal:retrieveUserQuota`
pub(super) fn retrieve_user_quota(world: &World, request: &Request) -> Result<Answer, GoogleError> {
    world.require_bearer(request)?;
    let state = world.state();
    let body = json_body(request)?;
    validate::body(
        &validate::RETRIEVE_USER_QUOTA,
        &body,
        request.body.len(),
        state.strict,
    )?;
    check_project(&body, &state)?;
    Ok(world.scripted(Kind::Quota, request, || {
        let buckets: Vec<Value> = models::with_quota(state.preview)
            .map(|id| {
                json!({
                    "modelId": id,
                    "tokenType": "REQUESTS",
                    "remainingFraction": 0.94,
                    "remainingAmount": "1410", // int64, hence a string
                    "resetTime": "2026-09-02T07:00:00Z",
                })
            })
            .collect();
        Answer::json(200, &json!({"buckets": buckets}))
    }))
}

/// The body as JSON, sent as JSON.
pub(super) fn json_body(request: &Request) -> Result<Value, GoogleError> {
    if !request.is_of_type("application/json") {
        return Err(GoogleError::invalid_argument(format!(
            "Invalid content type {:?}: expected application/json.",
            request.header("content-type").unwrap_or_default()
        )));
    }
    serde_json::from_slice(&request.body).map_err(|error| {
        GoogleError::invalid_argument(format!("Invalid JSON payload received. {error}"))
    })
}

/// A seat works in a project: the one Google gave, or one the user named.
fn check_project(body: &Value, state: &State) -> Result<(), GoogleError> {
    if !state.strict.project {
        return Ok(());
    }
    let project = body["project"].as_str().unwrap_or_default();
    if project.is_empty() {
        return Err(GoogleError::invalid_argument(
            "Request contains an invalid argument. (project is missing)",
        ));
    }
    let is_number = project.chars().all(|letter| letter.is_ascii_digit());
    let is_foreign = state.tier != Tier::StandardNeedsProject && project != state.server_project;
    if is_number || is_foreign {
        let blanks = Blanks {
            message: Some(format!("Permission denied on resource project {project}.")),
            ..Blanks::default()
        };
        return Err(GoogleError::named_with("consumer_invalid", &blanks));
    }
    Ok(())
}
