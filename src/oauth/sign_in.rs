//! The sign-in of an installed application (RFC 8252): from the address the
//! user's browser opens to the credentials. Where the redirect arrives, at our
//! server, at a loopback listener or on paper, is for the caller to arrange.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use url::form_urlencoded;

use crate::config::{Config, Endpoints, OauthClient};
use crate::http::{Http, HttpError};
use crate::oauth::credentials::Credentials;
use crate::oauth::pending::{Pending, PendingSignIns};
use crate::oauth::pkce::{CodeChallenge, CodeVerifier};
use crate::oauth::token_endpoint::{
    PATIENCE, Refusal, TokenEndpoint, TokenEndpointError, expires_at_ms,
};
use crate::oauth::{AccessToken, userinfo};
use crate::secret::Secret;
use crate::wire::google_oauth::TokenResponse;
use crate::wire::hex;

pub use crate::oauth::pasted::{Pasted, parse_pasted};

/// Google's page that shows the code, for machines whose loopback no browser
/// can reach.
pub const PASTE_REDIRECT_URI: &str = "https://codeassist.google.com/authcode";

/// The one scope without which nothing works.
const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// In the Gemini CLI's order.
const SCOPES: &str = "https://www.googleapis.com/auth/cloud-platform \
                      https://www.googleapis.com/auth/userinfo.email \
                      https://www.googleapis.com/auth/userinfo.profile";

/// Every sign-in that was begun here.
#[derive(Debug)]
pub struct SignIns {
    endpoints: Endpoints,
    client: OauthClient,
    pending: Mutex<PendingSignIns>,
}

/// A sign-in that waits for the user.
pub struct Started {
    /// To be opened in a browser. Holds the `state`: not for the log.
    pub authorization_url: String,
    /// Comes back with the redirect; needed with a code that was pasted bare.
    pub state: Secret,
}

/// A sign-in that came to nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SignInError {
    #[error("the system has no random numbers: {0}")]
    NoRandomness(getrandom::Error),
    #[error("this sign-in was not begun here, was used already or has expired; begin a new one")]
    UnknownState,
    /// Somebody may have sent the user a link that would sign him in to another account.
    #[error("this sign-in was not begun in this browser, or has expired; begin a new one here")]
    ForeignBrowser,
    /// The user or an administrator said no at Google's page.
    #[error(
        "Google did not give its consent ({error}{}): {}",
        described(description),
        advice(error)
    )]
    Denied {
        error: String,
        description: Option<String>,
    },
    #[error(
        "Google does not accept this code ({0}): it was used already or has expired; begin a new \
         sign-in"
    )]
    CodeRefused(Refusal),
    /// The sign-in goes on.
    #[error("Google does not accept this code ({0}): it was mistyped, used already or has expired")]
    PastedCodeRefused(Refusal),
    #[error("Google refuses the sign-in ({0})")]
    Refused(Refusal),
    #[error("cannot finish the sign-in: {0}; begin a new one")]
    Unreachable(HttpError),
    #[error(
        "cannot finish the sign-in: Google gave no usable answer (HTTP {status}); begin a new one shortly"
    )]
    Unavailable { status: u16 },
    #[error(
        "the permission to use Google Cloud was not given; sign in again and leave every box on \
         Google's page ticked"
    )]
    MissingScope,
    #[error(
        "Google gave no refresh token, so that this sign-in would end within the hour; remove \
         \"Gemini Code Assist and Gemini CLI\" at https://myaccount.google.com/permissions and \
         sign in again"
    )]
    NoRefreshToken,
}

impl SignIns {
    pub fn new(config: &Config) -> Self {
        Self {
            endpoints: config.endpoints.clone(),
            client: config.oauth_client.clone(),
            pending: Mutex::default(),
        }
    }

    /// Google redirects to loopback addresses of any port and path, and to
    /// [`PASTE_REDIRECT_URI`].
    pub fn begin(&self, redirect_uri: String) -> Result<Started, SignInError> {
        let state = random_state().map_err(SignInError::NoRandomness)?;
        let verifier = CodeVerifier::random().map_err(SignInError::NoRandomness)?;
        let authorization_url =
            self.authorization_url(&redirect_uri, &state, &verifier.challenge());
        let pending = Pending::new(state.clone(), verifier, redirect_uri, Instant::now());
        self.pending().add(pending);
        Ok(Started {
            authorization_url,
            state,
        })
    }

    /// The redirect brought a code. Its `state` is good once, whatever happens.
    pub fn complete(
        &self,
        http: &Http,
        code: &str,
        state: &str,
    ) -> Result<Credentials, SignInError> {
        let pending = self.take(state)?;
        self.exchange(http, code, &pending)
    }

