//! `gemini-proxy status`

use std::io::Write;

use crate::cli::{CliError, serve};
use crate::config::{Config, UpstreamKind};

/// Exits with 0 if requests can be answered, as far as can be told without asking Google.
pub(super) fn run(config: &Config) -> Result<(), CliError> {
    let status = serve::account(config)?.status();
    let mut out = std::io::stdout();
    let field = |value: Option<String>| value.unwrap_or("-".into());
    match config.upstream {
        UpstreamKind::GeminiApi => writeln!(out, "upstream: Gemini API, with GEMINI_API_KEY")?,
        UpstreamKind::CodeAssist => writeln!(out, "upstream: Code Assist, with a Google account")?,
    }
    writeln!(
        out,
        "signed in: {}",
        if status.signed_in { "yes" } else { "no" }
    )?;
    if status.signed_in {
        writeln!(out, "account: {}", field(status.email))?;
        writeln!(out, "project: {}", field(status.project))?;
        writeln!(out, "tier: {}", field(status.tier))?;
    }
    writeln!(out, "tokens: {}", config.token_store.display())?;
    if let Some(problem) = status.problem {
        writeln!(out, "problem: {problem}")?;
    }
    let can_answer = status.signed_in || config.upstream == UpstreamKind::GeminiApi;
    if can_answer {
        Ok(())
    } else {
        Err(CliError::Silent)
    }
}
