//! A chat request as Gemini's: the order of things.

use serde_json::Value;

use super::{
    Fetched, Form, Notes, Rejection, Signatures, answer_format, messages, misfits, parts,
    plain_schema, thinking, tools,
};
use crate::models::{self, Abilities, Generation};
use crate::wire::gemini::{GenerateContentRequest, GenerationConfig, Part, Tool};
use crate::wire::openai;

/// Gemini takes no more.
const MAX_STOP_SEQUENCES: usize = 5;

/// What Google is asked, and what reading its answer needs to know.
#[derive(Debug)]
pub struct Translated<'a> {
    pub request: GenerateContentRequest<'a>,
    pub form: Form,
    /// What of the client's request had no effect, or less than asked.
    pub notes: Notes,
    /// Whether there is a schema in it that could be plainer.
    pub has_schemas: bool,
}

/// How to write a request, where there is a choice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// Every schema in the plainest words, for when Google refused the others.
    pub plain_schemas: bool,
    /// Google Search beside functions, for models that take both.
    pub search_with_tools: bool,
}

/// Translates a request for `model`, which decides how things are written.
/// `fetched` holds its [`remote_media`](super::remote_media).
pub fn request<'a>(
    chat: &'a openai::ChatRequest<'a>,
    model: &str,
    signatures: &dyn Signatures,
    fetched: &'a Fetched,
    manner: Manner,
) -> Result<Translated<'a>, Rejection> {
    let abilities = models::abilities(model);
    let mut notes = Notes::default();
    let given_messages = chat.messages.as_deref().unwrap_or_default();
    if given_messages.is_empty() {
        return Err(Rejection::missing("messages"));
    }
    misfits::weigh(chat, &mut notes)?;
    let (mut declarations, names) = tools::declarations(chat, manner, &mut notes)?;
    let is_of_old = chat.tools.as_ref().is_none_or(Vec::is_empty) && chat.functions.is_some();
    let (choice_field, choice) = if is_of_old {
        ("function_call", chat.function_call.as_ref())
    } else {
        ("tool_choice", chat.tool_choice.as_ref())
    };
    let mut tool_config = tools::tool_config(choice, choice_field, &mut declarations)?;
    if choice.is_some_and(|choice| !choice.is_null()) && declarations.is_empty() {
        let reason = "left out: there are no functions to choose from";
        notes.add(choice_field, reason);
    }
    if !is_of_old && chat.function_call.is_some() {
        notes.add("function_call", "left out: it belongs to 'functions'");
    }
    if !is_of_old && chat.functions.is_some() {
        notes.add("functions", "left out: 'tools' say the same");
    }
    let (mut system_instruction, contents) =
        messages::contents(given_messages, model, signatures, fetched, &mut notes)?;
    let mut generation_config = generation_config(chat, &abilities, &mut notes)?;
    let format = answer_format::asked(chat, &mut notes)?;
    let has_functions = !declarations.is_empty();
    let strips_fence = match format {
        // Before Gemini 3 a JSON answer and functions in one request are a 400.
        Some(schema) if has_functions && abilities.generation < Generation::Three => {
            let instruction = system_instruction.get_or_insert_with(messages::no_instruction);
            instruction
                .parts
                .get_or_insert_default()
                .push(Part::text(answer_format::in_words(schema)));
            notes.add(
                "response_format",
                "asked for in words: before Gemini 3 functions and JSON answers exclude each other",
            );
            true
        }
        Some(schema) => {
            generation_config.response_mime_type = Some("application/json");
            if manner.plain_schemas {
                let field = "response_format";
                let plain = |schema| plain_schema::response(&schema, field, &mut notes);
                generation_config.response_schema = schema.map(plain);
            } else {
                generation_config.response_json_schema = schema;
            }
            false
        }
        None => false,
    };

    let google = google_options(chat);
    let mut all_tools = Vec::from_iter(tools::entry(declarations));
    let mut searches = false;
    let is_off = |options: &Value| *options == Value::Bool(false);
    if chat
        .web_search_options
        .as_ref()
        .is_some_and(|options| !is_off(options))
    {
        let takes_both = manner.search_with_tools && abilities.generation == Generation::Three;
        if has_functions && !takes_both {
            // The functions matter more.
            let reason = "left out: Gemini refuses its search beside functions";
            notes.add("web_search_options", reason);
        } else {
            all_tools.push(Tool::GoogleSearch {});
            searches = true;
        }
        if has_functions && takes_both {
            tool_config = Some(tools::beside_search(tool_config));
        }
    }
    let own_tools = google.iter().find_map(|google| google.tools.as_ref());
    all_tools.extend(own_tools.into_iter().flatten().map(Tool::Verbatim));
    let tag = google
        .iter()
        .find_map(|google| google.thought_tag_marker.clone());
    note_what_has_no_equal(chat, &mut notes);
    if !abilities.sampling {
        note_sampling(chat, &mut notes);
    }
    let has_schemas = has_functions
        || generation_config.response_json_schema.is_some()
        || generation_config.response_schema.is_some();
    Ok(Translated {
        has_schemas,
        request: GenerateContentRequest {
            contents,
            system_instruction,
            tools: all_tools,
            tool_config,
            safety_settings: google
                .iter()
                .find_map(|google| google.safety_settings.as_ref()),
            cached_content: google
                .iter()
                .find_map(|google| google.cached_content.as_deref()),
            generation_config,
        },
        form: Form {
            names,
            one_call_only: chat.parallel_tool_calls == Some(false),
            functions_of_old: is_of_old && has_functions,
            thought_tag: tag.filter(|tag| !tag.is_empty()),
            strips_fence,
            searches: searches || own_tools.is_some(),
            names_service_tier: chat.service_tier.is_some(),
        },
        notes,
    })
}

