//! The page at `/`: who is signed in, what a client needs, what runs and what went
//! wrong. It shows the state as of now without a script; with it, it asks `/status`
//! again and again. Nothing on it comes from any other host.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::metrics::activity::{Failure, Running};
use super::page::{escaped, linked};
use super::status::{self, ModelStatus, Status};
use super::{Service, access, auth};
use crate::server::transport::exchange::Request;
use crate::server::transport::writer::Reply;

/// With its style and script. `{{name}}` stands for what [`filled`] is told.
const PAGE: &str = include_str!("welcome.html");

/// `GET /`
pub(super) fn page(service: &Arc<Service>, request: &Request) -> Reply {
    // Whose account it is, is nobody else's business; at this machine there may be others.
    let may_see = access::check(request, &service.api_keys).is_ok();
    let state = may_see.then(|| status::of(service, request));
    Reply::Whole {
        status: 200,
        headers: headers(),
        body: html(service, state.as_ref()).into_bytes(),
    }
}

/// Strict: nothing is loaded, only what stands in the page itself is run, and nobody
/// else is asked or framed by. (The icon is in the page, too.)
fn headers() -> Vec<(&'static str, String)> {
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        source("script"),
        source("style"),
    );
    vec![
        ("content-type", "text/html; charset=utf-8".to_owned()),
        ("content-security-policy", policy),
        ("cache-control", "no-store".to_owned()),
        // With `no-referrer` a form would be sent with `Origin: null`, as a stranger's is
        // (<https://fetch.spec.whatwg.org/#append-a-request-origin-header>).
        ("referrer-policy", "same-origin".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
    ]
}

/// The one element of this name, as a policy names it
/// (<https://www.w3.org/TR/CSP3/#grammardef-hash-source>).
fn source(element: &str) -> String {
    let (start, end) = (format!("<{element}"), format!("</{element}>"));
    let text = PAGE
        .split_once(&start)
        .and_then(|(_, rest)| rest.split_once('>'))
        .and_then(|(_, rest)| rest.split_once(&end))
        .map_or("", |(text, _)| text);
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

/// `state` is `None` for those who have yet to show the key.
fn html(service: &Service, state: Option<&Status>) -> String {
    let base_url = &service.sign_in_page.base_url;
    let key = match service.api_keys.is_empty() {
        true => "Any text will do, such as <code>any</code>: this proxy has no key of its own.",
        false => "The key of this proxy: what its <code>PROXY_API_KEY</code> is set to.",
    };
    let account = state.map(|state| &state.account);
    let text = |value: Option<&String>| value.map(|text| linked(text)).unwrap_or_default();
    filled(&[
        ("locked", hidden(state.is_some())),
        ("open", hidden(state.is_none())),
        ("at", state.map(|state| time(&state.at)).unwrap_or_default()),
        ("summary", text(account.map(|account| &account.summary))),
        ("problem", text(account.and_then(|it| it.problem.as_ref()))),
        ("upstream", account.map_or("", |it| it.upstream).to_owned()),
        ("project", text(account.and_then(|it| it.project.as_ref()))),
        ("tier", text(account.and_then(|it| it.tier.as_ref()))),
        ("sign_in", hidden(!account.is_some_and(|it| it.may_sign_in))),
        (
            "go_there",
            hidden(!account.is_some_and(|it| it.must_go_there)),
        ),
        (
            "sign_out",
            hidden(!account.is_some_and(|it| it.may_sign_out)),
        ),
        (
            "no_terms",
            hidden(!account.is_some_and(|it| it.may_sign_in || it.must_go_there)),
        ),
        ("terms", linked(auth::TERMS)),
        ("base_url", escaped(&format!("{base_url}/v1"))),
        ("status_url", escaped(&format!("{base_url}/status"))),
        ("key", key.to_owned()),
        ("running", list(state.map(|it| &*it.running), running)),
        ("failures", list(state.map(|it| &*it.failures), failure)),
        ("models", list(state.map(|it| &*it.models), model)),
    ])
}

/// The page with these values, which are not looked at again. They are markup.
fn filled(values: &[(&str, String)]) -> String {
    let mut pieces = PAGE.split("{{");
    let mut html = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").unwrap_or(("", piece));
        let value = values.iter().find(|(known, _)| *known == name);
        html.push_str(value.map_or("", |(_, value)| value));
        html.push_str(rest);
    }
    html
}

fn hidden(is_hidden: bool) -> String {
    if is_hidden { "hidden" } else { "" }.to_owned()
}

// What follows, the script does with what `/status` tells it, too.

fn list<T>(items: Option<&[T]>, item: impl Fn(&T) -> String) -> String {
    let items = items.unwrap_or_default().iter();
    items.map(|one| format!("<li>{}</li>", item(one))).collect()
}

fn running(one: &Running) -> String {
    format!(
        "<code>{}</code> <span>{}</span> <span>×&nbsp;{}</span>",
        escaped(&one.model),
        one.route,
        one.count
    )
}

fn failure(one: &Failure) -> String {
    let what = &one.what;
    let status = what.status.map(|status| format!("{status} "));
    let mut html = format!(
        "{} <strong>{}{}</strong> <span>{}</span>",
        time(&one.at),
        status.unwrap_or_default(),
        what.code,
        what.route
    );
    if let Some(model) = &what.model {
        html.push_str(&format!(" <code>{}</code>", escaped(model)));
    }
    if one.times > 1 {
        html.push_str(&format!(" <span>×&nbsp;{}</span>", one.times));
    }
    html + &format!("<p>{}</p>", linked(&what.why))
}

fn model(one: &ModelStatus) -> String {
    format!(
        "<code>{}</code><p>{}</p>",
        escaped(&one.id),
        escaped(&one.about)
    )
}

/// `2026-11-24T21:03:11Z`, as read by people who are somewhere.
fn time(at: &str) -> String {
    let shown = at.replace('T', " ").replace('Z', " UTC");
    format!(
        "<time datetime=\"{}\">{}</time>",
        escaped(at),
        escaped(&shown)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::metrics::activity::Activity;

    #[test]
    fn all_that_the_page_asks_for_is_markup_of_ours_or_escaped() {
        let activity = Activity::default();
        let odd = "<img src=x onerror=alert(1)>\"'{{terms}}";
        activity.begins("responses", odd);
        activity.fails(
            "responses",
            Some(odd),
            Some(500),
            "internal_error",
            Some(odd),
        );
        let running = list(Some(&activity.running()), running);
        let failures = list(Some(&activity.failures()), failure);
        let html = filled(&[("running", running), ("failures", failures)]);
        assert!(!html.contains("<img"), "{html}");
        // Twice the model, once the reason; and values are not looked at again.
        assert_eq!(
            html.matches("onerror=alert(1)&gt;&quot;&#39;{{terms}}")
                .count(),
            3
        );
    }

    #[test]
    fn the_page_has_one_script_and_one_style_and_nothing_inline_or_from_elsewhere() {
        for element in ["script", "style"] {
            assert_eq!(PAGE.matches(&format!("<{element}")).count(), 1);
            assert_eq!(PAGE.matches(&format!("</{element}>")).count(), 1);
        }
        let elsewhere = ["=\"http", "=\"//", "url(", "@import", "import "];
        for forbidden in [" style=", " onclick=", " src=", "innerHTML"]
            .iter()
            .chain(&elsewhere)
        {
            assert!(!PAGE.contains(forbidden), "{forbidden}");
        }
    }
}
