//! `generationConfig`: ranges, what a model does not offer, JSON mode.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::tools::check_schema;
use super::{Verdict, elements, json_schema};
use crate::simulator::errors::GoogleError;
use crate::simulator::models::{Generation, Model};

const MAX_STOP_SEQUENCES: usize = 5;
const RESPONSE_TYPES: [&str; 3] = ["text/plain", "application/json", "text/x.enum"];

pub(super) fn check(request: &Value, model: &Model) -> Verdict {
    let config = &request["generationConfig"];
    check_range(config, "temperature", 0.0..=2.0)?;
    check_range(config, "topP", 0.0..=1.0)?;
    check_range(config, "topK", 1.0..=64.0)?;
    check_range(
        config,
        "maxOutputTokens",
        1.0..=model.output_token_limit as f64,
    )?;
    check_range(config, "seed", f64::from(i32::MIN)..=f64::from(i32::MAX))?;
    check_range(config, "presencePenalty", -2.0..=2.0)?;
    check_range(config, "frequencyPenalty", -2.0..=2.0)?;
    if config["candidateCount"]
        .as_i64()
        .is_some_and(|count| count != 1)
    {
        return refuse("Multiple candidates is not enabled for this model");
    }
    check_stop_sequences(config)?;
    check_offered(config, model)?;
    check_response_format(request, model)
}

fn check_range(config: &Value, key: &str, range: RangeInclusive<f64>) -> Verdict {
    let Some(value) = config[key].as_f64() else {
        return Ok(());
    };
    if range.contains(&value) {
        return Ok(());
    }
    Err(GoogleError::invalid_argument(format!(
        "Unable to submit request because it has a {key} value of {value} but the supported range \
         is from {} (inclusive) to {} (inclusive). Update the value and try again.",
        range.start(),
        range.end()
    )))
}

fn check_stop_sequences(config: &Value) -> Verdict {
    let sequences = elements(&config["stopSequences"]);
    if sequences.len() > MAX_STOP_SEQUENCES {
        return Err(GoogleError::invalid_argument(format!(
            "Unable to submit request because it has {} stop sequences, more than the maximum of \
             {MAX_STOP_SEQUENCES}.",
            sequences.len()
        )));
    }
    if sequences.iter().any(|sequence| sequence == "") {
        return refuse("Unable to submit request because it has an empty stop sequence.");
    }
    Ok(())
}

/// Gemini 3 has neither penalties nor logprobs.
fn check_offered(config: &Value, model: &Model) -> Verdict {
    if model.generation != Generation::Gemini3 {
        return Ok(());
    }
    if ["presencePenalty", "frequencyPenalty"]
        .iter()
        .any(|key| config.get(key).is_some())
    {
        return refuse("Penalty is not enabled for this model");
    }
    if ["logprobs", "responseLogprobs"]
        .iter()
        .any(|key| config.get(key).is_some())
    {
        return refuse("Logprobs is not supported for the current model");
    }
    Ok(())
}

fn check_response_format(request: &Value, model: &Model) -> Verdict {
    let config = &request["generationConfig"];
    let kind = config["responseMimeType"].as_str().unwrap_or("text/plain");
    if !RESPONSE_TYPES.contains(&kind) {
        return Err(GoogleError::at_field(
            "generation_config.response_mime_type",
            "allowed mimetypes are `text/plain`, `application/json` and `text/x.enum`.",
        ));
    }
    let strict = config.get("responseSchema");
    let lenient = config.get("responseJsonSchema");
    if strict.is_some() && lenient.is_some() {
        return refuse("Only one of response_schema and response_json_schema may be set.");
    }
    if strict.or(lenient).is_some() && kind == "text/plain" {
        return refuse(
            "Response schema is only supported with response mime type application/json",
        );
    }
    if lenient.is_some_and(|schema| !schema.is_object()) {
        return refuse("Request contains an invalid argument.");
    }
    if let Some(schema) = strict {
        check_schema(schema, "generation_config.response_schema")?;
    }
    if let Some(schema) = lenient {
        json_schema::check(schema, "generation_config.response_json_schema")?;
    }
    let declares = elements(&request["tools"])
        .iter()
        .any(|tool| tool.get("functionDeclarations").is_some());
    if declares && kind == "application/json" && model.generation != Generation::Gemini3 {
        return refuse(
            "Function calling with a response mime type: 'application/json' is unsupported",
        );
    }
    Ok(())
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
    fn ranges_and_what_a_generation_offers_are_kept() {
        let tools = json!([{"functionDeclarations": [{"name": "f"}]}]);
        let schema = json!({"type": "object"});
        let json_type = "application/json";
        for (model, config, complaint) in [
            (
                "gemini-2.5-pro",
                json!({"temperature": 2, "topK": 64, "seed": -1}),
                "",
            ),
            (
                "gemini-2.5-pro",
                json!({"temperature": 2.1}),
                "temperature value of 2.1",
            ),
            ("gemini-2.5-pro", json!({"topK": 65}), "topK value of 65"),
            (
                "gemini-2.5-pro",
                json!({"maxOutputTokens": 65_537}),
                "maxOutputTokens value",
            ),
            (
                "gemini-2.5-pro",
                json!({"maxOutputTokens": 0}),
                "maxOutputTokens value",
            ),
            (
                "gemini-2.5-pro",
                json!({"candidateCount": 2}),
                "Multiple candidates",
            ),
            (
                "gemini-2.5-pro",
                json!({"stopSequences": [""]}),
                "empty stop sequence",
            ),
            ("gemini-2.5-pro", json!({"presencePenalty": 1}), ""),
            (
                "gemini-3-flash",
                json!({"presencePenalty": 1}),
                "Penalty is not enabled",
            ),
            (
                "gemini-3-flash",
                json!({"logprobs": 3}),
                "Logprobs is not supported",
            ),
            (
                "gemini-3-flash",
                json!({"responseJsonSchema": schema}),
                "only supported with",
            ),
            ("gemini-3-flash", json!({"responseMimeType": json_type}), ""),
            (
                "gemini-2.5-pro",
                json!({"responseMimeType": json_type}),
                "mime type: 'application/json'",
            ),
        ] {
            let request = json!({"generationConfig": config, "tools": tools});
            let verdict = models::on_code_assist(model, true).map(|known| check(&request, known));
            let said = match verdict {
                Some(Ok(())) => String::new(),
                other => format!("{other:?}"),
            };
            assert!(said.contains(complaint), "{config}: {said}");
            assert_eq!(said.is_empty(), complaint.is_empty(), "{config}: {said}");
        }
    }
}
