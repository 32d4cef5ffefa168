//! Proof Key for Code Exchange (RFC 7636): a code stolen on its way to us is
//! worth nothing without the verifier, which never left.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::secret::Secret;

/// The half that stays here until the code is exchanged. Used once, so it
/// cannot be cloned.
#[derive(Debug)]
pub struct CodeVerifier(Secret);

/// The half that goes into the authorization URL; reveals nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeChallenge(String);

impl CodeVerifier {
    /// 32 random bytes, 43 characters (section 4.1).
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(Secret::new(URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The `S256` challenge (section 4.2).
    pub fn challenge(&self) -> CodeChallenge {
        let digest = Sha256::digest(self.0.reveal().as_bytes());
        CodeChallenge(URL_SAFE_NO_PAD.encode(digest))
    }

    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

impl CodeChallenge {
    /// `code_challenge_method`
    pub const METHOD: &str = "S256";

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_rfc_7636_appendix_b() {
        let verifier = CodeVerifier(Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert_eq!(
            verifier.challenge().as_str(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn verifiers_differ_and_hold_only_unreserved_characters() {
        let one = CodeVerifier::random().unwrap();
        let other = CodeVerifier::random().unwrap();
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(one.reveal().len(), 43);
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        assert!(one.reveal().bytes().all(unreserved));
    }
}
