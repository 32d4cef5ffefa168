//! Codes and tokens: who was given what, for how long.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Codes live for minutes.
const CODE_LIFETIME: Duration = Duration::from_secs(600);

/// Without this scope Code Assist serves nobody.
pub(super) const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The scopes the Gemini CLI asks for.
pub(super) const SCOPES: &str = "https://www.googleapis.com/auth/cloud-platform \
    https://www.googleapis.com/auth/userinfo.email \
    https://www.googleapis.com/auth/userinfo.profile";

#[derive(Debug, Default)]
pub(super) struct Grants {
    codes: HashMap<String, Consent>,
    /// The clients to which the user has said yes before.
    consented: HashSet<String>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
}

/// What the user agreed to: what an authorization code stands for.
#[derive(Debug, Clone)]
pub(super) struct Consent {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    /// PKCE with S256 (RFC 7636), if it was used.
    pub(super) code_challenge: Option<String>,
    pub(super) scope: String,
    /// Whether a refresh token is wanted, and whether consent was asked for anew.
    /// Without the latter Google gives one at the first consent only.
    pub(super) is_offline: bool,
    pub(super) is_prompted: bool,
    pub(super) since: Instant,
}

#[derive(Debug, Clone)]
pub(super) struct Access {
    pub(super) scope: String,
    pub(super) expires: Instant,
}

#[derive(Debug, Clone)]
struct Refresh {
    /// `None`: signed in by a test, good for every client.
    client_id: Option<String>,
    scope: String,
}

/// Why a code buys nothing: `error_description` of `invalid_grant`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadCode {
    /// Unknown, used before, or too old.
    Malformed,
    /// Another client, or the wrong verifier.
    BadRequest,
    RedirectUriMismatch,
}

impl Grants {
    pub(super) fn give_code(&mut self, mut consent: Consent) -> String {
        let is_first = self.consented.insert(consent.client_id.clone());
        consent.is_offline &= is_first || consent.is_prompted;
        let code = format!("4/0{}", random());
        self.codes.insert(code.clone(), consent);
        code
    }

    /// A code is good for one attempt, whether it succeeds or not.
    pub(super) fn take_code(
        &mut self,
        code: &str,
        client_id: &str,
        redirect_uri: &str,
        verifier: Option<&str>,
    ) -> Result<Consent, BadCode> {
        let consent = self.codes.remove(code).ok_or(BadCode::Malformed)?;
        if consent.since.elapsed() > CODE_LIFETIME {
            return Err(BadCode::Malformed);
        }
        if consent.redirect_uri != redirect_uri {
            return Err(BadCode::RedirectUriMismatch);
        }
        let proved = verifier.map(|verifier| URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)));
        if consent.client_id != client_id || proved != consent.code_challenge {
            return Err(BadCode::BadRequest);
        }
        Ok(consent)
    }

    pub(super) fn give_access(&mut self, scope: &str, lifetime: Duration) -> String {
        let token = format!("ya29.a0{}", random());
        let access = Access {
            scope: scope.into(),
            expires: Instant::now() + lifetime,
        };
        self.access
            .retain(|_, access| access.expires > Instant::now());
        self.access.insert(token.clone(), access);
        token
    }

    pub(super) fn give_refresh(&mut self, client_id: Option<&str>, scope: &str) -> String {
        let token = format!("1//0{}", random());
        let refresh = Refresh {
            client_id: client_id.map(str::to_owned),
            scope: scope.into(),
        };
        self.refresh.insert(token.clone(), refresh);
        token
    }

    /// The scope of a refresh token that is alive and belongs to this client.
    pub(super) fn scope_of_refresh(&self, token: &str, client_id: &str) -> Option<String> {
        let refresh = self.refresh.get(token)?;
        let is_theirs = refresh
            .client_id
            .as_deref()
            .is_none_or(|id| id == client_id);
        is_theirs.then(|| refresh.scope.clone())
    }

    pub(super) fn live(&self, token: &str) -> Option<&Access> {
        self.access
            .get(token)
            .filter(|access| access.expires > Instant::now())
    }

    pub(super) fn is_live(&self, token: &str) -> bool {
        self.live(token).is_some()
    }

    /// Whether there was anything to revoke. With a refresh token, everything goes:
    /// Google revokes the user's whole grant.
    pub(super) fn revoke(&mut self, token: &str) -> bool {
        if self.refresh.remove(token).is_some() {
            self.access.clear();
            return true;
        }
        self.access.remove(token).is_some()
    }

    pub(super) fn forget_refresh(&mut self, token: &str) {
        self.refresh.remove(token);
    }

    pub(super) fn expire_access_tokens(&mut self) {
        self.access.clear();
    }

    pub(super) fn revoke_refresh_tokens(&mut self) {
        self.refresh.clear();
    }
}

/// 192 random bits. Not secrets, but as unlike each other as the real ones.
fn random() -> String {
    let mut bytes = [0; 24];
    if let Err(error) = getrandom::fill(&mut bytes) {
        log::warn!("no randomness: {error}");
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn consent(is_offline: bool, is_prompted: bool) -> Consent {
        Consent {
            client_id: "c".into(),
            redirect_uri: "r".into(),
            code_challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".into()),
            scope: "s".into(),
            is_offline,
            is_prompted,
            since: Instant::now(),
        }
    }

    #[test]
    fn a_refresh_token_is_due_at_the_first_consent_and_at_each_that_is_prompted() {
        let mut grants = Grants::default();
        let mut is_due = |is_offline, is_prompted| {
            let code = grants.give_code(consent(is_offline, is_prompted));
            let taken = grants.take_code(&code, "c", "r", Some(VERIFIER));
            taken.map(|consent| consent.is_offline)
        };
        assert_eq!(is_due(true, false), Ok(true));
        assert_eq!(is_due(true, false), Ok(false));
        assert_eq!(is_due(true, true), Ok(true));
        assert_eq!(is_due(false, true), Ok(false));
    }

    #[test]
    fn a_code_is_good_once_and_for_the_right_verifier_only() {
        let mut grants = Grants::default();
        let verifier = VERIFIER;
        let consent = consent(true, true);
        let code = grants.give_code(consent.clone());
        let good = grants.take_code(&code, "c", "r", Some(verifier));
        assert_eq!(good.map(|consent| consent.scope), Ok("s".into()));
        let again = grants.take_code(&code, "c", "r", Some(verifier)).map(drop);
        assert_eq!(again, Err(BadCode::Malformed));

        for (redirect_uri, verifier, bad) in [
            ("r", Some("wrong"), BadCode::BadRequest),
            ("r", None, BadCode::BadRequest),
            ("r/", Some(verifier), BadCode::RedirectUriMismatch),
        ] {
            let code = grants.give_code(consent.clone());
            let verdict = grants
                .take_code(&code, "c", redirect_uri, verifier)
                .map(drop);
            assert_eq!(verdict, Err(bad));
        }
    }
}
