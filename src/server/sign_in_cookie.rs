//! The cookie that ties a sign-in to the browser that began it: each sign-in has its
//! own, named by the beginning of its `state`, so that several may be under way.

use crate::secret::Secret;

/// As long as a sign-in is waited for; `oauth/pending.rs`.
const LIFETIME_SECONDS: u32 = 10 * 60;

/// So much of the `state` tells the cookies of one browser apart.
const TAG: usize = 8;

/// Whose `state` somebody has shown us.
pub(super) struct SignInCookie {
    name: String,
    state: Secret,
}

impl SignInCookie {
    /// Of any text: the state may come from anywhere.
    pub(super) fn of(state: &str) -> Self {
        let tag: String = state.chars().take(TAG).collect();
        Self {
            name: format!("gemini-proxy-sign-in-{tag}"),
            state: Secret::new(state),
        }
    }

    /// The `Set-Cookie` at the beginning. Lax: Google's redirect is a visit, and brings it.
    /// Not `Secure`: it is for http://localhost.
    pub(super) fn given(&self) -> String {
        self.set(self.state.reveal(), LIFETIME_SECONDS)
    }

    /// The `Set-Cookie` at the end. Only for a state whose cookie was there: of any other
    /// text it would make a header.
    pub(super) fn taken(&self) -> String {
        self.set("", 0)
    }

    fn set(&self, value: &str, seconds: u32) -> String {
        let name = &self.name;
        format!("{name}={value}; Path=/auth/callback; Max-Age={seconds}; HttpOnly; SameSite=Lax")
    }

    /// Whether a browser's `Cookie` header has it (RFC 6265, section 5.4).
    pub(super) fn is_in(&self, header: &str) -> bool {
        let is_state =
            |state: &str| !state.is_empty() && state.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut cookies = header
            .split(';')
            .filter_map(|one| one.trim().split_once('='));
        is_state(self.state.reveal())
            && cookies.any(|(name, value)| name == self.name && self.state.matches(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_browser_that_was_given_it_has_it() {
        let cookie = SignInCookie::of(STATE);
        let given = cookie.given();
        assert_eq!(
            given,
            format!(
                "gemini-proxy-sign-in-01234567={STATE}; Path=/auth/callback; Max-Age=600; \
                 HttpOnly; SameSite=Lax"
            )
        );
        let (pair, _) = given.split_once(';').unwrap_or_default();
        assert!(cookie.is_in(pair));
        assert!(cookie.is_in(&format!("theme=dark; {pair};a=b")));
        assert!(!SignInCookie::of("fedcba98").is_in(pair));
        assert!(
            cookie
                .taken()
                .contains("-01234567=; Path=/auth/callback; Max-Age=0;")
        );
    }

    #[test]
    fn every_cut_and_every_other_byte_is_another_cookie_and_no_panic() {
        let cookie = SignInCookie::of(STATE);
        let pair = format!("gemini-proxy-sign-in-01234567={STATE}");
        for cut in 0..pair.len() {
            assert!(!cookie.is_in(&pair[..cut]), "{cut}");
            assert!(!cookie.is_in(&pair[cut + 1..]), "{cut}");
            for other in ['\0', ' ', ';', '=', '"', 'é', '\u{10ffff}'] {
                let mangled = format!("{}{other}{}", &pair[..cut], &pair[cut + 1..]);
                assert_eq!(cookie.is_in(&mangled), mangled == pair, "{mangled:?}");
            }
        }
    }

    #[test]
    fn no_text_of_somebody_elses_becomes_a_cookie() {
        for state in ["", "é", "a b", "x; Path=/", "x\r\nSet-Cookie: a=b", "\u{0}"] {
            let cookie = SignInCookie::of(state);
            let header = format!("{}={state}", cookie.name);
            assert!(!cookie.is_in(&header), "{state:?}");
            assert!(!cookie.is_in(""), "{state:?}");
        }
    }
}
