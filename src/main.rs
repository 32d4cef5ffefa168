//! The program: runs the command that was typed, and says why it failed.

use std::process::ExitCode;

use gemini_proxy::cli::{self, CliError};
use gemini_proxy::server::transport::panics;

fn main() -> ExitCode {
    panics::install_quiet_panic_hook();
    match cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !matches!(error, CliError::Silent) {
                eprintln!("error: {error}");
            }
            ExitCode::from(error.exit_code())
        }
    }
}
