//! Which project an account works in: `loadCodeAssist`, and `onboardUser` for
//! accounts that are new to Code Assist. Speaks; `decision.rs` decides.

mod decision;

use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::http::{GaveUp, Http, HttpError, Pulse, Request};
use crate::oauth::AccessToken;
use crate::upstream::code_assist::VERSION;
use crate::upstream::google_error::GoogleError;
use crate::wire::provisioning::{
    ClientMetadata, LoadCodeAssistRequest, LoadCodeAssistResponse, OnboardUserRequest, Operation,
    Tier,
};

use crate::upstream::refusal::AccountRefusal;
pub use decision::{Decision, Enrolment, Provisioned, decide};

/// Tiers and their legal texts take a few KiB.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Everything it takes to ask, but the token.
#[derive(Debug, Clone, Copy)]
pub struct Onboarding<'a> {
    pub http: &'a Http,
    /// `Endpoints.code_assist`
    pub base: &'a str,
    pub user_agent: &'a str,
    /// `Config.project`
    pub project: Option<&'a str>,
    pub patience: Patience,
    /// Asked while Google does not answer, or has not finished.
    pub pulse: &'a Pulse,
}

/// How to wait for a project that is being made.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Each pause is twice the one before.
    pub first_pause: Duration,
    pub longest_pause: Duration,
    /// For all of them together.
    pub limit: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(5),
            limit: Duration::from_secs(5 * 60),
        }
    }
}

/// No project, yet or ever.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OnboardingError {
    /// Only the user can mend this.
    #[error(transparent)]
    Refused(AccountRefusal),
    /// The access token is not accepted; one more try with a new one is due.
    #[error("Google does not accept the access token: {said}")]
    Unauthenticated { said: String },
    #[error("cannot ask Google for the account's project: {0}; try again shortly")]
    Unreachable(HttpError),
    #[error(
        "cannot ask Google for the account's project: HTTP {status}, {said}; try again shortly"
    )]
    Unavailable { status: u16, said: String },
    #[error("Google's answer to {method} cannot be understood")]
    Unintelligible { method: &'static str },
    #[error(
        "Google has not finished setting up the account within {} s; try again later, or use an \
         official Gemini API key: https://aistudio.google.com/apikey",
        limit.as_secs()
    )]
    Unfinished { limit: Duration },
    #[error(transparent)]
    GaveUp(#[from] GaveUp),
}

