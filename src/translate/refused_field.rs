//! Which parameter of the client's is behind a field that Google refuses.

/// Google's fields and phrases, as [`in_plain_words`] writes them, and the
/// parameter of OpenAI's from which alone each stems. The first that is found
/// counts: what is more particular stands before what is less.
const STEMS_FROM: &[(&str, &str)] = &[
    ("candidatecount", "n"),
    ("multiple candidates", "n"),
    ("maxoutputtokens", "max_tokens"),
    ("responsejsonschema", "response_format"),
    ("responseschema", "response_format"),
    ("responsemimetype", "response_format"),
    ("response mime type", "response_format"),
    ("thinkingconfig", "reasoning_effort"),
    ("thinkingbudget", "reasoning_effort"),
    ("thinking budget", "reasoning_effort"),
    ("thinkinglevel", "reasoning_effort"),
    ("thinking level", "reasoning_effort"),
    ("thinking mode", "reasoning_effort"),
    ("topk", "top_k"),
    ("topp", "top_p"),
    ("temperature", "temperature"),
    ("presencepenalty", "presence_penalty"),
    ("frequencypenalty", "frequency_penalty"),
    ("stopsequences", "stop"),
    ("seed", "seed"),
    ("responselogprobs", "logprobs"),
    ("logprobs", "logprobs"),
    ("responsemodalities", "modalities"),
    ("allowedfunctionnames", "tool_choice"),
    ("functioncallingconfig", "tool_choice"),
    ("functiondeclarations", "tools"),
    ("function declarations", "tools"),
    ("tools", "tools"),
];

/// The parameter that Google's words of refusal are about, if they name one.
pub fn parameter_behind(googles_words: &str) -> Option<&'static str> {
    let words = in_plain_words(googles_words);
    // These speak of functions, too, but stem from the conversation.
    if words.contains(" thought signature") || words.contains(" thoughtsignature ") {
        return None;
    }
    STEMS_FROM
        .iter()
        .find(|(field, _)| words.contains(&format!(" {field} ")))
        .map(|(_, parameter)| *parameter)
}

/// Each word in small letters between two spaces. Google writes one field as
/// `top_k` in a path and as `topK` in a sentence.
fn in_plain_words(text: &str) -> String {
    let mut plain = String::from(" ");
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    for word in words.filter(|word| !word.is_empty()) {
        plain.push_str(&word.replace('_', "").to_ascii_lowercase());
        plain.push(' ');
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_in_every_spelling_and_only_as_a_word() {
        for (words, parameter) in [
            ("Multiple candidates is not enabled for this model", "n"),
            ("generation_config.candidate_count: must be 1", "n"),
            ("a maxOutputTokens value of 0", "max_tokens"),
            ("* generationConfig.topK: too large", "top_k"),
            (
                "GenerateContentRequest.tools[0].function_declarations[2].parameters: no",
                "tools",
            ),
            (
                "Function calling with a response mime type: 'application/json' is unsupported",
                "response_format",
            ),
            (
                "Budget 0 is invalid. This model only works in thinking mode.",
                "reasoning_effort",
            ),
            (
                "generation_config.thinking_config.thinking_budget: 7",
                "reasoning_effort",
            ),
        ] {
            assert_eq!(parameter_behind(words), Some(parameter), "{words}");
        }
        for words in [
            "",
            "Request contains an invalid argument.",
            "It stopped before its seedlings.",
        ] {
            assert_eq!(parameter_behind(words), None, "{words}");
        }
    }
}
