//! `encrypted_content` of our reasoning items: the thought signatures of the calls
//! that follow, so that nothing about a conversation has to be kept here. It is no
//! secret of the client's own conversation; a seal shows whether it is still ours.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Tells our tokens from others': OpenAI's, for one, of a conversation begun there.
const PREFIX: &str = "gp1.";

/// Half a digest: as hard to forge, and cut off so that nobody can add to what it covers.
const TAG_BYTES: usize = 16;

/// Seals and opens tokens; one for each proxy and road to Gemini.
#[derive(Debug, Clone)]
pub struct Seal([u8; 32]);

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sealed {
    /// The model that signed.
    pub(super) m: String,
    pub(super) s: Vec<SignedCall>,
}

/// One call, and its signature.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SignedCall {
    /// The id that we gave it.
    pub(super) c: String,
    /// The name of the function.
    pub(super) n: String,
    pub(super) sig: String,
}

impl Seal {
    /// `secrets` stay the same when the proxy is started again, and so do its tokens.
    pub fn new<'s>(road: &'s str, secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let mut hasher = Sha256::new().chain_update("gemini-proxy thought signatures");
        for part in [road].into_iter().chain(secrets) {
            // The length keeps neighbours apart.
            hasher = hasher
                .chain_update(part.len().to_be_bytes())
                .chain_update(part);
        }
        Self(hasher.finalize().into())
    }

    pub(super) fn close(&self, sealed: &Sealed) -> String {
        let json = serde_json::to_vec(sealed).unwrap_or_default();
        let mut bytes = self.tag(&json).to_vec();
        bytes.extend_from_slice(&json);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// `None` for what is not ours, or not as it was.
    pub(super) fn open(&self, token: &str) -> Option<Sealed> {
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
        let (tag, json) = bytes.split_at_checked(TAG_BYTES)?;
        if tag != self.tag(json) {
            return None;
        }
        serde_json::from_slice(json).ok()
    }

    fn tag(&self, json: &[u8]) -> [u8; TAG_BYTES] {
        let digest = Sha256::new()
            .chain_update(self.0)
            .chain_update(json)
            .finalize();
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&digest[..TAG_BYTES]);
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_only_whole_and_where_it_was_made() {
        let seal = Seal::new("gemini-api", ["key"]);
        let signed = SignedCall {
            c: "call_1".into(),
            n: "f".into(),
            sig: "c2ln".into(),
        };
        let sealed = Sealed {
            m: "gemini-3".into(),
            s: vec![signed],
        };
        let token = seal.close(&sealed);
        let opened = seal
            .open(&token)
            .map(|sealed| (sealed.m, sealed.s[0].sig.clone()));
        assert_eq!(opened, Some(("gemini-3".into(), "c2ln".into())));
        for other in [
            Seal::new("code-assist", ["key"]),
            Seal::new("gemini-api", []),
        ] {
            assert!(other.open(&token).is_none());
        }
        for at in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8_lossy(&altered).into_owned();
            assert!(seal.open(&altered).is_none(), "altered at {at}");
            assert!(seal.open(&token[..at]).is_none(), "cut at {at}");
        }
    }
}
