//! How a person starts it: what was typed, and what that means.

mod args;
mod demo;
mod dotenv;
mod explain;
mod key;
mod logger;
mod login;
mod logout;
mod serve;
pub mod settings;
mod signals;
mod simulator;
mod status;

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
    #[error("{0}\nTry `gemini-proxy --help`.")]
    Usage(#[from] lexopt::Error),
    #[error(transparent)]
    Setting(#[from] BadSetting),
    #[error("the way to the network: {0}")]
    Proxy(#[from] BadProxy),
    #[error(".env: {0}")]
    Dotenv(String),
    #[error("cannot listen on {address}: {source}{}", .hint.map(|hint| format!("\n{hint}")).unwrap_or_default())]
    Listen {
        address: String,
        source: std::io::Error,
        hint: Option<&'static str>,
    },
    #[error("signals cannot be caught: {0}")]
    Signals(std::io::Error),
    #[error("serving ended: {0}")]
    Serving(std::io::Error),
    #[error("the stand-in for Google cannot run: {0}")]
    Simulator(std::io::Error),
    #[error("{0}{advice}", advice = advice(.0))]
    Account(#[from] AccountError),
    #[error("no sign-in within {minutes} minutes; run `gemini-proxy login` again")]
    LoginTimedOut { minutes: u64 },
    #[error(
        "standard input has ended and no code was pasted; run `gemini-proxy login --no-browser` in \
         a terminal, or pipe the code into it"
    )]
    NothingPasted,
    #[error("the demo cannot write its tokens to {}: {source}", path.display())]
    DemoTokens {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("cannot read standard input: {0}")]
    Input(std::io::Error),
    #[error("the request is larger than the {} MiB of PROXY_MAX_BODY_MB", limit >> 20)]
    LargeInput { limit: u64 },
    #[error("cannot write to standard output: {0}")]
    Output(#[from] std::io::Error),
    #[error("the system has no random numbers for a key: {0}")]
    NoRandomness(getrandom::Error),
    /// The command said why already.
    #[error("")]
    Silent,
}

/// So that it can be told which folder is meant.
fn whole_path(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn advice(error: &AccountError) -> &'static str {
    if error.needs_sign_in() {
        "\nRun `gemini-proxy login`."
    } else {
        ""
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
            Self::Usage(_) | Self::Setting(_) | Self::Proxy(_) | Self::Dotenv(_) => 2,
            _ => 1,
        }
    }
}

/// Runs the command that was typed.
pub fn run(args: impl IntoIterator<Item = std::ffi::OsString>) -> Result<(), CliError> {
    let (command, flags) = args::parse(args)?;
    match command {
        Command::Help => return Ok(write!(std::io::stdout(), "{HELP}")?),
        Command::Version => {
            return Ok(writeln!(
                std::io::stdout(),
                "gemini-proxy {}",
                env!("CARGO_PKG_VERSION")
            )?);
        }
        Command::Key => return key::run(),
        _ => {}
    }
    dotenv::load()?;
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
    settings::require_key(&config)?;
    match command {
        Command::Login(options) => login::run(&config, &options),
        Command::Logout => logout::run(&config),
        Command::Status => status::run(&config),
        _ => serve::run(&config),
    }
}
