//! How hard to think: OpenAI's `reasoning_effort` as a budget or a level,
//! following Google's own mapping
//! (<https://ai.google.dev/gemini-api/docs/openai#thinking>).

use super::{Notes, Rejection};
use crate::models::{Abilities, Thinking};
use crate::wire::gemini::{ThinkingConfig, ThinkingLevel};
use crate::wire::openai;

/// Below this limit on the answer a model that thinks would often spend all of
/// it on thoughts and return nothing.
const SHORT_ANSWER: u32 = 2048;

/// Says nothing of how hard to think, only whether it is shown.
const EXCLUDE: &str = "reasoning.exclude";

/// OpenAI's words, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    /// `xhigh` and `max`
    Most,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amount {
    Effort(Effort),
    Tokens(i32),
}

/// What the client wants, by whichever of the names that there are for it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    amount: Option<Amount>,
    hidden: bool,
    /// It shall think, however much.
    thinks: bool,
}

/// Google's own setting, if the client gave it, wins over all others.
pub(super) fn thinking_config(
    chat: &openai::ChatRequest<'_>,
    abilities: &Abilities,
    max_output_tokens: Option<u32>,
    notes: &mut Notes,
) -> Result<Option<ThinkingConfig>, Rejection> {
    let mut wish = wish(chat)?;
    let mut ways = ways(chat);
    let way = ways.next().unwrap_or("reasoning");
    if let Some(given) = googles_own(chat, notes) {
        for loser in ways.chain(wish.hidden.then_some(EXCLUDE)) {
            notes.add(loser, "left out: Google's own thinking_config counts more");
        }
        return given.map(Some);
    }
    for loser in ways {
        notes.add(loser, format!("left out: '{way}' counts more"));
    }
    if abilities.thinking == Thinking::Unknown {
        if wish != Wish::default() {
            notes.add(
                way,
                "left out: this model does not think, or it is not known how it is told to",
            );
        }
        return Ok(None);
    }
    let says_nothing = wish.amount.is_none() && !wish.thinks;
    if says_nothing && max_output_tokens.is_some_and(|limit| limit < SHORT_ANSWER) {
        wish.amount = Some(Amount::Effort(Effort::None));
    }
    let mut config = ThinkingConfig {
        include_thoughts: Some(wish.amount != Some(Amount::Effort(Effort::None)) && !wish.hidden),
        ..ThinkingConfig::default()
    };
    match (wish.amount, abilities.thinking) {
        (
            Some(Amount::Tokens(tokens)),
            Thinking::Budget {
                min,
                max,
                can_be_off,
            },
        ) => {
            let least = if can_be_off && tokens == 0 { 0 } else { min };
            let budget = tokens.clamp(least, max);
            if budget != tokens {
                let reason = format!("{tokens} tokens are {budget} in this model's range");
                notes.add(way, reason);
            }
            config.thinking_budget = Some(budget);
        }
        // Gemini 3 takes a budget, too, but a level does better.
        (Some(Amount::Tokens(tokens)), Thinking::Level(levels)) => {
            config.thinking_level = level(effort_of(tokens), levels);
            let reason = "sent as a level: this model does better with one than with a budget";
            notes.add(way, reason);
        }
        (
            Some(Amount::Effort(effort)),
            Thinking::Budget {
                min,
                max,
                can_be_off,
            },
        ) => {
            config.thinking_budget = Some(budget(effort, min, max, can_be_off));
        }
        (Some(Amount::Effort(effort)), Thinking::Level(levels)) => {
            config.thinking_level = level(effort, levels);
        }
        _ => {}
    }
    Ok(Some(config))
}

