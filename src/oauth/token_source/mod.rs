//! A fresh access token for whoever asks: one refresh at a time, however many
//! threads and processes find the old one stale.
//!
//! Two locks. `state` is held for moments and never while Google answers, so
//! that questions about the status do not wait. `turn` is held by the one who
//! changes the credentials, and with it the lock of the file, which other
//! processes heed. Whoever waits for either keeps beating the pulse of his client.

mod renewal;
mod state;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::{Config, Endpoints, OauthClient};
use crate::http::{Http, Pulse};
use crate::oauth::credentials::{Assignment, Credentials};
use crate::oauth::store::{CredentialStore, StoreLock, Stored};
use crate::oauth::token_endpoint::{self, PATIENCE, TokenEndpointError};
use crate::oauth::token_source::renewal::Urgency;
use crate::oauth::token_source::state::State;
use crate::oauth::turn::{Taken, Turn};
use crate::oauth::{AccessToken, AuthError, SignedOut, userinfo};

/// A token this near to its end is renewed, while the old one still serves.
const EARLY_MS: u64 = 5 * 60 * 1000;

/// A token this near to its end would die on its way to Google.
const LAST_MOMENT_MS: u64 = 10 * 1000;

/// Another process may hold the file's lock while Google answers it.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// Whoever has the turn is done by then: with the lock, and all that Google is asked.
const TURN_PATIENCE: Duration = Duration::from_secs(4 * 60);

/// A file that could not be written is tried again after so long.
const SAVING_PAUSE: Duration = Duration::from_secs(30);

/// The credentials of the account that is signed in, kept fresh.
#[derive(Debug)]
pub struct TokenSource {
    http: Http,
    endpoints: Endpoints,
    client: OauthClient,
    store: CredentialStore,
    state: Mutex<State>,
    turn: Turn,
    renewed: AtomicU64,
    not_renewed: AtomicU64,
}

/// Who is signed in, and how well.
#[derive(Debug, Clone)]
pub struct Status {
    pub signed_in: bool,
    pub email: Option<String>,
    pub assignment: Option<Assignment>,
    /// End of the access token, in milliseconds since 1970; it renews itself.
    pub expires_at_ms: Option<u64>,
    /// Why nobody is signed in, or why the last renewal failed.
    pub problem: Option<AuthError>,
}

/// How often a new access token was asked for, by what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewals {
    pub ok: u64,
    pub failed: u64,
}

/// How a sign-out went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignOut {
    WasNotSignedIn,
    /// Forgotten here, and ended at Google.
    Revoked,
    /// Forgotten here; Google could not be told. The user can end it at
    /// <https://myaccount.google.com/permissions>.
    Forgotten,
}

impl TokenSource {
    pub fn new(http: Http, config: &Config) -> Self {
        Self {
            http: http.with_patience(PATIENCE),
            endpoints: config.endpoints.clone(),
            client: config.oauth_client.clone(),
            store: CredentialStore::new(config.token_store.clone()),
            state: Mutex::new(State::new(Stored::Nothing, None)),
            turn: Turn::default(),
            renewed: AtomicU64::new(0),
            not_renewed: AtomicU64::new(0),
        }
    }

    /// A token that lives. Waits for Google only if there is none.
    /// `pulse` is asked meanwhile.
    pub fn access_token(&self, pulse: &Pulse) -> Result<AccessToken, AuthError> {
        Ok(self.credentials(pulse)?.access_token)
    }

    /// The credentials around a token that lives.
    pub fn credentials(&self, pulse: &Pulse) -> Result<Credentials, AuthError> {
        let asked_at = Instant::now();
        let (found, lives, fresh, save_again_at) = {
            let state = self.current_state();
            let found = state.credentials()?;
            (
                found.clone(),
                state.lives(found, LAST_MOMENT_MS),
                state.lives(found, EARLY_MS),
                state.save_again_at,
            )
        };
        if save_again_at.is_some_and(|at| at <= asked_at)
            && let Some(_turn) = self.turn.try_take()
        {
            self.save_again();
        }
        if fresh {
            Ok(found)
        } else if lives {
            self.renew_early(found, asked_at, pulse)
        } else {
            let _turn = self.turn(pulse)?;
            self.renew(&found, asked_at, Urgency::Due, pulse)
        }
    }

    /// Google refused `stale`; forget it, unless it has already been replaced.
    pub fn discard(&self, stale: &AccessToken) {
        let mut state = self.state();
        if let Stored::Credentials(credentials) = &state.stored
            && credentials.access_token == *stale
        {
            state.discarded = Some(stale.clone());
        }
    }

    /// Never waits for Google, nor for a renewal that does.
    pub fn status(&self) -> Status {
        let state = self.current_state();
        let credentials = state.credentials();
        let problem = match &credentials {
            Ok(_) => state.failure.as_ref().map(|failure| failure.error.clone()),
            // Whoever has not signed in has no problem yet.
            Err(AuthError::SignInRequired {
                why: SignedOut::Nobody,
            }) => None,
            Err(error) => Some(error.clone()),
        };
        let credentials = credentials.ok();
        Status {
            signed_in: credentials.is_some(),
            email: credentials.and_then(|known| known.email.clone()),
            assignment: credentials.and_then(|known| known.assignment.clone()),
            expires_at_ms: credentials.map(|known| known.expires_at_ms),
            problem,
        }
    }

