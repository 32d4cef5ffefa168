//! Families: what a model is presumed to do of which there is no row.

use super::{Abilities, Generation, Modality, Thinking};
use crate::wire::gemini::ThinkingLevel::{High, Low, Medium, Minimal};

pub(super) const PRO_LEVELS: Thinking = Thinking::Level(&[Low, Medium, High]);
pub(super) const FLASH_LEVELS: Thinking = Thinking::Level(&[Minimal, Low, Medium, High]);

/// Every Gemini since 1.5 reads all of these.
pub(super) const EVERYTHING: &[Modality] = &[
    Modality::Text,
    Modality::Image,
    Modality::Audio,
    Modality::Video,
    Modality::File,
];
pub(super) const TEXT: &[Modality] = &[Modality::Text];
const TEXT_AND_IMAGE: &[Modality] = &[Modality::Text, Modality::Image];
const AUDIO: &[Modality] = &[Modality::Audio];

/// What its relatives can do.
pub(super) fn of_family(id: &str, generation: Generation) -> Abilities {
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
        // Ignored by all that came last, and refused by what comes next.
        sampling: generation < Generation::Three,
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

/// By the number in the id.
pub(super) fn generation(id: &str) -> Generation {
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
