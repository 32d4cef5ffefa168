//! Media that a client names by address. Translation does not fetch: it tells
//! what it will need ([`remote_media`]) and is given what came ([`Fetched`]).

use std::collections::HashMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Rejection, parts, sniff};
use crate::wire::openai::ChatRequest;

/// What was fetched, by URL.
#[derive(Default)]
pub struct Fetched(HashMap<String, Medium>);

/// A medium that Gemini reads.
pub(super) struct Medium {
    pub(super) mime_type: &'static str,
    /// Base64.
    pub(super) data: String,
}

/// A part of a message that must be fetched.
#[derive(Debug)]
pub struct Remote<'a> {
    pub url: &'a str,
    /// Where in the request, such as `messages[0].content[1].image_url`.
    pub param: String,
    /// OpenAI's word for what is wrong with it, if it cannot be had.
    pub(super) code: &'static str,
}

/// All parts that must be fetched before the request can be translated, in
/// order. A URL may be among them more than once.
pub fn remote_media<'a>(chat: &'a ChatRequest<'a>) -> impl Iterator<Item = Remote<'a>> {
    let messages = chat.messages.as_deref().unwrap_or_default();
    messages
        .iter()
        .enumerate()
        .flat_map(|(position, message)| parts::remote(message, position))
}

impl Fetched {
    pub fn contains(&self, url: &str) -> bool {
        self.0.contains_key(url)
    }

    /// Keeps what came, if Gemini can read it. What it is follows from the bytes,
    /// whatever its server called it.
    pub fn add(&mut self, remote: &Remote<'_>, bytes: &[u8]) -> Result<(), Rejection> {
        let Some(mime_type) = sniff::mime_type(bytes) else {
            return Err(remote.rejection("it leads to no image or other medium that Gemini reads"));
        };
        let data = STANDARD.encode(bytes);
        let medium = Medium { mime_type, data };
        self.0.insert(remote.url.to_owned(), medium);
        Ok(())
    }

    pub(super) fn get(&self, url: &str) -> Option<&Medium> {
        self.0.get(url)
    }
}

impl Remote<'_> {
    /// `why` completes "this URL cannot be used: …".
    pub fn rejection(&self, why: impl fmt::Display) -> Rejection {
        let message = format!("This URL cannot be used: {why}.");
        Rejection::new(self.code, self.param.clone(), message)
    }
}
