//! What the model said. Gemini's answer, whole or as events, becomes one
//! sequence of [`Said`] and an [`Ending`]; every dialect is made from these.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::signatures::{CallRecord, Signatures};
use super::{Names, Stamp, Unfinished};
use crate::wire::gemini::{Candidate, GenerateContentResponse, Part, UsageMetadata};
use crate::wire::openai::{CompletionTokensDetails, FinishReason, PromptTokensDetails, Usage};

/// More alternatives than anyone may ask for.
const MAX_CHOICES: usize = 8;

/// Something new in one of the alternative answers.
#[derive(Debug)]
pub enum Said<'a> {
    /// A piece of a summary of the model's thinking; never part of the answer.
    Thought(&'a str),
    Text(&'a str),
    Call(Call<'a>),
}

/// A call of one of the client's functions; whole.
#[derive(Debug)]
pub struct Call<'a> {
    /// Counts the calls of this alternative from 0.
    pub index: u32,
    /// Ours; Gemini's own are neither always there nor unique.
    pub id: String,
    /// The client's name for the function.
    pub name: Cow<'a, str>,
    /// A JSON object, compact.
    pub arguments: Cow<'a, str>,
    pub signature: Option<&'a str>,
}

/// How the answer ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ending {
    /// One for each alternative, in order; at least one.
    pub finishes: Vec<Finish>,
    pub usage: Usage,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Finish {
    pub reason: FinishReason,
    /// Why Google did not answer the prompt at all.
    pub refusal: Option<String>,
}

/// Reads an answer, event by event.
pub struct Reader {
    stamp: Stamp,
    names: Names,
    one_call_only: bool,
    signatures: Arc<dyn Signatures + Send + Sync>,
    choices: Vec<Choice>,
    calls: usize,
    usage: UsageMetadata,
    block_reason: Option<String>,
}

#[derive(Default)]
struct Choice {
    calls: u32,
    /// Google's ids of the calls so far: a call that is sent again is the same call.
    call_ids: HashSet<String>,
    has_text: bool,
    has_call_in_pieces: bool,
    /// Something came that chat completions have no place for, such as an image.
    has_unshown: bool,
    finish_reason: Option<String>,
    finish_message: Option<String>,
}

impl Reader {
    pub fn new(
        stamp: Stamp,
        names: Names,
        one_call_only: bool,
        signatures: Arc<dyn Signatures + Send + Sync>,
    ) -> Self {
        Self {
            stamp,
            names,
            one_call_only,
            signatures,
            choices: Vec::new(),
            calls: 0,
            usage: UsageMetadata::default(),
            block_reason: None,
        }
    }

    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Takes in one event; `said` gets the number of the alternative and what is new in it.
    pub fn read(
        &mut self,
        event: GenerateContentResponse<'_>,
        mut said: impl FnMut(u32, Said<'_>),
    ) {
        if let Some(usage) = event.usage_metadata {
            merge(&mut self.usage, usage);
        }
        let blocked = event
            .prompt_feedback
            .and_then(|feedback| feedback.block_reason);
        if let Some(reason) = blocked {
            self.block_reason = Some(reason.to_string());
        }
        for candidate in event.candidates.unwrap_or_default() {
            self.read_candidate(candidate, &mut said);
        }
    }

    fn read_candidate(&mut self, candidate: Candidate<'_>, said: &mut impl FnMut(u32, Said<'_>)) {
        let index = candidate.index.unwrap_or(0);
        let place = index as usize;
        if place >= MAX_CHOICES {
            return;
        }
        if self.choices.len() <= place {
            self.choices.resize_with(place + 1, Choice::default);
        }
        let parts = candidate.content.and_then(|content| content.parts);
        for part in parts.iter().flatten() {
            self.read_part(index, part, said);
        }
        let choice = &mut self.choices[place];
        if let Some(reason) = candidate.finish_reason {
            choice.finish_reason = Some(reason.to_string());
        }
        if let Some(message) = candidate.finish_message {
            choice.finish_message = Some(message.to_string());
        }
    }

    fn read_part(&mut self, index: u32, part: &Part<'_>, said: &mut impl FnMut(u32, Said<'_>)) {
        if part.function_call.is_some() {
            if let Some(call) = self.call(index, part) {
                said(index, Said::Call(call));
            }
            return;
        }
        let choice = &mut self.choices[index as usize];
        let mut text = |text: &str| {
            choice.has_text = true;
            said(index, Said::Text(text));
        };
        match part.text.as_deref() {
            Some("") => {}
            Some(thought) if part.thought == Some(true) => said(index, Said::Thought(thought)),
            Some(answer) => text(answer),
            None => {
                if let Some(code) = &part.executable_code {
                    let language = code.language.to_ascii_lowercase();
                    text(&format!("\n```{language}\n{}\n```\n", &*code.code));
                }
                if let Some(result) = &part.code_execution_result {
                    text(&format!("\n```\n{}\n```\n", &*result.output));
                }
                choice.has_unshown |= part.inline_data.is_some();
            }
        }
    }

    fn call<'a>(&'a mut self, index: u32, part: &'a Part<'_>) -> Option<Call<'a>> {
        let call = part.function_call.as_ref()?;
        let choice = &mut self.choices[index as usize];
        if call.will_continue.is_some() || call.name.is_empty() {
            choice.has_call_in_pieces = true;
            return None;
        }
        if let Some(id) = call.id.as_deref().filter(|id| !id.is_empty())
            && !choice.call_ids.insert(id.to_owned())
        {
            return None;
        }
        if self.one_call_only && choice.calls > 0 {
            return None;
        }
        let nth = choice.calls;
        choice.calls += 1;
        let id = self.stamp.call_id(self.calls);
        self.calls += 1;
        let name = self.names.restore(&call.name);
        let arguments = call
            .args
            .as_ref()
            .map_or(Cow::Borrowed("{}"), |args| args.compact());
        let signature = part
            .thought_signature
            .as_deref()
            .filter(|signature| !signature.is_empty());
        if let Some(signature) = signature {
            let (id, model) = (id.as_str(), self.stamp.model.as_str());
            let record = CallRecord {
                id,
                name,
                arguments: &arguments,
                model,
            };
            self.signatures.remember(&record, signature);
        }
        Some(Call {
            index: nth,
            id,
            name: name.into(),
            arguments,
            signature,
        })
    }

    /// Whether every alternative has said why it stopped.
    pub fn is_finished(&self) -> bool {
        self.block_reason.is_some()
            || (!self.choices.is_empty()
                && self
                    .choices
                    .iter()
                    .all(|choice| choice.finish_reason.is_some()))
    }

    /// The usage so far.
    pub fn usage(&self) -> Usage {
        usage(&self.usage)
    }

    /// A whole answer cannot have been cut: a document that parses is complete.
    /// Answers without a reason are among those that Google's own SDKs are tested with.
    pub(super) fn presume_stopped(&mut self) {
        for choice in &mut self.choices {
            let has_content = choice.has_text || choice.calls > 0;
            if choice.finish_reason.is_none() && has_content && self.block_reason.is_none() {
                choice.finish_reason = Some("STOP".to_owned());
            }
        }
    }

    /// Google has nothing more to say.
    pub fn finish(&self) -> Result<Ending, Unfinished> {
        let usage = self.usage();
        if self.choices.iter().all(Choice::is_untouched)
            && let Some(reason) = &self.block_reason
        {
            let refusal = Some(format!("Gemini blocked the prompt ({reason})."));
            let finish = Finish {
                reason: FinishReason::ContentFilter,
                refusal,
            };
            return Ok(Ending {
                finishes: vec![finish],
                usage,
            });
        }
        if self.choices.is_empty() {
            return Err(Unfinished::CutShort);
        }
        let is_blocked = self.block_reason.is_some();
        let finishes = self.choices.iter().map(|choice| choice.finish(is_blocked));
        let finishes = finishes.collect::<Result<_, _>>()?;
        Ok(Ending { finishes, usage })
    }
}

