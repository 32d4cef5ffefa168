//! Who we are to Code Assist: the account that is signed in, a token that lives
//! and the project it works in.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::http::{Http, HttpError};
use crate::oauth::credentials::{Assignment, Credentials};
use crate::oauth::import::{self, ImportError};
use crate::oauth::sign_in::{SignInError, SignIns, Started};
use crate::oauth::token_source::{Renewals, SignOut, TokenSource};
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
    turn: Mutex<()>,
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
    Auth(#[from] AuthError),
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
            turn: Mutex::new(()),
            last: Mutex::new(None),
        }
    }

    /// Token and project for a request. Asks Google for the project where it is
    /// not known yet, once for everyone who waits.
    pub fn ready(&self) -> Result<Ready, AccountError> {
        let asked_at = Instant::now();
        if let Some(ready) = self.as_ready(&self.tokens.credentials()?) {
            return Ok(ready);
        }
        let _turn = self.turn();
        // Others may have found it meanwhile, or found that there is none.
        let account = self.tokens.credentials()?;
        if let Some(ready) = self.as_ready(&account) {
            return Ok(ready);
        }
        match self.known_failure(&account, asked_at) {
            Some(failure) => Err(failure),
            None => self.settle(account),
        }
    }

    /// What Google says of the account today, whether its project is known or not.
    pub fn examine(&self) -> Result<SignedIn, AccountError> {
        let _turn = self.turn();
        let ready = self.settle(self.tokens.credentials()?)?;
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
    pub fn forget_project(&self, refused: &str) {
        let Ok(account) = self.tokens.credentials() else {
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
            && let Err(error) = self.tokens.remember_project(&account, None)
        {
            log::warn!("cannot forget the project {refused}: {error}");
        }
    }

    fn welcome(&self, credentials: Credentials) -> Result<SignedIn, AccountError> {
        self.tokens.adopt(credentials)?;
        Ok(self.signed_in(self.ready()?))
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
    fn settle(&self, account: Credentials) -> Result<Ready, AccountError> {
        let refresh_token = account.refresh_token.clone();
        let outcome = self.ask_for_project(account);
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
        self.tokens.remember_project(&account, Some(assignment))?;
        Ok(Ready {
            token: account.access_token,
            project,
        })
    }

    /// With one more try, and a new token, after a 401.
    fn ask_for_project(
        &self,
        account: Credentials,
    ) -> Result<(Credentials, Provisioned), AccountError> {
        let onboarding = Onboarding {
            http: &self.http.with_patience(ANSWER_PATIENCE),
            base: &self.code_assist,
            user_agent: &self.user_agent,
            project: self.configured.as_deref(),
            patience: Patience::default(),
        };
        match onboarding.run(&account.access_token) {
            Err(OnboardingError::Unauthenticated { .. }) => {
                self.tokens.discard(&account.access_token);
                let renewed = self.tokens.credentials()?;
                let provisioned = onboarding.run(&renewed.access_token)?;
                Ok((renewed, provisioned))
            }
            outcome => Ok((account, outcome?)),
        }
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last(&self) -> MutexGuard<'_, Option<Attempt>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<OnboardingError> for AccountError {
    fn from(error: OnboardingError) -> Self {
        match error {
            OnboardingError::Refused(refusal) => Self::Refused(refusal),
            OnboardingError::Unauthenticated { said } => Self::Unauthenticated { said },
            OnboardingError::Unreachable(error) => Self::Unreachable(error),
            error => Self::Unavailable(error),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::thread;

    use super::*;
    use crate::oauth::testing::{Answer, FakeGoogle};

    const LICENSED: &str =
        r#"{"currentTier":{"id":"standard-tier"},"cloudaicompanionProject":"acme"}"#;
    const INELIGIBLE: &str = r#"{"ineligibleTiers":[
        {"reasonCode":"UNSUPPORTED_CLIENT","reasonMessage":"Gone."}]}"#;
    const TOKENS: &str = r#"{"access_token":"ya29.a","expires_in":3599,"refresh_token":"1//r"}"#;

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

        fn process(&self, project: Option<&str>) -> Account {
            let mut config = self.google.config();
            config.token_store = self.folder.path().join("tokens.json");
            config.project = project.map(str::to_owned);
            Account::new(self.google.http(), &config)
        }

        fn sign_in(&self, account: &Account) -> Result<SignedIn, AccountError> {
            let started = account.begin_sign_in("http://127.0.0.1:1".into()).unwrap();
            account.finish_sign_in("code", started.state.reveal())
        }
    }

    /// The answers to a sign-in, up to the project.
    fn signing_in() -> Vec<Answer> {
        vec![
            Answer::json(200, TOKENS),
            Answer::json(200, r#"{"email":"me@example.com"}"#),
        ]
    }

    #[test]
    fn a_sign_in_leads_to_a_project_that_outlives_the_process() {
        let mut answers = signing_in();
        answers.push(Answer::json(200, LICENSED));
        let scene = Scene::new(answers);
        let account = scene.process(None);
        let signed_in = scene.sign_in(&account).unwrap();
        assert_eq!(signed_in.email.as_deref(), Some("me@example.com"));
        assert_eq!(signed_in.project, "acme");
        for process in [&account, &scene.process(None)] {
            assert_eq!(process.ready().unwrap().project, "acme");
            let status = process.status();
            assert!(status.signed_in && status.problem.is_none());
            assert_eq!(status.tier.as_deref(), Some("standard-tier"));
        }
        assert_eq!(scene.google.requests().len(), 3);
    }

    #[test]
    fn another_configured_project_is_a_reason_to_ask_again() {
        let mut answers = signing_in();
        answers.push(Answer::json(200, LICENSED));
        answers.push(Answer::json(
            200,
            r#"{"currentTier":{"id":"standard-tier"}}"#,
        ));
        let scene = Scene::new(answers);
        scene.sign_in(&scene.process(None)).unwrap();
        let other = scene.process(Some("other"));
        assert_eq!(other.status().project, None);
        assert_eq!(other.ready().unwrap().project, "other");
        assert_eq!(other.ready().unwrap().project, "other");
        assert_eq!(scene.google.requests().len(), 4);
    }

    #[test]
    fn lesson_01_a_refusal_keeps_the_credentials_and_is_not_asked_for_again_at_once() {
        let mut answers = signing_in();
        answers.push(Answer::json(200, INELIGIBLE));
        let scene = Scene::new(answers);
        let account = scene.process(None);
        let refused = scene.sign_in(&account).unwrap_err();
        assert!(matches!(refused, AccountError::Refused(_)), "{refused}");
        let again = account.ready().unwrap_err();
        assert_eq!(again.to_string(), refused.to_string());
        assert_eq!(scene.google.requests().len(), 3);
        let status = account.status();
        assert!(status.signed_in);
        assert_eq!(status.problem.unwrap().to_string(), refused.to_string());
    }

    #[test]
    fn many_who_wait_cause_one_question() {
        let mut answers = signing_in();
        answers.push(Answer::json(503, "{}"));
        answers.push(Answer::json(200, LICENSED));
        let scene = Scene::new(answers);
        let account = scene.process(None);
        let busy = scene.sign_in(&account).unwrap_err();
        assert!(matches!(busy, AccountError::Unavailable(_)), "{busy}");
        thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(|| account.ready())).collect();
            for thread in threads {
                assert_eq!(thread.join().unwrap().unwrap().project, "acme");
            }
        });
        assert_eq!(scene.google.requests().len(), 4);
    }

    #[test]
    fn a_401_costs_one_refresh_and_one_retry() {
        let renewed = r#"{"access_token":"ya29.b","expires_in":3599}"#;
        let mut answers = signing_in();
        answers.push(Answer::json(401, "{}"));
        answers.push(Answer::json(200, renewed));
        answers.push(Answer::json(200, LICENSED));
        let scene = Scene::new(answers);
        let account = scene.process(None);
        assert_eq!(scene.sign_in(&account).unwrap().project, "acme");
        assert_eq!(account.ready().unwrap().token.reveal(), "ya29.b");
        assert_eq!(scene.google.requests().len(), 5);

        let mut answers = signing_in();
        answers.push(Answer::json(401, "{}"));
        answers.push(Answer::json(200, renewed));
        answers.push(Answer::json(401, "{}"));
        let scene = Scene::new(answers);
        let error = scene.sign_in(&scene.process(None)).unwrap_err();
        assert!(matches!(error, AccountError::Unauthenticated { .. }));
        assert_eq!(scene.google.requests().len(), 5);
    }

    #[test]
    fn an_import_brings_its_project_along() {
        let scene = Scene::new(vec![
            Answer::json(200, r#"{"access_token":"ya29.b","expires_in":3599}"#),
            Answer::json(200, r#"{"email":"me@example.com"}"#),
        ]);
        let file = scene.folder.path().join("peer.json");
        std::fs::write(&file, r#"{"refresh_token":"1//p","project_id":"peers"}"#).unwrap();
        let imported = scene.process(None).import(&file).unwrap();
        assert_eq!(imported.project, "peers");
        assert_eq!(imported.email.as_deref(), Some("me@example.com"));
        assert_eq!(scene.google.requests().len(), 2);
    }

    #[test]
    fn an_import_that_cannot_be_renewed_leaves_the_sign_in_that_was_there() {
        let dead = r#"{"error":"invalid_grant"}"#;
        for (status, answer) in [(400, dead), (503, "<html>")] {
            let mut answers = signing_in();
            answers.push(Answer::json(200, LICENSED));
            answers.push(Answer::json(status, answer));
            let scene = Scene::new(answers);
            let account = scene.process(None);
            scene.sign_in(&account).unwrap();
            let file = scene.folder.path().join("peer.json");
            std::fs::write(&file, r#"{"refresh_token":"1//dead"}"#).unwrap();
            let error = account.import(&file).unwrap_err();
            assert!(error.to_string().contains("nothing has changed"), "{error}");
            let status = scene.process(None).status();
            assert_eq!(status.email.as_deref(), Some("me@example.com"));
        }
    }

    #[test]
    fn a_project_that_google_refuses_later_is_looked_for_again_but_not_at_once() {
        let mut answers = signing_in();
        answers.push(Answer::json(200, LICENSED));
        answers.push(Answer::json(200, LICENSED));
        let scene = Scene::new(answers);
        let account = scene.process(None);
        scene.sign_in(&account).unwrap();
        account.forget_project("acme");
        assert_eq!(account.status().project.as_deref(), Some("acme"));
        // A process that has not just asked.
        let other = scene.process(None);
        other.forget_project("another");
        assert_eq!(other.status().project.as_deref(), Some("acme"));
        other.forget_project("acme");
        assert_eq!(other.status().project, None);
        assert_eq!(other.ready().unwrap().project, "acme");
        assert_eq!(scene.google.requests().len(), 4);
    }
}
