//! The token endpoint (RFC 6749, section 3.2): a code for tokens, a refresh
//! token for an access token; and beside it the revocation of both (RFC 7009).

use std::fmt;
use std::time::Duration;

use url::form_urlencoded;

use crate::config::OauthClient;
use crate::http::{Http, HttpError, Pulse, Request};
use crate::oauth::now_ms;
use crate::oauth::pkce::CodeVerifier;
use crate::secret::Secret;
use crate::wire::google_oauth::{TokenErrorResponse, TokenResponse};

/// Google answers within a second. Whoever asks is waiting for more than this.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// If Google does not say how long a token lives.
const USUAL_LIFETIME_SECONDS: u64 = 3600;

/// An answer with an id token takes about 2 KiB.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// No tokens.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenEndpointError {
    #[error(transparent)]
    Unreachable(#[from] HttpError),
    /// Too busy, out of order, or a page of HTML from something in between. Says
    /// nothing about the credentials.
    #[error("Google gave no usable answer (HTTP {status}); try again shortly")]
    Unavailable { status: u16 },
    #[error("Google refuses: {0}")]
    Refused(Refusal),
}

/// The token endpoint's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `invalid_grant`, …
    pub error: String,
    pub description: Option<String>,
    pub subtype: Option<String>,
}

impl Refusal {
    /// The code or refresh token is dead: expired, revoked, used or never valid.
    pub fn is_of_grant(&self) -> bool {
        self.error == "invalid_grant"
    }

    /// The program that asks is refused, whatever it brings.
    pub fn is_of_client(&self) -> bool {
        matches!(
            self.error.as_str(),
            "invalid_client" | "unauthorized_client" | "deleted_client"
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        if let Some(description) = &self.description {
            write!(f, ": {}", description.trim_end_matches('.'))?;
        }
        match &self.subtype {
            Some(subtype) => write!(f, " ({subtype})"),
            None => Ok(()),
        }
    }
}

/// Where tokens come from, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct TokenEndpoint<'a> {
    pub http: &'a Http,
    pub url: &'a str,
    pub client: &'a OauthClient,
}

impl TokenEndpoint<'_> {
    /// `redirect_uri` must be that of the authorization request, byte for byte.
    pub fn exchange(
        &self,
        code: &str,
        redirect_uri: &str,
        verifier: &CodeVerifier,
    ) -> Result<TokenResponse, TokenEndpointError> {
        let grant = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier.reveal()),
        ];
        self.ask(&grant, &Pulse::none())
    }

    /// `pulse` is asked while Google does not answer.
    pub fn refresh(
        &self,
        refresh_token: &Secret,
        pulse: &Pulse,
    ) -> Result<TokenResponse, TokenEndpointError> {
        let grant = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.reveal()),
        ];
        self.ask(&grant, pulse)
    }

    fn ask(
        &self,
        grant: &[(&str, &str)],
        pulse: &Pulse,
    ) -> Result<TokenResponse, TokenEndpointError> {
        let client = [
            ("client_id", self.client.id.as_str()),
            ("client_secret", self.client.secret.reveal()),
        ];
        let (status, answer) = post_form(self.http, self.url, client.iter().chain(grant), pulse)?;
        read_answer(status, &answer)
    }
}

/// Ends a sign-in at Google; either of its tokens will do. One that is dead
/// already is as good as revoked.
pub fn revoke(http: &Http, url: &str, token: &Secret) -> Result<(), TokenEndpointError> {
    let (status, answer) = post_form(http, url, [&("token", token.reveal())], &Pulse::none())?;
    if matches!(status, 200..300) {
        return Ok(());
    }
    match failure(status, &answer) {
        TokenEndpointError::Refused(refusal) if refusal.error == "invalid_token" => Ok(()),
        error => Err(error),
    }
}

/// When an access token that has just arrived ends, by the wall clock.
pub(super) fn expires_at_ms(answer: &TokenResponse) -> u64 {
    let seconds = answer.expires_in.unwrap_or(USUAL_LIFETIME_SECONDS);
    now_ms().saturating_add(seconds.saturating_mul(1000))
}

fn post_form<'a>(
    http: &Http,
    url: &str,
    fields: impl IntoIterator<Item = &'a (&'a str, &'a str)>,
    pulse: &Pulse,
) -> Result<(u16, Vec<u8>), HttpError> {
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let request = Request {
        url,
        headers: &[
            ("content-type", "application/x-www-form-urlencoded"),
            ("accept", "application/json"),
        ],
        body: Some(form.as_bytes()),
    };
    let response = http.send_while(request, pulse)?;
    let status = response.status();
    Ok((status, response.bytes_while(MAX_ANSWER_BYTES, pulse)?))
}

fn read_answer(status: u16, answer: &[u8]) -> Result<TokenResponse, TokenEndpointError> {
    match status {
        200..300 => {
            serde_json::from_slice(answer).map_err(|_| TokenEndpointError::Unavailable { status })
        }
        _ => Err(failure(status, answer)),
    }
}

fn failure(status: u16, answer: &[u8]) -> TokenEndpointError {
    match serde_json::from_slice::<TokenErrorResponse>(answer) {
        Ok(refusal) if status != 429 && status < 500 => TokenEndpointError::Refused(Refusal {
            error: refusal.error,
            description: refusal.error_description,
            subtype: refusal.error_subtype,
        }),
        _ => TokenEndpointError::Unavailable { status },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_endpoints_own_words_count_as_a_refusal() {
        let refused = |status, body: &str| {
            matches!(
                read_answer(status, body.as_bytes()),
                Err(TokenEndpointError::Refused(_))
            )
        };
        assert!(refused(400, r#"{"error":"invalid_grant"}"#));
        assert!(refused(401, r#"{"error":"invalid_client"}"#));
        assert!(!refused(500, r#"{"error":"invalid_grant"}"#));
        assert!(!refused(429, r#"{"error":"rate_limit"}"#));
        assert!(!refused(502, "<html>Bad Gateway</html>"));
        assert!(!refused(403, "<html>blocked by your company</html>"));
        assert!(!refused(200, "<html>captive portal</html>"));
    }

    #[test]
    fn a_refusal_is_shown_in_googles_words() {
        let body = br#"{"error":"invalid_grant","error_description":"reauth related error (invalid_rapt).","error_subtype":"invalid_rapt"}"#;
        let error = read_answer(400, body).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Google refuses: invalid_grant: reauth related error (invalid_rapt) (invalid_rapt)"
        );
    }
}