/// Google's own options: the ones that the SDK merged into the top level, then
/// the ones under `extra_body`.
fn google_options<'a>(chat: &'a openai::ChatRequest<'a>) -> Vec<&'a openai::GoogleOptions> {
    let nested = chat
        .extra_body
        .as_ref()
        .and_then(|extra| extra.google.as_ref());
    chat.google.as_ref().into_iter().chain(nested).collect()
}

fn note_what_has_no_equal(chat: &openai::ChatRequest<'_>, notes: &mut Notes) {
    for (field, is_given) in [
        ("logit_bias", chat.logit_bias.is_some()),
        ("prediction", chat.prediction.is_some()),
        ("verbosity", chat.verbosity.is_some()),
        ("audio", chat.audio.is_some()),
        ("service_tier", chat.service_tier.is_some()),
    ] {
        if is_given {
            notes.add(field, "left out: Gemini has no equal");
        }
    }
    for (field, is_given) in [
        ("input", chat.input.is_some()),
        ("instructions", chat.instructions.is_some()),
        ("max_output_tokens", chat.max_output_tokens.is_some()),
        ("text", chat.text.is_some()),
    ] {
        if is_given {
            notes.add(
                field,
                "left out: it belongs to a request without 'messages'",
            );
        }
    }
    for (message, position) in chat.messages.iter().flatten().zip(0..) {
        for field in parts::details(message, position) {
            notes.add(field, "left out: Gemini chooses the detail itself");
        }
    }
}

/// Sent all the same: whether to heed them is Google's to decide, and may change.
fn note_sampling(chat: &openai::ChatRequest<'_>, notes: &mut Notes) {
    for (field, is_given) in [
        ("temperature", chat.temperature.is_some()),
        ("top_p", chat.top_p.is_some()),
        ("top_k", chat.top_k.is_some()),
    ] {
        if is_given {
            notes.add(
                field,
                "sent, but newer models, this one among them, ignore it",
            );
        }
    }
}

