//! The models we know: one row each, quirks as columns. Any other id is passed
//! through, with the abilities of its family.
//!
//! Sources: <https://ai.google.dev/gemini-api/docs/models> with a page for each
//! model, such as <https://ai.google.dev/gemini-api/docs/models/gemini-3.7-flash>;
//! <https://ai.google.dev/gemini-api/docs/thinking>; for sampling
//! <https://ai.google.dev/gemini-api/docs/whats-new-gemini-3.6>.

mod family;
mod table;

pub use table::MODELS;

use crate::models::family::{generation, of_family};
use crate::wire::gemini::ThinkingLevel;

/// One model.
#[derive(Debug)]
pub struct Model {
    /// The public id, without `models/`.
    pub id: &'static str,
    pub name: &'static str,
    /// When it appeared, in seconds since 1970.
    pub created: u64,
    /// Tokens.
    pub input_limit: u64,
    /// Tokens, thoughts included.
    pub output_limit: u32,
    pub thinking: Thinking,
    pub inputs: &'static [Modality],
    pub outputs: &'static [Modality],
    /// It calls functions.
    pub tools: bool,
    /// It writes JSON by a schema.
    pub json: bool,
    /// It heeds `temperature`, `topP` and `topK`. Later models ignore them.
    pub sampling: bool,
    /// What Code Assist calls it, where that differs.
    pub code_assist_id: Option<&'static str>,
    /// Google has retired it, or will soon; what it names instead
    /// (<https://ai.google.dev/gemini-api/docs/deprecations>).
    pub successor: Option<&'static str>,
}

/// How a model's thinking is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinking {
    /// It doesn't think, or we don't know how it is told to: send nothing.
    Unknown,
    /// By tokens (Gemini 2.5).
    Budget {
        min: i32,
        max: i32,
        can_be_off: bool,
    },
    /// By level (Gemini 3 and later); never off.
    Level(&'static [ThinkingLevel]),
}

/// What a model reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modality {
    Text,
    Image,
    Audio,
    Video,
    /// PDF above all.
    File,
}

/// What decides how a request is written, and what is told about a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    pub generation: Generation,
    pub thinking: Thinking,
    /// Tokens, where they differ from what current models have.
    pub input_limit: Option<u64>,
    /// Tokens; a larger request is refused, not cut.
    pub output_limit: Option<u32>,
    pub inputs: &'static [Modality],
    pub outputs: &'static [Modality],
    pub tools: bool,
    pub json: bool,
    pub sampling: bool,
}

impl Abilities {
    pub fn makes_images(&self) -> bool {
        self.outputs.contains(&Modality::Image)
    }
}

/// The generations of Gemini, as far as their rules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    /// Before 2.5, or another family altogether.
    Other,
    /// Gemini 2.5
    Two5,
    /// Gemini 3 and later: signatures are demanded, calls have ids.
    Three,
}

/// Namespaces that clients and other servers put before a model's id.
const PREFIXES: [&str; 5] = [
    "models/",
    "google/",
    "gemini/",
    "openai/",
    "publishers/google/models/",
];

/// The bare id.
pub fn without_prefix(id: &str) -> &str {
    let id = id.trim();
    PREFIXES
        .iter()
        .find_map(|prefix| id.strip_prefix(prefix))
        .unwrap_or(id)
}

/// The row of an id, public or Code Assist's own.
pub fn find(id: &str) -> Option<&'static Model> {
    MODELS
        .iter()
        .find(|model| model.id == id || model.code_assist_id == Some(id))
}

/// What Code Assist calls a model.
pub fn code_assist_id(id: &str) -> &str {
    find(id)
        .and_then(|model| model.code_assist_id)
        .unwrap_or(id)
}

/// What everyone else calls the model that Code Assist calls `id`.
pub fn public_id(id: &str) -> &str {
    find(id).map_or(id, |model| model.id)
}

