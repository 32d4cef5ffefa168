//! The models of both doors: which ids each knows and what each accepts.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

/// One model.
#[derive(Debug)]
pub(super) struct Model {
    /// The id of the Gemini API; `None` where only Code Assist has it.
    pub(super) public_id: Option<&'static str>,
    /// The id of Code Assist; `None` where only the Gemini API has it.
    pub(super) wire_id: Option<&'static str>,
    pub(super) display_name: &'static str,
    pub(super) generation: Generation,
    pub(super) thinking: Thinking,
    /// Code Assist hides it from accounts without preview access.
    pub(super) is_preview: bool,
    pub(super) input_token_limit: u64,
    pub(super) output_token_limit: u64,
    /// `generateContent` or, for the others in the list, something else.
    pub(super) methods: &'static [&'static str],
}

/// What changes with the generation: signatures, ids of calls, JSON with tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    Gemini2,
    Gemini3,
    Other,
}

/// What `thinkingConfig` may say (ai.google.dev, "Gemini thinking").
#[derive(Debug)]
pub(super) enum Thinking {
    Budget {
        range: RangeInclusive<i64>,
        can_be_off: bool,
    },
    /// Gemini 3 takes a budget, too, for compatibility.
    Level(&'static [&'static str]),
    None,
}

/// The budget Gemini 3 takes for compatibility.
pub(super) const GEMINI_3_BUDGET: RangeInclusive<i64> = 128..=32768;

const TEXT: &[&str] = &[
    "generateContent",
    "countTokens",
    "createCachedContent",
    "batchGenerateContent",
];
const ALL_LEVELS: &[&str] = &["MINIMAL", "LOW", "MEDIUM", "HIGH"];
const NO_MINIMAL: &[&str] = &["LOW", "MEDIUM", "HIGH"];

/// A text model with the usual limits, on both doors under one id.
const fn text(
    id: &'static str,
    display_name: &'static str,
    generation: Generation,
    thinking: Thinking,
) -> Model {
    Model {
        public_id: Some(id),
        wire_id: Some(id),
        display_name,
        generation,
        thinking,
        is_preview: false,
        input_token_limit: 1_048_576,
        output_token_limit: 65_536,
        methods: TEXT,
    }
}

const fn preview(id: &'static str, display_name: &'static str, levels: &'static [&str]) -> Model {
    Model {
        is_preview: true,
        ..text(
            id,
            display_name,
            Generation::Gemini3,
            Thinking::Level(levels),
        )
    }
}

