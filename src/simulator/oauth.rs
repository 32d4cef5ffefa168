//! Google's token endpoint and its neighbours (RFC 6749, sections 4.1.3, 5 and
//! 6; RFC 7009): code exchange, refresh, revocation, token info, user info.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::errors::GoogleError;
use super::grants::{BadCode, SCOPES};
use super::http::{Answer, Request};
use super::script::Kind;
use super::world::World;

const EMAIL: &str = "ada@example.com";
const USER_ID: &str = "100000000000000000042";

/// The one client whose secret is known here, from the Gemini CLI's source; of any
/// other a secret will do.
const GEMINI_CLI: &str = "681255809395-oo8ft2oprdrnp9e3aqf6av3hmdib135j.apps.googleusercontent.com";
const GEMINI_CLI_SECRET_SHA256: &str =
    "6a5f78b8b99dd4025e41ba11bf54c304c6af29f924c5569cc7865b2428ce03a9";

/// `POST /token`
pub(super) fn token(world: &World, request: &Request) -> Answer {
    if !request.is_of_type("application/x-www-form-urlencoded") {
        return refusal(400, "invalid_request", "Bad Request");
    }
    world.scripted(Kind::Token, request, || {
        let tokens = match request.form_field("grant_type").as_deref() {
            Some("authorization_code") => exchange(world, request),
            Some("refresh_token") => refresh(world, request),
            Some(other) => Err(refusal(
                400,
                "unsupported_grant_type",
                &format!("Invalid grant_type: {other}"),
            )),
            None => Err(missing("grant_type")),
        };
        tokens.map_or_else(|refusal| refusal, |tokens| Answer::json(200, &tokens))
    })
}

/// `POST /revoke`, for either kind of token.
pub(super) fn revoke(world: &World, request: &Request) -> Answer {
    world.scripted(Kind::Revoke, request, || {
        let token = request
            .form_field("token")
            .or_else(|| request.parameter("token"));
        match token {
            None => missing("token"),
            Some(token) if world.grants().revoke(&token) => Answer::json(200, &json!({})),
            Some(_) => refusal(400, "invalid_token", "Token expired or revoked"),
        }
    })
}

/// `POST /tokeninfo`
pub(super) fn tokeninfo(world: &World, request: &Request) -> Answer {
    world.scripted(Kind::Tokeninfo, request, || {
        let token = bearer(request)
            .map(str::to_owned)
            .or_else(|| request.form_field("access_token"))
            .or_else(|| request.parameter("access_token"))
            .unwrap_or_default();
        match world.grants().live(&token) {
            None => refusal(400, "invalid_token", "Invalid Value"),
            Some(access) => {
                let left = access.expires.saturating_duration_since(Instant::now());
                let info = json!({
                    "azp": "stand-in.apps.googleusercontent.com",
                    "aud": "stand-in.apps.googleusercontent.com",
                    "sub": USER_ID,
                    "scope": access.scope,
                    "expires_in": left.as_secs().to_string(),
                    "email": EMAIL,
                    "email_verified": "true",
                    "access_type": "offline",
                });
                Answer::json(200, &info)
            }
        }
    })
}

/// `GET /oauth2/v2/userinfo`
pub(super) fn userinfo(world: &World, request: &Request) -> Answer {
    let is_live = bearer(request).is_some_and(|token| world.grants().is_live(token));
    if !is_live {
        return GoogleError::named("unauthenticated").into();
    }
    world.scripted(Kind::Userinfo, request, || {
        let user = json!({
            "id": USER_ID,
            "email": EMAIL,
            "verified_email": true,
            "name": "Ada Example",
            "given_name": "Ada",
            "family_name": "Example",
            "picture": "https://lh3.googleusercontent.com/a/stand-in",
        });
        Answer::json(200, &user)
    })
}

/// A live credential as the Gemini CLI stores it: `expiry_date` in milliseconds.
pub(super) fn sign_in(world: &World) -> Value {
    let lifetime = world.state().access_token_lifetime;
    let mut grants = world.grants();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let expiry = u64::try_from((now + lifetime).as_millis()).unwrap_or(u64::MAX);
    json!({
        "access_token": grants.give_access(SCOPES, lifetime),
        "refresh_token": grants.give_refresh(None, SCOPES),
        "scope": granted(SCOPES),
        "token_type": "Bearer",
        "expiry_date": expiry,
    })
}