fn generation_config(
    chat: &openai::ChatRequest<'_>,
    abilities: &Abilities,
    notes: &mut Notes,
) -> Result<GenerationConfig, Rejection> {
    let max_output_tokens = max_output_tokens(chat, abilities, notes)?;
    let top_p = within(chat.top_p, 0.0, 1.0, "top_p")?;
    let google = google_options(chat);
    Ok(GenerationConfig {
        temperature: within(chat.temperature, 0.0, 2.0, "temperature")?,
        // A `topP` of exactly 0 means the likeliest token, which Gemini calls `topK` 1.
        top_p: top_p.filter(|top_p| *top_p > 0.0),
        top_k: if top_p == Some(0.0) {
            if chat.top_k.is_some() {
                notes.add(
                    "top_k",
                    "left out: a top_p of 0 asks for the likeliest token",
                );
            }
            Some(1)
        } else {
            top_k(chat, notes)?
        },
        candidate_count: candidate_count(chat)?,
        max_output_tokens,
        stop_sequences: stop_sequences(chat, notes),
        response_logprobs: chat.logprobs.filter(|wanted| *wanted),
        logprobs: top_logprobs(chat)?,
        response_modalities: response_modalities(chat, abilities, notes)?,
        media_resolution: google
            .iter()
            .find_map(|google| google.media_resolution.clone()),
        presence_penalty: penalty(chat.presence_penalty, "presence_penalty")?,
        frequency_penalty: penalty(chat.frequency_penalty, "frequency_penalty")?,
        seed: seed(chat, notes),
        thinking_config: thinking::thinking_config(chat, abilities, max_output_tokens, notes)?,
        ..GenerationConfig::default()
    })
}

fn top_logprobs(chat: &openai::ChatRequest<'_>) -> Result<Option<u32>, Rejection> {
    let param = "top_logprobs";
    match chat.top_logprobs {
        None => Ok(None),
        Some(_) if chat.logprobs != Some(true) => {
            let message = "'logprobs' must be true when 'top_logprobs' is given.";
            Err(Rejection::new("invalid_value", param, message))
        }
        Some(wanted @ 0..=20) => Ok(u32::try_from(wanted).ok()),
        Some(wanted) => {
            let message = format!("Invalid '{param}': expected 0 to 20, but got {wanted} instead.");
            let code = if wanted < 0 {
                "integer_below_min_value"
            } else {
                "integer_above_max_value"
            };
            Err(Rejection::new(code, param, message))
        }
    }
}

/// Text goes without saying. To answer with text where sound was asked for would
/// break the client.
fn response_modalities(
    chat: &openai::ChatRequest<'_>,
    abilities: &Abilities,
    notes: &mut Notes,
) -> Result<Vec<&'static str>, Rejection> {
    let wanted = chat.modalities.as_deref().unwrap_or_default();
    let wants = |kind: &str| wanted.iter().any(|wanted| wanted == kind);
    if wants("audio") {
        let message = "Sound is not available as output here; ask for 'text'.";
        return Err(Rejection::new("unsupported_value", "modalities", message));
    }
    if let Some(unknown) = wanted
        .iter()
        .find(|wanted| !matches!(wanted.as_str(), "text" | "image"))
    {
        notes.add(
            "modalities",
            format!("left out: '{unknown}' is not known here"),
        );
    }
    if !wants("image") {
        return Ok(Vec::new());
    }
    if abilities.makes_images() {
        return Ok(if wants("text") {
            vec!["TEXT", "IMAGE"]
        } else {
            vec!["IMAGE"]
        });
    }
    notes.add("modalities", "left out: this model makes no images");
    Ok(Vec::new())
}

