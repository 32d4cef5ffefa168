//! What a user pastes at the end of a sign-in: the code, or the address the
//! browser could not open.

use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use crate::secret::Secret;

/// Codes have about 70 characters, whole addresses about 500.
const MAX_PASTED_BYTES: usize = 8 * 1024;

/// What the text turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Pasted {
    /// A bare code: which sign-in it ends is for the caller to know.
    Code(Secret),
    /// A redirect, complete with its `state`.
    Redirect { code: Secret, state: Secret },
    /// A redirect that says the user, or an administrator, said no.
    Denied {
        error: String,
        description: Option<String>,
        state: Option<Secret>,
    },
    /// The address that was to be opened, instead of the one that comes back.
    Authorization,
    /// None of these.
    Nonsense,
}

/// Reads a code (also one still percent-encoded), an address from the address
/// bar (with or without its scheme), or a bare query string.
pub fn parse_pasted(text: &str) -> Pasted {
    let text = text.trim().trim_matches(['"', '\'', '<', '>', '`']).trim();
    if text.is_empty() || text.len() > MAX_PASTED_BYTES {
        return Pasted::Nonsense;
    }
    if let Some(pasted) = redirect(text) {
        return pasted;
    }
    let code = percent_decode_str(text).decode_utf8_lossy();
    let is_code_character = |c: char| c.is_ascii_alphanumeric() || "/-_.~+=".contains(c);
    if code.chars().all(is_code_character) {
        Pasted::Code(Secret::new(code))
    } else {
        Pasted::Nonsense
    }
}

fn redirect(text: &str) -> Option<Pasted> {
    let after_path = text.split_once('?').map_or(text, |(_, query)| query);
    let query = after_path.split('#').next()?;
    let field = |wanted: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(name, value)| name == wanted && !value.is_empty())
            .map(|(_, value)| value.into_owned())
    };
    let state = field("state").map(Secret::new);
    if let Some(error) = field("error") {
        let description = field("error_description");
        return Some(Pasted::Denied {
            error,
            description,
            state,
        });
    }
    let Some(code) = field("code").map(Secret::new) else {
        // RFC 6749, section 4.1.1: what a client asks for consent with.
        let asks = field("client_id").is_some() || field("response_type").is_some();
        return asks.then_some(Pasted::Authorization);
    };
    Some(match state {
        Some(state) => Pasted::Redirect { code, state },
        None => Pasted::Code(code),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Pasted {
        Pasted::Code(Secret::new(text))
    }

    fn redirected(code: &str, state: &str) -> Pasted {
        Pasted::Redirect {
            code: Secret::new(code),
            state: Secret::new(state),
        }
    }

    #[test]
    fn a_code_is_taken_with_whatever_surrounds_it() {
        for text in [
            "4/0AbC-d_e",
            "  4/0AbC-d_e\r\n",
            "\"4/0AbC-d_e\"",
            "4%2F0AbC-d_e",
        ] {
            assert_eq!(parse_pasted(text), code("4/0AbC-d_e"), "{text}");
        }
    }

    #[test]
    fn a_code_is_decoded_once() {
        assert_eq!(parse_pasted("4%252F0AbC"), Pasted::Nonsense);
        assert_eq!(
            parse_pasted("http://localhost/?code=4%252F0&state=s"),
            redirected("4%2F0", "s")
        );
    }

    #[test]
    fn an_address_is_taken_in_every_form_a_browser_shows_it() {
        for text in [
            "http://127.0.0.1:8085/oauth2callback?state=s1&code=4%2F0Ab&scope=a%20b",
            "127.0.0.1:8085/oauth2callback?code=4/0Ab&state=s1#",
            "<http://localhost:1/?code=4%2F0Ab&state=s1>",
            "?code=4%2F0Ab&state=s1",
            "code=4%2F0Ab&state=s1",
        ] {
            assert_eq!(parse_pasted(text), redirected("4/0Ab", "s1"), "{text}");
        }
        assert_eq!(
            parse_pasted("http://localhost:1/?code=4%2F0Ab"),
            code("4/0Ab")
        );
    }

    #[test]
    fn a_refusal_is_recognised() {
        let text = "http://127.0.0.1:1/?error=access_denied&error_description=No+thanks&state=s";
        assert_eq!(
            parse_pasted(text),
            Pasted::Denied {
                error: "access_denied".into(),
                description: Some("No thanks".into()),
                state: Some(Secret::new("s")),
            }
        );
    }

    #[test]
    fn the_address_that_was_to_be_opened_is_recognised() {
        for text in [
            "https://accounts.google.com/o/oauth2/v2/auth?client_id=x&state=s",
            "https://accounts.google.com/o/oauth2/v2/auth?response_type=code&state=s",
        ] {
            assert_eq!(parse_pasted(text), Pasted::Authorization, "{text}");
        }
    }

    #[test]
    fn nonsense_is_recognised() {
        for text in [
            "",
            "  ",
            "two words",
            "http://127.0.0.1:8085/oauth2callback",
            "http://127.0.0.1:8085/?code=&state=s",
            "4/0Ab\u{e9}",
        ] {
            assert_eq!(parse_pasted(text), Pasted::Nonsense, "{text}");
        }
        assert_eq!(
            parse_pasted(&"x".repeat(MAX_PASTED_BYTES + 1)),
            Pasted::Nonsense
        );
    }
}
