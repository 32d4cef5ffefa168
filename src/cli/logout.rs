//! `gemini-proxy logout`

use std::io::Write;

use crate::cli::{CliError, serve};
use crate::config::Config;
use crate::oauth::token_source::SignOut;

pub(super) fn run(config: &Config) -> Result<(), CliError> {
    let outcome = serve::account(config)?.sign_out()?;
    writeln!(std::io::stdout(), "{}", described(&outcome))?;
    Ok(())
}

fn described(outcome: &SignOut) -> &'static str {
    match outcome {
        SignOut::WasNotSignedIn => "Nobody was signed in.",
        SignOut::Revoked => {
            "Signed out: Google has revoked the tokens, and they are forgotten here."
        }
        SignOut::Forgotten => {
            "Signed out here, but Google could not be asked to revoke the tokens. To be sure, remove \
             \"Gemini Code Assist and Gemini CLI\" at https://myaccount.google.com/permissions."
        }
    }
}
