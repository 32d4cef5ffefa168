//! Answers as chat completions: whole, or in chunks.

mod stream;
mod whole;

pub use stream::StreamTranslator;
pub use whole::response;
