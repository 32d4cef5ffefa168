//! `gemini-proxy status`

use std::io::Write;

use crate::cli::{CliError, serve};
use crate::config::{Config, UpstreamKind};
use crate::upstream::account::AccountError;

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
    if let Some(problem) = &status.problem {
        writeln!(out, "problem: {problem}")?;
    }
    if config.upstream == UpstreamKind::GeminiApi {
        return Ok(());
    }
    let needs_sign_in = |problem: AccountError| problem.needs_sign_in();
    if !status.signed_in || status.problem.is_some_and(needs_sign_in) {
        writeln!(
            out,
            "next step: run `gemini-proxy login`, or set GEMINI_API_KEY"
        )?;
    }
    if status.signed_in {
        Ok(())
    } else {
        Err(CliError::Silent)
    }
}