/// The fields in which the client says how hard to think, the strongest first: that
/// one counts.
fn ways(chat: &openai::ChatRequest<'_>) -> impl Iterator<Item = &'static str> {
    let (thinking, reasoning) = (chat.thinking.as_ref(), chat.reasoning.as_ref());
    [
        ("google.thinking_config", given_googles_own(chat).is_some()),
        ("thinking.type", thinking.is_some_and(is_disabled)),
        (
            "thinking.budget_tokens",
            thinking.is_some_and(|thinking| thinking.budget_tokens.is_some()),
        ),
        (
            "reasoning.enabled",
            reasoning.is_some_and(|reasoning| reasoning.enabled == Some(false)),
        ),
        (
            "reasoning.max_tokens",
            reasoning.is_some_and(|reasoning| reasoning.max_tokens.is_some()),
        ),
        (
            "reasoning.effort",
            reasoning.is_some_and(|reasoning| reasoning.effort.is_some()),
        ),
        ("reasoning_effort", chat.reasoning_effort.is_some()),
    ]
    .into_iter()
    .filter_map(|(field, is_used)| is_used.then_some(field))
}

fn is_disabled(thinking: &openai::Thinking<'_>) -> bool {
    thinking.kind.as_deref() == Some("disabled")
}

/// Anthropic's `thinking` wins over OpenRouter's `reasoning`, and that over
/// OpenAI's `reasoning_effort`.
fn wish(chat: &openai::ChatRequest<'_>) -> Result<Wish, Rejection> {
    let effort = given_effort(chat.reasoning_effort.as_deref(), "reasoning_effort")?;
    let mut wish = Wish {
        amount: effort.map(Amount::Effort),
        ..Wish::default()
    };
    if let Some(reasoning) = &chat.reasoning {
        let effort = given_effort(reasoning.effort.as_deref(), "reasoning.effort")?;
        let amount = match (reasoning.enabled, reasoning.max_tokens) {
            (Some(false), _) => Some(Amount::Effort(Effort::None)),
            (_, Some(tokens)) => Some(Amount::Tokens(tokens)),
            _ => effort.map(Amount::Effort),
        };
        wish.amount = amount.or(wish.amount);
        wish.hidden = reasoning.exclude == Some(true);
        wish.thinks = reasoning.enabled == Some(true);
    }
    match &chat.thinking {
        Some(thinking) if is_disabled(thinking) => {
            wish = Wish {
                amount: Some(Amount::Effort(Effort::None)),
                ..Wish::default()
            }
        }
        Some(thinking) => {
            wish.amount = thinking.budget_tokens.map(Amount::Tokens).or(wish.amount);
            wish.thinks |= matches!(thinking.kind.as_deref(), Some("enabled" | "adaptive"));
        }
        None => {}
    }
    Ok(wish)
}

/// The effort that a number of tokens stands for, by Google's own table.
fn effort_of(tokens: i32) -> Effort {
    match tokens {
        ..=0 => Effort::None,
        1..=1024 => Effort::Low,
        1025..=8192 => Effort::Medium,
        _ => Effort::High,
    }
}

fn given_effort(word: Option<&str>, param: &str) -> Result<Option<Effort>, Rejection> {
    let Some(word) = word else {
        return Ok(None);
    };
    Ok(Some(match word {
        "none" => Effort::None,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" | "max" => Effort::Most,
        _ => {
            let message = format!(
                "Invalid value: '{word}'. Supported values are: 'none', 'minimal', 'low', \
                 'medium', 'high', 'xhigh' and 'max'."
            );
            return Err(Rejection::new("invalid_value", param, message));
        }
    }))
}

/// Tokens.
fn budget(effort: Effort, min: i32, max: i32, can_be_off: bool) -> i32 {
    match effort {
        Effort::None if can_be_off => 0,
        Effort::None => min,
        Effort::Minimal | Effort::Low => 1024,
        Effort::Medium => 8192,
        Effort::High => 24_576,
        Effort::Most => max,
    }
}

/// The least level that is at least what was asked, else the highest.
fn level(effort: Effort, levels: &[ThinkingLevel]) -> Option<ThinkingLevel> {
    let wanted = match effort {
        Effort::None | Effort::Minimal => ThinkingLevel::Minimal,
        Effort::Low => ThinkingLevel::Low,
        Effort::Medium => ThinkingLevel::Medium,
        Effort::High | Effort::Most => ThinkingLevel::High,
    };
    levels
        .iter()
        .find(|level| **level >= wanted)
        .or(levels.last())
        .copied()
}

pub(super) fn given_googles_own<'a>(
    chat: &'a openai::ChatRequest<'_>,
) -> Option<&'a openai::ThinkingConfig> {
    let nested = chat
        .extra_body
        .as_ref()
        .and_then(|extra| extra.google.as_ref());
    let mut places = [chat.google.as_ref(), nested].into_iter().flatten();
    places.find_map(|google| google.thinking_config.as_ref())
}

fn googles_own(
    chat: &openai::ChatRequest<'_>,
    notes: &mut Notes,
) -> Option<Result<ThinkingConfig, Rejection>> {
    let given = given_googles_own(chat)?;
    let level = match given
        .thinking_level
        .as_deref()
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        None => None,
        Some("minimal") => Some(ThinkingLevel::Minimal),
        Some("low") => Some(ThinkingLevel::Low),
        Some("medium") => Some(ThinkingLevel::Medium),
        Some("high") => Some(ThinkingLevel::High),
        Some(word) => {
            let message = format!(
                "Invalid value: '{word}'. Supported values are: 'minimal', 'low', 'medium' and 'high'."
            );
            let param = "google.thinking_config.thinking_level";
            return Some(Err(Rejection::new("invalid_value", param, message)));
        }
    };
    if level.is_some() && given.thinking_budget.is_some() {
        let field = "google.thinking_config.thinking_budget";
        notes.add(field, "left out: Google takes no budget beside a level");
    }
    Some(Ok(ThinkingConfig {
        include_thoughts: given.include_thoughts,
        // Google refuses both together.
        thinking_budget: given.thinking_budget.filter(|_| level.is_none()),
        thinking_level: level,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::abilities;

    #[test]
    fn efforts_become_levels_that_the_model_has() {
        let level_of = |model: &str, effort| match abilities(model).thinking {
            Thinking::Level(levels) => level(effort, levels),
            _ => None,
        };
        use ThinkingLevel::{High, Low, Medium, Minimal};
        assert_eq!(level_of("gemini-3-pro-preview", Effort::Medium), Some(High));
        assert_eq!(level_of("gemini-3-pro-preview", Effort::None), Some(Low));
        assert_eq!(
            level_of("gemini-3.1-pro-preview", Effort::Medium),
            Some(Medium)
        );
        assert_eq!(level_of("gemini-3.5-flash", Effort::None), Some(Minimal));
        assert_eq!(level_of("gemini-3.5-flash", Effort::Most), Some(High));
    }

    #[test]
    fn efforts_become_budgets_within_the_models_range() {
        for model in [
            "gemini-2.5-pro",
            "gemini-2.5-flash",
            "gemini-2.5-flash-lite",
        ] {
            let Thinking::Budget {
                min,
                max,
                can_be_off,
            } = abilities(model).thinking
            else {
                panic!("{model} has a budget");
            };
            use Effort::{High, Low, Medium, Minimal, Most, None};
            for effort in [None, Minimal, Low, Medium, High, Most] {
                let tokens = budget(effort, min, max, can_be_off);
                assert!((min..=max).contains(&tokens) || (tokens == 0 && can_be_off));
            }
        }
    }
}
