//! `GET /o/oauth2/v2/auth`: where the user's browser gives consent (RFC 6749,
//! section 4.1; RFC 7636; RFC 8252).

use std::time::Instant;

use url::Url;

use super::grants::Consent;
use super::http::{Answer, Request};
use super::says::Says;
use super::script::{Kind, Line};
use super::world::World;

/// The page of Google that shows a code, for users without a browser at hand.
const CODE_PAGE: &str = "https://codeassist.google.com/authcode";

/// Added to the address by the buttons of our own page.
const CHOICE: &str = "_stand_in_choice";

const PAGE: &str = include_str!("consent.html");

/// Asks the user, or redirects at once.
pub(super) fn authorize(world: &World, request: &Request) -> Answer {
    let asked = match check(request) {
        Ok(asked) => asked,
        Err(error) => return error.page(),
    };
    match world.next_line(Kind::Auth, "", request) {
        Some(Line {
            says: Says::RedirectError(error),
            delivery,
        }) => delivery.apply(redirect(&asked, "error", &error)),
        Some(Line { says, delivery }) => {
            delivery.apply(says.answer(|| own_answer(world, request, asked)))
        }
        None => own_answer(world, request, asked),
    }
}

fn own_answer(world: &World, request: &Request, asked: Asked) -> Answer {
    let choice = request.parameter(CHOICE);
    match choice.as_deref() {
        Some("deny") => redirect(&asked, "error", "access_denied"),
        None if world.state().consent_page => ask(request),
        _ => {
            let code = world.grants().give_code(asked.consent.clone());
            if choice.is_some() && asked.consent.redirect_uri == CODE_PAGE {
                return show_code(&code); // the demo has no network to redirect into
            }
            redirect(&asked, "code", &code)
        }
    }
}

/// A sign-in request without fault.
struct Asked {
    consent: Consent,
    redirect_uri: Url,
    state: Option<String>,
}

/// What Google shows instead of redirecting.
struct AuthError {
    name: &'static str,
    detail: String,
}

impl AuthError {
    fn page(&self) -> Answer {
        let body = format!(
            "<h1>Access blocked: Authorization Error</h1><p>{}</p><p>Error 400: {}</p>",
            escape(&self.detail),
            self.name
        );
        Answer::html(400, page(&body))
    }
}

fn check(request: &Request) -> Result<Asked, AuthError> {
    let response_type = required(request, "response_type")?;
    let client_id = required(request, "client_id")?;
    let redirect_uri = required(request, "redirect_uri")?;
    let scope = required(request, "scope")?;
    if response_type != "code" {
        return Err(AuthError {
            name: "unsupported_response_type",
            detail: format!("Invalid response_type: {response_type}"),
        });
    }
    if !client_id.ends_with(".apps.googleusercontent.com") {
        return Err(AuthError {
            name: "invalid_client",
            detail: "The OAuth client was not found.".into(),
        });
    }
    let parsed = parse_redirect_uri(&redirect_uri)?;
    Ok(Asked {
        consent: Consent {
            client_id,
            redirect_uri,
            code_challenge: code_challenge(request)?,
            scope,
            is_offline: request.parameter("access_type").as_deref() == Some("offline"),
            is_prompted: request
                .parameter("prompt")
                .is_some_and(|prompt| prompt.split(' ').any(|word| word == "consent")),
            since: Instant::now(),
        },
        redirect_uri: parsed,
        state: request.parameter("state"),
    })
}

fn required(request: &Request, name: &str) -> Result<String, AuthError> {
    request
        .parameter(name)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| AuthError {
            name: "invalid_request",
            detail: format!("Missing required parameter: {name}"),
        })
}

/// An installed application may use any port and path on a loopback address
/// (RFC 8252, section 7.3).
fn parse_redirect_uri(text: &str) -> Result<Url, AuthError> {
    let mismatch = || AuthError {
        name: "redirect_uri_mismatch",
        detail: format!("The redirect_uri {text} does not belong to this client."),
    };
    let parsed = Url::parse(text).map_err(|_| mismatch())?;
    let is_loopback = matches!(parsed.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if text == CODE_PAGE || (parsed.scheme() == "http" && is_loopback) {
        Ok(parsed)
    } else {
        Err(mismatch())
    }
}

fn code_challenge(request: &Request) -> Result<Option<String>, AuthError> {
    let challenge = request.parameter("code_challenge");
    let method = request.parameter("code_challenge_method");
    let detail = match (&challenge, method.as_deref()) {
        (None, None) => return Ok(None),
        // 32 bytes in base64url, unpadded.
        (Some(text), Some("S256")) if text.len() == 43 => return Ok(challenge),
        (Some(_), Some("S256")) => "Invalid code_challenge",
        _ => "Invalid code_challenge_method",
    };
    Err(AuthError {
        name: "invalid_request",
        detail: detail.into(),
    })
}

fn redirect(asked: &Asked, name: &str, value: &str) -> Answer {
    let mut location = asked.redirect_uri.clone();
    {
        let mut query = location.query_pairs_mut();
        if let Some(state) = &asked.state {
            query.append_pair("state", state);
        }
        query.append_pair(name, value);
        if name == "code" {
            query.append_pair("scope", &asked.consent.scope);
        }
    }
    Answer::redirect(location.as_str())
}

fn ask(request: &Request) -> Answer {
    let link = |choice: &str| escape(&format!("?{}&{CHOICE}={choice}", request.query));
    let body = format!(
        "<h1>Let gemini-proxy use your account?</h1>\
         <p>This is the stand-in for Google that comes with gemini-proxy. There is no account \
         here, nothing leaves this computer, and both answers are fine.</p>\
         <p><a class=allow href=\"{}\">Allow</a> <a class=deny href=\"{}\">Deny</a></p>",
        link("allow"),
        link("deny"),
    );
    Answer::html(200, page(&body))
}

fn show_code(code: &str) -> Answer {
    let body = format!(
        "<h1>Your authorization code</h1>\
         <p>Copy it into the terminal in which gemini-proxy waits for it.</p>\
         <p><code id=code>{}</code></p>",
        escape(code)
    );
    Answer::html(200, page(&body))
}

fn page(body: &str) -> String {
    PAGE.replace("{body}", body)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
