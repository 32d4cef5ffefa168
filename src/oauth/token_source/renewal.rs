//! Renewal: a new access token for an old refresh token, once for everyone.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{Http, Pulse};
use crate::oauth::credentials::Credentials;
use crate::oauth::store::{StoreLock, Stored};
use crate::oauth::token_endpoint::{TokenEndpoint, TokenEndpointError};
use crate::oauth::token_source::state::Failure;
use crate::oauth::token_source::{LOCK_PATIENCE, TokenSource};
use crate::oauth::{AuthError, SignedOut};
use crate::wire::google_oauth::TokenResponse;

/// After an early renewal has failed, the old token serves this long before the
/// next attempt.
const EARLY_PAUSE: Duration = Duration::from_secs(30);

/// While the old token serves, nobody shall wait long for a new one.
const EARLY_PATIENCE: Duration = Duration::from_secs(3);

/// For another process to save what it was given, if no lock tells when it has.
const SAVING_PAUSE: Duration = Duration::from_secs(1);

/// Does the old token still serve?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    Early,
    Due,
}

impl TokenSource {
    pub(super) fn renew_early(
        &self,
        found: Credentials,
        asked_at: Instant,
        pulse: &Pulse,
    ) -> Result<Credentials, AuthError> {
        let is_pausing = match &self.state().failure {
            Some(failure) => failure.at.elapsed() < EARLY_PAUSE,
            None => false,
        };
        if is_pausing {
            return Ok(found);
        }
        let Some(_turn) = self.turn.try_take() else {
            return Ok(found);
        };
        match self.renew(&found, asked_at, Urgency::Early, pulse) {
            Err(error) if !matches!(error, AuthError::SignInRequired { .. }) => {
                log::warn!("{error}; the old one serves a little longer");
                Ok(found)
            }
            outcome => outcome,
        }
    }

    /// Replaces `stale`, or takes what others have replaced it with meanwhile.
    /// The caller holds `turn`.
    pub(super) fn renew(
        &self,
        stale: &Credentials,
        asked_at: Instant,
        urgency: Urgency,
        pulse: &Pulse,
    ) -> Result<Credentials, AuthError> {
        // Those who waited while the attempt failed share its outcome; otherwise
        // a hundred of them would make a hundred attempts, one after the other.
        if let Some(failure) = &self.current_state().failure
            && failure.at >= asked_at
        {
            return Err(failure.error.clone());
        }
        let (http, lock_patience) = match urgency {
            Urgency::Early => (self.http.with_patience(EARLY_PATIENCE), Duration::ZERO),
            Urgency::Due => (self.http.clone(), LOCK_PATIENCE),
        };
        let lock = self.store.lock(lock_patience, pulse);
        match lock {
            StoreLock::GaveUp(gave_up) => return Err(gave_up.into()),
            StoreLock::Busy if urgency == Urgency::Early => return Ok(stale.clone()),
            _ => {}
        }
        let current = {
            let state = self.current_state();
            let current = state.credentials()?;
            if current.access_token != stale.access_token && state.lives(current, 0) {
                return Ok(current.clone());
            }
            current.clone()
        };
        // The answer may kill the old refresh token: it is waited for, whoever leaves.
        let outcome = self.refresh(&http, &lock, current, &pulse.persistent());
        self.state().failure = outcome.as_ref().err().map(|error| Failure {
            at: Instant::now(),
            error: error.clone(),
        });
        outcome
    }

    fn refresh(
        &self,
        http: &Http,
        lock: &StoreLock,
        current: Credentials,
        pulse: &Pulse,
    ) -> Result<Credentials, AuthError> {
        let refusal = match self.ask_for_tokens(http, &current, pulse) {
            Ok(answer) => return Ok(self.keep(current, answer)),
            Err(TokenEndpointError::Refused(refusal)) if refusal.is_of_grant() => refusal,
            Err(error) => return Err(error.into()),
        };
        // A process that knows nothing of our lock may have signed in meanwhile; one
        // that could not take it may have the token that took this one's place.
        if !matches!(lock, StoreLock::Held { .. }) {
            thread::sleep(SAVING_PAUSE);
        }
        let replaced = match self.current_state().credentials() {
            Ok(now) if now.refresh_token != current.refresh_token => Some(now.clone()),
            _ => None,
        };
        if let Some(replaced) = replaced {
            let answer = self.ask_for_tokens(http, &replaced, pulse)?;
            return Ok(self.keep(replaced, answer));
        }
        log::error!(
            "Google has ended the sign-in ({refusal}): sign in again at /auth/login, or with \
             `gemini-proxy login`"
        );
        Err(self.forget(refusal.to_string()))
    }

    pub(super) fn ask_for_tokens(
        &self,
        http: &Http,
        credentials: &Credentials,
        pulse: &Pulse,
    ) -> Result<TokenResponse, TokenEndpointError> {
        let client = match &credentials.client {
            // The secret of the client that is configured may be newer.
            Some(client) if client.id != self.client.id => client,
            _ => &self.client,
        };
        let endpoint = TokenEndpoint {
            http,
            url: &self.endpoints.token,
            client,
        };
        let outcome = endpoint.refresh(&credentials.refresh_token, pulse);
        let counter = match outcome {
            Ok(_) => &self.renewed,
            Err(_) => &self.not_renewed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        outcome
    }

    /// Saves before anyone uses the new token: a refresh token that was rotated
    /// has killed the old one.
    fn keep(&self, old: Credentials, answer: TokenResponse) -> Credentials {
        let replaced = old.refresh_token.clone();
        let renewed = old.with(answer);
        let otherwise = if renewed.refresh_token != replaced {
            "Google has replaced the refresh token, and the new one ends with this process: make \
             the file writable before"
        } else {
            "the renewed access token will not survive a restart"
        };
        self.save(&renewed, otherwise);
        self.state().discarded = None;
        renewed
    }

    fn forget(&self, why: String) -> AuthError {
        let saved = self.store.save_ended(&why);
        let mut state = self.state();
        match saved {
            Ok(seen) => state.seen = Some(seen),
            Err(error) => log::error!("{error}; it still holds the dead refresh token"),
        }
        state.stored = Stored::Ended(why.clone());
        AuthError::SignInRequired {
            why: SignedOut::Ended(why),
        }
    }
}
