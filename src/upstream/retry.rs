//! Asking again: a few times, within a few seconds, and only while nothing of an
//! answer has come. Clients have retries of their own, and better reasons to wait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{UpstreamError, Verdict};
use crate::http::{HttpError, Pulse};

/// How often Google is asked in all.
const MAX_ATTEMPTS: u32 = 3;

/// How long may be waited in all.
const MAX_WAIT: Duration = Duration::from_secs(4);

/// Before the second attempt, when Google does not say how long; then twice that.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// How often this process has asked again.
static RETRIES: AtomicU64 = AtomicU64::new(0);

/// How often Google was asked again so far.
pub fn retries() -> u64 {
    RETRIES.load(Ordering::Relaxed)
}

/// Does `ask`, and again after failures that pass by themselves.
pub(super) fn asking<T>(
    pulse: &Pulse,
    mut ask: impl FnMut() -> Result<T, UpstreamError>,
) -> Result<T, UpstreamError> {
    let mut left = MAX_WAIT;
    let mut attempt = 1;
    loop {
        let error = match ask() {
            Err(error) if attempt < MAX_ATTEMPTS => error,
            outcome => return outcome,
        };
        let Some(wait) = pause(&error, attempt).filter(|wait| *wait <= left) else {
            return Err(error);
        };
        RETRIES.fetch_add(1, Ordering::Relaxed);
        log::info!(
            "asking Google again in {} ms: {}",
            wait.as_millis(),
            word(&error)
        );
        pulse.pause(wait).map_err(HttpError::from)?;
        left -= wait;
        attempt += 1;
    }
}

/// How long to wait before the next attempt, if it may help at all.
fn pause(error: &UpstreamError, attempt: u32) -> Option<Duration> {
    let own = FIRST_WAIT * 2_u32.pow(attempt - 1);
    match error {
        UpstreamError::Google(error) => match error.verdict() {
            Verdict::RateLimited { retry_after } | Verdict::AtCapacity { retry_after } => {
                Some(retry_after.unwrap_or(own))
            }
            Verdict::Failed if (500..=599).contains(&error.http_status) => Some(own),
            _ => None,
        },
        // A connection could not be made: nothing has been asked yet.
        UpstreamError::Http(HttpError::Unreachable { .. }) => Some(own),
        _ => None,
    }
}

/// For the log, without Google's words.
fn word(error: &UpstreamError) -> String {
    match error {
        UpstreamError::Google(error) => format!("it answered HTTP {}", error.http_status),
        _ => "it could not be reached".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::upstream::GoogleError;

    fn google(status: u16, message: &str) -> UpstreamError {
        let body = serde_json::json!({"error": {"code": status, "message": message}});
        UpstreamError::Google(Box::new(GoogleError::parse(
            status,
            body.to_string().as_bytes(),
        )))
    }

    #[test]
    fn lesson_10_only_what_passes_by_itself_and_soon_is_asked_again() {
        let waits = |error: &UpstreamError| pause(error, 1).filter(|wait| *wait <= MAX_WAIT);
        assert_eq!(
            waits(&google(429, "Please retry in 1.5s")),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(waits(&google(429, "Please retry in 41s")), None);
        assert_eq!(waits(&google(429, "limit: 0")), None);
        assert_eq!(waits(&google(503, "overloaded")), Some(FIRST_WAIT));
        assert_eq!(
            waits(&google(500, "Internal error encountered.")),
            Some(FIRST_WAIT)
        );
        for status in [400, 401, 403, 404, 413, 504] {
            assert_eq!(waits(&google(status, "no")), None, "{status}");
        }
    }

    #[test]
    fn whoever_leaves_is_not_waited_for() {
        let pulse = Pulse::new(|| Err(crate::http::GaveUp::Left));
        let mut asked = 0;
        let outcome: Result<(), _> = asking(&pulse, || {
            asked += 1;
            Err(google(503, "overloaded"))
        });
        assert!(matches!(
            outcome,
            Err(UpstreamError::Http(HttpError::GaveUp(_)))
        ));
        assert_eq!(asked, 1);
    }
}
