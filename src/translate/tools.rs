//! Tools: function declarations, names that Gemini accepts, and `tool_choice`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Manner, Notes, Rejection, parameters, plain_schema};
use crate::wire::gemini::{
    FunctionCallingConfig, FunctionCallingMode, FunctionDeclaration, Tool, ToolConfig,
};
use crate::wire::{Json, Text, hex, openai};

/// Characters in a function name.
const MAX_NAME: usize = 64;

/// Gemini refuses two of one name; the first stays.
const DECLARED_TWICE: &str = "left out: there is one of this name already";

/// The functions of one request: which exist, and how those are called whose
/// names Gemini would refuse.
#[derive(Debug, Default, Clone)]
pub struct Names {
    declared: Vec<String>,
    /// Gemini's name to the client's, where they differ.
    rewritten: HashMap<String, String>,
    /// The client's names of its custom tools.
    custom: HashSet<String>,
}

impl Names {
    /// The client's name for what Gemini calls `name`.
    pub(super) fn restore<'a>(&'a self, name: &'a str) -> &'a str {
        // Gemini sometimes calls a function by the namespace it keeps it in.
        let bare = ["default_api:", "default_api."]
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix))
            .filter(|bare| self.is_declared(bare));
        let name = bare.unwrap_or(name);
        self.rewritten.get(name).map_or(name, String::as_str)
    }

    pub(super) fn is_custom(&self, name: &str) -> bool {
        self.custom.contains(name)
    }

    fn is_declared(&self, name: &str) -> bool {
        self.declared.iter().any(|declared| declared == name)
    }

    /// The name to declare; `None` if it is declared already, which Gemini refuses.
    fn declare<'a>(&mut self, name: &'a str, is_custom: bool) -> Option<Text<'a>> {
        let accepted = accepted_name(name);
        if self.is_declared(&accepted) {
            return None;
        }
        if accepted != name {
            self.rewritten.insert(accepted.to_string(), name.to_owned());
        }
        if is_custom {
            self.custom.insert(name.to_owned());
        }
        self.declared.push(accepted.to_string());
        Some(Text(accepted))
    }

    /// The same for the entry at `at`, whose name stands below it.
    fn declare_at<'a>(
        &mut self,
        at: (&str, &str),
        name: Option<&'a Text<'a>>,
        is_custom: bool,
        notes: &mut Notes,
    ) -> Result<Option<Text<'a>>, Rejection> {
        let (entry, below) = at;
        let name = name.map(|name| &**name).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| Rejection::missing(format!("{entry}{below}")))?;
        let accepted = self.declare(name, is_custom);
        match accepted.as_deref() {
            None => notes.add(entry.to_owned(), DECLARED_TWICE),
            Some(accepted) if accepted != name => {
                let reason = format!("told to Google as {accepted}; answers bear the given name");
                notes.add(format!("{entry}{below}"), reason);
            }
            Some(_) => {}
        }
        Ok(accepted)
    }
}

/// The functions that may be called: `tools`, or the `functions` of old.
pub(super) fn declarations<'a>(
    chat: &'a openai::ChatRequest<'a>,
    manner: Manner,
    notes: &mut Notes,
) -> Result<(Vec<FunctionDeclaration<'a>>, Names), Rejection> {
    let mut names = Names::default();
    let mut declarations = Vec::new();
    for (position, tool) in chat.tools.iter().flatten().enumerate() {
        match tool.kind.as_deref() {
            None | Some("function") => {
                let (name, description, parameters) = match &tool.function {
                    Some(nested) => (&nested.name, &nested.description, &nested.parameters),
                    None => (&tool.name, &tool.description, &tool.parameters),
                };
                let place = match &tool.function {
                    Some(_) => format!("tools[{position}].function"),
                    None => format!("tools[{position}]"),
                };
                let at = (&*format!("tools[{position}]"), ".function.name");
                if let Some(name) = names.declare_at(at, name.as_ref(), false, notes)? {
                    let field = format!("{place}.parameters");
                    let parameters = schema_of(parameters.as_ref(), &field, manner, notes)?;
                    declarations.push(declaration(name, description.as_deref(), parameters));
                }
            }
            Some("custom") => {
                let (name, description, format) = match &tool.custom {
                    Some(nested) => (&nested.name, &nested.description, &nested.format),
                    None => (&tool.name, &tool.description, &tool.format),
                };
                let at = (&*format!("tools[{position}]"), ".custom.name");
                if let Some(name) = names.declare_at(at, name.as_ref(), true, notes)? {
                    let description = description.as_deref().unwrap_or_default();
                    declarations.push(custom_declaration(name, description, format.as_ref()));
                }
            }
            Some(_) => notes.add(
                format!("tools[{position}]"),
                "left out: it runs at OpenAI, and Gemini has no equal",
            ),
        }
    }
    if !declarations.is_empty() {
        return Ok((declarations, names));
    }
    for (position, function) in chat.functions.iter().flatten().enumerate() {
        let at = (&*format!("functions[{position}]"), ".name");
        if let Some(name) = names.declare_at(at, function.name.as_ref(), false, notes)? {
            let field = format!("functions[{position}].parameters");
            let parameters = schema_of(function.parameters.as_ref(), &field, manner, notes)?;
            declarations.push(declaration(
                name,
                function.description.as_deref(),
                parameters,
            ));
        }
    }
    Ok((declarations, names))
}

