//! What Google is asked, written once, so that it can be asked again.

use crate::wire::count_tokens::Counted;
use crate::wire::gemini::GenerateContentRequest;

/// A request for an answer of a model.
#[derive(Clone)]
pub struct Question {
    /// The public id, without `models/`.
    pub model: String,
    /// A [`GenerateContentRequest`].
    pub(super) json: Vec<u8>,
}

impl Question {
    /// `bytes`: about how long it will be; a conversation may be megabytes, which are
    /// not to be moved again and again.
    pub fn new(
        model: &str,
        request: &GenerateContentRequest<'_>,
        bytes: usize,
    ) -> serde_json::Result<Self> {
        let mut json = Vec::with_capacity(bytes);
        serde_json::to_writer(&mut json, request)?;
        Ok(Self {
            model: model.to_owned(),
            json,
        })
    }

    /// What of it is counted, for a model that the road knows by this id.
    pub(super) fn counted(&self, model: &str) -> serde_json::Result<Counted<'_>> {
        let counted: Counted<'_> = serde_json::from_slice(&self.json)?;
        let model = format!("models/{model}");
        Ok(Counted { model, ..counted })
    }
}

/// It holds a conversation.
impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Question")
            .field("model", &self.model)
            .field("bytes", &self.json.len())
            .finish()
    }
}
