//! Completions of old: each prompt is a chat of one message, and what the model
//! says is the text. All that is Gemini's is shared with chat.

use std::collections::VecDeque;

use super::said::{Finish, Reader, Said};
use super::{Notes, Rejection, Stamp, Unfinished};
use crate::models::{self, Thinking};
use crate::wire::Text;
use crate::wire::completions::{Completion, CompletionChoice, CompletionRequest};
use crate::wire::gemini::GenerateContentResponse;
use crate::wire::openai::{ChatRequest, FinishReason, Message, MessageContent, Usage};

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
        let asks_for_thought =
            chat.reasoning_effort.is_some() || chat.reasoning.is_some() || chat.thinking.is_some();
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
        Answer {
            reader,
            echo: prompt.cloned().unwrap_or_default(),
            first_index: (nth * choices) as u32,
            begun: 0,
        }
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

/// Reads the answers to the prompts, one after the other, and tells them as one.
pub struct CompletionTranslator {
    head: Head,
    /// Those not complete yet; the first is being read.
    answers: VecDeque<Answer>,
    /// Of those that are complete.
    usage: Usage,
}

/// The answer to one prompt.
pub struct Answer {
    reader: Reader,
    /// What its text begins with: the prompt, if it is to be echoed.
    echo: String,
    /// The number of its first choice.
    first_index: u32,
    /// Choices whose echo has been told.
    begun: u32,
}

/// What all events of one stream share.
struct Head {
    id: String,
    created: u64,
    model: String,
    include_usage: bool,
}

impl CompletionTranslator {
    /// `include_usage`: the client asked for a last event with the usage.
    pub fn new(stamp: &Stamp, answers: Vec<Answer>, include_usage: bool) -> Self {
        let token = stamp.id.trim_start_matches("chatcmpl-");
        let head = Head {
            id: format!("cmpl-{token}"),
            created: stamp.created,
            model: stamp.model.clone(),
            include_usage,
        };
        Self {
            head,
            answers: answers.into(),
            usage: Usage::default(),
        }
    }

    /// The events that one of Google's makes; possibly none.
    pub fn push(
        &mut self,
        event: GenerateContentResponse<'_>,
        mut sink: impl FnMut(&Completion<'_>),
    ) {
        if let Some(answer) = self.answers.front_mut() {
            let (reader, mut telling) = answer.telling(&self.head, &mut sink);
            reader.read(event, |index, said| telling.tell(index, said));
        }
    }

    /// Google has nothing more to say to the prompt at hand. Fails like a chat.
    pub fn finish(&mut self, mut sink: impl FnMut(&Completion<'_>)) -> Result<(), Unfinished> {
        let Some(mut answer) = self.answers.pop_front() else {
            return Ok(());
        };
        let (reader, mut telling) = answer.telling(&self.head, &mut sink);
        let ending = reader.finish(|index, said| telling.tell(index, said))?;
        for (finish, index) in ending.finishes.iter().zip(0..) {
            telling.end(index, finish);
        }
        add(&mut self.usage, ending.usage);
        if self.answers.is_empty() && self.head.include_usage {
            sink(&self.head.completion(Vec::new(), Some(Some(self.usage))));
        }
        Ok(())
    }

    /// Whether Google has said why it stopped: whatever follows is only counts.
    pub fn is_finished(&self) -> bool {
        let answer = self.answers.front();
        answer.is_none_or(|answer| answer.reader.is_finished())
    }

    /// The usage so far.
    pub fn usage(&self) -> Usage {
        let mut usage = self.usage;
        if let Some(answer) = self.answers.front() {
            add(&mut usage, answer.reader.usage());
        }
        usage
    }

    /// Reads one whole answer, to the prompt at hand, into `choices`.
    pub fn read_whole(
        &mut self,
        answer: GenerateContentResponse<'_>,
        choices: &mut Vec<CompletionChoice<'static>>,
    ) -> Result<(), Unfinished> {
        let mut gather = |event: &Completion<'_>| {
            for choice in &event.choices {
                gather(choices, choice);
            }
        };
        self.push(answer, &mut gather);
        if let Some(answer) = self.answers.front_mut() {
            answer.reader.presume_stopped();
        }
        self.finish(&mut gather)
    }

    /// All answers as one.
    pub fn completion(&self, choices: Vec<CompletionChoice<'static>>) -> Completion<'_> {
        self.head.completion(choices, Some(Some(self.usage)))
    }
}

/// Tells one answer.
struct Telling<'t, S> {
    head: &'t Head,
    echo: &'t str,
    first_index: u32,
    begun: &'t mut u32,
    sink: S,
}

impl Answer {
    fn telling<'t, S>(&'t mut self, head: &'t Head, sink: S) -> (&'t mut Reader, Telling<'t, S>) {
        let Self {
            reader,
            echo,
            first_index,
            begun,
        } = self;
        let telling = Telling {
            head,
            echo,
            first_index: *first_index,
            begun,
            sink,
        };
        (reader, telling)
    }
}

impl<S: FnMut(&Completion<'_>)> Telling<'_, S> {
    /// Thoughts and whatever else is no text have no place here.
    fn tell(&mut self, index: u32, said: Said<'_>) {
        if let Said::Text(text) = said {
            self.begin(index);
            self.emit(index, text, None);
        }
    }

    /// Echoes the prompt, once in each choice.
    fn begin(&mut self, index: u32) {
        while *self.begun <= index {
            if !self.echo.is_empty() {
                self.emit(*self.begun, self.echo, None);
            }
            *self.begun += 1;
        }
    }

    fn end(&mut self, index: u32, finish: &Finish) {
        self.begin(index);
        let reason = match finish.reason {
            FinishReason::ToolCalls | FinishReason::FunctionCall => FinishReason::Stop,
            reason => reason,
        };
        self.emit(index, "", Some(reason));
    }

    fn emit(&mut self, index: u32, text: &str, finish_reason: Option<FinishReason>) {
        let choice = CompletionChoice {
            text: text.into(),
            index: self.first_index + index,
            logprobs: None,
            finish_reason,
        };
        let usage = self.head.include_usage.then_some(None);
        (self.sink)(&self.head.completion(vec![choice], usage));
    }
}

impl Head {
    fn completion<'a>(
        &'a self,
        choices: Vec<CompletionChoice<'a>>,
        usage: Option<Option<Usage>>,
    ) -> Completion<'a> {
        Completion {
            id: &self.id,
            object: "text_completion",
            created: self.created,
            model: &self.model,
            choices,
            usage,
        }
    }
}

/// Adds a piece to the choice that it belongs to.
fn gather(choices: &mut Vec<CompletionChoice<'static>>, piece: &CompletionChoice<'_>) {
    if let Some(choice) = choices
        .iter_mut()
        .find(|choice| choice.index == piece.index)
    {
        choice.text.0.to_mut().push_str(&piece.text);
        choice.finish_reason = piece.finish_reason;
        return;
    }
    choices.push(CompletionChoice {
        text: Text::from(piece.text.to_string()),
        ..*piece
    });
}

fn add(sum: &mut Usage, more: Usage) {
    let Usage {
        prompt_tokens,
        completion_tokens,
        total_tokens,
        prompt_tokens_details,
        completion_tokens_details,
    } = more;
    sum.prompt_tokens += prompt_tokens;
    sum.completion_tokens += completion_tokens;
    sum.total_tokens += total_tokens;
    sum.prompt_tokens_details.cached_tokens += prompt_tokens_details.cached_tokens;
    sum.completion_tokens_details.reasoning_tokens += completion_tokens_details.reasoning_tokens;
}
