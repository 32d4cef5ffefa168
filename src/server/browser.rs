//! What web pages elsewhere must not do through the user's browser, as long as
//! no key keeps them out. Programs that are no browsers send neither a foreign
//! `Host` nor an `Origin`; `Sec-Fetch-*` is not looked at, since Node's `fetch`
//! sends it from the command line, too.

use super::cors;
use super::error::ApiError;
use super::transport::exchange::Request;
use crate::config::Origins;

/// Names of this machine that no page elsewhere can be served under. The last two
/// are what containers call their host; `.internal` is nobody's to register.
const OWN_NAMES: [&str; 3] = [
    "localhost",
    "host.docker.internal",
    "host.containers.internal",
];

/// Refuses what a browser sends for a page that is not of this machine.
/// `allowed_hosts` are other names that the user gave it, and `listening_on` is that by
/// which he bound the address.
pub(super) fn check(
    request: &Request,
    origins: &Origins,
    allowed_hosts: &[String],
    listening_on: &str,
) -> Result<(), ApiError> {
    if !has_own_host(request, listening_on) && !has_one_of(request, allowed_hosts) {
        let host = request.header("host").unwrap_or_default();
        let message = format!(
            "This proxy is not called '{host}': a web page may be pretending that it is (DNS \
             rebinding). Use http://localhost or http://127.0.0.1, or add the name to \
             PROXY_ALLOWED_HOSTS, or set PROXY_API_KEY for the proxy; whoever sends that key may \
             use any name."
        );
        return Err(ApiError::invalid(403, "host_not_allowed", message));
    }
    let Some(origin) = request.header("origin") else {
        return Ok(());
    };
    if is_own(origin, listening_on) || cors::allowed(origins, Some(origin)).is_some() {
        return Ok(());
    }
    let message = format!(
        "Web pages of '{origin}' may not use this proxy. To let them, add that origin to \
         PROXY_CORS_ORIGINS. (Without a PROXY_API_KEY any page could otherwise spend your quota.)"
    );
    Err(ApiError::invalid(403, "origin_not_allowed", message))
}

/// Whether a page of another origin makes the browser ask. It can make it ask and
/// post here, but not hide where it is from. (Another port of this machine is the same
/// site, and another origin.)
pub(super) fn is_foreign(request: &Request) -> bool {
    let site = request.header("sec-fetch-site");
    let host = request.header("host").unwrap_or_default();
    let is_others = |origin: &str| {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        authority.is_none_or(|authority| !authority.eq_ignore_ascii_case(host))
    };
    matches!(site, Some("cross-site" | "same-site"))
        || request.header("origin").is_some_and(is_others)
}

/// Whether the whole window goes there, as by a link: a person sees where it leads.
pub(super) fn is_visit(request: &Request) -> bool {
    request.header("sec-fetch-mode") == Some("navigate")
        && request.header("sec-fetch-dest") == Some("document")
}

/// Whether the request was made to a name of this machine. Under DNS rebinding a
/// page's own name leads here, and its scripts count as ours.
pub(super) fn has_own_host(request: &Request, listening_on: &str) -> bool {
    // Only HTTP/1.0 may leave it out; no browser does.
    let host = request.header("host");
    host.is_none_or(|host| is_own(&format!("http://{host}"), listening_on))
}

/// Whether the request was made to one of these names, at any port.
fn has_one_of(request: &Request, names: &[String]) -> bool {
    let host = request.header("host").unwrap_or_default();
    let url = url::Url::parse(&format!("http://{host}")).ok();
    let name = url.as_ref().and_then(url::Url::host_str);
    name.is_some_and(|name| names.iter().any(|known| known == name))
}

/// Any port counts: what this machine serves is the user's.
fn is_own(origin: &str, listening_on: &str) -> bool {
    let Ok(url) = url::Url::parse(origin) else {
        return false;
    };
    match url.host() {
        _ if !matches!(url.scheme(), "http" | "https") => false,
        Some(url::Host::Domain(name)) => {
            OWN_NAMES.contains(&name) || name.eq_ignore_ascii_case(listening_on)
        }
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_its_own_names_only() {
        for own in [
            "http://localhost",
            "http://LOCALHOST:3000",
            "http://127.0.0.1:80",
            "http://127.8.9.10:3000",
            "http://[::1]:3000",
            "https://localhost:5173",
            "http://host.docker.internal:3000",
            "http://box.lan:3000",
        ] {
            assert!(is_own(own, "box.lan"), "{own}");
        }
        for foreign in [
            "null",
            "",
            "http://",
            "http://localhost.evil.example",
            "http://evil.example:3000",
            "http://127.0.0.1.evil.example",
            "http://localhost@evil.example",
            "http://10.0.0.1:3000",
            "http://0.0.0.0:3000",
            "app://localhost",
            "file://",
        ] {
            assert!(!is_own(foreign, "box.lan"), "{foreign}");
        }
    }
}
