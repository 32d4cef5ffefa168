//! What a refusal of Google means, decided in one place.
//!
//! Google says little by status alone: a 429 may pass in a second or last until
//! tomorrow. The order of the questions is that of Google's own CLI.

use std::time::Duration;

use super::GoogleError;

/// A wait that a client may be asked to sit out.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Per-minute quotas whose reset Google does not tell.
const ONE_MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The request cannot be served as it is.
    Invalid,
    /// More input than the model takes; tokens.
    ContextTooLong {
        given: Option<u64>,
        limit: Option<u64>,
    },
    TooLarge,
    /// No such model, or not for this account.
    NotFound,
    /// The token or the API key is not accepted.
    Unauthenticated,
    /// The account, its project or its licence; Google's reason says which.
    Denied,
    /// Passes by itself, soon.
    RateLimited {
        retry_after: Option<Duration>,
    },
    /// Passes much later, or never.
    QuotaExhausted {
        resets_after: Option<Duration>,
    },
    /// Google has too much to do.
    AtCapacity {
        retry_after: Option<Duration>,
    },
    TimedOut,
    /// Google's own failure.
    Failed,
}

impl GoogleError {
    pub fn verdict(&self) -> Verdict {
        match self.http_status {
            400 if self.reason.as_deref() == Some("API_KEY_INVALID") => Verdict::Unauthenticated,
            400 if self.message.contains("API key not valid") => Verdict::Unauthenticated,
            400 if self.message.contains("input token count") => self.context_too_long(),
            400 if self.message.contains("payload size exceeds the limit") => Verdict::TooLarge,
            401 => Verdict::Unauthenticated,
            403 => Verdict::Denied,
            404 => Verdict::NotFound,
            408 | 504 => Verdict::TimedOut,
            413 => Verdict::TooLarge,
            429 | 499 | 503 => self.quota_verdict(),
            400 => Verdict::Invalid,
            // In Google's own form; anything else is said by something in between.
            402..500 if self.status.is_some() => Verdict::Invalid,
            _ => Verdict::Failed,
        }
    }

    /// "The input token count (1203441) exceeds the maximum number of tokens
    /// allowed (1048576)."
    fn context_too_long(&self) -> Verdict {
        let mut numbers = self
            .message
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|digits| digits.parse::<u64>().ok());
        match (numbers.next(), numbers.next()) {
            (limit, None) => Verdict::ContextTooLong { given: None, limit },
            (given, limit) => Verdict::ContextTooLong { given, limit },
        }
    }

    fn quota_verdict(&self) -> Verdict {
        let delay = self.retry_delay;
        let exhausted = Verdict::QuotaExhausted {
            resets_after: delay,
        };
        let of_minute = |text: &String| text.contains("PerMinute");
        let of_day = |text: &String| text.contains("PerDay") || text.contains("Daily");
        if self.allows_nothing() || self.quota_ids.iter().any(of_day) {
            return exhausted;
        }
        match self.reason.as_deref() {
            Some("MODEL_CAPACITY_EXHAUSTED" | "MODEL_CAPACITY_EXCEEDED") => {
                return Verdict::AtCapacity { retry_after: delay };
            }
            Some("QUOTA_EXHAUSTED" | "INSUFFICIENT_G1_CREDITS_BALANCE") => return exhausted,
            _ => {}
        }
        match delay {
            Some(delay) if delay > MAX_WAIT => exhausted,
            _ if self.http_status == 503 || self.speaks_of_capacity() => {
                Verdict::AtCapacity { retry_after: delay }
            }
            Some(_) => Verdict::RateLimited { retry_after: delay },
            None if self.is_code_assist_limit() => exhausted,
            None if self.quota_ids.iter().any(of_minute)
                || self.metadata.get("quota_limit").is_some_and(of_minute) =>
            {
                Verdict::RateLimited {
                    retry_after: Some(ONE_MINUTE),
                }
            }
            None => Verdict::RateLimited { retry_after: None },
        }
    }

    /// "… limit: 0": this account has no quota for the model at all.
    fn allows_nothing(&self) -> bool {
        self.message.match_indices("limit: 0").any(|(at, phrase)| {
            let mut rest = self.message[at + phrase.len()..].chars();
            match rest.next() {
                Some('.') => !rest.next().is_some_and(|c| c.is_ascii_digit()),
                Some(c) => !c.is_ascii_digit(),
                None => true,
            }
        })
    }

    fn speaks_of_capacity(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        self.http_status != 429 && message.contains("overloaded")
            || [
                "capacity exceeded",
                "no capacity",
                "model_capacity_exhausted",
            ]
            .iter()
            .any(|words| message.contains(words))
    }

    /// Code Assist names the delay of a limit that passes; without one it lasts.
    fn is_code_assist_limit(&self) -> bool {
        self.reason.as_deref() == Some("RATE_LIMIT_EXCEEDED")
            && self
                .domain
                .as_deref()
                .is_some_and(|domain| domain.ends_with("cloudcode-pa.googleapis.com"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_google_can_say_that_a_request_is_wrong() {
        let verdict = |status, body: &str| GoogleError::parse(status, body.as_bytes()).verdict();
        let aborted = r#"{"error":{"code":409,"message":"No.","status":"ABORTED"}}"#;
        assert_eq!(verdict(400, "{}"), Verdict::Invalid);
        assert_eq!(verdict(409, aborted), Verdict::Invalid);
        for status in [204, 302, 402, 405, 409, 451, 500] {
            assert_eq!(verdict(status, "<html>"), Verdict::Failed, "{status}");
        }
    }
}