fn schema_of(
    given: Option<&Json<'_>>,
    field: &str,
    manner: Manner,
    notes: &mut Notes,
) -> Result<Json<'static>, Rejection> {
    let given = given.map_or("{}", Json::text);
    // Without a schema that can be read the model would call the function without a word.
    if !given.starts_with('{') {
        let message = format!("Invalid type for '{field}': expected a JSON Schema, an object.");
        return Err(Rejection::new("invalid_type", field, message));
    }
    let parameters = parameters::cleaned(given).map_err(|_| {
        let message = format!("Invalid '{field}': it is nested too deeply.");
        Rejection::new("invalid_value", field, message)
    })?;
    for note in parameters.notes.iter() {
        notes.add(format!("{field}{}", note.field), note.reason.clone());
    }
    let schema = parameters.schema.clone();
    if manner.plain_schemas
        && let Ok(schema) = serde_json::from_str(schema.text())
    {
        return Ok(Json::of(&plain_schema::parameters(&schema, field, notes)));
    }
    Ok(schema)
}

fn declaration<'a>(
    name: Text<'a>,
    description: Option<&'a str>,
    parameters: Json<'a>,
) -> FunctionDeclaration<'a> {
    FunctionDeclaration {
        name,
        description: description.filter(|text| !text.is_empty()).map(Text::from),
        parameters_json_schema: parameters,
    }
}

/// A tool that takes text: a function with one parameter. The grammar of the text
/// can only be told in words.
fn custom_declaration<'a>(
    name: Text<'a>,
    description: &'a str,
    format: Option<&Value>,
) -> FunctionDeclaration<'a> {
    // {"type": "grammar", "grammar": {"definition": …}}, or flat
    let grammar = format.map(|format| format.get("grammar").unwrap_or(format));
    let definition = grammar
        .and_then(|grammar| grammar.get("definition"))
        .and_then(Value::as_str);
    let description: Text<'_> = match definition {
        Some(definition) => {
            let grammar =
                format!("{description}\nThe input must match this grammar:\n{definition}");
            grammar.trim_start().to_owned().into()
        }
        None => description.into(),
    };
    FunctionDeclaration {
        name,
        description: (!description.is_empty()).then_some(description),
        parameters_json_schema: Json::of(&json!({
            "type": "object",
            "properties": {"input": {"type": "string"}},
            "required": ["input"],
        })),
    }
}

/// One entry for all functions, or none.
pub(super) fn entry(declarations: Vec<FunctionDeclaration<'_>>) -> Option<Tool<'_>> {
    (!declarations.is_empty()).then_some(Tool::FunctionDeclarations(declarations))
}

/// A name that Gemini accepts: a letter or `_` first, then letters, digits, `_`,
/// `.`, `:` or `-`. A rewritten one ends in a hash, so that it stays unique.
pub(super) fn accepted_name(name: &str) -> Cow<'_, str> {
    let may_begin = |c: char| c.is_ascii_alphabetic() || c == '_';
    let may_follow = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    if name.starts_with(may_begin) && name.chars().all(may_follow) && name.len() <= MAX_NAME {
        return Cow::Borrowed(name);
    }
    let mut plain: String = name
        .chars()
        .map(|c| if may_follow(c) { c } else { '_' })
        .collect();
    if !plain.starts_with(may_begin) {
        plain.insert(0, '_');
    }
    plain.truncate(55);
    let digest = Sha256::digest(name.as_bytes());
    Cow::Owned(format!("{plain}_{}", hex(&digest[..4])))
}

