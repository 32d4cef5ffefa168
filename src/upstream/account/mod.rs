//! Who we are to Code Assist: the account that is signed in, a token that lives
//! and the project it works in.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::http::{GaveUp, Http, HttpError, Pulse};
use crate::oauth::credentials::{Assignment, Credentials};
use crate::oauth::import::{self, ImportError};
use crate::oauth::sign_in::{SignInError, SignIns, Started};
use crate::oauth::token_source::{Renewals, SignOut, TokenSource};
use crate::oauth::turn::{NoTurn, Taken, Turn};
use crate::oauth::{AccessToken, AuthError};
use crate::secret::Secret;
use crate::upstream::code_assist::default_user_agent;
use crate::upstream::onboarding::{Onboarding, OnboardingError, Patience, Provisioned};
use crate::upstream::refusal::AccountRefusal;

/// A refusal, or a project that has just been found, is not asked about again
/// for so long; the Gemini CLI's figure.
const SETTLED: Duration = Duration::from_secs(30);

/// Provisioning is quick, or under way and polled; no question takes this long.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);

/// Whoever has the turn is done by then: with its patience, and one last answer.
const TURN_PATIENCE: Duration = Duration::from_secs(10 * 60);

/// The Google account the proxy works with.
#[derive(Debug)]
pub struct Account {
    http: Http,
    code_assist: String,
    user_agent: String,
    /// `Config.project`
    configured: Option<String>,
    sign_ins: SignIns,
    tokens: TokenSource,
    /// Held by the one who asks Google for the project.
    turn: Turn,
    last: Mutex<Option<Attempt>>,
}

/// The last time Google was asked for the project.
#[derive(Debug, Clone)]
struct Attempt {
    at: Instant,
    /// Of the account it was asked for.
    refresh_token: Secret,
    failure: Option<AccountError>,
}

/// What a generation request needs.
#[derive(Debug, Clone)]
pub struct Ready {
    pub token: AccessToken,
    pub project: String,
}

/// A sign-in that led all the way to a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    pub email: Option<String>,
    pub project: String,
    pub tier: Option<String>,
}

/// For the user to look at.
#[derive(Debug, Clone, Default)]
pub struct Status {
    pub signed_in: bool,
    pub email: Option<String>,
    pub project: Option<String>,
    pub tier: Option<String>,
    /// End of the access token, in milliseconds since 1970; it renews itself.
    pub expires_at_ms: Option<u64>,
    /// What stands in the way.
    pub problem: Option<AccountError>,
}

/// Why there is no account to work with.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccountError {
    /// Nobody is signed in, or no token can be had right now.
    #[error(transparent)]
    Auth(AuthError),
    #[error(transparent)]
    SignIn(#[from] SignInError),
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Google will not let this account work. Trying again does not help.
    #[error(transparent)]
    Refused(AccountRefusal),
    /// A new token was refused, too.
    #[error("Google does not accept this account's tokens ({said})")]
    Unauthenticated { said: String },
    #[error("cannot ask Google for the account's project: {0}; try again shortly")]
    Unreachable(HttpError),
    /// Google is busy, broken, slow or unintelligible.
    #[error(transparent)]
    Unavailable(OnboardingError),
    /// Says nothing about the account: the next one who asks goes on.
    #[error(transparent)]
    GaveUp(GaveUp),
}

impl AccountError {
    /// Whether signing in again mends it. The caller knows where that is done.
    pub fn needs_sign_in(&self) -> bool {
        matches!(
            self,
            Self::Auth(AuthError::SignInRequired { .. } | AuthError::ClientRefused(_))
                | Self::Unauthenticated { .. }
        )
    }
}

impl Account {
    pub fn new(http: Http, config: &Config) -> Self {
        // Provisioning is about no model in particular.
        let default_user_agent = || default_user_agent("gemini");
        Self {
            tokens: TokenSource::new(http.clone(), config),
            http,
            code_assist: config.endpoints.code_assist.clone(),
            user_agent: config.user_agent.clone().unwrap_or_else(default_user_agent),
            configured: config.project.clone().filter(|project| !project.is_empty()),
            sign_ins: SignIns::new(config),
            turn: Turn::default(),
            last: Mutex::new(None),
        }
    }