fn exchange(world: &World, request: &Request) -> Result<Value, Answer> {
    let client_id = client(request)?;
    let code = request.form_field("code").ok_or_else(|| missing("code"))?;
    let redirect_uri = request
        .form_field("redirect_uri")
        .ok_or_else(|| missing("redirect_uri"))?;
    let verifier = request.form_field("code_verifier");
    let mut grants = world.grants();
    let consent = grants
        .take_code(&code, &client_id, &redirect_uri, verifier.as_deref())
        .map_err(|bad| match bad {
            BadCode::Malformed => refusal(400, "invalid_grant", "Malformed auth code."),
            BadCode::BadRequest => refusal(400, "invalid_grant", "Bad Request"),
            BadCode::RedirectUriMismatch => refusal(400, "redirect_uri_mismatch", "Bad Request"),
        })?;
    let refresh_token = consent
        .is_offline
        .then(|| grants.give_refresh(Some(&client_id), &consent.scope));
    drop(grants);
    let mut tokens = access(world, &consent.scope);
    if let Some(token) = refresh_token {
        tokens["refresh_token"] = json!(token);
    }
    Ok(tokens)
}

/// Normally without a new refresh token: the old one stays good.
fn refresh(world: &World, request: &Request) -> Result<Value, Answer> {
    let client_id = client(request)?;
    let old = request
        .form_field("refresh_token")
        .ok_or_else(|| missing("refresh_token"))?;
    let mut grants = world.grants();
    let scope = grants
        .scope_of_refresh(&old, &client_id)
        .ok_or_else(|| refusal(400, "invalid_grant", "Token has been expired or revoked."))?;
    let rotated = world.state().rotate_refresh_tokens.then(|| {
        grants.forget_refresh(&old);
        grants.give_refresh(Some(&client_id), &scope)
    });
    drop(grants);
    let mut tokens = access(world, &scope);
    if let Some(token) = rotated {
        tokens["refresh_token"] = json!(token);
    }
    Ok(tokens)
}

fn access(world: &World, scope: &str) -> Value {
    let lifetime = world.state().access_token_lifetime;
    json!({
        "access_token": world.grants().give_access(scope, lifetime),
        "expires_in": lifetime.as_secs(),
        "scope": granted(scope),
        "token_type": "Bearer",
        "id_token": id_token(),
    })
}

/// Both are demanded, though the secret of an installed application is none.
fn client(request: &Request) -> Result<String, Answer> {
    let id = request.form_field("client_id").unwrap_or_default();
    if !id.ends_with(".apps.googleusercontent.com") {
        return Err(refusal(
            401,
            "invalid_client",
            "The OAuth client was not found.",
        ));
    }
    match request.form_field("client_secret") {
        Some(secret) if id == GEMINI_CLI && !is_gemini_clis(&secret) => {
            Err(refusal(401, "invalid_client", "Unauthorized"))
        }
        Some(secret) if !secret.is_empty() => Ok(id),
        _ => Err(refusal(400, "invalid_request", "client_secret is missing.")),
    }
}

fn is_gemini_clis(secret: &str) -> bool {
    let digest = Sha256::digest(secret);
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits == GEMINI_CLI_SECRET_SHA256
}

/// Google answers with the scopes in its own order, and `openid` among them.
fn granted(scope: &str) -> String {
    let mut scopes: Vec<&str> = scope.split_whitespace().rev().collect();
    scopes.insert(1.min(scopes.len()), "openid");
    scopes.join(" ")
}

/// A JWT that says who it is and is signed by nobody.
fn id_token() -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.{}",
        part(json!({"alg": "RS256", "kid": "stand-in", "typ": "JWT"})),
        part(json!({"iss": "https://accounts.google.com", "sub": USER_ID, "email": EMAIL})),
        part(json!("stand-in"))
    )
}

fn bearer(request: &Request) -> Option<&str> {
    request.header("authorization")?.strip_prefix("Bearer ")
}

fn missing(parameter: &str) -> Answer {
    let description = format!("Missing required parameter: {parameter}");
    refusal(400, "invalid_request", &description)
}

/// RFC 6749, section 5.2.
fn refusal(status: u16, error: &str, description: &str) -> Answer {
    Answer::json(
        status,
        &json!({"error": error, "error_description": description}),
    )
}
