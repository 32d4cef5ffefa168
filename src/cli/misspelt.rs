//! Settings that nobody reads, since they are spelt otherwise: each would be missed
//! without a word, a key among them.

use std::collections::BTreeSet;

use super::nearest::nearest;
use super::settings;

/// Names that begin so are ours, or the Gemini CLI's.
const PREFIXES: [&str; 5] = [
    "PROXY_",
    "GEMINI_",
    "CODE_ASSIST_",
    "GOOGLE_OAUTH_",
    "TOKEN_STORE_",
];

/// What `login --import` looks at beside the settings.
const OF_GEMINI_CLI: &str = "GEMINI_CLI_HOME";

/// `in_file`: the names that `.env` sets. There nothing of another program is
/// expected; in the environment only what is spelt nearly as one of ours that is not
/// set.
pub(super) fn settings(in_file: &[String]) -> Vec<String> {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let known = settings::names();
    let all = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut wrong = BTreeSet::new();
    for name in all {
        let upper = name.to_uppercase();
        let may_be_ours = PREFIXES.iter().any(|prefix| upper.starts_with(prefix));
        if known.contains(&name) || name == OF_GEMINI_CLI || !may_be_ours {
            continue;
        }
        let is_of_file = in_file.contains(&name);
        match nearest(&name, known.iter().map(String::as_str)) {
            Some(meant) if is_of_file || !is_set(meant) => {
                wrong.insert(format!("{name} is unknown; did you mean {meant}?"));
            }
            None if is_of_file => {
                wrong.insert(format!("{name} in .env is unknown"));
            }
            _ => {}
        }
    }
    wrong.into_iter().collect()
}
