//! `gemini-proxy key`: a fresh key for `PROXY_API_KEY`.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cli::CliError;

/// Printed once and kept nowhere. It begins as OpenAI's keys do: some clients
/// refuse any other.
pub(super) fn run() -> Result<(), CliError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(CliError::NoRandomness)?;
    let key = URL_SAFE_NO_PAD.encode(bytes);
    Ok(writeln!(std::io::stdout(), "sk-{key}")?)
}
