//! Images, and other media, that a client names by address: fetched before the
//! request is translated. What may be reached is decided in `http`.

use std::time::{Duration, Instant};

use super::error::ApiError;
use crate::http::{FetchError, FetchLimits, Fetcher, HttpError, Pulse};
use crate::translate::{Fetched, remote_media};
use crate::wire::openai::ChatRequest;

/// For one of them.
const PATIENCE: Duration = Duration::from_secs(10);
const MAX_BYTES: usize = 20 * 1024 * 1024;

/// For all of a request: how long its client may be left in silence, and as much
/// as it could have sent itself.
const WHOLE_PATIENCE: Duration = Duration::from_secs(30);
const MAX_WHOLE_BYTES: usize = 32 * 1024 * 1024;
const MAX_COUNT: usize = 64;

/// Fetches all that the request needs, each URL once. One after the other: a
/// request has one thread and one outgoing connection, on which the limits of
/// the transport count.
pub(super) fn fetch_all(
    chat: &ChatRequest<'_>,
    fetcher: &Fetcher,
    pulse: &Pulse,
) -> Result<Fetched, ApiError> {
    let begun = Instant::now();
    let mut fetched = Fetched::default();
    let mut bytes_left = MAX_WHOLE_BYTES;
    let mut count = 0;
    for remote in remote_media(chat) {
        if fetched.contains(remote.url) {
            continue;
        }
        count += 1;
        if count > MAX_COUNT {
            let why = format!("a request may name at most {MAX_COUNT} different URLs");
            return Err(remote.rejection(why).into());
        }
        let time_left = WHOLE_PATIENCE.saturating_sub(begun.elapsed());
        let limits = FetchLimits {
            time: PATIENCE.min(time_left),
            bytes: MAX_BYTES.min(bytes_left),
        };
        let bytes = fetcher
            .get(remote.url, limits, pulse)
            .map_err(|error| match error {
                FetchError::GaveUp(gave_up) => HttpError::from(gave_up).into(),
                error => ApiError::from(remote.rejection(explain(error, limits))),
            })?;
        fetched.add(&remote, &bytes)?;
        bytes_left -= bytes.len();
    }
    Ok(fetched)
}

/// Says so if it is the others that left too little for this one.
fn explain(error: FetchError, limits: FetchLimits) -> String {
    match error {
        FetchError::TooLarge(_) if limits.bytes < MAX_BYTES => {
            format!("what it and those before it lead to is larger than {MAX_WHOLE_BYTES} bytes")
        }
        FetchError::TimedOut(_) if limits.time < PATIENCE => {
            let seconds = WHOLE_PATIENCE.as_secs();
            format!("what it and those before it lead to did not arrive within {seconds} s")
        }
        error => error.to_string(),
    }
}
