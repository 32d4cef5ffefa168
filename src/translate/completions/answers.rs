//! Answers to prompts as one completion, whole or in events.

use std::collections::VecDeque;

use crate::translate::said::{Finish, Reader, Said};
use crate::translate::{Stamp, Unfinished};
use crate::wire::Text;
use crate::wire::completions::{Completion, CompletionChoice};
use crate::wire::gemini::GenerateContentResponse;
use crate::wire::openai::{FinishReason, Usage};

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
    /// It has been asked for a second time.
    is_second: bool,
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

    /// For a whole answer, and for whoever takes every clean end of a stream for a good one.
    pub fn presume_stopped(&mut self) {
        if let Some(answer) = self.answers.front_mut() {
            answer.reader.presume_stopped();
        }
    }

    /// How many bytes the answer at hand has so far.
    pub fn said_bytes(&self) -> usize {
        let answer = self.answers.front();
        answer.map_or(0, |answer| answer.reader.said_bytes())
    }

    /// The usage so far.
    pub fn usage(&self) -> Usage {
        let mut usage = self.usage;
        if let Some(answer) = self.answers.front() {
            add(&mut usage, answer.reader.usage());
        }
        usage
    }

    /// Whether the prompt at hand is to be asked again: once, if there was nothing in
    /// its answer and another may do better.
    pub fn begins_anew(&mut self) -> bool {
        let Some(answer) = self.answers.front_mut() else {
            return false;
        };
        let is_in_vain = answer.begun == 0 && answer.reader.is_in_vain();
        if !is_in_vain || std::mem::replace(&mut answer.is_second, true) {
            return false;
        }
        answer.reader = answer.reader.anew();
        true
    }

    /// Reads one whole answer, to the prompt at hand, into `choices`; false if that is
    /// to be asked again.
    pub fn read_whole(
        &mut self,
        answer: GenerateContentResponse<'_>,
        choices: &mut Vec<CompletionChoice<'static>>,
    ) -> Result<bool, Unfinished> {
        let mut gather = |event: &Completion<'_>| {
            for choice in &event.choices {
                gather(choices, choice);
            }
        };
        self.push(answer, &mut gather);
        self.presume_stopped();
        if self.begins_anew() {
            return Ok(false);
        }
        self.finish(&mut gather)?;
        Ok(true)
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
    pub(super) fn new(reader: Reader, echo: String, first_index: u32) -> Self {
        Self {
            reader,
            echo,
            first_index,
            begun: 0,
            is_second: false,
        }
    }

    fn telling<'t, S>(&'t mut self, head: &'t Head, sink: S) -> (&'t mut Reader, Telling<'t, S>) {
        let Self {
            reader,
            echo,
            first_index,
            begun,
            ..
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
