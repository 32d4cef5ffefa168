//! The models we know: one row each, quirks as columns. Any other id is passed
//! through, with the abilities of its family.
//!
//! Sources: <https://ai.google.dev/gemini-api/docs/models> with a page for each
//! model, such as <https://ai.google.dev/gemini-api/docs/models/gemini-3.7-flash>;
//! <https://ai.google.dev/gemini-api/docs/thinking>; for sampling
//! <https://ai.google.dev/gemini-api/docs/whats-new-gemini-3.6>.

use crate::wire::gemini::ThinkingLevel::{self, High, Low, Medium, Minimal};

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

const MILLION: u64 = 1_048_576;

const PRO_LEVELS: Thinking = Thinking::Level(&[Low, Medium, High]);
/// Every Gemini since 1.5 reads all of these.
const EVERYTHING: &[Modality] = &[
    Modality::Text,
    Modality::Image,
    Modality::Audio,
    Modality::Video,
    Modality::File,
];
const TEXT: &[Modality] = &[Modality::Text];
const TEXT_AND_IMAGE: &[Modality] = &[Modality::Text, Modality::Image];
const AUDIO: &[Modality] = &[Modality::Audio];

const FLASH_LEVELS: Thinking = Thinking::Level(&[Minimal, Low, Medium, High]);

/// What most rows have in common.
const MODEL: Model = Model {
    id: "",
    name: "",
    created: 0,
    input_limit: MILLION,
    output_limit: 65_535,
    thinking: Thinking::Unknown,
    inputs: EVERYTHING,
    outputs: TEXT,
    tools: true,
    json: true,
    sampling: true,
    code_assist_id: None,
    successor: None,
};

/// Newest first. From 3.7 on the Flash models, too, refuse the level `MINIMAL`.
pub const MODELS: &[Model] = &[
    Model {
        id: "gemini-4-argon",
        name: "Gemini 4 Argon",
        created: 1_792_540_800,
        thinking: PRO_LEVELS,
        sampling: false,
        ..MODEL
    },
    Model {
        id: "gemini-3.8-flash",
        name: "Gemini 3.8 Flash",
        created: 1_788_307_200,
        thinking: PRO_LEVELS,
        sampling: false,
        ..MODEL
    },
    Model {
        id: "gemini-3.7-flash",
        name: "Gemini 3.7 Flash",
        created: 1_786_579_200,
        thinking: PRO_LEVELS,
        sampling: false,
        ..MODEL
    },
    Model {
        id: "gemini-3.6-flash",
        name: "Gemini 3.6 Flash",
        created: 1_784_592_000,
        thinking: FLASH_LEVELS,
        sampling: false,
        ..MODEL
    },
    Model {
        id: "gemini-3.5-flash-lite",
        name: "Gemini 3.5 Flash-Lite",
        created: 1_784_592_000,
        thinking: FLASH_LEVELS,
        sampling: false,
        ..MODEL
    },
    Model {
        id: "gemini-3.5-flash",
        name: "Gemini 3.5 Flash",
        created: 1_779_148_800,
        thinking: FLASH_LEVELS,
        code_assist_id: Some("gemini-3-flash"),
        ..MODEL
    },
    Model {
        id: "gemini-3.1-flash-lite",
        name: "Gemini 3.1 Flash-Lite",
        created: 1_778_112_000,
        thinking: FLASH_LEVELS,
        ..MODEL
    },
    Model {
        id: "gemini-3.1-pro-preview",
        name: "Gemini 3.1 Pro Preview",
        created: 1_771_459_200,
        thinking: PRO_LEVELS,
        ..MODEL
    },
    Model {
        id: "gemini-3-flash-preview",
        name: "Gemini 3 Flash Preview",
        created: 1_765_929_600,
        thinking: FLASH_LEVELS,
        ..MODEL
    },
    Model {
        id: "gemini-3-pro-preview",
        name: "Gemini 3 Pro Preview",
        created: 1_763_424_000,
        thinking: Thinking::Level(&[Low, High]),
        successor: Some("gemini-3.1-pro-preview"),
        ..MODEL
    },
    Model {
        id: "gemini-2.5-flash-lite",
        name: "Gemini 2.5 Flash-Lite",
        created: 1_753_142_400,
        thinking: Thinking::Budget {
            min: 512,
            max: 24_576,
            can_be_off: true,
        },
        ..MODEL
    },
    Model {
        id: "gemini-2.5-pro",
        name: "Gemini 2.5 Pro",
        created: 1_750_118_400,
        thinking: Thinking::Budget {
            min: 128,
            max: 32_768,
            can_be_off: false,
        },
        successor: Some("gemini-3.8-flash"),
        ..MODEL
    },
    Model {
        id: "gemini-2.5-flash",
        name: "Gemini 2.5 Flash",
        created: 1_750_118_400,
        thinking: Thinking::Budget {
            min: 0,
            max: 24_576,
            can_be_off: true,
        },
        successor: Some("gemini-3.5-flash-lite"),
        ..MODEL
    },
    Model {
        id: "gemini-2.0-flash-lite",
        name: "Gemini 2.0 Flash-Lite",
        created: 1_740_441_600,
        output_limit: 8_192,
        successor: Some("gemini-3.5-flash-lite"),
        ..MODEL
    },
    Model {
        id: "gemini-2.0-flash",
        name: "Gemini 2.0 Flash",
        created: 1_738_713_600,
        output_limit: 8_192,
        successor: Some("gemini-3.5-flash-lite"),
        ..MODEL
    },
    Model {
        id: "gemini-1.5-flash",
        name: "Gemini 1.5 Flash",
        created: 1_715_644_800,
        output_limit: 8_192,
        successor: Some("gemini-3.5-flash-lite"),
        ..MODEL
    },
    Model {
        id: "gemini-1.5-pro",
        name: "Gemini 1.5 Pro",
        created: 1_715_644_800,
        input_limit: 2 * MILLION,
        output_limit: 8_192,
        successor: Some("gemini-3.8-flash"),
        ..MODEL
    },
];

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

