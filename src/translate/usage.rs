//! Token counts: Gemini's, merged over events, as OpenAI's.

use crate::wire::gemini::UsageMetadata;
use crate::wire::openai::{CompletionTokensDetails, PromptTokensDetails, Usage};

/// Later events may leave out what earlier ones told; counts only grow.
pub(super) fn merge(known: &mut UsageMetadata, news: UsageMetadata) {
    let larger = |known: &mut Option<u64>, news| *known = (*known).max(news);
    larger(&mut known.prompt_token_count, news.prompt_token_count);
    larger(
        &mut known.cached_content_token_count,
        news.cached_content_token_count,
    );
    larger(
        &mut known.candidates_token_count,
        news.candidates_token_count,
    );
    larger(&mut known.thoughts_token_count, news.thoughts_token_count);
    larger(
        &mut known.tool_use_prompt_token_count,
        news.tool_use_prompt_token_count,
    );
    larger(&mut known.total_token_count, news.total_token_count);
}

/// OpenAI's completion tokens include the thoughts; Gemini's candidates tokens
/// do not, unless the total shows that they do.
pub(super) fn usage(counts: &UsageMetadata) -> Usage {
    let of = |count: Option<u64>| count.unwrap_or(0);
    let prompt =
        of(counts.prompt_token_count).saturating_add(of(counts.tool_use_prompt_token_count));
    let candidates = of(counts.candidates_token_count);
    let thoughts = of(counts.thoughts_token_count);
    let includes_thoughts = candidates >= thoughts
        && counts.total_token_count == Some(prompt.saturating_add(candidates));
    let completion = if includes_thoughts {
        candidates
    } else {
        candidates.saturating_add(thoughts)
    };
    Usage {
        prompt_tokens: prompt,
        completion_tokens: completion,
        total_tokens: prompt.saturating_add(completion),
        prompt_tokens_details: PromptTokensDetails {
            cached_tokens: counts.cached_content_token_count.unwrap_or(0),
            audio_tokens: 0,
        },
        completion_tokens_details: CompletionTokensDetails {
            reasoning_tokens: thoughts,
            ..CompletionTokensDetails::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lesson_16_usage_adds_up_however_google_counts() {
        let counts = UsageMetadata {
            prompt_token_count: Some(100),
            cached_content_token_count: Some(60),
            candidates_token_count: Some(20),
            thoughts_token_count: Some(7),
            tool_use_prompt_token_count: Some(5),
            total_token_count: Some(132),
        };
        let outside = usage(&counts);
        assert_eq!(
            (outside.prompt_tokens, outside.completion_tokens),
            (105, 27)
        );
        let inside = usage(&UsageMetadata {
            total_token_count: Some(125),
            ..counts
        });
        assert_eq!((inside.completion_tokens, inside.total_tokens), (20, 125));
    }

    #[test]
    fn lesson_16_a_later_event_does_not_erase_a_count() {
        let mut known = UsageMetadata {
            cached_content_token_count: Some(9),
            ..Default::default()
        };
        merge(
            &mut known,
            UsageMetadata {
                total_token_count: Some(12),
                ..Default::default()
            },
        );
        assert_eq!(known.cached_content_token_count, Some(9));
        assert_eq!(known.total_token_count, Some(12));
    }
}
