//! Function declarations, their schemas, and how they are to be called.

use std::collections::HashSet;

use serde_json::Value;

use super::{Verdict, elements, json_schema};
use crate::simulator::errors::GoogleError;
use crate::simulator::models::{Generation, Model};

const MAX_NAME_LENGTH: usize = 64;
const MAX_DECLARATIONS: usize = 512;
const BUILT_IN: [&str; 4] = [
    "googleSearch",
    "googleSearchRetrieval",
    "urlContext",
    "codeExecution",
];

pub(super) fn check(request: &Value, model: &Model) -> Verdict {
    let mut names = HashSet::new();
    for (tool_index, tool) in elements(&request["tools"]).iter().enumerate() {
        let declarations = elements(&tool["functionDeclarations"]);
        for (index, declaration) in declarations.iter().enumerate() {
            let place = format!("tools[{tool_index}].function_declarations[{index}]");
            let name = declaration["name"].as_str().unwrap_or_default();
            check_name(name, &place)?;
            if !names.insert(name) {
                return refuse(format!("Duplicate function declaration found: {name}"));
            }
            check_parameters(declaration, &place)?;
        }
    }
    if names.len() > MAX_DECLARATIONS {
        return refuse(format!(
            "Unable to submit request because at most {MAX_DECLARATIONS} function declarations \
             are supported, but {} were given.",
            names.len()
        ));
    }
    check_built_in(request, model, !names.is_empty())?;
    check_calling_config(&request["toolConfig"]["functionCallingConfig"], &names)
}

fn check_name(name: &str, place: &str) -> Verdict {
    let mut letters = name.chars();
    let starts_well = letters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    let goes_on = letters.all(|letter| letter.is_ascii_alphanumeric() || "_.:-".contains(letter));
    if starts_well && goes_on && name.len() <= MAX_NAME_LENGTH {
        return Ok(());
    }
    let rule = "[FIELD_INVALID] Invalid function name. Must start with a letter or an underscore. \
        Must be alphameric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), \
        with a maximum length of 64.";
    Err(GoogleError::at_field(&format!("{place}.name"), rule))
}

fn check_parameters(declaration: &Value, place: &str) -> Verdict {
    let strict = declaration.get("parameters");
    let lenient = declaration.get("parametersJsonSchema");
    if strict.is_some() && lenient.is_some() {
        return Err(GoogleError::at_field(
            place,
            "only one of parameters and parameters_json_schema may be set",
        ));
    }
    if let Some(schema) = strict {
        check_schema(schema, &format!("{place}.parameters"))?;
    }
    if let Some(schema) = lenient {
        let field = format!("{place}.parameters_json_schema");
        if schema.get("type").is_none_or(|kind| kind != "object") {
            let rule = "schema should be of type object";
            return Err(GoogleError::at_field(&field, rule));
        }
        json_schema::check(schema, &field)?;
    }
    Ok(())
}

/// What Google asks of its own dialect, beyond the fields.
pub(super) fn check_schema(schema: &Value, place: &str) -> Verdict {
    let kind = schema["type"]
        .as_str()
        .unwrap_or_default()
        .to_ascii_uppercase();
    if kind.is_empty() && schema.get("anyOf").is_none() {
        return Err(GoogleError::at_field(
            &format!("{place}.type"),
            "missing field.",
        ));
    }
    if kind == "ARRAY" && schema.get("items").is_none() {
        return Err(GoogleError::at_field(
            &format!("{place}.items"),
            "missing field.",
        ));
    }
    if schema.get("enum").is_some() && kind != "STRING" {
        let field = format!("{place}.enum");
        return Err(GoogleError::at_field(
            &field,
            "only allowed for STRING type",
        ));
    }
    for (index, required) in elements(&schema["required"]).iter().enumerate() {
        let defined = required
            .as_str()
            .is_some_and(|name| schema["properties"].get(name).is_some());
        if !defined {
            let field = format!("{place}.required[{index}]");
            return Err(GoogleError::at_field(&field, "property is not defined"));
        }
    }
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            check_schema(property, &format!("{place}.properties[{name}]"))?;
        }
    }
    if let Some(items) = schema.get("items") {
        check_schema(items, &format!("{place}.items"))?;
    }
    for (index, branch) in elements(&schema["anyOf"]).iter().enumerate() {
        check_schema(branch, &format!("{place}.any_of[{index}]"))?;
    }
    Ok(())
}

