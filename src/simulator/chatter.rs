//! What the stand-in says when nothing is scripted: friendly, believable, the
//! same for the same request, and honest about what it is.

use serde_json::{Value, json};

use super::reply::{Call, Turn, tokens};
use super::sample::{Optional, instance};

const LONGEST_QUOTE: usize = 120;

/// Said once in every answer in words.
const CONFESSION: &str = "This is the built-in stand-in for Google speaking, and no model was \
    asked: sign in or set an API key, and Gemini answers here instead.";

/// The turn that answers a `GenerateContentRequest`.
pub(super) fn turn(request: &Value) -> Turn {
    let config = &request["generationConfig"];
    let contents = elements(&request["contents"]);
    let wants_thoughts = config["thinkingConfig"]["includeThoughts"] == true;
    let mut turn = Turn {
        thought: wants_thoughts.then(|| thought(contents)),
        finish: Some("STOP".into()),
        signed: true,
        ..Turn::default()
    };
    if let Some(declaration) = function_to_call(request) {
        turn.calls.push(Call {
            name: declaration["name"].as_str().unwrap_or_default().into(),
            args: Some(arguments(declaration)),
            id: None,
        });
        return turn;
    }
    let text = if config["responseMimeType"] == "application/json" {
        json_text(config)
    } else {
        words(request, contents)
    };
    let text = until_stop_sequence(text, config);
    turn.text = text
        .split_inclusive(char::is_whitespace)
        .map(str::to_owned)
        .collect();
    limit(&mut turn, config);
    turn
}

/// The total of `countTokens`: texts, declarations, and 258 for each medium.
pub(super) fn prompt_tokens(request: &Value) -> u64 {
    let mut contents: Vec<&Value> = elements(&request["contents"]).iter().collect();
    contents.extend(request.get("systemInstruction"));
    let of_parts: u64 = contents
        .into_iter()
        .flat_map(|content| elements(&content["parts"]))
        .map(
            |part| match (part["text"].as_str(), part.get("inlineData")) {
                (Some(text), _) => tokens(text),
                (None, Some(_)) => 258,
                (None, None) => tokens(&part.to_string()),
            },
        )
        .sum();
    let of_tools = request
        .get("tools")
        .map_or(0, |tools| tokens(&tools.to_string()));
    of_parts + of_tools
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn thought(contents: &[Value]) -> String {
    format!(
        "**Reading the request**\n\nThe user says: {}. A short answer will do.\n\n",
        quote(&last_user_text(contents))
    )
}

/// The first declared function, or the first allowed one; none once it has answered.
fn function_to_call(request: &Value) -> Option<&Value> {
    let config = &request["toolConfig"]["functionCallingConfig"];
    let last = elements(&request["contents"]).last()?;
    let has_result = elements(&last["parts"])
        .iter()
        .any(|part| part.get("functionResponse").is_some());
    if config["mode"] == "NONE" || has_result {
        return None;
    }
    let allowed = elements(&config["allowedFunctionNames"]);
    elements(&request["tools"])
        .iter()
        .flat_map(|tool| elements(&tool["functionDeclarations"]))
        .find(|declaration| allowed.is_empty() || allowed.contains(&declaration["name"]))
}

fn arguments(declaration: &Value) -> Value {
    let schema = declaration
        .get("parametersJsonSchema")
        .or_else(|| declaration.get("parameters"));
    match schema.map(|schema| instance(schema, Optional::LeaveOut)) {
        Some(Value::Object(arguments)) => Value::Object(arguments),
        _ => json!({}),
    }
}

fn json_text(config: &Value) -> String {
    let schema = config
        .get("responseJsonSchema")
        .or_else(|| config.get("responseSchema"));
    match schema {
        Some(schema) => instance(schema, Optional::Show).to_string(),
        None => json!({"answer": "No model was asked: this is the built-in stand-in."}).to_string(),
    }
}

fn words(request: &Value, contents: &[Value]) -> String {
    if let Some(result) = last_result(contents) {
        return format!(
            "The tool {} answered: {}. {CONFESSION}",
            result["name"].as_str().unwrap_or_default(),
            quote(&result_text(&result["response"]))
        );
    }
    let asked = last_user_text(contents);
    let lower = asked.to_lowercase();
    let opening = if lower.contains("haiku") || lower.contains("poem") {
        "A stand-in sits here,\nknows the shape of every word,\nand means none of them.\n\n".into()
    } else if is_greeting(&lower) {
        "Hello! Everything between you and me works. ".into()
    } else if asked.contains('?') {
        format!(
            "You asked: {} That is a good question for Gemini. ",
            quote(&asked)
        )
    } else {
        format!("I read: {} ", quote(&asked))
    };
    format!(
        "{opening}{}{}{CONFESSION}",
        seen(contents),
        instructed(request)
    )
}

fn is_greeting(lower: &str) -> bool {
    let first = lower.split(|letter: char| !letter.is_alphanumeric()).next();
    first.is_some_and(|word| ["hello", "hi", "hey", "hallo"].contains(&word))
}

fn last_result(contents: &[Value]) -> Option<&Value> {
    elements(&contents.last()?["parts"])
        .iter()
        .filter_map(|part| part.get("functionResponse"))
        .next_back()
}

/// Results are usually wrapped as `{"output": …}` or `{"result": …}`.
fn result_text(response: &Value) -> String {
    let inner = ["output", "result", "error"]
        .iter()
        .find_map(|key| response[key].as_str());
    inner.map_or_else(|| response.to_string(), str::to_owned)
}

fn last_user_text(contents: &[Value]) -> String {
    let said: Vec<&str> = contents
        .iter()
        .rfind(|content| content["role"] == "user")
        .map(|content| elements(&content["parts"]))
        .unwrap_or_default()
        .iter()
        .filter_map(|part| part["text"].as_str())
        .collect();
    said.join(" ")
}

fn quote(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST_QUOTE {
        return format!("“{line}”");
    }
    let short: String = line.chars().take(LONGEST_QUOTE).collect();
    format!("“{short}…”")
}

fn seen(contents: &[Value]) -> String {
    let count = contents
        .last()
        .map(|content| elements(&content["parts"]))
        .unwrap_or_default()
        .iter()
        .filter(|part| {
            part["inlineData"]["mimeType"]
                .as_str()
                .is_some_and(|kind| kind.starts_with("image/"))
        })
        .count();
    match count {
        0 => String::new(),
        1 => "I was given 1 image. ".into(),
        _ => format!("I was given {count} images. "),
    }
}

fn instructed(request: &Value) -> &'static str {
    if request.get("systemInstruction").is_some() {
        "Your system instruction arrived, too. "
    } else {
        ""
    }
}

