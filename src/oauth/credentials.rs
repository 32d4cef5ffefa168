//! The credentials of one account, in memory and in the token file. The file
//! uses the names of the Gemini CLI's `oauth_creds.json`, and some of its own.

use serde::{Deserialize, Serialize};

use crate::config::OauthClient;
use crate::oauth::AccessToken;
use crate::oauth::token_endpoint::expires_at_ms;
use crate::secret::Secret;
use crate::wire::google_oauth::TokenResponse;

/// What a sign-in gave us, and what we have learned since.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Empty if it has yet to be obtained; `expires_at_ms` is then 0.
    pub access_token: AccessToken,
    pub refresh_token: Secret,
    /// Milliseconds since 1970, by the wall clock.
    pub expires_at_ms: u64,
    /// Separated by spaces.
    pub scope: Option<String>,
    pub email: Option<String>,
    pub assignment: Option<Assignment>,
    /// Whom Google gave these tokens to: a refresh token is bound to its client.
    /// `None`: the client that is configured.
    pub client: Option<OauthClient>,
}

impl Credentials {
    /// After a renewal. A refresh token comes along only if it was rotated.
    pub(super) fn with(self, answer: TokenResponse) -> Self {
        Self {
            expires_at_ms: expires_at_ms(&answer),
            access_token: AccessToken::new(answer.access_token),
            refresh_token: answer.refresh_token.unwrap_or(self.refresh_token),
            scope: answer.scope.or(self.scope),
            ..self
        }
    }
}

/// The project the account works in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub project: String,
    /// For the user to read, like `Gemini Code Assist (standard-tier)`.
    pub tier: Option<String>,
    /// `Config.project` at that time; another one since then makes the
    /// assignment void.
    pub configured: Option<String>,
}

/// The token file, field by field. One with other fields is another program's,
/// which would miss what a renewal does not write.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry_date: Option<Milliseconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configured_project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<Secret>,
    /// Google's words, once the refresh token is dead and forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sign_in_ended: Option<String>,
}

/// JavaScript knows one kind of number: a fraction may come in.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(from = "f64")]
struct Milliseconds(u64);

impl From<f64> for Milliseconds {
    fn from(number: f64) -> Self {
        // `as` keeps within bounds: a negative number becomes 0.
        Self(number as u64)
    }
}

impl Record {
    /// A sign-in that is over.
    pub(super) fn ended(why: &str) -> Self {
        Self {
            sign_in_ended: Some(why.to_owned()),
            ..Self::default()
        }
    }

    /// `None` without a refresh token, for then there is nothing to work with.
    pub(super) fn into_credentials(self) -> Option<Credentials> {
        let refresh_token = self.refresh_token.filter(is_token)?;
        let access_token = self.access_token.filter(is_token);
        let expires_at_ms = match (&access_token, self.expiry_date) {
            (Some(_), Some(Milliseconds(expiry))) => expiry,
            _ => 0,
        };
        let client = match (self.client_id, self.client_secret) {
            (Some(id), Some(secret)) => Some(OauthClient { id, secret }),
            _ => None,
        };
        Some(Credentials {
            access_token: AccessToken::new(access_token.unwrap_or_else(|| Secret::new(""))),
            refresh_token,
            expires_at_ms,
            scope: self.scope,
            email: self.email,
            assignment: self.project_id.map(|project| Assignment {
                project,
                tier: self.tier,
                configured: self.configured_project,
            }),
            client,
        })
    }
}

impl From<&Credentials> for Record {
    fn from(credentials: &Credentials) -> Self {
        let assignment = credentials.assignment.clone();
        let client = credentials.client.clone();
        Self {
            access_token: Some(Secret::new(credentials.access_token.reveal())),
            refresh_token: Some(credentials.refresh_token.clone()),
            scope: credentials.scope.clone(),
            token_type: Some("Bearer".to_owned()),
            expiry_date: Some(Milliseconds(credentials.expires_at_ms)),
            email: credentials.email.clone(),
            project_id: assignment.as_ref().map(|given| given.project.clone()),
            tier: assignment.as_ref().and_then(|given| given.tier.clone()),
            configured_project: assignment.and_then(|given| given.configured),
            client_id: client.as_ref().map(|client| client.id.clone()),
            client_secret: client.map(|client| client.secret),
            sign_in_ended: None,
        }
    }
}

/// Fit for a header: anything else cannot have come from Google.
pub(super) fn is_token(text: &Secret) -> bool {
    !text.reveal().is_empty() && text.reveal().bytes().all(|byte| byte.is_ascii_graphic())
}
