//! Completions of old: each prompt is a chat of one message, and what the model
//! says is the text. All that is Gemini's is shared with chat.

mod answers;
mod prompts;

pub use answers::CompletionTranslator;
pub use prompts::Chats;