impl Choice {
    fn is_untouched(&self) -> bool {
        self.finish_reason.is_none() && self.calls == 0 && !self.has_text
    }

    /// Gemini's reason in OpenAI's words. It says `STOP` even when it calls functions.
    fn finish(&self, is_blocked: bool) -> Result<Finish, Unfinished> {
        if self.has_call_in_pieces {
            return Err(Unfinished::CallInPieces);
        }
        let reason = match self.finish_reason.as_deref() {
            Some(reason) => reason,
            None if is_blocked => "SAFETY",
            None => return Err(Unfinished::CutShort),
        };
        let reason = match reason {
            _ if self.calls > 0 => FinishReason::ToolCalls,
            "STOP" if self.has_unshown && !self.has_text => {
                return Err(Self::empty(
                    "STOP",
                    Some("it holds an image, which is not passed on here"),
                ));
            }
            "STOP" => FinishReason::Stop,
            "MAX_TOKENS" | "CONTINUATION" => FinishReason::Length,
            "SAFETY"
            | "RECITATION"
            | "LANGUAGE"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
            | "MODEL_ARMOR"
            | "ESCALATION" => FinishReason::ContentFilter,
            _ if self.has_text => FinishReason::Stop,
            // MALFORMED_FUNCTION_CALL and its kin: an answer with nothing in it.
            reason => return Err(Self::empty(reason, self.finish_message.as_deref())),
        };
        Ok(Finish {
            reason,
            refusal: None,
        })
    }

