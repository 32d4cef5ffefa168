//! What reading an answer has to know of the request that it answers.

use super::Names;

#[derive(Debug, Default, Clone)]
pub struct Form {
    pub names: Names,
    /// Gemini has no switch for `parallel_tool_calls: false`; we pass on the
    /// first call only.
    pub one_call_only: bool,
    /// It was asked with `functions`, and is answered in kind.
    pub functions_of_old: bool,
    /// Thoughts go into the text, between tags of this name.
    pub thought_tag: Option<String>,
    /// JSON was asked for in words only: it may come in a code fence.
    pub strips_fence: bool,
    /// Citations are wanted.
    pub searches: bool,
    /// OpenAI's service tiers do not exist here; whoever names one is told the default.
    pub names_service_tier: bool,
}
