//! A fresh access token for whoever asks: one refresh at a time, however many
//! threads and processes find the old one stale.
//!
//! Two locks. `state` is held for moments and never while Google answers, so
//! that questions about the status do not wait. `turn` is held by the one who
//! changes the credentials, and with it the lock of the file, which other
//! processes heed.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use crate::config::{Config, Endpoints, OauthClient};
use crate::http::Http;
use crate::oauth::credentials::{Assignment, Credentials};
use crate::oauth::store::{CredentialStore, FileIdentity, StoreError, StoreLock, Stored};
use crate::oauth::token_endpoint::{
    self, PATIENCE, TokenEndpoint, TokenEndpointError, expires_at_ms,
};
use crate::oauth::{AccessToken, AuthError, SignedOut, now_ms, userinfo};
use crate::wire::google_oauth::TokenResponse;

/// A token this near to its end is renewed, while the old one still serves.
const EARLY_MS: u64 = 5 * 60 * 1000;

/// A token this near to its end would die on its way to Google.
const LAST_MOMENT_MS: u64 = 10 * 1000;

/// After an early renewal has failed, the old token serves this long before the
/// next attempt.
const EARLY_PAUSE: Duration = Duration::from_secs(30);

/// Another process may hold the file's lock while Google answers it.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// The credentials of the account that is signed in, kept fresh.
#[derive(Debug)]
pub struct TokenSource {
    http: Http,
    endpoints: Endpoints,
    client: OauthClient,
    store: CredentialStore,
    state: Mutex<State>,
    turn: Mutex<()>,
}

/// What is known right now.
#[derive(Debug)]
struct State {
    stored: Stored,
    /// Which content of the file that is. `None`: it was never read.
    seen: Option<FileIdentity>,
    /// The file is there now and cannot be read.
    unreadable: Option<StoreError>,
    /// Refused by Google although it looks alive.
    discarded: Option<AccessToken>,
    /// The last attempt to renew, if it failed.
    failure: Option<Failure>,
}

#[derive(Debug, Clone)]
struct Failure {
    at: Instant,
    error: AuthError,
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

/// Does the old token still serve?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Urgency {
    Early,
    Due,
}

impl TokenSource {
    pub fn new(http: Http, config: &Config) -> Self {
        Self {
            http: http.with_patience(PATIENCE),
            endpoints: config.endpoints.clone(),
            client: config.oauth_client.clone(),
            store: CredentialStore::new(config.token_store.clone()),
            state: Mutex::new(State {
                stored: Stored::Nothing,
                seen: None,
                unreadable: None,
                discarded: None,
                failure: None,
            }),
            turn: Mutex::new(()),
        }
    }

    /// A token that lives. Waits for Google only if there is none.
    pub fn access_token(&self) -> Result<AccessToken, AuthError> {
        Ok(self.credentials()?.access_token)
    }