    fn empty(reason: &str, message: Option<&str>) -> Unfinished {
        Unfinished::Empty {
            reason: reason.to_owned(),
            message: message.map(str::to_owned),
        }
    }
}

/// Later events may leave out what earlier ones told; counts only grow.
fn merge(known: &mut UsageMetadata, news: UsageMetadata) {
    let larger = |known: &mut Option<u64>, news| *known = (*known).max(news);
    larger(&mut known.prompt_token_count, news.prompt_token_count);
    larger(
        &mut known.cached_content_token_count,
        news.cached_content_token_count,
    );
    larger(
        &mut known.candidates_token_count,
        news.candidates_token_count,
    );
    larger(&mut known.thoughts_token_count, news.thoughts_token_count);
    larger(
        &mut known.tool_use_prompt_token_count,
        news.tool_use_prompt_token_count,
    );
    larger(&mut known.total_token_count, news.total_token_count);
}

/// OpenAI's completion tokens include the thoughts; Gemini's candidates tokens
/// do not, unless the total shows that they do.
fn usage(counts: &UsageMetadata) -> Usage {
    let of = |count: Option<u64>| count.unwrap_or(0);
    let prompt =
        of(counts.prompt_token_count).saturating_add(of(counts.tool_use_prompt_token_count));
    let candidates = of(counts.candidates_token_count);
    let thoughts = of(counts.thoughts_token_count);
    let includes_thoughts = candidates >= thoughts
        && counts.total_token_count == Some(prompt.saturating_add(candidates));
    let completion = if includes_thoughts {
        candidates
    } else {
        candidates.saturating_add(thoughts)
    };
    Usage {
        prompt_tokens: prompt,
        completion_tokens: completion,
        total_tokens: prompt.saturating_add(completion),
        prompt_tokens_details: PromptTokensDetails {
            cached_tokens: counts.cached_content_token_count.unwrap_or(0),
            audio_tokens: 0,
        },
        completion_tokens_details: CompletionTokensDetails {
            reasoning_tokens: thoughts,
            ..CompletionTokensDetails::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_adds_up_however_google_counts() {
        let counts = UsageMetadata {
            prompt_token_count: Some(100),
            cached_content_token_count: Some(60),
            candidates_token_count: Some(20),
            thoughts_token_count: Some(7),
            tool_use_prompt_token_count: Some(5),
            total_token_count: Some(132),
        };
        let outside = usage(&counts);
        assert_eq!(
            (outside.prompt_tokens, outside.completion_tokens),
            (105, 27)
        );
        let inside = usage(&UsageMetadata {
            total_token_count: Some(125),
            ..counts
        });
        assert_eq!((inside.completion_tokens, inside.total_tokens), (20, 125));
    }

    #[test]
    fn a_later_event_does_not_erase_a_count() {
        let mut known = UsageMetadata {
            cached_content_token_count: Some(9),
            ..Default::default()
        };
        merge(
            &mut known,
            UsageMetadata {
                total_token_count: Some(12),
                ..Default::default()
            },
        );
        assert_eq!(known.cached_content_token_count, Some(9));
        assert_eq!(known.total_token_count, Some(12));
    }
}
