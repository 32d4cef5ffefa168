//! Which path leads where. Google lives on several hosts; here they are one.

use std::time::SystemTime;

use super::code_assist;
use super::consent;
use super::errors::{self, GoogleError};
use super::gemini_api;
use super::http::{Answer, Request};
use super::oauth;
use super::onboarding;
use super::stream::Mode;
use super::world::World;

pub(super) fn answer(world: &World, request: &Request) -> Answer {
    let mut answer = match (request.method.as_str(), request.path.as_str()) {
        // accounts.google.com
        ("GET", "/o/oauth2/v2/auth") => consent::authorize(world, request),
        // oauth2.googleapis.com
        ("POST", "/token") => oauth::token(world, request),
        ("POST", "/revoke") => oauth::revoke(world, request),
        ("POST", "/tokeninfo") => oauth::tokeninfo(world, request),
        // www.googleapis.com
        ("GET", "/oauth2/v2/userinfo") => oauth::userinfo(world, request),
        // cloudcode-pa.googleapis.com and generativelanguage.googleapis.com
        (method, path) => match api(world, request, method, path) {
            Some(answer) => answer.unwrap_or_else(Answer::from),
            None => errors::front_end_page(404),
        },
    };
    answer.set_header("Date", &date(world));
    if answer.status >= 400 {
        log::debug!("{} {}: {}", request.method, request.path, answer.status);
    }
    answer
}

/// By the clock of whoever plays Google.
fn date(world: &World) -> String {
    httpdate::fmt_http_date(SystemTime::now() + world.state().clock_ahead)
}

fn api(
    world: &World,
    request: &Request,
    method: &str,
    path: &str,
) -> Option<Result<Answer, GoogleError>> {
    if let Some(operation) = path.strip_prefix("/v1internal/") {
        return (method == "GET").then(|| onboarding::operation(world, request, operation));
    }
    if let Some(called) = path.strip_prefix("/v1internal:") {
        return if method == "POST" {
            code_assist_method(world, request, called)
        } else {
            None
        };
    }
    let rest = path.strip_prefix("/v1beta/models")?;
    match (method, rest.strip_prefix('/')) {
        ("GET", None) if rest.is_empty() => Some(gemini_api::list_models(world, request)),
        ("GET", Some(id)) => Some(gemini_api::get_model(world, request, id)),
        ("POST", Some(called)) => gemini_api_method(world, request, called),
        _ => None,
    }
}

fn code_assist_method(
    world: &World,
    request: &Request,
    called: &str,
) -> Option<Result<Answer, GoogleError>> {
    Some(match called {
        "loadCodeAssist" => onboarding::load_code_assist(world, request),
        "onboardUser" => onboarding::onboard_user(world, request),
        "generateContent" => code_assist::generate(world, request, Mode::Whole),
        "streamGenerateContent" => code_assist::generate(world, request, stream_mode(request)),
        "countTokens" => code_assist::count_tokens(world, request),
        "retrieveUserQuota" => code_assist::retrieve_user_quota(world, request),
        _ => return None,
    })
}

fn gemini_api_method(
    world: &World,
    request: &Request,
    called: &str,
) -> Option<Result<Answer, GoogleError>> {
    let (id, method) = called.split_once(':')?;
    Some(match method {
        "generateContent" => gemini_api::generate(world, request, id, Mode::Whole),
        "streamGenerateContent" => gemini_api::generate(world, request, id, stream_mode(request)),
        "countTokens" => gemini_api::count_tokens(world, request, id),
        _ => return None,
    })
}

fn stream_mode(request: &Request) -> Mode {
    if request.parameter("alt").as_deref() == Some("sse") {
        Mode::EventStream
    } else {
        Mode::JsonArray
    }
}