    /// The user pasted a bare code for the sign-in with this `state`. A code
    /// that Google does not accept may be pasted again.
    pub fn complete_pasted_code(
        &self,
        http: &Http,
        code: &str,
        state: &Secret,
    ) -> Result<Credentials, SignInError> {
        let pending = self.take(state.reveal())?;
        match self.exchange(http, code, &pending) {
            Err(SignInError::CodeRefused(refusal)) => {
                self.pending().add(pending);
                Err(SignInError::PastedCodeRefused(refusal))
            }
            outcome => outcome,
        }
    }

    /// The redirect brought an `error` instead of a code. An error with a
    /// `state` of nobody's is none of ours.
    pub fn denied(&self, error: &str, description: Option<&str>, state: &str) -> SignInError {
        match self.take(state) {
            Err(unknown) => unknown,
            Ok(_) => SignInError::Denied {
                error: error.to_owned(),
                description: description.map(str::to_owned),
            },
        }
    }

    fn take(&self, state: &str) -> Result<Pending, SignInError> {
        self.pending()
            .take(state, Instant::now())
            .ok_or(SignInError::UnknownState)
    }

    fn pending(&self) -> MutexGuard<'_, PendingSignIns> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn authorization_url(
        &self,
        redirect_uri: &str,
        state: &Secret,
        challenge: &CodeChallenge,
    ) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client.id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", SCOPES)
            .append_pair("state", state.reveal())
            .append_pair("code_challenge", challenge.as_str())
            .append_pair("code_challenge_method", CodeChallenge::METHOD)
            // A refresh token, and one every time: without `prompt` Google gives
            // it on the first consent only.
            .append_pair("access_type", "offline")
            .append_pair("prompt", "consent")
            .finish();
        format!("{}?{query}", self.endpoints.authorization)
    }

    fn exchange(
        &self,
        http: &Http,
        code: &str,
        pending: &Pending,
    ) -> Result<Credentials, SignInError> {
        let http = http.with_patience(PATIENCE);
        let endpoint = TokenEndpoint {
            http: &http,
            url: &self.endpoints.token,
            client: &self.client,
        };
        let answer = endpoint.exchange(code, &pending.redirect_uri, &pending.verifier)?;
        let mut credentials = self.credentials(answer)?;
        credentials.email =
            userinfo::email(&http, &self.endpoints.userinfo, &credentials.access_token);
        Ok(credentials)
    }

    fn credentials(&self, answer: TokenResponse) -> Result<Credentials, SignInError> {
        // No `scope` means all that was asked for (RFC 6749, section 5.1).
        if let Some(scope) = &answer.scope
            && !scope
                .split_whitespace()
                .any(|scope| scope == CLOUD_PLATFORM)
        {
            return Err(SignInError::MissingScope);
        }
        Ok(Credentials {
            expires_at_ms: expires_at_ms(&answer),
            access_token: AccessToken::new(answer.access_token),
            refresh_token: answer.refresh_token.ok_or(SignInError::NoRefreshToken)?,
            scope: answer.scope,
            email: None,
            assignment: None,
            client: Some(self.client.clone()),
        })
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").finish_non_exhaustive()
    }
}