impl Onboarding<'_> {
    /// Finds the project, and enrols the account where that is needed. May take
    /// as long as `patience` allows.
    pub fn run(&self, token: &AccessToken) -> Result<Provisioned, OnboardingError> {
        let account = self.load(token)?;
        match decide(&account, self.project) {
            Decision::Work(provisioned) => Ok(provisioned),
            Decision::Refuse(refusal) => Err(refusal.into()),
            Decision::Enrol(enrolment) => {
                let operation = self
                    .enrol(token, &enrolment)
                    .map_err(|error| with_reasons(error, &account))?;
                decision::after_enrolment(&operation, &enrolment, &account, self.project)
                    .map_err(Into::into)
            }
        }
    }

    fn load(&self, token: &AccessToken) -> Result<LoadCodeAssistResponse, OnboardingError> {
        const METHOD: &str = "loadCodeAssist";
        let request = LoadCodeAssistRequest {
            cloudaicompanion_project: self.project,
            metadata: ClientMetadata::new(self.project),
        };
        match self.post::<Option<LoadCodeAssistResponse>>(token, METHOD, &request) {
            Ok(account) => account.ok_or(OnboardingError::Unintelligible { method: METHOD }),
            // Behind VPC Service Controls the question itself is forbidden, and
            // only licensed accounts live there.
            Err(OnboardingError::Refused(AccountRefusal::SecurityPolicy { .. })) => {
                Ok(LoadCodeAssistResponse {
                    current_tier: Some(Tier {
                        id: Some(decision::STANDARD_TIER.to_owned()),
                        ..Tier::default()
                    }),
                    ..LoadCodeAssistResponse::default()
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Until the operation is done, well or not.
    fn enrol(
        &self,
        token: &AccessToken,
        enrolment: &Enrolment,
    ) -> Result<Operation, OnboardingError> {
        let asked_at = Instant::now();
        let mut pause = self.patience.first_pause;
        let mut operation = self.onboard_user(token, enrolment)?;
        let mut can_poll = true;
        while !operation.done {
            if asked_at.elapsed() + pause > self.patience.limit {
                let limit = self.patience.limit;
                return Err(OnboardingError::Unfinished { limit });
            }
            // A person may be waiting for it at a terminal.
            let elapsed = asked_at.elapsed().as_secs();
            log::info!("Google is setting up a project for this account: {elapsed} s so far");
            self.pulse.pause(pause)?;
            pause = (pause * 2).min(self.patience.longest_pause);
            let answer = if can_poll && !operation.name.is_empty() {
                self.poll(token, &operation.name)
            } else {
                // Asking the same again tells how far it is, too.
                self.onboard_user(token, enrolment).map(Some)
            };
            match answer {
                Ok(Some(newer)) => operation = newer,
                Ok(None) => can_poll = false,
                Err(error) if error.is_transient() => log::warn!("{error}"),
                Err(error) => return Err(error),
            }
        }
        match &operation.error {
            Some(error) => Err(self.failure_of(error)),
            None => Ok(operation),
        }
    }

    fn onboard_user(
        &self,
        token: &AccessToken,
        enrolment: &Enrolment,
    ) -> Result<Operation, OnboardingError> {
        let project = enrolment.project.as_deref();
        let request = OnboardUserRequest {
            tier_id: &enrolment.tier_id,
            cloudaicompanion_project: project,
            metadata: ClientMetadata::new(project),
        };
        self.post(token, "onboardUser", &request)
    }

    /// `None`: operations cannot be asked for by name.
    fn poll(&self, token: &AccessToken, name: &str) -> Result<Option<Operation>, OnboardingError> {
        let url = format!("{}/{VERSION}/{name}", self.base);
        let (status, answer) = self.send(token, &url, None)?;
        if matches!(status, 404 | 405) {
            return Ok(None);
        }
        self.read("operations.get", status, &answer).map(Some)
    }

    fn post<T: DeserializeOwned>(
        &self,
        token: &AccessToken,
        method: &'static str,
        request: &impl Serialize,
    ) -> Result<T, OnboardingError> {
        let url = format!("{}/{VERSION}:{method}", self.base);
        let body =
            serde_json::to_vec(request).map_err(|_| OnboardingError::Unintelligible { method })?;
        let (status, answer) = self.send(token, &url, Some(&body))?;
        self.read(method, status, &answer)
    }

    fn send(
        &self,
        token: &AccessToken,
        url: &str,
        body: Option<&[u8]>,
    ) -> Result<(u16, Vec<u8>), HttpError> {
        let request = Request {
            url,
            headers: &[
                ("authorization", &token.bearer()),
                ("content-type", "application/json"),
                ("accept", "application/json"),
                ("user-agent", self.user_agent),
            ],
            body,
        };
        let response = self.http.send_while(request, self.pulse)?;
        let status = response.status();
        Ok((status, response.bytes_while(MAX_ANSWER_BYTES, self.pulse)?))
    }

    fn read<T: DeserializeOwned>(
        &self,
        method: &'static str,
        status: u16,
        answer: &[u8],
    ) -> Result<T, OnboardingError> {
        match status {
            200..300 => serde_json::from_slice(answer)
                .map_err(|_| OnboardingError::Unintelligible { method }),
            _ => Err(self.explain(&GoogleError::parse(status, answer))),
        }
    }

    /// An operation's error is a google.rpc.Status, too, but with a code of its
    /// own (google/rpc/code.proto) in place of an HTTP status.
    fn failure_of(&self, error: &serde_json::Value) -> OnboardingError {
        let http_status = match error["code"].as_u64() {
            Some(7) => 403,
            Some(16) => 401,
            Some(4 | 8 | 13 | 14) => 503,
            _ => 400,
        };
        let body = serde_json::json!({ "error": error }).to_string();
        self.explain(&GoogleError::parse(http_status, body.as_bytes()))
    }

    fn explain(&self, error: &GoogleError) -> OnboardingError {
        let said = error.message.clone();
        match error.http_status {
            401 => OnboardingError::Unauthenticated { said },
            status @ (408 | 429 | 499..) => OnboardingError::Unavailable { status, said },
            _ => AccountRefusal::from_google(error, self.project).into(),
        }
    }
}

impl OnboardingError {
    /// May be gone by the next attempt.
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Unavailable { .. })
    }
}

impl From<HttpError> for OnboardingError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::GaveUp(gave_up) => Self::GaveUp(gave_up),
            error => Self::Unreachable(error),
        }
    }
}