static MODELS: [Model; 17] = [
    text(
        "gemini-4-argon",
        "Gemini 4 Argon",
        Generation::Gemini3,
        Thinking::Level(NO_MINIMAL),
    ),
    text(
        "gemini-3.8-flash",
        "Gemini 3.8 Flash",
        Generation::Gemini3,
        Thinking::Level(NO_MINIMAL),
    ),
    text(
        "gemini-3.7-flash",
        "Gemini 3.7 Flash",
        Generation::Gemini3,
        Thinking::Level(NO_MINIMAL),
    ),
    text(
        "gemini-3.6-flash",
        "Gemini 3.6 Flash",
        Generation::Gemini3,
        Thinking::Level(ALL_LEVELS),
    ),
    text(
        "gemini-3.5-flash-lite",
        "Gemini 3.5 Flash-Lite",
        Generation::Gemini3,
        Thinking::Level(ALL_LEVELS),
    ),
    text(
        "gemini-2.5-pro",
        "Gemini 2.5 Pro",
        Generation::Gemini2,
        Thinking::Budget {
            range: 128..=32768,
            can_be_off: false,
        },
    ),
    text(
        "gemini-2.5-flash",
        "Gemini 2.5 Flash",
        Generation::Gemini2,
        Thinking::Budget {
            range: 1..=24576,
            can_be_off: true,
        },
    ),
    text(
        "gemini-2.5-flash-lite",
        "Gemini 2.5 Flash-Lite",
        Generation::Gemini2,
        Thinking::Budget {
            range: 512..=24576,
            can_be_off: true,
        },
    ),
    preview(
        "gemini-3-pro-preview",
        "Gemini 3 Pro Preview",
        &["LOW", "HIGH"],
    ),
    preview(
        "gemini-3.1-pro-preview",
        "Gemini 3.1 Pro Preview",
        NO_MINIMAL,
    ),
    preview(
        "gemini-3-flash-preview",
        "Gemini 3 Flash Preview",
        ALL_LEVELS,
    ),
    // The one model whose id differs: Code Assist does not recognise the public name.
    Model {
        wire_id: Some("gemini-3-flash"),
        ..text(
            "gemini-3.5-flash",
            "Gemini 3.5 Flash",
            Generation::Gemini3,
            Thinking::Level(ALL_LEVELS),
        )
    },
    text(
        "gemini-3.1-flash-lite",
        "Gemini 3.1 Flash-Lite",
        Generation::Gemini3,
        Thinking::Level(ALL_LEVELS),
    ),
    Model {
        wire_id: None,
        is_preview: true,
        ..preview(
            "gemini-3.1-pro-preview-customtools",
            "Gemini 3.1 Pro Preview Custom Tools",
            NO_MINIMAL,
        )
    },
    Model {
        wire_id: None,
        input_token_limit: 256_000,
        output_token_limit: 32_768,
        methods: &["generateContent", "countTokens"],
        ..text(
            "gemma-4-31b-it",
            "Gemma 4 31B",
            Generation::Other,
            Thinking::None,
        )
    },
    Model {
        wire_id: None,
        input_token_limit: 2048,
        output_token_limit: 1,
        methods: &["embedContent", "countTextTokens", "countTokens"],
        ..text(
            "gemini-embedding-001",
            "Gemini Embedding 001",
            Generation::Other,
            Thinking::None,
        )
    },
    Model {
        wire_id: None,
        input_token_limit: 480,
        output_token_limit: 8192,
        methods: &["predict"],
        ..text(
            "imagen-4.0-generate-001",
            "Imagen 4",
            Generation::Other,
            Thinking::None,
        )
    },
];

/// The model Code Assist knows by this id, for an account with or without
/// preview access. Retired ids are simply not there.
pub(super) fn on_code_assist(id: &str, preview: bool) -> Option<&'static Model> {
    MODELS
        .iter()
        .find(|model| model.wire_id == Some(id) && (preview || !model.is_preview))
}

/// The model the Gemini API knows by this id, without `models/`.
pub(super) fn on_gemini_api(id: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.public_id == Some(id))
}

/// The ids for which an account on Code Assist has quota.
pub(super) fn with_quota(preview: bool) -> impl Iterator<Item = &'static str> {
    MODELS
        .iter()
        .filter(move |model| preview || !model.is_preview)
        .filter_map(|model| model.wire_id)
}

/// `models.list` of the Gemini API, row by row.
pub(super) fn public_rows() -> Vec<Value> {
    MODELS.iter().filter_map(Model::public_row).collect()
}

impl Model {
    pub(super) fn generates(&self) -> bool {
        self.methods.contains(&"generateContent")
    }

    /// As `models.get` and `models.list` show it.
    pub(super) fn public_row(&self) -> Option<Value> {
        let id = self.public_id?;
        let mut row = json!({
            "name": format!("models/{id}"),
            "version": if self.is_preview { "preview" } else { "001" },
            "displayName": self.display_name,
            "description": format!("{} of the stand-in for Google", self.display_name),
            "inputTokenLimit": self.input_token_limit,
            "outputTokenLimit": self.output_token_limit,
            "supportedGenerationMethods": self.methods,
        });
        if self.generates() {
            row["temperature"] = json!(1);
            row["topP"] = json!(0.95);
            row["topK"] = json!(64);
            row["maxTemperature"] = json!(2);
        }
        if !matches!(self.thinking, Thinking::None) {
            row["thinking"] = json!(true); // false is left out, as proto3 does
        }
        Some(row)
    }
}
