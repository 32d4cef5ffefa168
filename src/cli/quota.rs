//! `gemini-proxy quota`: what Google itself says is left, and when it begins anew.

use std::io::Write;

use serde_json::json;

use crate::cli::{CliError, port, serve};
use crate::config::{Config, UpstreamKind};
use crate::server;
use crate::upstream::{Quota, UpstreamError};

/// The Gemini API tells no program of its quotas.
const AI_STUDIO: &str = "https://aistudio.google.com/usage";

/// Where the limits of each tier are written.
const LIMITS: &str = "https://ai.google.dev/gemini-api/docs/rate-limits";

pub(super) fn run(config: &Config, is_json: bool) -> Result<(), CliError> {
    let mut out = std::io::stdout();
    if config.upstream == UpstreamKind::GeminiApi {
        if is_json {
            let see = json!({"upstream": "gemini-api", "quotas": null, "see": AI_STUDIO});
            return Ok(writeln!(out, "{see:#}")?);
        }
        return Ok(writeln!(
            out,
            "The Gemini API has no call that tells what is left of a key's quota.\n\
             Usage and limits of the key's project: {AI_STUDIO}\n\
             Limits of each tier: {LIMITS}\n\
             When a limit is reached, the error says which one, and Retry-After how long to wait."
        )?);
    }
    let upstream = serve::upstream(config, serve::account(config)?)?;
    let quotas = upstream.quotas().map_err(|error| failure(config, error))?;
    if is_json {
        let quotas: Vec<_> = quotas.iter().map(as_json).collect();
        let document = json!({
            "upstream": "code-assist",
            "call": "retrieveUserQuota",
            "quotas": quotas,
        });
        return Ok(writeln!(out, "{document:#}")?);
    }
    writeln!(
        out,
        "{:28}  {:9}  {:>5}  {:>9}  BEGINS ANEW",
        "MODEL", "COUNTS", "LEFT", "AMOUNT"
    )?;
    for quota in &quotas {
        writeln!(
            out,
            "{:28}  {:9}  {:>4.0} %  {:>8}  {}",
            quota.model,
            quota.counts.as_deref().unwrap_or("-").to_lowercase(),
            quota.fraction_left * 100.0,
            quota.amount_left.as_deref().unwrap_or("-"),
            quota.resets_at.as_deref().unwrap_or("-"),
        )?;
    }
    writeln!(
        std::io::stderr(),
        "\nAs Google answers to one call of Code Assist's retrieveUserQuota."
    )?;
    Ok(())
}

fn failure(config: &Config, error: UpstreamError) -> CliError {
    match error {
        UpstreamError::Account(error) => error.into(),
        error => CliError::Google(server::told(error, "", port::base_url(config)).1),
    }
}

fn as_json(quota: &Quota) -> serde_json::Value {
    json!({
        "model": quota.model,
        "counts": quota.counts,
        "fraction_left": quota.fraction_left,
        "amount_left": quota.amount_left,
        "resets_at": quota.resets_at,
    })
}