impl From<AccountRefusal> for OnboardingError {
    fn from(refusal: AccountRefusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What `loadCodeAssist` said about the account explains more than a bare
/// refusal to enrol it. That this client is not served at all explains even one
/// that seems to be about the project.
fn with_reasons(error: OnboardingError, account: &LoadCodeAssistResponse) -> OnboardingError {
    use AccountRefusal::{
        Declined, DoubtfulProject, MissingRole, UnknownProject, UnsupportedClient,
    };
    let OnboardingError::Refused(refusal) = &error else {
        return error;
    };
    if account.ineligible_tiers.is_empty() {
        return error;
    }
    let reasons = AccountRefusal::ineligible(&account.ineligible_tiers);
    match (refusal, &reasons) {
        (Declined { .. }, _)
        | (
            DoubtfulProject { .. } | MissingRole { .. } | UnknownProject { .. },
            UnsupportedClient { .. },
        ) => reasons.into(),
        _ => error,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::oauth::testing::{Answer, FakeGoogle};
    use crate::secret::Secret;

    const NEW_ACCOUNT: &str = r#"{"allowedTiers":[{"id":"free-tier","isDefault":true}]}"#;
    const NOT_DONE: &str = r#"{"name":"operations/on-1","done":false}"#;
    const DONE: &str = r#"{"name":"operations/on-1","done":true,
        "response":{"cloudaicompanionProject":{"id":"made-for-me"}}}"#;

    const PATIENT: Patience = Patience {
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(2),
        limit: Duration::from_secs(60),
    };

    fn run(google: &FakeGoogle, project: Option<&str>) -> Result<Provisioned, OnboardingError> {
        run_with(google, project, PATIENT)
    }

    fn run_with(
        google: &FakeGoogle,
        project: Option<&str>,
        patience: Patience,
    ) -> Result<Provisioned, OnboardingError> {
        let onboarding = Onboarding {
            http: &google.http(),
            base: &google.config().endpoints.code_assist,
            user_agent: "unit-test",
            project,
            patience,
            pulse: &Pulse::none(),
        };
        onboarding.run(&AccessToken::new(Secret::new("ya29.a")))
    }

    fn asked(google: &FakeGoogle) -> Vec<String> {
        let first_line = |request: String| request.lines().next().unwrap_or_default().to_owned();
        let requests = google.requests().into_iter();
        requests
            .map(first_line)
            .map(|line| line.replace(" HTTP/1.1", ""))
            .collect()
    }

    fn error(status: u16, reason: &str) -> Answer {
        let body = serde_json::json!({ "error": {
            "code": status, "message": "Denied.", "status": "X",
            "details": [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason }],
        }});
        Answer::json(status, body.to_string())
    }

    #[test]
    fn a_licensed_account_is_asked_about_once() {
        let answer = r#"{"currentTier":{"id":"standard-tier"},"cloudaicompanionProject":"acme"}"#;
        let google = FakeGoogle::start(vec![Answer::json(200, answer)]);
        assert_eq!(run(&google, Some("acme")).unwrap().project, "acme");
        let request = google.requests().remove(0);
        assert!(request.starts_with("POST /v1internal:loadCodeAssist "));
        assert!(request.contains("user-agent: unit-test"));
        assert!(request.contains("authorization: Bearer ya29.a"));
        assert!(request.ends_with(
            r#"{"cloudaicompanionProject":"acme","metadata":{"ideType":"IDE_UNSPECIFIED","platform":"PLATFORM_UNSPECIFIED","pluginType":"GEMINI","duetProject":"acme"}}"#
        ));
    }

    #[test]
    fn a_new_account_is_enrolled_and_the_operation_polled() {
        let google = FakeGoogle::start(vec![
            Answer::json(200, NEW_ACCOUNT),
            Answer::json(200, NOT_DONE),
            Answer::json(200, NOT_DONE),
            Answer::json(503, "{}"),
            Answer::json(200, DONE),
        ]);
        assert_eq!(run(&google, None).unwrap().project, "made-for-me");
        let load = "POST /v1internal:loadCodeAssist";
        let onboard = "POST /v1internal:onboardUser";
        let poll = "GET /v1internal/operations/on-1";
        assert_eq!(asked(&google), [load, onboard, poll, poll, poll]);
        assert!(google.requests()[1].ends_with(
            r#"{"tierId":"free-tier","metadata":{"ideType":"IDE_UNSPECIFIED","platform":"PLATFORM_UNSPECIFIED","pluginType":"GEMINI"}}"#
        ));
    }

    #[test]
    fn where_operations_cannot_be_polled_the_request_is_repeated() {
        for status in [404, 405] {
            let google = FakeGoogle::start(vec![
                Answer::json(200, NEW_ACCOUNT),
                Answer::json(200, NOT_DONE),
                Answer::json(status, "<html>"),
                Answer::json(200, NOT_DONE),
                Answer::json(200, DONE),
            ]);
            assert_eq!(run(&google, None).unwrap().project, "made-for-me");
            let onboard = "POST /v1internal:onboardUser";
            let poll = "GET /v1internal/operations/on-1";
            assert_eq!(asked(&google)[1..], [onboard, poll, onboard, onboard]);
        }
    }

    #[test]
    fn an_operation_without_a_name_is_repeated() {
        for nameless in [
            "{}",
            r#"{"name":"","done":false}"#,
            r#"{"name":null,"done":null}"#,
        ] {
            let google = FakeGoogle::start(vec![
                Answer::json(200, NEW_ACCOUNT),
                Answer::json(200, nameless),
                Answer::json(200, DONE),
            ]);
            assert_eq!(run(&google, None).unwrap().project, "made-for-me");
            let onboard = "POST /v1internal:onboardUser";
            assert_eq!(asked(&google)[1..], [onboard, onboard]);
        }
    }

    #[test]
    fn an_operation_that_never_ends_is_given_up() {
        let google = FakeGoogle::start(vec![
            Answer::json(200, NEW_ACCOUNT),
            Answer::json(200, NOT_DONE),
        ]);
        let impatient = Patience {
            limit: Duration::from_millis(3),
            ..PATIENT
        };
        let error = run_with(&google, None, impatient).unwrap_err();
        assert!(
            matches!(error, OnboardingError::Unfinished { .. }),
            "{error}"
        );
    }

    #[test]
    fn an_operation_that_fails_says_why() {
        let failed = r#"{"done":true,"error":{"code":7,"message":"No.","details":[
            {"reason":"TOS_VIOLATION","metadata":{"appeal_url":"https://appeal.example"}}]}}"#;
        let google = FakeGoogle::start(vec![
            Answer::json(200, NEW_ACCOUNT),
            Answer::json(200, failed),
        ]);
        let error = run(&google, None).unwrap_err();
        assert!(
            error.to_string().contains("https://appeal.example"),
            "{error}"
        );
    }

    #[test]
    fn an_operation_without_a_result_leaves_the_configured_project() {
        let account = r#"{"allowedTiers":[{"id":"standard-tier","isDefault":true}]}"#;
        let google = FakeGoogle::start(vec![
            Answer::json(200, account),
            Answer::json(200, r#"{"done":true,"response":{}}"#),
        ]);
        assert_eq!(run(&google, Some("acme")).unwrap().project, "acme");
    }

    #[test]
    fn behind_vpc_service_controls_the_configured_project_serves() {
        let google = FakeGoogle::start(vec![error(403, "SECURITY_POLICY_VIOLATED")]);
        let provisioned = run(&google, Some("acme")).unwrap();
        assert_eq!(provisioned.project, "acme");
        assert_eq!(provisioned.tier.as_deref(), Some("standard-tier"));
        let google = FakeGoogle::start(vec![error(403, "SECURITY_POLICY_VIOLATED")]);
        let missing = run(&google, None).unwrap_err();
        assert!(matches!(
            missing,
            OnboardingError::Refused(AccountRefusal::ProjectRequired)
        ));
    }

    #[test]
    fn a_refused_enrolment_is_explained_by_the_reasons_google_gave_before() {
        let account = r#"{"ineligibleTiers":[
            {"reasonCode":"UNSUPPORTED_CLIENT","reasonMessage":"This client is gone."}]}"#;
        for (status, said) in [
            (409, "No."),
            (400, "Request contains an invalid argument."),
            (403, "The caller does not have permission"),
        ] {
            let refusal = serde_json::json!({ "error": { "message": said } });
            let google = FakeGoogle::start(vec![
                Answer::json(200, account),
                Answer::json(status, refusal.to_string()),
            ]);
            let error = run(&google, Some("acme")).unwrap_err().to_string();
            assert!(error.contains("This client is gone."), "{error}");
            assert!(error.contains("https://aistudio.google.com/apikey"));
        }
    }

    #[test]
    fn a_tier_that_is_not_offered_does_not_hide_a_wrong_project() {
        let account = r#"{"ineligibleTiers":[{"reasonCode":"UNSUPPORTED_LOCATION"}]}"#;
        let google = FakeGoogle::start(vec![
            Answer::json(200, account),
            error(403, "CONSUMER_INVALID"),
        ]);
        let error = run(&google, Some("acme")).unwrap_err().to_string();
        assert!(error.contains("set GOOGLE_CLOUD_PROJECT"), "{error}");
    }

    #[test]
    fn faults_that_pass_are_not_refusals() {
        for (status, body) in [(500, "{}"), (503, "<html>"), (429, "{}")] {
            let google = FakeGoogle::start(vec![Answer::json(status, body)]);
            assert!(run(&google, None).unwrap_err().is_transient());
        }
        let google = FakeGoogle::start(vec![Answer::json(401, "{}")]);
        let error = run(&google, None).unwrap_err();
        assert!(matches!(error, OnboardingError::Unauthenticated { .. }));
        for body in ["null", "", "<html>", "[]"] {
            let google = FakeGoogle::start(vec![Answer::json(200, body)]);
            let error = run(&google, None).unwrap_err();
            assert!(
                matches!(error, OnboardingError::Unintelligible { .. }),
                "{body}: {error}"
            );
        }
    }
}