/// The field that the answer's length is limited in.
pub fn limit_field(chat: &openai::ChatRequest<'_>) -> &'static str {
    limit_given(chat).map_or("max_tokens", |(field, _)| field)
}

/// `max_completion_tokens`, else `max_tokens`.
fn limit_given(chat: &openai::ChatRequest<'_>) -> Option<(&'static str, i64)> {
    [
        ("max_completion_tokens", chat.max_completion_tokens),
        ("max_tokens", chat.max_tokens),
    ]
    .into_iter()
    // Clients of local servers say -1 for "no limit".
    .find_map(|(field, given)| Some((field, given.filter(|asked| *asked >= 0)?)))
}

/// What is asked for, cut to the model's limit: Gemini refuses what is larger.
fn max_output_tokens(
    chat: &openai::ChatRequest<'_>,
    abilities: &Abilities,
    notes: &mut Notes,
) -> Result<Option<u32>, Rejection> {
    let Some((param, asked)) = limit_given(chat) else {
        return Ok(None);
    };
    if asked == 0 {
        let message =
            format!("Invalid '{param}': integer below minimum value. Expected at least 1.");
        return Err(Rejection::new("integer_below_min_value", param, message));
    }
    let asked = asked.unsigned_abs();
    let limit = u64::from(abilities.output_limit.unwrap_or(i32::MAX as u32));
    if asked > limit {
        let reason = format!("cut from {asked} to {limit}, the most that this model writes");
        notes.add(param, reason);
    }
    Ok(u32::try_from(asked.min(limit)).ok())
}

fn within(
    value: Option<f64>,
    min: f64,
    max: f64,
    param: &'static str,
) -> Result<Option<f64>, Rejection> {
    let Some(number) = value else {
        return Ok(None);
    };
    let (code, side) = if number < min {
        (
            "decimal_below_min_value",
            format!("below minimum value. Expected a value >= {min}"),
        )
    } else if number > max {
        (
            "decimal_above_max_value",
            format!("above maximum value. Expected a value <= {max}"),
        )
    } else {
        return Ok(value);
    };
    let message = format!("Invalid '{param}': decimal {side}, but got {number} instead.");
    Err(Rejection::new(code, param, message))
}

/// 0 is the default, and several models refuse the field itself.
fn penalty(value: Option<f64>, param: &'static str) -> Result<Option<f64>, Rejection> {
    Ok(within(value, -2.0, 2.0, param)?.filter(|penalty| *penalty != 0.0))
}

fn top_k(chat: &openai::ChatRequest<'_>, notes: &mut Notes) -> Result<Option<u32>, Rejection> {
    match chat.top_k {
        None => Ok(None),
        Some(..=0) => {
            notes.add("top_k", "left out: Gemini's begins with 1");
            Ok(None)
        }
        Some(top_k) => match u32::try_from(top_k) {
            Ok(top_k) => Ok(Some(top_k)),
            Err(_) => Err(Rejection::new(
                "invalid_value",
                "top_k",
                "Invalid 'top_k': too large.",
            )),
        },
    }
}

fn candidate_count(chat: &openai::ChatRequest<'_>) -> Result<Option<u32>, Rejection> {
    match chat.n {
        None | Some(1) => Ok(None),
        Some(n @ 2..=8) => Ok(u32::try_from(n).ok()),
        Some(n) => {
            let (code, side) = if n < 1 {
                (
                    "integer_below_min_value",
                    "below minimum value. Expected a value >= 1",
                )
            } else {
                (
                    "integer_above_max_value",
                    "above maximum value. Expected a value <= 8",
                )
            };
            let message = format!("Invalid 'n': integer {side}, but got {n} instead.");
            Err(Rejection::new(code, "n", message))
        }
    }
}

fn stop_sequences(chat: &openai::ChatRequest<'_>, notes: &mut Notes) -> Vec<String> {
    let given = chat
        .stop
        .as_ref()
        .map(|stop| stop.0.as_slice())
        .unwrap_or_default();
    let mut kept: Vec<String> = Vec::new();
    for sequence in given.iter().filter(|sequence| !sequence.is_empty()) {
        if !kept.contains(sequence) {
            kept.push(sequence.clone());
        }
    }
    if kept.len() > MAX_STOP_SEQUENCES {
        let reason = format!(
            "only the first {MAX_STOP_SEQUENCES} of {} are sent: Gemini takes no more",
            kept.len()
        );
        kept.truncate(MAX_STOP_SEQUENCES);
        notes.add("stop", reason);
    }
    kept
}

/// Gemini's seed has 32 bits. A larger one is folded, always in the same way.
fn seed(chat: &openai::ChatRequest<'_>, notes: &mut Notes) -> Option<i32> {
    let given = chat.seed?;
    if let Ok(seed) = i32::try_from(given) {
        return Some(seed);
    }
    let folded = ((given ^ (given >> 32)) & 0x7fff_ffff) as i32;
    notes.add("seed", format!("sent as {folded}: Gemini's has 32 bits"));
    Some(folded)
}
