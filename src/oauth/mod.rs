//! Who we are to Google: sign-in, the tokens it gave, and their renewal.

pub mod credentials;
pub mod import;
pub mod pasted;
pub mod pending;
pub mod pkce;
pub mod sign_in;
pub mod store;
#[cfg(test)]
pub(crate) mod testing;
pub mod token_endpoint;
pub mod token_source;
pub mod turn;
pub mod userinfo;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::http::{GaveUp, HttpError};
use crate::oauth::store::StoreError;
use crate::oauth::token_endpoint::{Refusal, TokenEndpointError};
use crate::oauth::turn::NoTurn;
use crate::secret::Secret;

/// Opens Google's services for about an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken(Secret);

impl AccessToken {
    pub fn new(token: Secret) -> Self {
        Self(token)
    }

    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// The value of an `Authorization` header (RFC 6750, section 2.1).
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.reveal())
    }
}

/// Why there is no access token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthError {
    /// Only the user can mend this, by signing in.
    #[error("not signed in to Google{why}")]
    SignInRequired { why: SignedOut },
    /// Nothing is lost: the next request tries again.
    #[error("cannot renew the access token: {0}; try again shortly")]
    Unreachable(HttpError),
    /// Nothing is lost: the next request tries again.
    #[error(
        "cannot renew the access token: Google gave no usable answer (HTTP {status}); try again \
         shortly"
    )]
    Unavailable { status: u16 },
    /// Google does not know, or no longer serves, the program that asks. The
    /// credentials stay where they are.
    #[error(
        "Google refuses the OAuth client that these credentials belong to ({0}); check \
         GOOGLE_OAUTH_CLIENT_ID and GOOGLE_OAUTH_CLIENT_SECRET, or sign in again"
    )]
    ClientRefused(Refusal),
    /// An administrator's policy, or a fault of ours. The credentials stay.
    #[error("Google refuses to renew the access token ({0})")]
    Refused(Refusal),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing is lost: the next request tries again.
    #[error(
        "cannot renew the access token: another request has waited for Google's answer for {} s; \
         try again shortly",
        limit.as_secs()
    )]
    Busy { limit: Duration },
    #[error(transparent)]
    GaveUp(#[from] GaveUp),
}

/// Why nobody is signed in; completes "not signed in to Google".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignedOut {
    #[error("")]
    Nobody,
    /// In Google's words.
    #[error(": the sign-in has ended ({0})")]
    Ended(String),
    /// The token file holds something else.
    #[error(": {0}")]
    Unusable(String),
}

impl From<NoTurn> for AuthError {
    fn from(why: NoTurn) -> Self {
        match why {
            NoTurn::GaveUp(gave_up) => Self::GaveUp(gave_up),
            NoTurn::Busy { limit } => Self::Busy { limit },
        }
    }
}

impl From<TokenEndpointError> for AuthError {
    fn from(error: TokenEndpointError) -> Self {
        match error {
            TokenEndpointError::Unreachable(error) => Self::Unreachable(error),
            TokenEndpointError::Unavailable { status } => Self::Unavailable { status },
            TokenEndpointError::Refused(refusal) if refusal.is_of_client() => {
                Self::ClientRefused(refusal)
            }
            TokenEndpointError::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

/// Milliseconds since 1970 by the wall clock: what `expiry_date` is compared to.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}
