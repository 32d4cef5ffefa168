//! `gemini-proxy key`: a fresh key for `PROXY_API_KEY`.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cli::CliError;
use crate::secret::Secret;

/// Printed once and kept nowhere.
pub(super) fn run() -> Result<(), CliError> {
    Ok(writeln!(std::io::stdout(), "{}", fresh()?.reveal())?)
}

/// It begins as OpenAI's keys do: some clients refuse any other.
pub(super) fn fresh() -> Result<Secret, CliError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(CliError::NoRandomness)?;
    Ok(Secret::new(format!("sk-{}", URL_SAFE_NO_PAD.encode(bytes))))
}
