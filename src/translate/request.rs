//! A chat request as Gemini's: the order of things.

use super::{Fetched, Names, Notes, Rejection, Signatures, messages, schema, thinking, tools};
use crate::models::{self, Abilities, Generation};
use crate::wire::gemini::{GenerateContentRequest, GenerationConfig, Tool};
use crate::wire::openai;

/// Gemini takes no more.
const MAX_STOP_SEQUENCES: usize = 5;

/// What Google is asked, and what reading its answer needs to know.
#[derive(Debug)]
pub struct Translated<'a> {
    pub request: GenerateContentRequest<'a>,
    pub names: Names,
    /// Gemini has no switch for `parallel_tool_calls: false`; we pass on the
    /// first call only.
    pub one_call_only: bool,
    /// What of the client's request had no effect, or less than asked.
    pub notes: Notes,
}

/// Translates a request for `model`, which decides how things are written.
/// `fetched` holds its [`remote_media`](super::remote_media).
pub fn request<'a>(
    chat: &'a openai::ChatRequest<'a>,
    model: &str,
    signatures: &dyn Signatures,
    fetched: &'a Fetched,
) -> Result<Translated<'a>, Rejection> {
    let abilities = models::abilities(model);
    let mut notes = Notes::default();
    let given_messages = chat.messages.as_deref().unwrap_or_default();
    if given_messages.is_empty() {
        return Err(Rejection::missing("messages"));
    }
    let given_tools = chat.tools.as_deref().unwrap_or_default();
    for (position, _) in given_tools
        .iter()
        .enumerate()
        .filter(|(_, tool)| tools::is_hosted(tool))
    {
        notes.add(
            format!("tools[{position}]"),
            "left out: it runs at OpenAI, and Gemini has no equal",
        );
    }
    let (mut declarations, names) = tools::declarations(given_tools)?;
    let tool_config = tools::tool_config(chat.tool_choice.as_ref(), &mut declarations)?;
    if chat.tool_choice.is_some() && declarations.is_empty() {
        notes.add(
            "tool_choice",
            "left out: there are no functions to choose from",
        );
    }
    let (system_instruction, contents) =
        messages::contents(given_messages, model, signatures, fetched)?;
    let has_functions = !declarations.is_empty();
    let generation_config = generation_config(chat, &abilities, has_functions, &mut notes)?;

    let mut all_tools = Vec::from_iter(tools::entry(declarations));
    if chat.web_search_options.is_some() {
        // Gemini refuses search beside functions; the functions matter more.
        if all_tools.is_empty() {
            all_tools.push(Tool::GoogleSearch {});
        } else {
            let reason = "left out: Gemini refuses its search beside functions";
            notes.add("web_search_options", reason);
        }
    }
    let request = GenerateContentRequest {
        contents,
        system_instruction,
        tools: all_tools,
        tool_config,
        generation_config,
    };
    let one_call_only = chat.parallel_tool_calls == Some(false);
    Ok(Translated {
        request,
        names,
        one_call_only,
        notes,
    })
}

fn generation_config(
    chat: &openai::ChatRequest<'_>,
    abilities: &Abilities,
    has_functions: bool,
    notes: &mut Notes,
) -> Result<GenerationConfig, Rejection> {
    let max_output_tokens = max_output_tokens(chat, abilities, notes)?;
    let top_p = within(chat.top_p, 0.0, 1.0, "top_p")?;
    let mut config = GenerationConfig {
        temperature: within(chat.temperature, 0.0, 2.0, "temperature")?,
        // A `topP` of exactly 0 means the likeliest token, which Gemini calls `topK` 1.
        top_p: top_p.filter(|top_p| *top_p > 0.0),
        top_k: if top_p == Some(0.0) {
            Some(1)
        } else {
            top_k(chat)?
        },
        candidate_count: candidate_count(chat)?,
        max_output_tokens,
        stop_sequences: stop_sequences(chat, notes),
        presence_penalty: penalty(chat.presence_penalty, "presence_penalty")?,
        frequency_penalty: penalty(chat.frequency_penalty, "frequency_penalty")?,
        seed: chat.seed.map(folded),
        thinking_config: thinking::thinking_config(chat, abilities, max_output_tokens)?,
        ..GenerationConfig::default()
    };
    if chat.reasoning_effort.is_some() && config.thinking_config.is_none() {
        notes.add(
            "reasoning_effort",
            "left out: this model does not think, or it is not known how it is told to",
        );
    }
    // Before Gemini 3 a JSON answer and functions in one request are a 400.
    if has_functions && abilities.generation < Generation::Three {
        if chat.response_format.is_some() {
            let reason = "left out: before Gemini 3 functions and JSON answers exclude each other";
            notes.add("response_format", reason);
        }
    } else {
        response_format(chat, &mut config)?;
    }
    Ok(config)
}

/// `max_completion_tokens`, else `max_tokens`, cut to the model's limit: Gemini
/// refuses what is larger.
fn max_output_tokens(
    chat: &openai::ChatRequest<'_>,
    abilities: &Abilities,
    notes: &mut Notes,
) -> Result<Option<u32>, Rejection> {
    let (param, asked) = match (chat.max_completion_tokens, chat.max_tokens) {
        (Some(asked), _) => ("max_completion_tokens", asked),
        (None, Some(asked)) => ("max_tokens", asked),
        (None, None) => return Ok(None),
    };
    if asked == 0 {
        let message =
            format!("Invalid '{param}': integer below minimum value. Expected at least 1.");
        return Err(Rejection::new("integer_below_min_value", param, message));
    }
    // Clients of local servers say -1 for "no limit".
    let Ok(asked) = u64::try_from(asked) else {
        return Ok(None);
    };
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

fn top_k(chat: &openai::ChatRequest<'_>) -> Result<Option<u32>, Rejection> {
    match chat.top_k {
        None | Some(..=0) => Ok(None),
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
fn folded(seed: i64) -> i32 {
    i32::try_from(seed).unwrap_or(((seed ^ (seed >> 32)) & 0x7fff_ffff) as i32)
}

fn response_format(
    chat: &openai::ChatRequest<'_>,
    config: &mut GenerationConfig,
) -> Result<(), Rejection> {
    let Some(format) = &chat.response_format else {
        return Ok(());
    };
    let wanted = match format.kind.as_deref() {
        None | Some("text") => return Ok(()),
        Some("json_object") => None,
        Some("json_schema") => {
            let schema = format
                .json_schema
                .as_ref()
                .and_then(|json| json.schema.as_ref());
            match schema {
                Some(schema) => Some(schema::clean(schema)),
                None => return Err(Rejection::missing("response_format.json_schema.schema")),
            }
        }
        Some(kind) => {
            let message = format!(
                "Invalid value: '{kind}'. Supported values are: 'text', 'json_object' and 'json_schema'."
            );
            return Err(Rejection::new(
                "invalid_value",
                "response_format.type",
                message,
            ));
        }
    };
    config.response_mime_type = Some("application/json");
    config.response_json_schema = wanted;
    Ok(())
}