fn check_built_in(request: &Value, model: &Model, declares: bool) -> Verdict {
    let searches = elements(&request["tools"])
        .iter()
        .any(|tool| BUILT_IN.iter().any(|name| tool.get(name).is_some()));
    if declares && searches && model.generation != Generation::Gemini3 {
        return refuse("Multiple tools are supported only when they are all search tools.".into());
    }
    let shows_calls = &request["toolConfig"]["includeServerSideToolInvocations"];
    if declares && searches && *shows_calls != true {
        return refuse(
            "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools \
             with Function calling."
                .into(),
        );
    }
    Ok(())
}

fn check_calling_config(config: &Value, declared: &HashSet<&str>) -> Verdict {
    if config.is_null() {
        return Ok(());
    }
    if declared.is_empty() {
        return refuse("Function calling config is set without function_declarations.".into());
    }
    let allowed = elements(&config["allowedFunctionNames"]);
    let mode = config["mode"].as_str().unwrap_or("AUTO");
    if !allowed.is_empty() && !matches!(mode, "ANY" | "VALIDATED") {
        return refuse(format!(
            "Allowed function names are only supported in the modes ANY and VALIDATED, not {mode}."
        ));
    }
    for name in allowed.iter().filter_map(Value::as_str) {
        if !declared.contains(name) {
            return refuse(format!(
                "Allowed function name {name} is not among the function declarations."
            ));
        }
    }
    Ok(())
}

fn refuse(message: String) -> Verdict {
    Err(GoogleError::invalid_argument(message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::simulator::models;

    fn verdict(declarations: Value, config: Value) -> String {
        let Some(model) = models::on_code_assist("gemini-2.5-pro", false) else {
            return "no model".into();
        };
        let request = json!({
            "tools": [{"functionDeclarations": declarations}],
            "toolConfig": {"functionCallingConfig": config},
        });
        match check(&request, model) {
            Ok(()) => "fine".into(),
            Err(error) => error.body["error"]["message"]
                .as_str()
                .unwrap_or_default()
                .into(),
        }
    }

    #[test]
    fn declarations_have_good_names_one_schema_and_an_honest_config() {
        let object = json!({"type": "object"});
        let any = json!({"mode": "ANY", "allowedFunctionNames": ["f"]});
        let f = json!({"name": "f", "parametersJsonSchema": object});
        assert_eq!(verdict(json!([f]), any), "fine");
        let none = Value::Null;
        for (declarations, config, complaint) in [
            (
                json!([{"name": "1f"}]),
                none.clone(),
                "Invalid function name",
            ),
            (
                json!([{"name": "f".repeat(65)}]),
                none.clone(),
                "Invalid function name",
            ),
            (
                json!([{"name": "f"}, {"name": "f"}]),
                none.clone(),
                "Duplicate function",
            ),
            (
                json!([{"name": "f", "parameters": object, "parametersJsonSchema": object}]),
                none.clone(),
                "only one of",
            ),
            (
                json!([{"name": "f", "parametersJsonSchema": true}]),
                none.clone(),
                "of type object",
            ),
            (
                json!([{"name": "f", "parameters": {"type": "ARRAY"}}]),
                none.clone(),
                "items: missing field",
            ),
            (
                json!([{"name": "f", "parameters": {"type": "OBJECT", "required": ["x"]}}]),
                none,
                "property is not defined",
            ),
            (
                json!([]),
                json!({"mode": "NONE"}),
                "without function_declarations",
            ),
            (
                json!([f]),
                json!({"allowedFunctionNames": ["f"]}),
                "only supported in the modes",
            ),
            (
                json!([f]),
                json!({"mode": "ANY", "allowedFunctionNames": ["g"]}),
                "not among",
            ),
        ] {
            let said = verdict(declarations, config);
            assert!(said.contains(complaint), "{said}");
        }
    }
}
