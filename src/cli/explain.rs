//! `gemini-proxy explain < request.json`: what Google would be sent.

use std::io::{IsTerminal, Read, Write};

use crate::cli::CliError;
use crate::config::Config;
use crate::http::{Fetcher, Reach};
use crate::server::explain::{Explanation, explain};

/// The request goes to stdout, so that other programs can read it; all that is
/// said about it to stderr.
pub(super) fn run(config: &Config) -> Result<(), CliError> {
    let fetcher = Fetcher::new(&config.outbound, Reach::public_only())?;
    let Explanation {
        url,
        request,
        notes,
        if_refused,
    } = explain(&given(config.max_body_bytes)?, config, &fetcher)?;
    let mut err = std::io::stderr();
    writeln!(err, "POST {url}")?;
    writeln!(std::io::stdout(), "{request}")?;
    if notes.is_empty() {
        writeln!(err, "Every field has the effect that it asks for.")?;
    } else {
        writeln!(err, "Not as asked:")?;
    }
    for note in notes {
        writeln!(err, "  {note}")?;
    }
    if !if_refused.is_empty() {
        writeln!(err, "And if Google refuses the schemas, in a second try:")?;
    }
    for note in if_refused {
        writeln!(err, "  {note}")?;
    }
    Ok(())
}

/// Standard input, as far as the server would read it.
fn given(limit: u64) -> Result<Vec<u8>, CliError> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        eprintln!("Type or paste the body of a request for a completion, then Ctrl-D.");
    }
    let mut body = Vec::new();
    let read = stdin.take(limit + 1).read_to_end(&mut body);
    match read.map_err(CliError::Input)? as u64 {
        length if length > limit => Err(CliError::LargeInput { limit }),
        _ => Ok(body),
    }
}