    /// Token and project for a request. Asks Google for the project where it is
    /// not known yet, once for everyone who waits. `pulse` is asked meanwhile; if the
    /// one who asks Google gives up, the next one who waits takes over.
    pub fn ready(&self, pulse: &Pulse) -> Result<Ready, AccountError> {
        let asked_at = Instant::now();
        if let Some(ready) = self.as_ready(&self.tokens.credentials(pulse)?) {
            return Ok(ready);
        }
        let _turn = self.turn(pulse)?;
        // Others may have found it meanwhile, or found that there is none.
        let account = self.tokens.credentials(pulse)?;
        if let Some(ready) = self.as_ready(&account) {
            return Ok(ready);
        }
        match self.known_failure(&account, asked_at) {
            Some(failure) => Err(failure),
            None => self.settle(account, pulse),
        }
    }

    /// What Google says of the account today, whether its project is known or not.
    pub fn examine(&self) -> Result<SignedIn, AccountError> {
        let nobody = Pulse::none();
        let _turn = self.turn(&nobody)?;
        let ready = self.settle(self.tokens.credentials(&nobody)?, &nobody)?;
        Ok(self.signed_in(ready))
    }

    /// Where the user's browser is to go; it comes back to `redirect_uri`. Fails at
    /// once if what it brings could not be saved.
    pub fn begin_sign_in(&self, redirect_uri: String) -> Result<Started, AccountError> {
        self.tokens.check_writable()?;
        Ok(self.sign_ins.begin(redirect_uri)?)
    }

    /// The redirect brought a code. Once the code has become credentials they are
    /// saved, even if Google then refuses a project.
    pub fn finish_sign_in(&self, code: &str, state: &str) -> Result<SignedIn, AccountError> {
        let credentials = self.sign_ins.complete(&self.http, code, state)?;
        self.welcome(credentials)
    }

    /// The user pasted a bare code for the sign-in that [`Self::begin_sign_in`]
    /// started with `state`. After [`SignInError::PastedCodeRefused`] another code
    /// may be pasted.
    pub fn finish_with_pasted_code(
        &self,
        code: &str,
        state: &Secret,
    ) -> Result<SignedIn, AccountError> {
        let credentials = self
            .sign_ins
            .complete_pasted_code(&self.http, code, state)?;
        self.welcome(credentials)
    }

    /// The redirect brought an error instead.
    pub fn sign_in_denied(
        &self,
        error: &str,
        description: Option<&str>,
        state: &str,
    ) -> SignInError {
        self.sign_ins.denied(error, description, state)
    }

    /// Takes over what another program obtained; see [`import::read`]. Whoever is
    /// signed in stays so until Google has renewed it. A project that comes with it
    /// is taken as it is.
    pub fn import(&self, path: &Path) -> Result<SignedIn, AccountError> {
        let renewed = self.tokens.renewed(import::read(path)?);
        let credentials = renewed.map_err(|error| ImportError::NotRenewed {
            path: path.to_owned(),
            error,
        })?;
        self.welcome(credentials)
    }

    pub fn sign_out(&self) -> Result<SignOut, AccountError> {
        *self.last() = None;
        Ok(self.tokens.sign_out()?)
    }

    /// Never waits for Google.
    pub fn status(&self) -> Status {
        let tokens = self.tokens.status();
        let assignment = tokens
            .assignment
            .filter(|assignment| assignment.configured == self.configured);
        let refused = match (&assignment, &*self.last()) {
            (None, Some(attempt)) if tokens.signed_in => attempt.failure.clone(),
            _ => None,
        };
        Status {
            signed_in: tokens.signed_in,
            email: tokens.email,
            project: assignment.as_ref().map(|given| given.project.clone()),
            tier: assignment.and_then(|given| given.tier),
            expires_at_ms: tokens.expires_at_ms,
            problem: tokens.problem.map(AccountError::from).or(refused),
        }
    }

    /// How often a new access token was asked for.
    pub fn renewals(&self) -> Renewals {
        self.tokens.renewals()
    }

    /// Waits until tokens that Google is just giving are saved.
    pub fn wait_for_renewal(&self) {
        self.tokens.wait_for_turn();
    }

    /// Google answered 401 to this token.
    pub fn discard(&self, stale: &AccessToken) {
        self.tokens.discard(stale);
    }

    /// Google answered 403 to a request for this project: the next request asks
    /// for the project again. Not if it has just been found: the answer would be
    /// the same.
    pub fn forget_project(&self, refused: &str, pulse: &Pulse) {
        let Ok(account) = self.tokens.credentials(pulse) else {
            return;
        };
        let is_current = account
            .assignment
            .as_ref()
            .is_some_and(|assignment| assignment.project == refused);
        let is_settled = match &*self.last() {
            Some(attempt) => attempt.at.elapsed() < SETTLED,
            None => false,
        };
        if is_current
            && !is_settled
            && let Err(error) = self.tokens.remember_project(&account, None, pulse)
        {
            log::warn!("cannot forget the project {refused}: {error}");
        }
    }