/// `tool_choice`; `auto` needs no words. With `allowed_tools` the declarations
/// themselves may shrink.
pub(super) fn tool_config(
    choice: Option<&Value>,
    field: &str,
    declarations: &mut Vec<FunctionDeclaration<'_>>,
) -> Result<Option<ToolConfig>, Rejection> {
    let Some(choice) = choice.filter(|choice| !choice.is_null()) else {
        return Ok(None);
    };
    if declarations.is_empty() {
        return Ok(None);
    }
    let named = choice.get("type").and_then(Value::as_str);
    // The `function_call` of old names its function without a type.
    let of_old = choice.get("name").map(|_| "function");
    let word = choice.as_str().or(named).or(of_old);
    let (mode, allowed) = match word {
        Some("auto") => return Ok(None),
        // The declarations stay: the conversation may refer to them.
        Some("none") => (FunctionCallingMode::None, Vec::new()),
        Some("required" | "any") => (FunctionCallingMode::Any, Vec::new()),
        Some("validated") => (FunctionCallingMode::Validated, Vec::new()),
        Some("function" | "tool" | "custom") => (
            FunctionCallingMode::Any,
            vec![chosen(choice, field, declarations)?],
        ),
        Some("allowed_tools") => {
            let allowed = choice.get("allowed_tools").unwrap_or(choice);
            let Some(list) = allowed.get("tools").and_then(Value::as_array) else {
                return Err(Rejection::missing(format!("{field}.allowed_tools.tools")));
            };
            let names = list.iter().map(|tool| chosen(tool, field, declarations));
            let names = names.collect::<Result<Vec<_>, _>>()?;
            let mode = allowed.get("mode").and_then(Value::as_str);
            if !matches!(mode, None | Some("auto" | "required")) {
                let message = "Invalid value. Supported values are: 'auto' and 'required'.";
                let param = format!("{field}.allowed_tools.mode");
                return Err(Rejection::new("invalid_value", param, message));
            }
            if mode != Some("required") {
                declarations
                    .retain(|declaration| names.iter().any(|name| **name == *declaration.name));
                return Ok(None);
            }
            (FunctionCallingMode::Any, names)
        }
        _ => {
            let message = "Invalid value for the choice of a tool. Expected 'none', 'auto', 'required' or a \
                           named function.";
            return Err(Rejection::new("invalid_value", field, message));
        }
    };
    let config = FunctionCallingConfig {
        mode,
        allowed_function_names: allowed,
    };
    Ok(Some(ToolConfig {
        function_calling_config: config,
        include_server_side_tool_invocations: false,
    }))
}

/// What goes with its search beside functions: that Google may show its own calls
/// (<https://ai.google.dev/gemini-api/docs/tool-combination>), which are no business of
/// the client, and `VALIDATED` in place of `AUTO`, as Vercel's AI SDK found necessary
/// (<https://github.com/vercel/ai/pull/13920>).
pub(super) fn beside_search(config: Option<ToolConfig>) -> ToolConfig {
    ToolConfig {
        function_calling_config: config.map_or(
            FunctionCallingConfig {
                mode: FunctionCallingMode::Validated,
                allowed_function_names: Vec::new(),
            },
            |config| config.function_calling_config,
        ),
        include_server_side_tool_invocations: true,
    }
}

/// The function that a named choice means, if it is declared.
fn chosen(
    choice: &Value,
    field: &str,
    declared: &[FunctionDeclaration<'_>],
) -> Result<String, Rejection> {
    let nested = choice.get("function").or_else(|| choice.get("custom"));
    let name = nested.unwrap_or(choice).get("name").and_then(Value::as_str);
    let Some(name) = name else {
        return Err(Rejection::missing(format!("{field}.function.name")));
    };
    let accepted = accepted_name(name);
    if declared
        .iter()
        .any(|declaration| *declaration.name == *accepted)
    {
        return Ok(accepted.into_owned());
    }
    let message = format!("Tool choice '{name}' not found in 'tools' parameter.");
    Err(Rejection::new("invalid_value", field, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_rewritten_only_where_gemini_would_refuse_them() {
        assert_eq!(accepted_name("get_weather"), "get_weather");
        assert_eq!(accepted_name("mcp.server:tool-1"), "mcp.server:tool-1");
        for name in ["1st", "größe", "a b", "", &"x".repeat(65)] {
            let accepted = accepted_name(name);
            assert_ne!(accepted, name);
            assert!(accepted.len() <= MAX_NAME);
            assert_eq!(accepted_name(&accepted), accepted, "{name}");
        }
        assert_ne!(accepted_name("a b"), accepted_name("a/b"));
    }
}
