//! Prompts as chats.

use super::answers::Answer;
use crate::models::{self, Thinking};
use crate::translate::said::Reader;
use crate::translate::{Notes, Rejection, thinking};
use crate::wire::completions::CompletionRequest;
use crate::wire::openai::{ChatRequest, Message, MessageContent};

/// More prompts in one request than this are refused: each is asked by itself.
const MAX_PROMPTS: usize = 8;

/// Makes a model that was taught to talk fill a gap instead.
const FILL_THE_GAP: &str = "You fill a gap in a text or in code. The user gives what stands before \
    the gap in <prefix> and what stands after it in <suffix>. Reply with exactly the text that \
    belongs into the gap: no explanation, no code fence, nothing of the prefix or the suffix.";

/// A request for completions as chats, one for each prompt.
#[derive(Debug)]
pub struct Chats<'a> {
    /// What all of them share.
    chat: ChatRequest<'a>,
    prompts: Vec<String>,
    /// How many of the prompts have been given out.
    given: usize,
    suffix: Option<String>,
    echo: bool,
    pub notes: Notes,
}

impl<'a> Chats<'a> {
    pub fn new(request: CompletionRequest<'a>, model: &str) -> Result<Self, Rejection> {
        let prompts = prompts(&request)?;
        if let Some(best_of @ 2..) = request.best_of {
            let message = format!(
                "Invalid 'best_of': integer above maximum value. Expected a value <= 1, but got \
                 {best_of} instead."
            );
            return Err(Rejection::new(
                "integer_above_max_value",
                "best_of",
                message,
            ));
        }
        let mut notes = Notes::default();
        if request.logprobs.is_some() {
            notes.add("logprobs", "left out: the tokens are not those of OpenAI");
        }
        let suffix = request.suffix.filter(|suffix| !suffix.is_empty());
        let mut chat = ChatRequest {
            model: request.model,
            max_tokens: request.max_tokens,
            temperature: request.temperature,
            top_p: request.top_p,
            top_k: request.top_k,
            n: request.n,
            stop: request.stop,
            presence_penalty: request.presence_penalty,
            frequency_penalty: request.frequency_penalty,
            seed: request.seed,
            stream: request.stream,
            stream_options: request.stream_options,
            logit_bias: request.logit_bias,
            reasoning_effort: request.reasoning_effort,
            reasoning: request.reasoning,
            thinking: request.thinking,
            extra_body: request.extra_body,
            google: request.google,
            ..ChatRequest::default()
        };
        // A completion is wanted quickly, and often is short.
        let asks_for_thought = chat.reasoning_effort.is_some()
            || chat.reasoning.is_some()
            || chat.thinking.is_some()
            || thinking::given_googles_own(&chat).is_some();
        if !asks_for_thought && models::abilities(model).thinking != Thinking::Unknown {
            chat.reasoning_effort = Some("none".into());
        }
        Ok(Self {
            chat,
            prompts,
            given: 0,
            suffix,
            echo: request.echo == Some(true),
            notes,
        })
    }

    /// The chat of the next prompt.
    pub fn next_chat(&mut self) -> Option<&ChatRequest<'a>> {
        let prompt = self.prompts.get(self.given)?;
        self.given += 1;
        self.chat.messages = Some(match &self.suffix {
            None => vec![message("user", prompt.clone())],
            Some(suffix) => vec![
                message("system", FILL_THE_GAP.to_owned()),
                message(
                    "user",
                    format!("<prefix>{prompt}</prefix>\n<suffix>{suffix}</suffix>"),
                ),
            ],
        });
        Some(&self.chat)
    }

    /// The answer to be made of what `reader` reads: to the chat given out last.
    pub fn answer(&self, reader: Reader) -> Answer {
        let nth = self.given.saturating_sub(1);
        let prompt = self.prompts.get(nth).filter(|_| self.echo);
        let choices = self.chat.n.unwrap_or(1).max(1) as usize;
        let echo = prompt.cloned().unwrap_or_default();
        Answer::new(reader, echo, (nth * choices) as u32)
    }
}

fn prompts(request: &CompletionRequest<'_>) -> Result<Vec<String>, Rejection> {
    let given = request.prompt.as_ref().map(|prompts| prompts.0.as_slice());
    match given.unwrap_or_default() {
        [] => Err(Rejection::missing("prompt")),
        prompts if prompts.len() > MAX_PROMPTS => {
            let message = format!(
                "Invalid 'prompt': array too long. Expected an array with maximum length \
                 {MAX_PROMPTS}, but got one with length {} instead.",
                prompts.len()
            );
            Err(Rejection::new("array_above_max_length", "prompt", message))
        }
        prompts => Ok(prompts.to_vec()),
    }
}

fn message(role: &'static str, text: String) -> Message<'static> {
    Message {
        role: Some(role.into()),
        content: Some(MessageContent::Text(text.into())),
        ..Message::default()
    }
}
