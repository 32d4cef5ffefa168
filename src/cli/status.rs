//! `gemini-proxy status`

use std::io::Write;

use crate::cli::{CliError, serve, whole_path};
use crate::config::{Config, UpstreamKind};
use crate::upstream::account::AccountError;

/// Exits with 0 if requests can be answered, as far as can be told without asking Google.
pub(super) fn run(config: &Config) -> Result<(), CliError> {
    let mut out = std::io::stdout();
    if config.upstream == UpstreamKind::GeminiApi {
        writeln!(out, "upstream: Gemini API, with GEMINI_API_KEY")?;
        writeln!(out, "signed in: not needed")?;
        return Ok(());
    }
    writeln!(out, "upstream: Code Assist, with a Google account")?;
    let status = serve::account(config)?.status();
    let field = |value: Option<String>| value.unwrap_or("-".into());
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
    writeln!(out, "tokens: {}", whole_path(&config.token_store).display())?;
    if let Some(problem) = &status.problem {
        writeln!(out, "problem: {problem}")?;
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
