//! What the model said. Gemini's answer, whole or as events, becomes one
//! sequence of [`Said`] and an [`Ending`]; every dialect is made from these.

mod choice;

use std::borrow::Cow;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use self::choice::{Choice, finish_reason};
use super::signatures::{self, CallRecord, Signatures};
use super::usage::{merge, usage};
use super::{Form, Stamp, Unfinished, citations, logprobs};
use crate::wire::Json;
use crate::wire::gemini::{Blob, Candidate, GenerateContentResponse, Part, UsageMetadata};
use crate::wire::hex;
use crate::wire::openai::{Annotation, FinishReason, Logprobs, Usage};

/// More alternatives than anyone may ask for.
const MAX_CHOICES: usize = 8;

/// Something new in one of the alternative answers.
#[derive(Debug)]
pub enum Said<'a> {
    /// A piece of a summary of the model's thinking; never part of the answer.
    Thought(&'a str),
    Text(&'a str),
    Call(Call<'a>),
    Image(Image<'a>),
    /// Of the text that was said last.
    Logprobs(Logprobs),
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
    /// It is a custom tool of the client's, which takes text.
    pub is_custom: bool,
}

impl Call<'_> {
    /// What a custom tool is given: the text in the one parameter it was declared with.
    pub(super) fn input(&self) -> String {
        let arguments: serde_json::Value =
            serde_json::from_str(&self.arguments).unwrap_or_default();
        match arguments.get("input").and_then(serde_json::Value::as_str) {
            Some(input) => input.to_owned(),
            // The model did not keep to that parameter.
            None => arguments.to_string(),
        }
    }
}

/// A picture that the model made.
#[derive(Debug)]
pub struct Image<'a> {
    /// Counts the pictures of this alternative from 0.
    pub index: u32,
    pub blob: &'a Blob<'a>,
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
    /// What a search found.
    pub annotations: Vec<Annotation>,
    /// The thought signature of the text.
    pub signature: Option<String>,
}

/// Reads an answer, event by event.
pub struct Reader {
    stamp: Stamp,
    form: Form,
    signatures: Arc<dyn Signatures + Send + Sync>,
    choices: Vec<Choice>,
    calls: usize,
    usage: UsageMetadata,
    block_reason: Option<String>,
    fingerprint: Option<String>,
    said_bytes: usize,
}

impl Reader {
    pub fn new(stamp: Stamp, form: Form, signatures: Arc<dyn Signatures + Send + Sync>) -> Self {
        Self {
            stamp,
            form,
            signatures,
            choices: Vec::new(),
            calls: 0,
            usage: UsageMetadata::default(),
            block_reason: None,
            said_bytes: 0,
            fingerprint: None,
        }
    }

    /// For the answer to the same question, asked again.
    pub fn anew(&self) -> Self {
        let signatures = self.signatures.clone();
        Self::new(self.stamp.clone(), self.form.clone(), signatures)
    }

    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    pub fn form(&self) -> &Form {
        &self.form
    }

    /// `fp_…`; follows from the exact version of the model, once that is known.
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
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
        if let Some(version) = event.model_version.filter(|_| self.fingerprint.is_none()) {
            self.fingerprint = Some(fingerprint(&version));
        }
        let blocked = event
            .prompt_feedback
            .and_then(|feedback| feedback.block_reason);
        if let Some(reason) = blocked {
            self.block_reason = Some(reason.to_string());
        }
        let mut bytes = 0;
        let mut counted = |index, one: Said<'_>| {
            bytes += match &one {
                Said::Thought(text) | Said::Text(text) => text.len(),
                Said::Call(call) => call.arguments.len(),
                Said::Image(_) | Said::Logprobs(_) => 0,
            };
            said(index, one);
        };
        for candidate in event.candidates.unwrap_or_default() {
            self.read_candidate(candidate, &mut counted);
        }
        self.said_bytes += bytes;
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
        if let Some(result) = &candidate.logprobs_result {
            said(index, Said::Logprobs(logprobs::logprobs(result)));
        }
        let choice = &mut self.choices[place];
        if let Some(metadata) = candidate.grounding_metadata.filter(|_| self.form.searches) {
            choice.annotations = citations::annotations(&choice.text, &metadata);
        }
        if let Some(reason) = candidate.finish_reason {
            choice.finish_reason = Some(reason.to_string());
        }
        if let Some(message) = candidate.finish_message {
            choice.finish_message = Some(message.to_string());
        }
    }

    fn read_part(&mut self, index: u32, part: &Part<'_>, said: &mut impl FnMut(u32, Said<'_>)) {
        if part.function_call.is_some() {
            self.choices[index as usize].close_thoughts(&self.form, index, said);
            if let Some(call) = self.call(index, part) {
                said(index, Said::Call(call));
            }
            return;
        }
        let choice = &mut self.choices[index as usize];
        match part.text.as_deref() {
            Some("") if part.thought == Some(true) => {}
            // Streams often end with a signature on a part without text.
            Some("") => choice.sign(signature(part), &self.form),
            Some(thought) if part.thought == Some(true) => {
                choice.think(thought, &self.form, index, said);
            }
            Some(text) => {
                choice.say(text, &self.form, index, said);
                choice.sign(signature(part), &self.form);
            }
            None => {
                if let Some(code) = &part.executable_code {
                    let language = code.language.to_ascii_lowercase();
                    let text = format!("\n```{language}\n{}\n```\n", &*code.code);
                    choice.say(&text, &self.form, index, said);
                }
                if let Some(result) = &part.code_execution_result {
                    let text = format!("\n```\n{}\n```\n", &*result.output);
                    choice.say(&text, &self.form, index, said);
                }
                if let Some(blob) = part.inline_data.as_ref().filter(|_| part.thought.is_none()) {
                    said(
                        index,
                        Said::Image(Image {
                            index: choice.images,
                            blob,
                        }),
                    );
                    choice.images += 1;
                }
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
            && !choice.known_calls.insert((
                id.to_owned(),
                call.name.to_string(),
                call.args
                    .as_ref()
                    .map(|args| args.compact().into_owned())
                    .unwrap_or_default(),
            ))
        {
            return None;
        }
        if (self.form.one_call_only || self.form.functions_of_old) && choice.calls > 0 {
            return None;
        }
        let nth = choice.calls;
        choice.calls += 1;
        let id = self.stamp.call_id(self.calls);
        self.calls += 1;
        let name = self.form.names.restore(&call.name);
        let arguments = arguments(call.args.as_ref());
        let signature = signature(part);
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
        let is_custom = self.form.names.is_custom(name);
        Some(Call {
            index: nth,
            id,
            name: name.into(),
            arguments,
            signature,
            is_custom,
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

    /// Whether there is nothing for a client in all this; thoughts do not count.
    pub fn is_silent(&self) -> bool {
        self.block_reason.is_none() && self.choices.iter().all(|choice| !choice.has_output())
    }

    /// How many bytes of thoughts, text and arguments there were so far.
    pub fn said_bytes(&self) -> usize {
        self.said_bytes
    }

    /// Whether Google stopped with nothing for a client, and not for a reason that
    /// would be the same again: a limit, a filter.
    pub fn is_in_vain(&self) -> bool {
        let is_unlucky = |choice: &Choice| {
            let reason = choice.finish_reason.as_deref().unwrap_or_default();
            !matches!(
                finish_reason(reason),
                Some(FinishReason::Length | FinishReason::ContentFilter)
            )
        };
        self.is_finished() && self.is_silent() && self.choices.iter().any(is_unlucky)
    }

    /// The usage so far.
    pub fn usage(&self) -> Usage {
        usage(&self.usage)
    }

    /// A whole answer cannot have been cut: a document that parses is complete.
    /// Answers without a reason are among those that Google's own SDKs are tested with.
    pub(super) fn presume_stopped(&mut self) {
        for choice in &mut self.choices {
            let is_open = choice.finish_reason.is_none() && choice.has_output();
            if is_open && self.block_reason.is_none() {
                choice.finish_reason = Some("STOP".to_owned());
            }
        }
    }

    /// Google has nothing more to say; `said` gets what was held back.
    pub fn finish(&mut self, mut said: impl FnMut(u32, Said<'_>)) -> Result<Ending, Unfinished> {
        let usage = self.usage();
        if self.choices.iter().all(Choice::is_untouched)
            && let Some(reason) = &self.block_reason
        {
            let refusal = Some(format!("Gemini blocked the prompt ({reason})."));
            let reason = FinishReason::ContentFilter;
            let finish = Finish {
                reason,
                refusal,
                annotations: Vec::new(),
                signature: None,
            };
            return Ok(Ending {
                finishes: vec![finish],
                usage,
            });
        }
        if self.choices.is_empty() {
            return Err(Unfinished::CutShort);
        }
        for (choice, index) in self.choices.iter_mut().zip(0..) {
            choice.flush(&self.form, index, &mut said);
            if let Some(signature) = &choice.signature {
                signatures::remember_text(signature, &self.stamp.model, &*self.signatures);
            }
        }
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        let choices = self.choices.iter_mut();
        let finishes = choices.map(|choice| choice.finish(&self.form)).collect();
        Ok(Ending { finishes, usage })
    }

    /// Alternatives that are none do not take the good ones with them, unless the
    /// answer was cut: then more may be missing than they show.
    fn failure(&self) -> Option<Unfinished> {
        let is_blocked = self.block_reason.is_some();
        let failures = self.choices.iter().map(|choice| choice.failure(is_blocked));
        let mut failures: Vec<_> = failures.collect();
        let cut = Some(Unfinished::CutShort);
        if failures.contains(&cut) {
            return cut;
        }
        let all_failed = failures.iter().all(Option::is_some);
        failures.swap_remove(0).filter(|_| all_failed)
    }
}

/// Always an object, for clients parse nothing else; what Google gives instead is
/// wrapped as it is on the way back.
fn arguments<'a>(args: Option<&'a Json<'_>>) -> Cow<'a, str> {
    match args {
        None => "{}".into(),
        Some(args) if args.is_object() => args.compact(),
        Some(args) if args.text() == "null" => "{}".into(),
        Some(args) => format!("{{\"value\":{}}}", args.compact()).into(),
    }
}

/// An empty one is none.
fn signature<'a>(part: &'a Part<'_>) -> Option<&'a str> {
    let signature = part.thought_signature.as_deref();
    signature.filter(|signature| !signature.is_empty())
}

pub(super) fn fingerprint(model_version: &str) -> String {
    let digest = Sha256::digest(model_version.as_bytes());
    format!("fp_{}", hex(&digest[..5]))
}
