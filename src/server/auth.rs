//! Signing in and out in a browser: `/auth/login`, `/auth/callback`,
//! `/auth/status`, `/auth/logout`.

use serde::Serialize;

use super::error::ApiError;
use super::page::{Mood, Page};
use super::sign_in_cookie::SignInCookie;
use super::{Service, access, browser, json};
use crate::config::UpstreamKind;
use crate::oauth::sign_in::SignInError;
use crate::oauth::token_source::SignOut;
use crate::server::transport::exchange::Request;
use crate::server::transport::writer::Reply;
use crate::upstream::account::{Account, AccountError, SignedIn, Status};
use crate::upstream::refusal::AccountRefusal;

/// Said once, where someone signs in.
pub const TERMS: &str = "Know the risk: Google's terms do not allow other programs to use the \
    Gemini CLI's sign-in, and Google may suspend an account for it. Since 18 June 2026 Google \
    refuses Code Assist to personal accounts. The road without this risk is an official Gemini \
    API key: https://aistudio.google.com/apikey";

/// `GET /auth/login`: on to Google.
pub(super) fn login(service: &Service, request: &Request) -> Reply {
    if service.kind == UpstreamKind::GeminiApi {
        return Page::new(200, Mood::Calm, "No sign-in needed")
            .paragraph("This proxy uses the official Gemini API with `GEMINI_API_KEY`.")
            .paragraph(
                "To use a Google account instead, start it with `PROXY_UPSTREAM=code-assist`.",
            )
            .into_reply();
    }
    let Some(redirect_uri) = redirect_uri(service, request) else {
        return not_here(service);
    };
    if browser::is_foreign(request) && !browser::is_visit(request) {
        return Page::new(403, Mood::Bad, "Not from another page")
            .paragraph("Another site's page may lead you here, but not sign you in by itself.")
            .button("Sign in with Google", "/auth/login")
            .into_reply();
    }
    match service.account.begin_sign_in(redirect_uri) {
        Ok(started) => {
            let cookie = SignInCookie::of(started.state.reveal());
            let headers = vec![
                ("location", started.authorization_url),
                ("set-cookie", cookie.given()),
                ("cache-control", "no-store".to_owned()),
            ];
            Reply::Whole {
                status: 302,
                headers,
                body: Vec::new(),
            }
        }
        Err(error) => failure(&error, Some("/auth/login")).into_reply(),
    }
}

/// `GET /auth/callback`: back from Google, to the browser that left for there. A link
/// with somebody else's code in it would sign the proxy in to his account, and he would
/// read what it is asked (RFC 9700, section 4.7).
pub(super) fn callback(service: &Service, request: &Request) -> Reply {
    let cookie = SignInCookie::of(&field(request, "state").unwrap_or_default());
    let is_own = cookie.is_in(request.header("cookie").unwrap_or_default());
    let outcome = if is_own {
        finish(&service.account, request)
    } else {
        Err(SignInError::ForeignBrowser.into())
    };
    match &outcome {
        Ok(signed_in) => {
            service.signatures.change_account();
            service.offered.forget();
            log::info!("signed in to Google, project {}", signed_in.project);
        }
        Err(error) => log::warn!("sign-in failed: {error}"),
    }
    let mut reply = page_of(&outcome, Some("/auth/login")).into_reply();
    if is_own {
        reply.add_header("set-cookie", cookie.taken());
    }
    reply
}

/// Ends the sign-in that this redirect belongs to.
pub(super) fn finish(account: &Account, redirect: &Request) -> Result<SignedIn, AccountError> {
    let state = field(redirect, "state").unwrap_or_default();
    match (field(redirect, "error"), field(redirect, "code")) {
        (Some(error), _) => {
            let description = field(redirect, "error_description");
            Err(account
                .sign_in_denied(&error, description.as_deref(), &state)
                .into())
        }
        (None, Some(code)) => account.finish_sign_in(&code, &state),
        (None, None) => Err(SignInError::UnknownState.into()),
    }
}

/// What Google has put into the address that it sends the browser back to.
fn field(redirect: &Request, name: &str) -> Option<String> {
    let query = redirect.query.as_deref().unwrap_or_default();
    let mut fields = url::form_urlencoded::parse(query.as_bytes());
    let (_, value) = fields.find(|(key, _)| key == name)?;
    Some(value.into_owned())
}

/// What the person sees who signed in, or tried to. `again`: where to try again.
pub(super) fn page_of(outcome: &Result<SignedIn, AccountError>, again: Option<&str>) -> Page {
    match outcome {
        Ok(signed_in) => success(signed_in, again),
        Err(error) => failure(error, again),
    }
}

/// `GET /auth/status`. Names and times are those of the JavaScript world.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusBody<'a> {
    authenticated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<String>,
    /// RFC 3339. Of the access token, which renews itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// What stands in the way, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<&'a str>,
}

pub(super) fn status(service: &Service, request: &Request) -> Reply {
    let mut status = service.account.status();
    // Whose account it is, is nobody else's business.
    if access::check_person(request, &service.api_keys, &service.host).is_err() {
        status = Status {
            signed_in: status.signed_in,
            ..Status::default()
        };
    }
    let upstream = service.kind.name();
    let mut reply = json(
        200,
        &StatusBody {
            authenticated: status.signed_in,
            email: status.email,
            project_id: status.project,
            tier: status.tier,
            expires_at: status.expires_at_ms.and_then(rfc_3339),
            problem: status.problem.map(|problem| next_step(&problem, service)),
            upstream: status.signed_in.then_some(upstream),
        },
    );
    reply.add_header("cache-control", "no-store".to_owned());
    reply
}

