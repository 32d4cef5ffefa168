//! `thinkingConfig`, which every model takes differently.

use serde_json::Value;

use super::Verdict;
use crate::simulator::errors::GoogleError;
use crate::simulator::models::{GEMINI_3_BUDGET, Model, Thinking};

/// "As much as seems right": every budget model takes it.
const DYNAMIC: i64 = -1;

pub(super) fn check(request: &Value, model: &Model) -> Verdict {
    let config = &request["generationConfig"]["thinkingConfig"];
    let budget = config["thinkingBudget"].as_i64();
    let level = config["thinkingLevel"]
        .as_str()
        .map(str::to_ascii_uppercase);
    if budget.is_some() && level.is_some() {
        return refuse("You can only set only one of thinking budget and thinking level.");
    }
    match &model.thinking {
        Thinking::None if config.is_null() => Ok(()),
        Thinking::None => refuse("Thinking is not enabled for this model"),
        Thinking::Budget { .. } if level.is_some() => {
            refuse("Thinking level is not supported for this model.")
        }
        Thinking::Budget { range, can_be_off } => match budget {
            None | Some(DYNAMIC) => Ok(()),
            Some(0) if *can_be_off => Ok(()),
            Some(0) => refuse("Budget 0 is invalid. This model only works in thinking mode."),
            Some(budget) if range.contains(&budget) => Ok(()),
            Some(budget) => out_of_range(budget, *range.start(), *range.end()),
        },
        Thinking::Level(levels) => match (level, budget) {
            (Some(level), _) if !levels.contains(&level.as_str()) => {
                Err(GoogleError::invalid_argument(format!(
                    "Thinking level {level} is not supported for this model."
                )))
            }
            (_, Some(budget)) if !GEMINI_3_BUDGET.contains(&budget) => {
                out_of_range(budget, *GEMINI_3_BUDGET.start(), *GEMINI_3_BUDGET.end())
            }
            _ => Ok(()),
        },
    }
}

fn out_of_range(budget: i64, least: i64, most: i64) -> Verdict {
    Err(GoogleError::invalid_argument(format!(
        "The thinking budget {budget} is invalid. Please choose a value between {least} and \
         {most}. Thinking budget is out of range."
    )))
}

fn refuse(message: &str) -> Verdict {
    Err(GoogleError::invalid_argument(message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::simulator::models;

    #[test]
    fn every_model_takes_what_its_documentation_says() {
        for (model, config, expected) in [
            ("gemini-2.5-pro", json!({"thinkingBudget": -1}), ""),
            (
                "gemini-2.5-pro",
                json!({"thinkingBudget": 0}),
                "only works in thinking mode",
            ),
            (
                "gemini-2.5-pro",
                json!({"thinkingBudget": 127}),
                "out of range",
            ),
            (
                "gemini-2.5-pro",
                json!({"thinkingLevel": "LOW"}),
                "level is not supported",
            ),
            ("gemini-2.5-flash", json!({"thinkingBudget": 0}), ""),
            (
                "gemini-2.5-flash",
                json!({"thinkingBudget": 24577}),
                "out of range",
            ),
            (
                "gemini-2.5-flash-lite",
                json!({"thinkingBudget": 100}),
                "out of range",
            ),
            ("gemini-3-pro-preview", json!({"thinkingLevel": "high"}), ""),
            (
                "gemini-3-pro-preview",
                json!({"thinkingLevel": "MEDIUM"}),
                "MEDIUM is not supported",
            ),
            (
                "gemini-3-flash",
                json!({"thinkingLevel": "MINIMAL", "includeThoughts": true}),
                "",
            ),
            ("gemini-3-flash", json!({"thinkingBudget": 128}), ""),
            (
                "gemini-3-flash",
                json!({"thinkingBudget": 0}),
                "out of range",
            ),
            (
                "gemini-3-flash",
                json!({"thinkingBudget": 500, "thinkingLevel": "LOW"}),
                "only one of",
            ),
        ] {
            let request = json!({"generationConfig": {"thinkingConfig": config}});
            let verdict = models::on_code_assist(model, true).map(|known| check(&request, known));
            let said = match verdict {
                Some(Ok(())) => String::new(),
                other => format!("{other:?}"),
            };
            assert!(
                said.contains(expected) && said.is_empty() == expected.is_empty(),
                "{model}: {said}"
            );
        }
    }
}