/// What to ask for in place of an id that Google answers with 404.
pub fn successor(id: &str) -> Option<&'static str> {
    if let Some(model) = find(id) {
        return model.successor;
    }
    // A preview is followed by the model that it was a preview of.
    if let Some((released, _)) = id.split_once("-preview")
        && let Some(model) = find(released)
    {
        return Some(model.successor.unwrap_or(model.id));
    }
    let is_retired = ["gemini-1.", "gemini-2.0-", "gemini-pro", "gemini-exp-"]
        .iter()
        .any(|family| id.starts_with(family))
        && !id.ends_with("-latest");
    let is_fast = id.contains("flash");
    is_retired.then_some(if is_fast {
        "gemini-3.5-flash-lite"
    } else {
        "gemini-3.8-flash"
    })
}

/// What a model of this id can do, known or not.
pub fn abilities(id: &str) -> Abilities {
    let generation = generation(id);
    match find(id) {
        Some(model) => Abilities {
            generation,
            thinking: model.thinking,
            input_limit: Some(model.input_limit),
            output_limit: Some(model.output_limit),
            inputs: model.inputs,
            outputs: model.outputs,
            tools: model.tools,
            json: model.json,
            sampling: model.sampling,
        },
        None => of_family(id, generation),
    }
}

#[cfg(test)]
mod tests {
    use super::family::PRO_LEVELS;
    use super::*;

    #[test]
    fn unknown_ids_have_the_abilities_of_their_family() {
        assert_eq!(abilities("gemini-4-pro").generation, Generation::Three);
        assert_eq!(
            abilities("gemini-flash-latest").generation,
            Generation::Three
        );
        assert_eq!(abilities("gemini-9.9-flash").thinking, PRO_LEVELS);
        assert_eq!(
            abilities("gemini-2.5-flash-image").thinking,
            Thinking::Unknown
        );
        assert_eq!(abilities("gemma-4-31b-it").generation, Generation::Other);
        assert_eq!(abilities("gemma-4-31b-it").input_limit, Some(256_000));
        assert!(abilities("gemma-4-31b-it").tools && !abilities("gemma-3n-e4b-it").tools);
        assert_eq!(
            abilities("gemini-3-pro-image").outputs,
            [Modality::Text, Modality::Image]
        );
        assert_eq!(
            abilities("gemini-2.5-pro-preview-tts").outputs,
            [Modality::Audio]
        );
    }

    #[test]
    fn from_3_6_on_sampling_is_ignored() {
        let ignoring = MODELS.iter().filter(|model| !model.sampling);
        let ignoring: Vec<_> = ignoring.map(|model| model.id).collect();
        let expected = [
            "gemini-4-argon",
            "gemini-3.8-flash",
            "gemini-3.7-flash",
            "gemini-3.6-flash",
            "gemini-3.5-flash-lite",
        ];
        assert_eq!(ignoring, expected);
    }

    #[test]
    fn a_successor_is_a_model_that_lives() {
        let named = MODELS.iter().filter_map(|model| model.successor);
        for successor in named.chain(["gemini-3.5-flash-lite", "gemini-3.8-flash"]) {
            assert_eq!(
                find(successor).map(|model| model.successor),
                Some(None),
                "{successor}"
            );
        }
        assert_eq!(
            successor("gemini-1.5-flash-8b-001"),
            Some("gemini-3.5-flash-lite")
        );
        assert_eq!(
            successor("gemini-2.5-pro-preview-06-05"),
            Some("gemini-3.8-flash")
        );
        assert_eq!(
            successor("gemini-3.1-flash-lite-preview"),
            Some("gemini-3.1-flash-lite")
        );
        for unknown in [
            "gemini-oops",
            "gemini-flash-latest",
            "gemini-embedding-001",
            "gpt-5",
        ] {
            assert_eq!(successor(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn rows_stand_newest_first_and_prefixes_fall() {
        assert!(MODELS.is_sorted_by_key(|model| std::cmp::Reverse(model.created)));
        assert_eq!(without_prefix(" models/gemini-2.5-pro"), "gemini-2.5-pro");
        assert_eq!(without_prefix("gemini-2.5-pro"), "gemini-2.5-pro");
    }
}