impl From<TokenEndpointError> for SignInError {
    fn from(error: TokenEndpointError) -> Self {
        match error {
            TokenEndpointError::Unreachable(error) => Self::Unreachable(error),
            TokenEndpointError::Unavailable { status } => Self::Unavailable { status },
            TokenEndpointError::Refused(refusal) if refusal.is_of_grant() => {
                Self::CodeRefused(refusal)
            }
            TokenEndpointError::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

/// 32 random bytes in hexadecimal, as the Gemini CLI does.
fn random_state() -> Result<Secret, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(Secret::new(hex(&bytes)))
}

fn described(description: &Option<String>) -> String {
    match description {
        Some(description) => format!(": {}", description.trim_end_matches('.')),
        None => String::new(),
    }
}

fn advice(error: &str) -> &'static str {
    match error {
        "access_denied" => "sign in again and choose \"Allow\"",
        "admin_policy_enforced" | "org_internal" => {
            "the administrator of this account's organisation does not allow it; ask them, or use \
             another account"
        }
        "disallowed_useragent" => "open the address in an ordinary browser",
        "redirect_uri_mismatch" => {
            "it sends users back to loopback addresses only; open the sign-in at 127.0.0.1 or \
             localhost"
        }
        _ => "begin a new sign-in",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::oauth::testing::{Answer, FakeGoogle};

    const TOKENS: &str = r#"{"access_token":"ya29.a","expires_in":3599,"refresh_token":"1//r",
        "scope":"openid https://www.googleapis.com/auth/cloud-platform","token_type":"Bearer"}"#;

    fn begun(google: &FakeGoogle) -> (SignIns, Started) {
        let sign_ins = SignIns::new(&google.config());
        let started = sign_ins.begin("http://127.0.0.1:1/cb".into()).unwrap();
        (sign_ins, started)
    }

    #[test]
    fn the_authorization_url_asks_for_a_code_bound_to_a_challenge() {
        let google = FakeGoogle::start(vec![]);
        let (_, started) = begun(&google);
        let url = url::Url::parse(&started.authorization_url).unwrap();
        let field = |name: &str| {
            url.query_pairs()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default()
        };
        assert_eq!(field("response_type"), "code");
        assert_eq!(field("redirect_uri"), "http://127.0.0.1:1/cb");
        assert_eq!(field("access_type"), "offline");
        assert_eq!(field("prompt"), "consent");
        assert_eq!(field("code_challenge_method"), "S256");
        assert_eq!(field("code_challenge").len(), 43);
        assert_eq!(field("scope"), SCOPES);
        assert_eq!(field("state"), started.state.reveal());
        assert_eq!(started.state.reveal().len(), 64);
    }

    #[test]
    fn a_redirect_becomes_credentials_once() {
        let google = FakeGoogle::start(vec![
            Answer::json(200, TOKENS),
            Answer::json(200, r#"{"email":"me@example.com"}"#),
        ]);
        let (sign_ins, started) = begun(&google);
        let state = started.state.reveal();
        let credentials = sign_ins.complete(&google.http(), "4/0code", state).unwrap();
        assert_eq!(credentials.refresh_token.reveal(), "1//r");
        assert_eq!(credentials.email.as_deref(), Some("me@example.com"));
        let again = sign_ins.complete(&google.http(), "4/0code", state);
        assert!(matches!(again, Err(SignInError::UnknownState)));
        let asked = google.requests();
        assert_eq!(asked.len(), 2);
        assert!(asked[0].contains("code=4%2F0code") && asked[0].contains("code_verifier="));
        assert!(asked[0].contains("redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb"));
    }

    #[test]
    fn without_the_address_of_the_account_the_sign_in_still_succeeds() {
        let google =
            FakeGoogle::start(vec![Answer::json(200, TOKENS), Answer::json(500, "<html>")]);
        let (sign_ins, started) = begun(&google);
        let state = started.state.reveal();
        let credentials = sign_ins.complete(&google.http(), "c", state).unwrap();
        assert_eq!(credentials.email, None);
    }

    #[test]
    fn a_sign_in_that_would_not_last_or_not_serve_is_refused() {
        let fails_with = |tokens: &str| {
            let google = FakeGoogle::start(vec![Answer::json(200, tokens)]);
            let (sign_ins, started) = begun(&google);
            let state = started.state.reveal();
            sign_ins.complete(&google.http(), "c", state).unwrap_err()
        };
        let scope = "https://www.googleapis.com/auth/cloud-platform";
        let no_refresh = format!(r#"{{"access_token":"a","expires_in":1,"scope":"{scope}"}}"#);
        assert!(matches!(
            fails_with(&no_refresh),
            SignInError::NoRefreshToken
        ));
        let unticked = r#"{"access_token":"a","refresh_token":"r","scope":"openid"}"#;
        assert!(matches!(fails_with(unticked), SignInError::MissingScope));
    }

    #[test]
    fn a_mistyped_code_may_be_pasted_again() {
        let google = FakeGoogle::start(vec![
            Answer::json(
                400,
                r#"{"error":"invalid_grant","error_description":"Malformed auth code."}"#,
            ),
            Answer::json(200, TOKENS),
            Answer::json(200, "{}"),
        ]);
        let (sign_ins, started) = begun(&google);
        let http = google.http();
        let mistyped = sign_ins.complete_pasted_code(&http, "4/0c", &started.state);
        assert!(matches!(mistyped, Err(SignInError::PastedCodeRefused(_))));
        let credentials = sign_ins.complete_pasted_code(&http, "4/0code", &started.state);
        assert_eq!(credentials.unwrap().refresh_token.reveal(), "1//r");
    }

    #[test]
    fn a_denial_ends_the_sign_in_it_belongs_to() {
        let google = FakeGoogle::start(vec![]);
        let (sign_ins, started) = begun(&google);
        let strange = sign_ins.denied("access_denied", None, "somebody else's");
        assert!(matches!(strange, SignInError::UnknownState));
        let denied = sign_ins.denied("access_denied", None, started.state.reveal());
        assert_eq!(
            denied.to_string(),
            "Google did not give its consent (access_denied): sign in again and choose \"Allow\""
        );
        let again = sign_ins.complete(&google.http(), "c", started.state.reveal());
        assert!(matches!(again, Err(SignInError::UnknownState)));
    }
}
