//! The beginning of an answer in the Responses' words, and what every event of it
//! repeats.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::value::{RawValue, to_raw_value};

use crate::translate::{Stamp, token};
use crate::wire::responses::{Asked, OutputItem, Response, ResponseEvent, Status};

/// That an answer is in the making: the first two events, and the second again
/// whenever there has been nothing to say for long. (Codex does not count comments.)
#[derive(Debug, Clone)]
pub struct Opening {
    /// The number of the next event.
    pub(super) next: Arc<AtomicU64>,
    /// The answer, with nothing in it yet.
    pub(super) response: Arc<RawValue>,
}

impl Opening {
    pub fn tell(&self, mut sink: impl FnMut(&ResponseEvent<'_>)) {
        if self.next.load(Ordering::Relaxed) == 0 {
            sink(&self.event("response.created"));
        }
        sink(&self.event("response.in_progress"));
    }

    fn event(&self, kind: &'static str) -> ResponseEvent<'_> {
        ResponseEvent {
            kind,
            sequence_number: self.next.fetch_add(1, Ordering::Relaxed),
            response: Some(&self.response),
            ..ResponseEvent::default()
        }
    }

    pub(super) fn has_been_told(&self) -> bool {
        self.next.load(Ordering::Relaxed) > 0
    }
}

/// What is the same from the first event to the last.
pub(super) struct Head {
    pub(super) id: String,
    pub(super) stamp: Stamp,
    pub(super) asked: Asked,
}

impl Head {
    pub(super) fn response<'a>(&'a self, status: Status, output: &'a [OutputItem]) -> Response<'a> {
        Response {
            id: &self.id,
            object: "response",
            created_at: self.stamp.created,
            completed_at: None,
            status,
            error: None,
            incomplete_details: None,
            model: &self.stamp.model,
            output,
            usage: None,
            asked: &self.asked,
        }
    }

    pub(super) fn item_id(&self, prefix: &str, nth: usize) -> String {
        format!(
            "{prefix}_{}",
            token(&self.stamp.seed, &format!("item {nth}"), 32)
        )
    }
}

pub(super) fn raw(response: &Response<'_>) -> Box<RawValue> {
    // Strings and numbers can always be written.
    to_raw_value(response).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
