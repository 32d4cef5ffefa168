//! Sign-ins that were begun and not yet finished: single use, short-lived, few.

use std::time::{Duration, Instant};

use crate::oauth::pkce::CodeVerifier;
use crate::secret::Secret;

/// Time enough for a password, a second factor and the consent page.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Anyone who reaches `/auth/login` begins one. The oldest make room: whoever
/// clicked last is the one who waits for an answer.
const MAX_PENDING: usize = 16;

/// One sign-in, while the user is at Google.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) state: Secret,
    pub(super) verifier: CodeVerifier,
    pub(super) redirect_uri: String,
    begun: Instant,
}

/// All of them, oldest first.
#[derive(Debug, Default)]
pub(super) struct PendingSignIns(Vec<Pending>);

impl Pending {
    pub(super) fn new(
        state: Secret,
        verifier: CodeVerifier,
        redirect_uri: String,
        begun: Instant,
    ) -> Self {
        Self {
            state,
            verifier,
            redirect_uri,
            begun,
        }
    }
}

impl PendingSignIns {
    pub(super) fn add(&mut self, pending: Pending) {
        self.expire(pending.begun);
        if self.0.len() == MAX_PENDING {
            self.0.remove(0);
        }
        self.0.push(pending);
    }

    /// The sign-in with this `state`, which nobody can take again.
    pub(super) fn take(&mut self, state: &str, now: Instant) -> Option<Pending> {
        self.expire(now);
        // Every candidate is compared to its end, so that the time taken tells
        // nothing about any of them.
        let found = self
            .0
            .iter()
            .enumerate()
            .fold(None, |found, (index, pending)| {
                let matches = pending.state.matches(state);
                if matches { Some(index) } else { found }
            });
        found.map(|index| self.0.remove(index))
    }

    fn expire(&mut self, now: Instant) {
        self.0
            .retain(|pending| now.saturating_duration_since(pending.begun) < LIFETIME);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn begun(state: &str, at: Instant) -> Pending {
        let verifier = CodeVerifier::random().unwrap();
        Pending::new(Secret::new(state), verifier, "http://127.0.0.1".into(), at)
    }

    #[test]
    fn a_state_is_good_once() {
        let now = Instant::now();
        let mut pending = PendingSignIns::default();
        pending.add(begun("a", now));
        pending.add(begun("b", now));
        assert!(pending.take("a", now).is_some());
        assert!(pending.take("a", now).is_none());
        assert!(pending.take("b", now).is_some());
    }

    #[test]
    fn a_state_of_somebody_else_is_not_known() {
        let now = Instant::now();
        let mut pending = PendingSignIns::default();
        pending.add(begun("a", now));
        assert!(pending.take("", now).is_none());
        assert!(pending.take("aa", now).is_none());
        assert!(pending.take("a", now).is_some());
    }

    #[test]
    fn a_state_expires() {
        let now = Instant::now();
        let mut pending = PendingSignIns::default();
        pending.add(begun("in time", now));
        pending.add(begun("too late", now));
        let almost = now + LIFETIME - Duration::from_millis(1);
        assert!(pending.take("in time", almost).is_some());
        assert!(pending.take("too late", now + LIFETIME).is_none());
    }

    #[test]
    fn the_oldest_makes_room() {
        let now = Instant::now();
        let mut pending = PendingSignIns::default();
        for index in 0..=MAX_PENDING {
            pending.add(begun(&index.to_string(), now));
        }
        assert_eq!(pending.0.len(), MAX_PENDING);
        assert!(pending.take("0", now).is_none());
        assert!(pending.take("1", now).is_some());
    }
}