fn until_stop_sequence(text: String, config: &Value) -> String {
    let end = elements(&config["stopSequences"])
        .iter()
        .filter_map(|sequence| text.find(sequence.as_str()?))
        .min();
    match end {
        Some(end) => text[..end].into(),
        None => text,
    }
}

/// Thoughts count against `maxOutputTokens`, as they do at Google.
fn limit(turn: &mut Turn, config: &Value) {
    let Some(limit) = config["maxOutputTokens"].as_u64() else {
        return;
    };
    let mut used = turn.thought.as_deref().map_or(0, tokens);
    for (kept, piece) in turn.text.iter().enumerate() {
        used += tokens(piece);
        if used > limit {
            turn.text.truncate(kept);
            turn.finish = Some("MAX_TOKENS".into());
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(text: &str, more: Value) -> Value {
        let mut request = json!({"contents": [{"role": "user", "parts": [{"text": text}]}]});
        super::super::says::merge_patch(&mut request, &more);
        request
    }

    #[test]
    fn it_says_once_that_no_model_was_asked() {
        let text = turn(&asks("What is a monad?", json!({}))).text.concat();
        assert!(text.starts_with("You asked: “What is a monad?”"));
        assert_eq!(text.matches("no model was asked").count(), 1);
    }

    #[test]
    fn a_declared_tool_is_called_and_its_result_is_quoted() {
        let tools = json!({"tools": [{"functionDeclarations": [{"name": "get_weather",
            "parametersJsonSchema": {"type": "object", "properties": {"city": {"type": "string"}},
            "required": ["city"]}}]}]});
        let mut request = asks("Weather?", tools);
        let called = turn(&request);
        assert_eq!(called.calls[0].args, Some(json!({"city": "Oslo"})));

        if let Some(contents) = request["contents"].as_array_mut() {
            contents.push(json!({"role": "user", "parts": [{"functionResponse":
                {"name": "get_weather", "response": {"output": "4 C, rain"}}}]}));
        }
        let answer = turn(&request);
        assert!(answer.calls.is_empty());
        assert!(answer.text.concat().contains("“4 C, rain”"));
    }

    #[test]
    fn stop_sequences_and_limits_end_the_answer() {
        let stop = json!({"generationConfig": {"stopSequences": ["stand-in"]}});
        assert!(turn(&asks("x", stop)).text.concat().ends_with("built-in "));
        let short = json!({"generationConfig": {"maxOutputTokens": 3}});
        let cut = turn(&asks("x", short));
        assert_eq!(cut.finish.as_deref(), Some("MAX_TOKENS"));
        assert!(cut.text.len() <= 3);
    }
}