    /// The credentials around a token that lives.
    pub fn credentials(&self) -> Result<Credentials, AuthError> {
        let asked_at = Instant::now();
        let (found, lives, fresh) = {
            let state = self.current_state();
            let found = state.credentials()?;
            (
                found.clone(),
                state.lives(found, LAST_MOMENT_MS),
                state.lives(found, EARLY_MS),
            )
        };
        if fresh {
            Ok(found)
        } else if lives {
            self.renew_early(found, asked_at)
        } else {
            let _turn = self.turn();
            self.renew(&found, asked_at, Urgency::Due)
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

    /// Saves the credentials of a new sign-in. A file that is not ours is set
    /// aside first.
    pub fn adopt(&self, credentials: Credentials) -> Result<(), AuthError> {
        let _turn = self.turn();
        let _lock = self.store.lock(LOCK_PATIENCE);
        if let Stored::Unusable(why) = self.store.load()? {
            let aside = self.store.set_aside()?;
            log::warn!("{why}; it is now {}", aside.display());
        }
        let seen = self.store.save_identified(&credentials)?;
        *self.state() = State {
            stored: Stored::Credentials(Box::new(credentials)),
            seen: Some(seen),
            unreadable: None,
            discarded: None,
            failure: None,
        };
        Ok(())
    }

    /// Ends the sign-in at Google, if it can be reached, and forgets it here in
    /// any case.
    pub fn sign_out(&self) -> Result<SignOut, AuthError> {
        let _turn = self.turn();
        let _lock = self.store.lock(LOCK_PATIENCE);
        let stored = self.store.load()?;
        let outcome = match &stored {
            Stored::Nothing | Stored::Unusable(_) => return Ok(SignOut::WasNotSignedIn),
            Stored::Ended(_) => SignOut::WasNotSignedIn,
            Stored::Credentials(credentials) => self.revoke(credentials),
        };
        self.store.remove()?;
        self.current_state().failure = None;
        Ok(outcome)
    }

    /// Keeps (or, with `None`, forgets) the project of the account `owner`, if it
    /// is still the one that is signed in.
    pub fn remember_project(
        &self,
        owner: &Credentials,
        assignment: Option<Assignment>,
    ) -> Result<(), AuthError> {
        self.amend(owner, |credentials| credentials.assignment = assignment)
    }

    /// Asks Google whose account this is, where that is not known yet.
    pub fn learn_email(&self) -> Result<(), AuthError> {
        let owner = self.credentials()?;
        if owner.email.is_some() {
            return Ok(());
        }
        let url = &self.endpoints.userinfo;
        match userinfo::email(&self.http, url, &owner.access_token) {
            None => Ok(()),
            email => self.amend(&owner, |credentials| credentials.email = email),
        }
    }

    fn renew_early(&self, found: Credentials, asked_at: Instant) -> Result<Credentials, AuthError> {
        let is_pausing = match &self.state().failure {
            Some(failure) => failure.at.elapsed() < EARLY_PAUSE,
            None => false,
        };
        if is_pausing {
            return Ok(found);
        }
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(found),
        };
        match self.renew(&found, asked_at, Urgency::Early) {
            Err(error) if !matches!(error, AuthError::SignInRequired { .. }) => {
                log::warn!("{error}; the old one serves a little longer");
                Ok(found)
            }
            outcome => outcome,
        }
    }

    /// Replaces `stale`, or takes what others have replaced it with meanwhile.
    /// The caller holds `turn`.
    fn renew(
        &self,
        stale: &Credentials,
        asked_at: Instant,
        urgency: Urgency,
    ) -> Result<Credentials, AuthError> {
        // Those who waited while the attempt failed share its outcome; otherwise
        // a hundred of them would make a hundred attempts, one after the other.
        if let Some(failure) = &self.state().failure
            && failure.at >= asked_at
        {
            return Err(failure.error.clone());
        }
        let patience = match urgency {
            Urgency::Early => Duration::ZERO,
            Urgency::Due => LOCK_PATIENCE,
        };
        let lock = self.store.lock(patience);
        if urgency == Urgency::Early && matches!(lock, StoreLock::Busy) {
            return Ok(stale.clone());
        }
        let current = {
            let state = self.current_state();
            let current = state.credentials()?;
            if current.access_token != stale.access_token && state.lives(current, 0) {
                return Ok(current.clone());
            }
            current.clone()
        };
        let outcome = self.refresh(current);
        self.state().failure = outcome.as_ref().err().map(|error| Failure {
            at: Instant::now(),
            error: error.clone(),
        });
        outcome
    }

    fn refresh(&self, current: Credentials) -> Result<Credentials, AuthError> {
        let refusal = match self.ask_for_tokens(&current) {
            Ok(answer) => return Ok(self.keep(current, answer)),
            Err(TokenEndpointError::Refused(refusal)) if refusal.is_of_grant() => refusal,
            Err(error) => return Err(error.into()),
        };
        // A process that knows nothing of our lock may have signed in meanwhile.
        let replaced = match self.current_state().credentials() {
            Ok(now) if now.refresh_token != current.refresh_token => Some(now.clone()),
            _ => None,
        };
        if let Some(replaced) = replaced {
            let answer = self.ask_for_tokens(&replaced)?;
            return Ok(self.keep(replaced, answer));
        }
        log::error!("Google has ended the sign-in ({refusal})");
        Err(self.forget(refusal.to_string()))
    }

    fn ask_for_tokens(
        &self,
        credentials: &Credentials,
    ) -> Result<TokenResponse, TokenEndpointError> {
        let client = match &credentials.client {
            // The secret of the client that is configured may be newer.
            Some(client) if client.id != self.client.id => client,
            _ => &self.client,
        };
        let endpoint = TokenEndpoint {
            http: &self.http,
            url: &self.endpoints.token,
            client,
        };
        endpoint.refresh(&credentials.refresh_token)
    }

    /// Saves before anyone uses the new token: a refresh token that was rotated
    /// has killed the old one. If it cannot be saved, memory has the only copy,
    /// which is still better than none.
    fn keep(&self, old: Credentials, answer: TokenResponse) -> Credentials {
        let renewed = Credentials {
            expires_at_ms: expires_at_ms(&answer),
            access_token: AccessToken::new(answer.access_token),
            refresh_token: answer.refresh_token.unwrap_or(old.refresh_token),
            scope: answer.scope.or(old.scope),
            ..old
        };
        let saved = self.store.save_identified(&renewed);
        let mut state = self.state();
        match saved {
            Ok(seen) => state.seen = Some(seen),
            Err(error) => {
                log::error!("{error}; the renewed access token will not survive a restart")
            }
        }
        state.stored = Stored::Credentials(Box::new(renewed.clone()));
        state.discarded = None;
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

    fn revoke(&self, credentials: &Credentials) -> SignOut {
        let url = &self.endpoints.revoke;
        match token_endpoint::revoke(&self.http, url, &credentials.refresh_token) {
            // 400: the token is dead already.
            Ok(200..300 | 400) => SignOut::Revoked,
            Ok(status) => {
                log::warn!("Google answered HTTP {status} to the end of the sign-in");
                SignOut::Forgotten
            }
            Err(error) => {
                log::warn!("cannot tell Google of the end of the sign-in: {error}");
                SignOut::Forgotten
            }
        }
    }

    fn amend(
        &self,
        owner: &Credentials,
        change: impl FnOnce(&mut Credentials),
    ) -> Result<(), AuthError> {
        let _turn = self.turn();
        let _lock = self.store.lock(LOCK_PATIENCE);
        let mut amended = self.current_state().credentials()?.clone();
        if amended.refresh_token != owner.refresh_token {
            return Ok(());
        }
        change(&mut amended);
        let seen = self.store.save_identified(&amended)?;
        let mut state = self.state();
        state.stored = Stored::Credentials(Box::new(amended));
        state.seen = Some(seen);
        Ok(())
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
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

impl State {
    fn catch_up(&mut self, store: &CredentialStore) {
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
    fn credentials(&self) -> Result<&Credentials, AuthError> {
        let why = match (&self.stored, &self.unreadable) {
            (Stored::Credentials(credentials), _) => return Ok(credentials),
            (_, Some(error)) => return Err(error.clone().into()),
            (Stored::Nothing, None) => SignedOut::Never,
            (Stored::Ended(why), None) => SignedOut::Ended(why.clone()),
            (Stored::Unusable(why), None) => SignedOut::Unusable(why.clone()),
        };
        Err(AuthError::SignInRequired { why })
    }

    fn lives(&self, credentials: &Credentials, margin_ms: u64) -> bool {
        self.discarded.as_ref() != Some(&credentials.access_token)
            && credentials.expires_at_ms > now_ms().saturating_add(margin_ms)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::thread;

    use super::*;
    use crate::oauth::store::tests::credentials;
    use crate::oauth::testing::{Answer, FakeGoogle};
    use crate::secret::Secret;

    const RENEWED: &str = r#"{"access_token":"ya29.new","expires_in":3599,"token_type":"Bearer"}"#;
    const REVOKED: &str =
        r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;

    /// One account in one file, and a Google that says what it is told.
    struct Scene {
        google: FakeGoogle,
        folder: tempfile::TempDir,
    }

    impl Scene {
        fn new(answers: Vec<Answer>) -> Self {
            Self {
                google: FakeGoogle::start(answers),
                folder: tempfile::tempdir().unwrap(),
            }
        }

        fn file(&self) -> PathBuf {
            self.folder.path().join("tokens.json")
        }

        /// As another process would: nothing is shared but the file.
        fn process(&self) -> TokenSource {
            let mut config = self.google.config();
            config.token_store = self.file();
            TokenSource::new(self.google.http(), &config)
        }

        /// The account `1//old` with a token that ends so much later than now.
        fn signed_in(&self, lifetime_ms: u64) -> TokenSource {
            let mut account = credentials();
            account.expires_at_ms = now_ms() + lifetime_ms;
            let process = self.process();
            process.adopt(account).unwrap();
            process
        }

        fn on_disk(&self) -> String {
            fs::read_to_string(self.file()).unwrap()
        }
    }

    const HOUR_MS: u64 = 3_600_000;
    const MINUTE_MS: u64 = 60_000;

    fn token(tokens: &TokenSource) -> String {
        tokens.access_token().unwrap().reveal().to_owned()
    }

    #[test]
    fn a_fresh_token_is_given_without_asking_google() {
        let scene = Scene::new(vec![]);
        let tokens = scene.signed_in(HOUR_MS);
        assert_eq!(token(&tokens), "ya29.old");
        assert!(scene.google.requests().is_empty());
    }

    #[test]
    fn many_threads_cause_one_refresh() {
        let scene = Scene::new(vec![Answer::json(200, RENEWED)]);
        let tokens = scene.signed_in(0);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..32).map(|_| scope.spawn(|| token(&tokens))).collect();
            for thread in threads {
                assert_eq!(thread.join().unwrap(), "ya29.new");
            }
        });
        assert_eq!(scene.google.requests().len(), 1);
        assert!(
            scene.on_disk().contains("1//old"),
            "the refresh token is kept"
        );
    }

    #[test]
    fn two_processes_cause_one_refresh() {
        let scene = Scene::new(vec![Answer::json(200, RENEWED)]);
        let one = scene.signed_in(0);
        let other = scene.process();
        thread::scope(|scope| {
            let threads: Vec<_> = [&one, &other]
                .into_iter()
                .cycle()
                .take(16)
                .map(|process| scope.spawn(|| token(process)))
                .collect();
            for thread in threads {
                assert_eq!(thread.join().unwrap(), "ya29.new");
            }
        });
        assert_eq!(scene.google.requests().len(), 1);
    }

    #[test]
    fn those_who_waited_for_a_failure_share_it() {
        let (failure, release) = Answer::json(503, "{}").held();
        let scene = Scene::new(vec![failure]);
        let tokens = scene.signed_in(0);
        let asked_at = Instant::now();
        thread::scope(|scope| {
            let first = scope.spawn(|| tokens.access_token());
            scene.google.wait_for_request();
            drop(release);
            assert!(first.join().unwrap().is_err());
        });
        let stale = tokens.state().credentials().unwrap().clone();
        let shared = tokens.renew(&stale, asked_at, Urgency::Due);
        assert!(matches!(
            shared,
            Err(AuthError::Unavailable { status: 503 })
        ));
        assert_eq!(scene.google.requests().len(), 1);
    }

    #[test]
    fn a_rotated_refresh_token_replaces_the_old_one() {
        let rotated = r#"{"access_token":"ya29.new","expires_in":3599,"refresh_token":"1//new"}"#;
        let scene = Scene::new(vec![Answer::json(200, rotated)]);
        assert_eq!(token(&scene.signed_in(0)), "ya29.new");
        assert!(scene.on_disk().contains("1//new") && !scene.on_disk().contains("1//old"));
    }

    #[test]
    fn a_revoked_sign_in_is_forgotten_and_every_process_knows_why() {
        let scene = Scene::new(vec![Answer::json(400, REVOKED)]);
        let tokens = scene.signed_in(0);
        for process in [&tokens, &scene.process(), &tokens] {
            let error = process.access_token().unwrap_err();
            assert_eq!(
                error.to_string(),
                "not signed in to Google: the sign-in has ended (invalid_grant: Token has been \
                 expired or revoked); open /auth/login in a browser, or run `gemini-proxy login`"
            );
        }
        assert_eq!(scene.google.requests().len(), 1);
        assert!(!scene.on_disk().contains("1//old"));
    }

    #[test]
    fn a_sign_in_by_another_process_outlives_the_old_ones_death() {
        let (dead, release) = Answer::json(400, REVOKED).held();
        let scene = Scene::new(vec![dead, Answer::json(200, RENEWED)]);
        let tokens = scene.signed_in(0);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| token(&tokens));
            scene.google.wait_for_request();
            // One that knows nothing of our lock.
            let mut replaced = credentials();
            replaced.refresh_token = Secret::new("1//replaced");
            replaced.expires_at_ms = 0;
            CredentialStore::new(scene.file()).save(&replaced).unwrap();
            drop(release);
            assert_eq!(waiting.join().unwrap(), "ya29.new");
        });
        assert!(scene.google.requests()[1].contains("1%2F%2Freplaced"));
        assert!(scene.on_disk().contains("1//replaced"));
    }