/// What its relatives can do.
fn of_family(id: &str, generation: Generation) -> Abilities {
    let thinking = match generation {
        // Only the Lite models are known to go on taking `MINIMAL`.
        Generation::Three if id.contains("lite") => FLASH_LEVELS,
        Generation::Three => PRO_LEVELS,
        // The range that every 2.5 model accepts.
        Generation::Two5 => Thinking::Budget {
            min: 512,
            max: 24_576,
            can_be_off: false,
        },
        Generation::Other => Thinking::Unknown,
    };
    let chat = Abilities {
        generation,
        thinking,
        input_limit: None,
        output_limit: None,
        inputs: EVERYTHING,
        outputs: TEXT,
        tools: true,
        json: true,
        sampling: true,
    };
    let has = |words: &[&str]| words.iter().any(|word| id.contains(word));
    if id.starts_with("gemma-") {
        return gemma(id, chat);
    }
    let (inputs, outputs) = if has(&["image", "banana"]) {
        (TEXT_AND_IMAGE, TEXT_AND_IMAGE)
    } else if has(&["tts", "audio", "live"]) {
        (TEXT, AUDIO)
    } else {
        return chat;
    };
    Abilities {
        thinking: Thinking::Unknown,
        inputs,
        outputs,
        tools: false,
        json: false,
        ..chat
    }
}

/// Smaller, and served through the same API. Up to Gemma 3 functions and JSON are
/// refused (<https://ai.google.dev/gemma/docs/core/gemma_on_gemini_api>).
fn gemma(id: &str, chat: Abilities) -> Abilities {
    let is_early = ["gemma-1", "gemma-2", "gemma-3"]
        .iter()
        .any(|early| id.starts_with(early));
    Abilities {
        input_limit: Some(if is_early { 131_072 } else { 256_000 }),
        inputs: TEXT_AND_IMAGE,
        tools: !is_early,
        json: !is_early,
        ..chat
    }
}

fn generation(id: &str) -> Generation {
    let Some(version) = id.strip_prefix("gemini-") else {
        return Generation::Other;
    };
    // `gemini-flash-latest` and its like follow the newest.
    if version.ends_with("-latest") && !version.starts_with(|c: char| c.is_ascii_digit()) {
        return Generation::Three;
    }
    let major: String = version.chars().take_while(char::is_ascii_digit).collect();
    match major.parse::<u32>() {
        Ok(3..) => Generation::Three,
        Ok(2) if version.starts_with("2.5") => Generation::Two5,
        _ => Generation::Other,
    }
}

#[cfg(test)]
mod tests {
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
