//! The way to Google: the proxy in between, the name, the connection, the clock.

use std::net::ToSocketAddrs;
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::report::Fault;
use crate::config::{Config, UpstreamKind};
use crate::http::{self, Http, Request};
use crate::oauth::now_ms;

/// Google's front ends answer at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tokens are renewed minutes before they end; beyond that, a wrong clock costs requests.
const MAX_SKEW_SECONDS: u64 = 120;

const AGAIN: &str = "gemini-proxy doctor";

/// Where Google is, on the road that was chosen.
pub(super) fn base(config: &Config) -> &str {
    match config.upstream {
        UpstreamKind::CodeAssist => &config.endpoints.code_assist,
        UpstreamKind::GeminiApi => &config.endpoints.gemini_api,
    }
}

/// The proxy on the way, without the password it may need.
pub(super) fn proxy(config: &Config) -> Option<String> {
    http::proxy_for(&config.outbound, base(config))
}

pub(super) fn name(config: &Config) -> Result<String, Fault> {
    let base = base(config);
    let url = url::Url::parse(base).map_err(|error| Fault::new(error.to_string(), AGAIN))?;
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(443);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match (bare, port).to_socket_addrs().map(Iterator::count) {
        Ok(1) => Ok(format!("{host} has an address")),
        Ok(count @ 2..) => Ok(format!("{host} has {count} addresses")),
        Ok(_) => Err(unknown(host, "it has no address")),
        Err(error) => Err(unknown(host, &error.to_string())),
    }
}

fn unknown(host: &str, why: &str) -> Fault {
    Fault::new(
        format!(
            "the name {host} cannot be looked up: {why}; check this machine's network, and \
             HTTPS_PROXY if one is needed"
        ),
        AGAIN,
    )
}

/// Any answer will do. Returns what its `Date` says.
pub(super) fn connection(config: &Config) -> Result<(String, Option<String>), Fault> {
    let base = base(config);
    let asked_at = Instant::now();
    let http = Http::new(&config.outbound).map_err(|bad| Fault::new(bad.to_string(), AGAIN))?;
    let request = Request {
        url: &format!("{base}/"),
        headers: &[],
        body: None,
    };
    let response = http
        .with_patience(PATIENCE)
        .send(request)
        .map_err(|error| {
            let cause = error.to_string();
            let is_of_trust = cause.contains("certificate") || cause.contains("UnknownIssuer");
            let mend = if is_of_trust {
                "export SSL_CERT_FILE=/the/certificates/to/trust.pem"
            } else {
                AGAIN
            };
            Fault::new(cause, mend)
        })?;
    let trust = match (base.starts_with("https:"), config.outbound.system_roots) {
        (false, _) => "without TLS",
        (true, false) => "trusted by the built-in roots",
        (true, true) => "trusted as SSL_CERT_FILE says",
    };
    let elapsed = asked_at.elapsed().as_millis();
    let date = response.header("date").map(str::to_owned);
    Ok((format!("Google answers in {elapsed} ms, {trust}"), date))
}

/// Against Google's; `None` if it does not say.
pub(super) fn clock(date: Option<&str>) -> Option<Result<String, Fault>> {
    let googles = httpdate::parse_http_date(date?).ok()?;
    let googles = googles.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let ours = now_ms() / 1000;
    let (skew, word) = if ours > googles {
        (ours - googles, "ahead of")
    } else {
        (googles - ours, "behind")
    };
    if skew <= MAX_SKEW_SECONDS {
        return Some(Ok("agrees with Google's".to_owned()));
    }
    let cause = format!(
        "this machine's clock is {skew} s {word} Google's: tokens are taken for dead, or for alive, \
         when they are not"
    );
    let mend = if cfg!(target_os = "linux") {
        "sudo timedatectl set-ntp true"
    } else {
        "let the system set the clock by itself"
    };
    Some(Err(Fault::new(cause, mend)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_clock_may_differ_by_the_length_of_an_answer_only() {
        let at = |seconds: u64| {
            let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
            clock(Some(&date)).unwrap()
        };
        let now = now_ms() / 1000;
        assert!(at(now - 20).is_ok() && at(now + 20).is_ok());
        assert!(at(now - 300).unwrap_err().cause.contains("ahead of"));
        assert!(at(now + 300).unwrap_err().cause.contains("behind"));
        assert!(clock(None).is_none() && clock(Some("yesterday")).is_none());
    }
}
