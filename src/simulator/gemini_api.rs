//! The official Gemini API, `v1beta`: no envelope, an API key, a list of models.

use serde_json::{Value, json};

use super::chatter;
use super::code_assist::json_body;
use super::errors::GoogleError;
use super::generate::{self, Asked, Door};
use super::http::{Answer, Request};
use super::models::{self, Model};
use super::script::Kind;
use super::stream::Mode;
use super::validate;
use super::world::World;

/// `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`
pub(super) fn generate(
    world: &World,
    request: &Request,
    model_id: &str,
    mode: Mode,
) -> Result<Answer, GoogleError> {
    require_key(world, request)?;
    let model = find(model_id)?;
    if !model.generates() {
        return Err(unknown_model(model_id, "generateContent"));
    }
    let body = json_body(request)?;
    let strict = world.state().strict;
    validate::body(
        &validate::GEMINI_API_REQUEST,
        &body,
        request.body.len(),
        strict,
    )?;
    let asked = Asked {
        door: Door::GeminiApi,
        model,
        model_id,
        content: &body,
        mode,
    };
    generate::answer(world, request, &asked)
}

/// `POST /v1beta/models/{model}:countTokens`
pub(super) fn count_tokens(
    world: &World,
    request: &Request,
    model_id: &str,
) -> Result<Answer, GoogleError> {
    require_key(world, request)?;
    find(model_id)?;
    let body = json_body(request)?;
    let strict = world.state().strict;
    validate::body(
        &validate::GEMINI_API_COUNT_REQUEST,
        &body,
        request.body.len(),
        strict,
    )?;
    let counted = body.get("generateContentRequest").unwrap_or(&body);
    Ok(world.scripted(Kind::CountTokens, request, || {
        let total = chatter::prompt_tokens(counted);
        let details = json!([{"modality": "TEXT", "tokenCount": total}]);
        Answer::json(
            200,
            &json!({"totalTokens": total, "promptTokensDetails": details}),
        )
    }))
}

/// `GET /v1beta/models`: paged, the token being the index of the next row.
pub(super) fn list_models(world: &World, request: &Request) -> Result<Answer, GoogleError> {
    require_key(world, request)?;
    let rows = models::public_rows();
    let most = world.state().models_page_size;
    let asked = request
        .parameter("pageSize")
        .and_then(|size| size.parse().ok());
    let size = asked.unwrap_or(most).clamp(1, most);
    let start = match request.parameter("pageToken") {
        None => 0,
        Some(token) => page_start(&token)?,
    };
    let page: Vec<Value> = rows.iter().skip(start).take(size).cloned().collect();
    let mut list = json!({"models": page});
    if start.saturating_add(size) < rows.len() {
        list["nextPageToken"] = json!(format!("from-{}", start + size));
    }
    Ok(world.scripted(Kind::Models, request, || Answer::json(200, &list)))
}

/// `GET /v1beta/models/{model}`
pub(super) fn get_model(
    world: &World,
    request: &Request,
    model_id: &str,
) -> Result<Answer, GoogleError> {
    require_key(world, request)?;
    let row = find(model_id)?.public_row().unwrap_or_default();
    Ok(world.scripted(Kind::Models, request, || Answer::json(200, &row)))
}

fn page_start(token: &str) -> Result<usize, GoogleError> {
    token
        .strip_prefix("from-")
        .and_then(|start| start.parse().ok())
        .ok_or_else(|| GoogleError::invalid_argument("Page token is invalid."))
}

/// In the header only: a key in an address ends up in somebody's log.
fn require_key(world: &World, request: &Request) -> Result<(), GoogleError> {
    match request.header("x-goog-api-key") {
        None => Err(GoogleError::named("unregistered_caller")),
        Some(key) if key == world.state().api_key => Ok(()),
        Some(_) => Err(GoogleError::named("api_key_invalid")),
    }
}

fn find(model_id: &str) -> Result<&'static Model, GoogleError> {
    models::on_gemini_api(model_id).ok_or_else(|| unknown_model(model_id, "generateContent"))
}

fn unknown_model(model_id: &str, method: &str) -> GoogleError {
    GoogleError::new(
        404,
        "NOT_FOUND",
        format!(
            "models/{model_id} is not found for API version v1beta, or is not supported for \
             {method}. Call ListModels to see the list of available models and their supported \
             methods."
        ),
    )
}
