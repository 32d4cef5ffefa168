//! How a person starts it: what was typed, and what that means.

mod args;
mod demo;
mod explain;
mod logger;
mod login;
mod logout;
mod serve;
pub mod settings;
mod simulator;
mod status;

use std::io::Write;

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
    #[error("HTTPS_PROXY: {0}")]
    Proxy(#[from] BadProxy),
    #[error(".env: {0}")]
    Dotenv(String),
    #[error("cannot listen on {address}: {source}{}", .hint.map(|hint| format!("\n{hint}")).unwrap_or_default())]
    Listen {
        address: String,
        source: std::io::Error,
        hint: Option<&'static str>,
    },
    #[error("serving ended: {0}")]
    Serving(std::io::Error),
    #[error("the stand-in for Google cannot run: {0}")]
    Simulator(std::io::Error),
    #[error("{0}{advice}", advice = advice(.0))]
    Account(#[from] AccountError),
    #[error("no sign-in within {minutes} minutes; run `gemini-proxy login` again")]
    LoginTimedOut { minutes: u64 },
    #[error("the demo needs a temporary folder: {0}")]
    DemoFolder(std::io::Error),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("cannot read standard input: {0}")]
    Input(std::io::Error),
    #[error("the request is larger than the {limit} bytes that the server accepts")]
    LargeInput { limit: u64 },
    #[error("cannot write to standard output: {0}")]
    Output(#[from] std::io::Error),
    /// The command said why already.
    #[error("")]
    Silent,
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
        _ => {}
    }
    load_dotenv()?;
    logger::start();
    let variables = |name: &str| std::env::var_os(name);
    if let Command::Simulator = command {
        return simulator::run(flags.port.unwrap_or(0));
    }
    if let Command::Demo = command {
        return demo::run(settings::for_demo(variables, &flags)?);
    }
    let config = settings::read(variables, &flags)?;
    match command {
        Command::Login(options) => login::run(&config, &options),
        Command::Logout => logout::run(&config),
        Command::Status => status::run(&config),
        Command::Explain => explain::run(&config),
        _ => serve::run(&config),
    }
}

/// `.env` of the working directory, and of no other. What is set already stays.
fn load_dotenv() -> Result<(), CliError> {
    match dotenvy::from_path(".env") {
        Ok(()) => Ok(()),
        Err(dotenvy::Error::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(dotenvy::Error::Io(error)) => Err(CliError::Dotenv(error.to_string())),
        // The line itself may hold a secret.
        Err(dotenvy::Error::LineParse(_, position)) => Err(CliError::Dotenv(format!(
            "a line cannot be understood, at its character {position}; expected NAME=value"
        ))),
        Err(_) => Err(CliError::Dotenv("cannot be understood".into())),
    }
}
