//! The program: runs the command that was typed, and says why it failed.

use std::error::Error;
use std::process::ExitCode;

use gemini_proxy::cli::style::{Style, Tone};
use gemini_proxy::cli::{self, CliError};
use gemini_proxy::server::transport::panics;

fn main() -> ExitCode {
    panics::install_quiet_panic_hook();
    match cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !matches!(error, CliError::Silent) {
                complain(&error);
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// What happened, why, and what to do.
fn complain(error: &CliError) {
    let style = Style::of(&std::io::stderr());
    eprintln!("{}: {error}", style.paint(Tone::Bad, "error"));
    let mut said = error.to_string();
    let mut behind = error.source();
    while let Some(error) = behind {
        let cause = error.to_string();
        // Some libraries' errors only pass on what is behind them.
        if cause != said {
            eprintln!("caused by: {cause}");
        }
        said = cause;
        behind = error.source();
    }
    if let Some(advice) = error.advice() {
        eprintln!("{advice}");
    }
}