    fn welcome(&self, credentials: Credentials) -> Result<SignedIn, AccountError> {
        self.tokens.adopt(credentials)?;
        // Who signs in shall have a project, even if the page is closed meanwhile.
        Ok(self.signed_in(self.ready(&Pulse::none())?))
    }

    fn signed_in(&self, ready: Ready) -> SignedIn {
        let status = self.tokens.status();
        SignedIn {
            email: status.email,
            project: ready.project,
            tier: status.assignment.and_then(|assignment| assignment.tier),
        }
    }

    /// If the project is known, and was found under today's settings.
    fn as_ready(&self, account: &Credentials) -> Option<Ready> {
        let assignment = account.assignment.as_ref()?;
        (assignment.configured == self.configured).then(|| Ready {
            token: account.access_token.clone(),
            project: assignment.project.clone(),
        })
    }

    fn known_failure(&self, account: &Credentials, asked_at: Instant) -> Option<AccountError> {
        let last = self.last();
        let attempt = last
            .as_ref()
            .filter(|attempt| attempt.refresh_token == account.refresh_token)?;
        let failure = attempt.failure.as_ref()?;
        let is_final = matches!(failure, AccountError::Refused(_));
        let holds = attempt.at >= asked_at || is_final && attempt.at.elapsed() < SETTLED;
        holds.then(|| failure.clone())
    }

    /// Asks for the project and keeps the answer. The caller holds `turn`.
    fn settle(&self, account: Credentials, pulse: &Pulse) -> Result<Ready, AccountError> {
        let refresh_token = account.refresh_token.clone();
        let outcome = self.ask_for_project(account, pulse);
        if let Err(AccountError::GaveUp(gave_up)) = outcome {
            return Err(AccountError::GaveUp(gave_up));
        }
        *self.last() = Some(Attempt {
            at: Instant::now(),
            refresh_token,
            failure: outcome.as_ref().err().cloned(),
        });
        let (account, provisioned) = outcome?;
        let project = provisioned.project.clone();
        let assignment = Assignment {
            project: provisioned.project,
            tier: provisioned.tier,
            configured: self.configured.clone(),
        };
        self.tokens
            .remember_project(&account, Some(assignment), pulse)?;
        Ok(Ready {
            token: account.access_token,
            project,
        })
    }

    /// With one more try, and a new token, after a 401.
    fn ask_for_project(
        &self,
        account: Credentials,
        pulse: &Pulse,
    ) -> Result<(Credentials, Provisioned), AccountError> {
        let onboarding = Onboarding {
            http: &self.http.with_patience(ANSWER_PATIENCE),
            base: &self.code_assist,
            user_agent: &self.user_agent,
            project: self.configured.as_deref(),
            patience: Patience::default(),
            pulse,
        };
        match onboarding.run(&account.access_token) {
            Err(OnboardingError::Unauthenticated { .. }) => {
                self.tokens.discard(&account.access_token);
                let renewed = self.tokens.credentials(pulse)?;
                let provisioned = onboarding.run(&renewed.access_token)?;
                Ok((renewed, provisioned))
            }
            outcome => Ok((account, outcome?)),
        }
    }

    fn turn(&self, pulse: &Pulse) -> Result<Taken<'_>, AccountError> {
        let turn = self.turn.take(TURN_PATIENCE, pulse);
        turn.map_err(|error| match error {
            NoTurn::GaveUp(gave_up) => AccountError::GaveUp(gave_up),
            NoTurn::Busy { limit } => OnboardingError::Unfinished { limit }.into(),
        })
    }

    fn last(&self) -> MutexGuard<'_, Option<Attempt>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<AuthError> for AccountError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::GaveUp(gave_up) => Self::GaveUp(gave_up),
            error => Self::Auth(error),
        }
    }
}

impl From<OnboardingError> for AccountError {
    fn from(error: OnboardingError) -> Self {
        match error {
            OnboardingError::Refused(refusal) => Self::Refused(refusal),
            OnboardingError::Unauthenticated { said } => Self::Unauthenticated { said },
            OnboardingError::Unreachable(error) => Self::Unreachable(error),
            OnboardingError::GaveUp(gave_up) => Self::GaveUp(gave_up),
            error => Self::Unavailable(error),
        }
    }
}
