//! How likely each token was, in OpenAI's words.

use crate::wire::gemini::{LogprobsResult, TokenCandidate};
use crate::wire::openai::{Likelihood, Logprobs, TokenLogprob};

/// What OpenAI says where the logarithm has no value that JSON could hold.
const IMPOSSIBLE: f64 = -9999.0;

pub(super) fn logprobs(result: &LogprobsResult<'_>) -> Logprobs {
    let top = result.top_candidates.as_deref().unwrap_or_default();
    let chosen = result.chosen_candidates.iter().flatten().enumerate();
    let content = chosen.map(|(nth, token)| {
        let alternatives = top.get(nth).and_then(|top| top.candidates.as_deref());
        TokenLogprob {
            token: likelihood(token),
            top_logprobs: alternatives
                .unwrap_or_default()
                .iter()
                .map(likelihood)
                .collect(),
        }
    });
    Logprobs {
        content: content.collect(),
        refusal: None,
    }
}

fn likelihood(candidate: &TokenCandidate<'_>) -> Likelihood {
    let logprob = candidate.log_probability.unwrap_or(0.0);
    Likelihood {
        token: candidate.token.to_string(),
        logprob: if logprob.is_finite() {
            logprob
        } else {
            IMPOSSIBLE
        },
        bytes: candidate.token.bytes().collect(),
    }
}