    /// So far, in this process.
    pub fn renewals(&self) -> Renewals {
        Renewals {
            ok: self.renewed.load(Ordering::Relaxed),
            failed: self.not_renewed.load(Ordering::Relaxed),
        }
    }

    /// Waits for whoever is changing the credentials: a refresh token that Google has
    /// just replaced is lost if nobody saves it.
    pub fn wait_for_turn(&self) {
        match self.turn(&Pulse::none()) {
            Ok(_turn) => self.save_again(),
            Err(error) => log::error!("{error}"),
        }
    }

    /// Whether the credentials of a new sign-in could be saved.
    pub fn check_writable(&self) -> Result<(), AuthError> {
        Ok(self.store.check_writable()?)
    }

    /// Saves the credentials of a new sign-in. A file that is not ours is set
    /// aside first.
    pub fn adopt(&self, credentials: Credentials) -> Result<(), AuthError> {
        let _turn = self.turn(&Pulse::none())?;
        let _lock = self.store.lock(LOCK_PATIENCE, &Pulse::none());
        if let Stored::Unusable(why) = self.store.load()? {
            let aside = self.store.set_aside()?;
            log::warn!("{why}; it is now {}", aside.display());
        }
        let seen = self.store.save_identified(&credentials)?;
        let stored = Stored::Credentials(Box::new(credentials));
        *self.state() = State::new(stored, Some(seen));
        Ok(())
    }

    /// Ends the sign-in at Google, if it can be reached, and forgets it here in
    /// any case.
    pub fn sign_out(&self) -> Result<SignOut, AuthError> {
        let _turn = self.turn(&Pulse::none())?;
        // A lock would leave its file, where there is none to forget.
        if matches!(self.stored()?, Stored::Nothing) {
            return Ok(SignOut::WasNotSignedIn);
        }
        let _lock = self.store.lock(LOCK_PATIENCE, &Pulse::none());
        let outcome = match self.stored()? {
            Stored::Nothing | Stored::Unusable(_) => return Ok(SignOut::WasNotSignedIn),
            Stored::Ended(_) => SignOut::WasNotSignedIn,
            Stored::Credentials(credentials) => self.revoke(&credentials),
        };
        self.store.remove()?;
        *self.state() = State::new(Stored::Nothing, None);
        Ok(outcome)
    }

    /// Keeps (or, with `None`, forgets) the project of the account `owner`, if it
    /// is still the one that is signed in.
    pub fn remember_project(
        &self,
        owner: &Credentials,
        assignment: Option<Assignment>,
        pulse: &Pulse,
    ) -> Result<(), AuthError> {
        // What Google has said is kept, whoever leaves.
        let pulse = &pulse.persistent();
        let _turn = self.turn(pulse)?;
        let _lock = self.store.lock(LOCK_PATIENCE, pulse);
        let mut amended = self.current_state().credentials()?.clone();
        if amended.refresh_token == owner.refresh_token {
            amended.assignment = assignment;
            self.save(
                &amended,
                "the project will be asked for again after a restart",
            );
        }
        Ok(())
    }

    /// Tries credentials that another program obtained, before they take anyone's
    /// place: with a new access token, and the address of the account.
    pub fn renewed(&self, untried: Credentials) -> Result<Credentials, TokenEndpointError> {
        let answer = self.ask_for_tokens(&self.http, &untried, &Pulse::none())?;
        let mut renewed = untried.with(answer);
        if renewed.email.is_none() {
            let url = &self.endpoints.userinfo;
            renewed.email = userinfo::email(&self.http, url, &renewed.access_token);
        }
        Ok(renewed)
    }

    /// Memory keeps what cannot be written: one copy is better than none.
    fn save(&self, credentials: &Credentials, otherwise: &str) {
        let saved = self.store.save_identified(credentials);
        let mut state = self.state();
        match saved {
            Ok(seen) => {
                state.seen = Some(seen);
                state.save_again_at = None;
            }
            Err(error) => {
                log::error!("{error}; {otherwise}");
                state.save_again_at = Some(Instant::now() + SAVING_PAUSE);
            }
        }
        state.stored = Stored::Credentials(Box::new(credentials.clone()));
    }

    /// What could not be written, unless another process has written since. The
    /// caller holds `turn`.
    fn save_again(&self) {
        let lock = self.store.lock(Duration::ZERO, &Pulse::none());
        if matches!(lock, StoreLock::Busy) {
            return;
        }
        let unsaved = {
            let state = self.current_state();
            match (&state.stored, state.save_again_at) {
                (Stored::Credentials(credentials), Some(_)) => credentials.clone(),
                _ => return,
            }
        };
        self.save(&unsaved, "it is still in memory alone");
    }

    fn revoke(&self, credentials: &Credentials) -> SignOut {
        let url = &self.endpoints.revoke;
        match token_endpoint::revoke(&self.http, url, &credentials.refresh_token) {
            Ok(()) => SignOut::Revoked,
            Err(error) => {
                log::warn!("cannot tell Google of the end of the sign-in: {error}");
                SignOut::Forgotten
            }
        }
    }

    fn stored(&self) -> Result<Stored, AuthError> {
        let state = self.current_state();
        match &state.unreadable {
            Some(error) => Err(error.clone().into()),
            None => Ok(state.stored.clone()),
        }
    }

    fn turn(&self, pulse: &Pulse) -> Result<Taken<'_>, AuthError> {
        Ok(self.turn.take(TURN_PATIENCE, pulse)?)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Caught up with what other processes have done to the file.
    fn current_state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.catch_up(&self.store);
        state
    }
}
