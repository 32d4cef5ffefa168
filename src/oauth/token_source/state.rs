//! What is known of the credentials right now, caught up with the file.

use std::time::Instant;

use crate::oauth::credentials::Credentials;
use crate::oauth::store::{CredentialStore, FileIdentity, StoreError, Stored};
use crate::oauth::{AccessToken, AuthError, SignedOut, now_ms};

/// What is known right now.
#[derive(Debug)]
pub(super) struct State {
    pub(super) stored: Stored,
    /// Which content of the file that is. `None`: it was never read.
    pub(super) seen: Option<FileIdentity>,
    /// The file is there now and cannot be read.
    pub(super) unreadable: Option<StoreError>,
    /// Refused by Google although it looks alive.
    pub(super) discarded: Option<AccessToken>,
    /// The last attempt to renew, if it failed.
    pub(super) failure: Option<Failure>,
    /// What is known is not in the file; when to try to write it again.
    pub(super) save_again_at: Option<Instant>,
}

#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) at: Instant,
    pub(super) error: AuthError,
}

impl State {
    pub(super) fn new(stored: Stored, seen: Option<FileIdentity>) -> Self {
        Self {
            stored,
            seen,
            unreadable: None,
            discarded: None,
            failure: None,
            save_again_at: None,
        }
    }

    pub(super) fn catch_up(&mut self, store: &CredentialStore) {
        if self.seen.is_some() && self.seen == store.identity().ok() {
            return;
        }
        match store.load_identified() {
            Ok((stored, seen)) => {
                if let Stored::Unusable(why) = &stored {
                    log::warn!("{why}; nobody is signed in");
                }
                self.stored = stored;
                self.seen = Some(seen);
                self.unreadable = None;
                self.failure = None;
                self.save_again_at = None;
            }
            Err(error) => {
                if self.unreadable.is_none() {
                    log::warn!("{error}");
                }
                self.unreadable = Some(error);
            }
        }
    }

    /// Those in memory serve even if the file has become unreadable.
    pub(super) fn credentials(&self) -> Result<&Credentials, AuthError> {
        let why = match (&self.stored, &self.unreadable) {
            (Stored::Credentials(credentials), _) => return Ok(credentials),
            (_, Some(error)) => return Err(error.clone().into()),
            (Stored::Nothing, None) => SignedOut::Nobody,
            (Stored::Ended(why), None) => SignedOut::Ended(why.clone()),
            (Stored::Unusable(why), None) => SignedOut::Unusable(why.clone()),
        };
        Err(AuthError::SignInRequired { why })
    }

    pub(super) fn lives(&self, credentials: &Credentials, margin_ms: u64) -> bool {
        self.discarded.as_ref() != Some(&credentials.access_token)
            && credentials.expires_at_ms > now_ms().saturating_add(margin_ms)
    }
}
