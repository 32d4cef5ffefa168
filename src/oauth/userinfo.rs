//! Whose account it is: the e-mail address, for the user to recognise.

use crate::http::{Http, Request};
use crate::oauth::AccessToken;
use crate::wire::google_oauth::UserInfo;

const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The e-mail address, if Google tells. It is only for show, so that no failure
/// here may spoil a sign-in.
pub fn email(http: &Http, url: &str, token: &AccessToken) -> Option<String> {
    let request = Request {
        url,
        headers: &[("authorization", &token.bearer())],
        body: None,
    };
    let answer = http
        .send(request)
        .and_then(|response| response.bytes(MAX_ANSWER_BYTES));
    match answer {
        Ok(answer) => serde_json::from_slice::<UserInfo>(&answer).ok()?.email,
        Err(error) => {
            log::warn!("cannot ask Google for the account's e-mail address: {error}");
            None
        }
    }
}
