//! What a field of the chat request was called where it came from, so that
//! errors and notes speak of what the client sent.

use std::borrow::Cow;

/// Chat's fields that go by another name here, and that name.
const RENAMED: &[(&str, &str)] = &[
    ("messages", "input"),
    ("response_format.json_schema", "text.format"),
    ("response_format", "text.format"),
    ("max_completion_tokens", "max_output_tokens"),
    ("reasoning_effort", "reasoning.effort"),
    // It is there because of the other.
    ("logprobs", "top_logprobs"),
];

/// Where the messages and tools of a chat request came from.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    pub(super) messages: Vec<Place>,
    /// Of tools, whole: `tools[1]`, `tools[2].tools[0]`.
    pub(super) tools: Vec<String>,
    /// Of what became the web search.
    pub(super) search: Option<String>,
    /// Items before this one are remembered from earlier answers.
    pub(super) remembered: usize,
}

/// Where a message came from.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Instructions,
    /// All of the input, which is a string.
    Input,
    Item {
        nth: usize,
        /// What it says stands in `output`, not in `content`.
        is_output: bool,
        /// The items that became its calls.
        calls: Vec<usize>,
    },
}

impl Fields {
    /// The client's name for a field of the chat request.
    pub fn original<'f>(&self, field: &'f str) -> Cow<'f, str> {
        if let Some((nth, rest)) = indexed(field, "messages")
            && let Some(place) = self.messages.get(nth)
        {
            return self.of_message(place, rest).into();
        }
        if let Some((nth, rest)) = indexed(field, "tools")
            && let Some(place) = self.tools.get(nth)
        {
            return format!("{place}{}", flat(rest)).into();
        }
        if let (Some(place), "web_search_options") = (&self.search, field) {
            return place.clone().into();
        }
        for (chats, ours) in RENAMED {
            if let Some(rest) = field.strip_prefix(chats)
                && (rest.is_empty() || rest.starts_with('.'))
            {
                return format!("{ours}{rest}").into();
            }
        }
        field.into()
    }

    fn of_message(&self, place: &Place, rest: &str) -> String {
        match place {
            Place::Instructions => "instructions".to_owned(),
            Place::Input => "input".to_owned(),
            Place::Item {
                nth,
                is_output,
                calls,
            } => {
                if let Some((call, rest)) = indexed(rest, ".tool_calls") {
                    let nth = calls.get(call).unwrap_or(nth);
                    return format!("{}{}", self.item(*nth), flat(rest));
                }
                let rest = match rest.strip_prefix(".content") {
                    Some(rest) if *is_output => format!(".output{rest}"),
                    _ => rest.replace(".tool_call_id", ".call_id"),
                };
                format!("{}{rest}", self.item(*nth))
            }
        }
    }

    /// Items are counted as the client did.
    pub(super) fn item(&self, nth: usize) -> String {
        match nth.checked_sub(self.remembered) {
            Some(nth) => format!("input[{nth}]"),
            None => "previous_response_id".to_owned(),
        }
    }
}

/// `name[7].rest`: 7, and `.rest`.
fn indexed<'f>(field: &'f str, name: &str) -> Option<(usize, &'f str)> {
    let (index, rest) = field
        .strip_prefix(name)?
        .strip_prefix('[')?
        .split_once(']')?;
    Some((index.parse().ok()?, rest))
}

/// Chat nests what belongs to a function or a custom tool; Responses do not.
fn flat(rest: &str) -> &str {
    [".function", ".custom"]
        .iter()
        .find_map(|nest| rest.strip_prefix(nest))
        .unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_called_as_the_client_called_them() {
        let fields = Fields {
            messages: vec![
                Place::Instructions,
                Place::Item {
                    nth: 1,
                    is_output: false,
                    calls: vec![1, 3],
                },
                Place::Item {
                    nth: 4,
                    is_output: true,
                    calls: Vec::new(),
                },
            ],
            tools: vec!["tools[2].tools[0]".to_owned()],
            search: Some("tools[1]".to_owned()),
            remembered: 1,
        };
        for (chats, ours) in [
            ("messages", "input"),
            ("messages[0].content", "instructions"),
            ("messages[1].tool_calls[1].function.name", "input[2].name"),
            ("messages[1].content[0].type", "input[0].content[0].type"),
            (
                "messages[2].content[1].image_url",
                "input[3].output[1].image_url",
            ),
            ("messages[9].role", "messages[9].role"),
            (
                "tools[0].function.parameters",
                "tools[2].tools[0].parameters",
            ),
            ("web_search_options", "tools[1]"),
            ("response_format.json_schema.schema", "text.format.schema"),
            ("response_format.type", "text.format.type"),
            ("max_completion_tokens", "max_output_tokens"),
            ("logprobs", "top_logprobs"),
            ("temperature", "temperature"),
        ] {
            assert_eq!(fields.original(chats), ours);
        }
    }
}
