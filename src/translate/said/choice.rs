//! One of the alternative answers: what it has so far, and how it ended.

use std::collections::HashSet;

use super::{Finish, Said};
use crate::translate::fence::Fence;
use crate::translate::{Form, Unfinished};
use crate::wire::openai::{Annotation, FinishReason};

#[derive(Default)]
pub(super) struct Choice {
    pub(super) calls: u32,
    /// The calls so far that have ids of Google's: one that is sent again, whole, is
    /// the same call.
    pub(super) known_calls: HashSet<(String, String, String)>,
    pub(super) images: u32,
    has_text: bool,
    pub(super) has_call_in_pieces: bool,
    /// The tag of the thoughts is open.
    in_thoughts: bool,
    fence: Fence,
    /// All of it, if it may be cited.
    pub(super) text: String,
    pub(super) annotations: Vec<Annotation>,
    /// Of the text, if it can be given back on that very text.
    pub(super) signature: Option<String>,
    pub(super) finish_reason: Option<String>,
    pub(super) finish_message: Option<String>,
}

impl Choice {
    pub(super) fn think(
        &mut self,
        thought: &str,
        form: &Form,
        index: u32,
        said: &mut impl FnMut(u32, Said<'_>),
    ) {
        let Some(tag) = &form.thought_tag else {
            return said(index, Said::Thought(thought));
        };
        if !self.in_thoughts {
            self.in_thoughts = true;
            said(index, Said::Text(&format!("<{tag}>")));
        }
        said(index, Said::Text(thought));
    }

    pub(super) fn close_thoughts(
        &mut self,
        form: &Form,
        index: u32,
        said: &mut impl FnMut(u32, Said<'_>),
    ) {
        if let Some(tag) = form.thought_tag.as_ref().filter(|_| self.in_thoughts) {
            self.in_thoughts = false;
            said(index, Said::Text(&format!("</{tag}>")));
        }
    }

    pub(super) fn say(
        &mut self,
        text: &str,
        form: &Form,
        index: u32,
        said: &mut impl FnMut(u32, Said<'_>),
    ) {
        self.close_thoughts(form, index, said);
        self.has_text = true;
        self.signature = None;
        if form.searches {
            self.text.push_str(text);
        }
        if !form.strips_fence {
            return said(index, Said::Text(text));
        }
        let bare = self.fence.push(text);
        if !bare.is_empty() {
            said(index, Said::Text(&bare));
        }
    }

    /// The text so far is signed. Not so text that is told otherwise than it came,
    /// or out of its place: OpenAI's goes before all calls.
    pub(super) fn sign(&mut self, signature: Option<&str>, form: &Form) {
        let is_as_it_came = form.thought_tag.is_none() && !form.strips_fence;
        if self.has_text && self.calls == 0 && is_as_it_came {
            self.signature = signature.map(str::to_owned).or(self.signature.take());
        }
    }

    pub(super) fn flush(&mut self, form: &Form, index: u32, said: &mut impl FnMut(u32, Said<'_>)) {
        self.close_thoughts(form, index, said);
        let rest = self.fence.finish();
        if !rest.is_empty() {
            said(index, Said::Text(&rest));
        }
    }

    pub(super) fn has_output(&self) -> bool {
        self.has_text || self.calls > 0 || self.images > 0
    }

    pub(super) fn is_untouched(&self) -> bool {
        self.finish_reason.is_none() && !self.has_output()
    }

    /// Why this is no answer, if it is none.
    pub(super) fn failure(&self, is_blocked: bool) -> Option<Unfinished> {
        if self.has_call_in_pieces {
            return Some(Unfinished::CallInPieces);
        }
        match self.finish_reason.as_deref() {
            None if is_blocked => None,
            None => Some(Unfinished::CutShort),
            Some(reason) if finish_reason(reason).is_some() || self.has_output() => None,
            // MALFORMED_FUNCTION_CALL and its kin: an answer with nothing in it.
            Some(reason) => Some(Unfinished::Empty {
                reason: reason.to_owned(),
                message: self.finish_message.clone(),
            }),
        }
    }

    /// Gemini's reason in OpenAI's words. It says `STOP` even when it calls functions.
    pub(super) fn finish(&mut self, form: &Form) -> Finish {
        let reason = match &self.finish_reason {
            _ if self.calls > 0 && form.functions_of_old => FinishReason::FunctionCall,
            _ if self.calls > 0 => FinishReason::ToolCalls,
            None => FinishReason::ContentFilter,
            Some(reason) => finish_reason(reason).unwrap_or(FinishReason::Stop),
        };
        Finish {
            reason,
            refusal: None,
            annotations: std::mem::take(&mut self.annotations),
            signature: self.signature.take(),
        }
    }
}

/// Gemini's reasons that OpenAI has a word for.
pub(super) fn finish_reason(gemini: &str) -> Option<FinishReason> {
    match gemini {
        "STOP" => Some(FinishReason::Stop),
        "MAX_TOKENS" | "CONTINUATION" => Some(FinishReason::Length),
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
        | "ESCALATION" => Some(FinishReason::ContentFilter),
        _ => None,
    }
}
