//! Who listens at the port where we are to.

use std::time::Duration;

use crate::config::{Config, Outbound};
use crate::http::{Http, Request};

/// Whoever is on this machine answers at once or not at all.
const PATIENCE: Duration = Duration::from_secs(1);

/// More is not the answer of a gemini-proxy.
const MAX_ANSWER_BYTES: usize = 1024;

/// The address of the gemini-proxy that listens there already, if it is one.
pub(super) fn running_proxy(config: &Config) -> Option<String> {
    let base = base_url(config);
    let outbound = Outbound {
        connect_timeout: PATIENCE,
        ..Outbound::default()
    };
    let http = Http::new(&outbound).ok()?.with_patience(PATIENCE);
    let request = Request {
        url: &format!("{base}/health"),
        headers: &[],
        body: None,
    };
    let response = http.send(request).ok()?;
    let id = response.header("x-request-id").unwrap_or_default();
    let is_ours = response.status() == 200 && id.starts_with("req_");
    let body = response.bytes(MAX_ANSWER_BYTES).ok()?;
    (is_ours && body == br#"{"status":"ok"}"#).then_some(base)
}

/// Where this machine's clients find the proxy.
pub(super) fn base_url(config: &Config) -> String {
    format!("http://{}:{}", reachable(&config.host), config.port)
}

/// What listens everywhere is reached on this machine.
fn reachable(host: &str) -> String {
    match host.trim_start_matches('[').trim_end_matches(']') {
        "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    }
}