    #[test]
    fn failures_that_say_nothing_about_the_credentials_leave_them_alone() {
        for (status, body) in [
            (500, "{}"),
            (429, "{}"),
            (502, "<html>Bad Gateway</html>"),
            (401, r#"{"error":"invalid_client"}"#),
            (403, r#"{"error":"admin_policy_enforced"}"#),
        ] {
            let scene = Scene::new(vec![Answer::json(status, body), Answer::json(200, RENEWED)]);
            let tokens = scene.signed_in(0);
            let before = scene.on_disk();
            let error = tokens.access_token().unwrap_err();
            assert!(
                !matches!(error, AuthError::SignInRequired { .. }),
                "{error}"
            );
            assert_eq!(scene.on_disk(), before);
            assert!(tokens.status().signed_in && tokens.status().problem.is_some());
            assert_eq!(token(&tokens), "ya29.new");
            assert!(tokens.status().problem.is_none());
        }
    }

    #[test]
    fn nobody_at_the_token_endpoint_is_not_a_reason_to_sign_in() {
        let scene = Scene::new(vec![]);
        scene.signed_in(0);
        let mut config = scene.google.config();
        config.token_store = scene.file();
        // The discard port, which nobody serves.
        config.endpoints = Endpoints::at("http://127.0.0.1:9");
        let error = TokenSource::new(scene.google.http(), &config).access_token();
        assert!(matches!(error, Err(AuthError::Unreachable(_))));
        assert!(scene.on_disk().contains("1//old"));
    }

    #[test]
    fn while_the_old_token_lives_a_failed_refresh_is_no_error() {
        let scene = Scene::new(vec![Answer::json(500, "{}")]);
        let tokens = scene.signed_in(MINUTE_MS);
        assert_eq!(token(&tokens), "ya29.old");
        assert_eq!(token(&tokens), "ya29.old");
        assert_eq!(
            scene.google.requests().len(),
            1,
            "and is not repeated at once"
        );
    }

    #[test]
    fn a_hanging_refresh_delays_neither_the_status_nor_those_whose_token_lives() {
        let (renewed, release) = Answer::json(200, RENEWED).held();
        let scene = Scene::new(vec![renewed]);
        let tokens = scene.signed_in(MINUTE_MS);
        thread::scope(|scope| {
            let renewing = scope.spawn(|| token(&tokens));
            scene.google.wait_for_request();
            assert!(tokens.status().signed_in);
            assert_eq!(token(&tokens), "ya29.old");
            assert_eq!(token(&scene.process()), "ya29.old");
            drop(release);
            assert_eq!(renewing.join().unwrap(), "ya29.new");
        });
        assert_eq!(scene.google.requests().len(), 1);
    }

    #[test]
    fn a_token_google_refused_is_replaced_once() {
        let scene = Scene::new(vec![Answer::json(200, RENEWED)]);
        let tokens = scene.signed_in(HOUR_MS);
        let refused = tokens.access_token().unwrap();
        tokens.discard(&refused);
        assert_eq!(token(&tokens), "ya29.new");
        tokens.discard(&refused);
        assert_eq!(token(&tokens), "ya29.new");
        assert_eq!(scene.google.requests().len(), 1);
    }

    #[test]
    fn sign_in_and_sign_out_by_other_processes_are_noticed() {
        let scene = Scene::new(vec![Answer::json(200, "{}")]);
        let tokens = scene.process();
        let never = tokens.access_token().unwrap_err();
        assert!(matches!(
            never,
            AuthError::SignInRequired {
                why: SignedOut::Never
            }
        ));
        let other = scene.signed_in(HOUR_MS);
        assert_eq!(token(&tokens), "ya29.old");
        assert_eq!(other.sign_out().unwrap(), SignOut::Revoked);
        assert!(!tokens.status().signed_in);
        assert!(tokens.access_token().is_err());
        assert!(scene.google.requests()[0].contains("token=1%2F%2Fold"));
    }

    #[test]
    fn a_sign_out_forgets_even_if_google_cannot_be_told() {
        let scene = Scene::new(vec![Answer::json(503, "{}")]);
        let tokens = scene.signed_in(HOUR_MS);
        assert_eq!(tokens.sign_out().unwrap(), SignOut::Forgotten);
        assert!(!scene.file().exists());
        assert_eq!(tokens.sign_out().unwrap(), SignOut::WasNotSignedIn);
    }

    #[test]
    fn a_file_that_is_not_ours_is_set_aside_by_a_new_sign_in() {
        let scene = Scene::new(vec![]);
        fs::write(scene.file(), "precious").unwrap();
        let error = scene.process().access_token().unwrap_err();
        let AuthError::SignInRequired {
            why: SignedOut::Unusable(_),
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!(scene.on_disk(), "precious");
        assert_eq!(token(&scene.signed_in(HOUR_MS)), "ya29.old");
        let kept = fs::read_dir(scene.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .any(|path| fs::read_to_string(path).unwrap() == "precious");
        assert!(kept);
    }

    #[test]
    fn imported_tokens_are_renewed_with_the_client_they_belong_to() {
        let scene = Scene::new(vec![Answer::json(200, RENEWED)]);
        let mut foreign = credentials();
        foreign.expires_at_ms = 0;
        foreign.client = Some(OauthClient {
            id: "foreign-client".into(),
            secret: Secret::new("foreign-secret"),
        });
        let tokens = scene.process();
        tokens.adopt(foreign).unwrap();
        assert_eq!(token(&tokens), "ya29.new");
        let asked = &scene.google.requests()[0];
        assert!(asked.contains("client_id=foreign-client&client_secret=foreign-secret"));
        assert!(scene.on_disk().contains("foreign-client"));
    }

    #[test]
    fn the_project_is_remembered_for_its_own_account_only() {
        let scene = Scene::new(vec![]);
        let tokens = scene.signed_in(HOUR_MS);
        let owner = tokens.credentials().unwrap();
        let assignment = Assignment {
            project: "acme-prod".into(),
            tier: None,
            configured: None,
        };
        tokens
            .remember_project(&owner, Some(assignment.clone()))
            .unwrap();
        assert_eq!(
            scene.process().status().assignment,
            Some(assignment.clone())
        );
        let mut stranger = owner;
        stranger.refresh_token = Secret::new("1//stranger");
        tokens.remember_project(&stranger, None).unwrap();
        assert_eq!(scene.process().status().assignment, Some(assignment));
    }
}