fn next_step(problem: &AccountError, service: &Service) -> String {
    if problem.needs_sign_in() {
        format!("{problem}; {}", service.sign_in_page)
    } else {
        problem.to_string()
    }
}

/// `POST /auth/logout`
#[derive(Serialize)]
struct LogoutBody {
    authenticated: bool,
    /// Whether Google confirmed that the tokens are dead.
    revoked: bool,
}

pub(super) fn logout(service: &Service, request: &Request) -> Result<Reply, ApiError> {
    if browser::is_foreign(request) {
        let message = "Another site's page may not sign you out.";
        return Err(ApiError::invalid(403, "origin_not_allowed", message));
    }
    let outcome = service.account.sign_out();
    let outcome = outcome.map_err(|error| ApiError::account(&error, &service.sign_in_page))?;
    service.signatures.change_account();
    service.offered.forget();
    let revoked = matches!(outcome, SignOut::Revoked);
    // The form of a page that has no script: a person is to see a page again.
    if browser::is_visit(request) {
        return Ok(Reply::Whole {
            status: 303,
            headers: vec![("location", "/".to_owned())],
            body: Vec::new(),
        });
    }
    Ok(json(
        200,
        &LogoutBody {
            authenticated: false,
            revoked,
        },
    ))
}

/// Whether [`login`] leads to Google, if this client opens it in a browser.
pub(super) fn can_begin_here(service: &Service, request: &Request) -> bool {
    access::is_here(request, &service.host) && redirect_uri(service, request).is_some()
}

/// Where Google sends the browser back to: the very address that it used to come
/// here, which Google demands to be loopback (RFC 8252, section 7.3).
fn redirect_uri(service: &Service, request: &Request) -> Option<String> {
    let Some(host) = request.header("host") else {
        let port = service.address.port();
        return Some(format!("http://127.0.0.1:{port}/auth/callback"));
    };
    let url = url::Url::parse(&format!("http://{host}/auth/callback")).ok()?;
    let is_loopback = match url.host()? {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    };
    let is_plain = url.username().is_empty() && url.path() == "/auth/callback";
    (is_loopback && is_plain).then(|| url.into())
}

fn not_here(service: &Service) -> Reply {
    let port = service.address.port();
    Page::new(400, Mood::Bad, "Sign in from the machine itself")
        .paragraph(
            "Google sends a sign-in back to this computer's own address only, so it cannot \
             start from here.",
        )
        .paragraph("Run `gemini-proxy login` on the machine of the proxy; it works over SSH.")
        .paragraph(&format!(
            "Or run `ssh -L {port}:127.0.0.1:{port}` to that machine and open \
             `http://127.0.0.1:{port}/auth/login` here."
        ))
        .into_reply()
}

fn success(signed_in: &SignedIn, again: Option<&str>) -> Page {
    let who = signed_in.email.as_deref().unwrap_or("your Google account");
    let page = Page::new(200, Mood::Good, "Authentication successful")
        .paragraph("You can close this window. Gemini Proxy is ready.")
        .paragraph(&format!(
            "Signed in as {who}, in the project `{}`.",
            signed_in.project
        ));
    // A sign-in that began in a terminal ends at a server without a front page.
    let page = match again {
        Some(_) => page.button("To the front page", "/"),
        None => page,
    };
    page.note(TERMS)
}

fn failure(error: &AccountError, again: Option<&str>) -> Page {
    let (status, title) = match error {
        AccountError::SignIn(SignInError::UnknownState | SignInError::ForeignBrowser) => {
            (400, "This sign-in is not known")
        }
        AccountError::SignIn(SignInError::Denied { .. }) => (403, "Access was not granted"),
        AccountError::SignIn(SignInError::MissingScope) => (403, "A permission is missing"),
        AccountError::SignIn(SignInError::NoRefreshToken) => {
            (502, "Google gave no lasting sign-in")
        }
        AccountError::SignIn(SignInError::CodeRefused(_)) => {
            (400, "Google did not accept the sign-in")
        }
        AccountError::SignIn(SignInError::Unreachable(_) | SignInError::Unavailable { .. })
        | AccountError::Unreachable(_)
        | AccountError::Unavailable(_) => (502, "Google could not be asked"),
        AccountError::Refused(_) => (403, "Google refuses this account"),
        AccountError::Auth(_) => (500, "The sign-in could not be kept"),
        _ => (502, "The sign-in failed"),
    };
    let page = Page::new(status, Mood::Bad, title).paragraph(&sentence(&error.to_string()));
    let page = match (error, again) {
        // It is not the sign-in that is to be tried again.
        (AccountError::Refused(AccountRefusal::ValidationRequired { .. }), _) => page,
        (_, Some(href)) => page.button("Try again", href),
        (_, None) => page.paragraph("The terminal says how to go on."),
    };
    match again {
        Some(_) => page.button("To the front page", "/"),
        None => page,
    }
}

/// An error's phrase as a sentence.
pub(super) fn sentence(phrase: &str) -> String {
    let mut letters = phrase.chars();
    let first: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    // A full stop right behind an address would be taken for a part of it.
    let end = if phrase.ends_with(['.', '!', '?', '/']) {
        ""
    } else {
        "."
    };
    format!("{first}{}{end}", letters.as_str())
}

fn rfc_3339(milliseconds: u64) -> Option<String> {
    let milliseconds = i64::try_from(milliseconds).ok()?;
    let time = jiff::Timestamp::from_millisecond(milliseconds).ok()?;
    Some(time.to_string())
}
