//! The Responses API: its requests in chat's words, so that every rule about
//! Gemini is one rule, and answers in its own items and events.

mod events;
mod fields;
mod items;
mod namespaces;
mod opening;
mod request;
mod seal;
mod telling;

pub use events::{Failure, ResponseTranslator};
pub use fields::Fields;
pub use namespaces::Namespaces;
pub use opening::Opening;
pub use request::{Told, as_chat};
pub use seal::Seal;
