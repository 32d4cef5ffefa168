//! How a person starts it: what was typed, and what that means.

mod args;
mod commands;
mod completions;
mod demo;
mod doctor;
mod dotenv;
mod explain;
mod key;
mod logger;
mod login;
mod logout;
mod misspelt;
mod models;
mod nearest;
mod port;
mod quota;
mod serve;
pub mod settings;
mod setup;
mod signals;
mod simulator;
mod status;
pub mod style;

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::args::Command;
use crate::cli::settings::BadSetting;
use crate::http::BadProxy;
use crate::oauth::AuthError;
use crate::server::explain::Refused;
use crate::upstream::account::AccountError;

const HELP: &str = include_str!("help.txt");

/// Why a command ends without success.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Usage(#[from] lexopt::Error),
    #[error(transparent)]
    Setting(#[from] BadSetting),
    #[error("the proxy on the way to the network cannot be used")]
    Proxy(#[from] BadProxy),
    #[error(".env: {0}")]
    Dotenv(String),
    #[error("cannot listen on {address}")]
    Listen {
        address: String,
        source: std::io::Error,
        hint: Option<String>,
    },
    #[error("signals cannot be caught")]
    Signals(#[source] std::io::Error),
    #[error("serving ended")]
    Serving(#[source] std::io::Error),
    #[error("the stand-in for Google cannot run")]
    Simulator(#[source] std::io::Error),
    #[error("{0}")]
    Account(AccountError),
    /// Google could not be asked, or refused.
    #[error("{0}")]
    Google(String),
    #[error("unknown client '{name}'{meant}")]
    UnknownClient { name: String, meant: String },
    #[error("no sign-in within {minutes} minutes")]
    LoginTimedOut { minutes: u64 },
    #[error("standard input has ended and no code was pasted")]
    NothingPasted,
    #[error("the sign-in was given up")]
    LoginGivenUp,
    #[error("the demo cannot write its tokens to {}", path.display())]
    DemoTokens {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("cannot read standard input")]
    Input(#[source] std::io::Error),
    #[error("the request is larger than the {} MiB of PROXY_MAX_BODY_MB", limit >> 20)]
    LargeInput { limit: u64 },
    #[error("cannot write to standard output")]
    Output(#[from] std::io::Error),
    #[error("the system has no random numbers for a key")]
    NoRandomness(#[source] getrandom::Error),
    /// The command said why already.
    #[error("")]
    Silent,
}

/// So that it can be told which folder is meant.
fn whole_path(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

impl From<AccountError> for CliError {
    fn from(error: AccountError) -> Self {
        Self::Account(error)
    }
}

impl From<AuthError> for CliError {
    fn from(error: AuthError) -> Self {
        Self::Account(error.into())
    }
}

impl CliError {
    /// 2: the user has to write something differently. 1: it failed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_)
            | Self::Setting(_)
            | Self::Proxy(_)
            | Self::Dotenv(_)
            | Self::UnknownClient { .. } => 2,
            _ => 1,
        }
    }

    /// What to do next, where the message does not say.
    pub fn advice(&self) -> Option<&str> {
        match self {
            Self::Usage(_) => Some("Try `gemini-proxy --help`."),
            Self::UnknownClient { .. } => Some("`gemini-proxy setup` lists all of them."),
            Self::Listen { hint, .. } => hint.as_deref(),
            Self::Account(error) if error.needs_sign_in() => Some("Run `gemini-proxy login`."),
            // They say what is wrong with what was typed.
            Self::Account(AccountError::Import(_) | AccountError::SignIn(_)) => None,
            Self::Account(_) | Self::Google(_) => {
                Some("`gemini-proxy doctor` says what stands in the way.")
            }
            Self::LoginTimedOut { .. } | Self::LoginGivenUp => {
                Some("To begin again, run `gemini-proxy login`.")
            }
            Self::NothingPasted => Some(
                "Run `gemini-proxy login --no-browser` in a terminal, or pipe the code into it.",
            ),
            _ => None,
        }
    }
}

/// Runs the command that was typed.
pub fn run(args: impl IntoIterator<Item = std::ffi::OsString>) -> Result<(), CliError> {
    let (command, flags) = args::parse(args)?;
    match command {
        Command::Help(about) => {
            let text = about.map_or(HELP, |command| command.help);
            return Ok(write!(std::io::stdout(), "{text}")?);
        }
        Command::Version => {
            return Ok(writeln!(
                std::io::stdout(),
                "gemini-proxy {}",
                env!("CARGO_PKG_VERSION")
            )?);
        }
        Command::Key => return key::run(),
        Command::Completions(shell) => return completions::run(shell),
        // What is wrong with the settings is for it to say.
        Command::Doctor(options) => return doctor::run(&flags, &options),
        _ => {}
    }
    let in_file = dotenv::load()?;
    let variables = |name: &str| std::env::var_os(name);
    logger::start(&settings::log_filter(variables)?);
    if let Command::Simulator = command {
        return simulator::run(flags.port.unwrap_or(0));
    }
    if let Command::Demo = command {
        return demo::run(settings::for_demo(variables, &flags)?);
    }
    let config = settings::read(variables, &flags)?;
    if let Command::Explain = command {
        return explain::run(&config);
    }
    if let Command::Setup(options) = &command {
        return setup::run(&config, options);
    }
    settings::require_key(&config)?;
    match command {
        Command::Login(options) => login::run(&config, &options),
        Command::Logout => logout::run(&config),
        Command::Status => status::run(&config),
        Command::Models { json } => models::run(&config, json),
        Command::Quota { json } => quota::run(&config, json),
        _ => {
            for name in misspelt::settings(&in_file) {
                log::warn!("{name}");
            }
            serve::run(&config)
        }
    }
}
