//! The table: one row a model. A new model is a row here.

use super::family::{EVERYTHING, FLASH_LEVELS, PRO_LEVELS, TEXT};
use super::{Model, Thinking};
use crate::wire::gemini::ThinkingLevel::{High, Low};

/// Tokens.
const MILLION: u64 = 1_048_576;

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
