//! What can be checked on this machine: settings, the token file, the port.

use std::ffi::OsString;
use std::io::ErrorKind;

use super::report::Fault;
use crate::cli::args::Flags;
use crate::cli::{CliError, dotenv, misspelt, port, serve, settings, whole_path};
use crate::config::{Config, UpstreamKind};
use crate::oauth::store::CredentialStore;
use crate::server::base_url;
use crate::server::transport::listener::Listener;
use crate::upstream::account::Account;

/// The settings, and what is to be said about them.
pub(super) fn settings(flags: &Flags) -> (Option<Config>, Result<String, Fault>) {
    let mend = "correct it, and run `gemini-proxy doctor` again";
    let in_file = match dotenv::load() {
        Ok(names) => names,
        Err(error) => return (None, Err(Fault::new(error.to_string(), mend))),
    };
    let unknown = misspelt::settings(&in_file);
    match config(flags) {
        Ok(config) if unknown.is_empty() => (Some(config), Ok(understood(in_file.len()))),
        Ok(config) => {
            let mend = "rename it: README.md lists all settings";
            (Some(config), Err(Fault::new(unknown.join("; "), mend)))
        }
        // What seems to be missing may only be misspelt.
        Err(error) => {
            let all: Vec<_> = [error.to_string()].into_iter().chain(unknown).collect();
            (None, Err(Fault::new(all.join("; "), mend)))
        }
    }
}

fn understood(in_file: usize) -> String {
    match in_file {
        0 => "from the environment; all of them are understood".to_owned(),
        count => format!("from the environment and .env ({count}); all of them are understood"),
    }
}

fn config(flags: &Flags) -> Result<Config, CliError> {
    let variables = |name: &str| std::env::var_os(name);
    settings::log_filter(variables)?;
    let config = settings::read(variables, flags)?;
    settings::require_key(&config)?;
    Ok(config)
}

/// Which of Google's services is asked, and why.
pub(super) fn upstream(config: &Config, flags: &Flags) -> String {
    let is_set = |name| std::env::var_os(name).is_some_and(|value: OsString| !value.is_empty());
    let why = if flags.upstream.is_some() {
        "as --upstream says"
    } else if is_set("PROXY_UPSTREAM") {
        "as PROXY_UPSTREAM says"
    } else if config.gemini_api_key.is_some() {
        "since GEMINI_API_KEY is set"
    } else {
        "since no GEMINI_API_KEY is set"
    };
    let road = match config.upstream {
        UpstreamKind::CodeAssist => "Code Assist, with a Google account",
        UpstreamKind::GeminiApi => "the Gemini API, with GEMINI_API_KEY",
    };
    format!("{road}, {why}")
}

/// Whether somebody is signed in, and nobody else may read the tokens.
pub(super) fn tokens(config: &Config, account: &Account) -> Result<String, Fault> {
    let status = account.status();
    let path = whole_path(&config.token_store);
    let shown = path.display();
    if !status.signed_in {
        let cause = match status.problem {
            Some(problem) => format!("{problem} ({shown})"),
            None => format!("nobody is signed in: there is no {shown}"),
        };
        return Err(Fault::new(cause, "gemini-proxy login"));
    }
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(&path) {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            let cause = format!("{shown} is open to other users of this machine (mode {mode:04o})");
            return Err(Fault::new(cause, format!("chmod 600 '{shown}'")));
        }
    }
    if let Err(error) = CredentialStore::new(config.token_store.clone()).check_writable() {
        let cause = format!("{error}: renewed tokens would be lost");
        let folder = path.parent().unwrap_or(&path).display();
        return Err(Fault::new(cause, format!("chmod u+rwx '{folder}'")));
    }
    Ok(format!("{shown}, whole, writable, and yours alone"))
}

/// Whether `serve` could listen, or does already.
pub(super) fn port(config: &Config) -> Result<String, Fault> {
    match Listener::bind(&config.host, config.port) {
        Ok(listener) => {
            let address = listener.local_addr();
            match serve::check_exposure(config, address) {
                Ok(()) if config.port == 0 => Ok("the system will choose one".to_owned()),
                Ok(()) => Ok(format!("{} is free", base_url(address))),
                Err(bad) => {
                    let mend = "export PROXY_API_KEY=$(gemini-proxy key)";
                    Err(Fault::new(bad.to_string(), mend))
                }
            }
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => match port::running_proxy(config) {
            Some(base) => Ok(format!("gemini-proxy is running there already: {base}/v1")),
            None => Err(Fault::new(
                format!("another program listens at {}:{}", config.host, config.port),
                format!(
                    "gemini-proxy serve --port {}",
                    config.port.wrapping_add(1).max(1024)
                ),
            )),
        },
        Err(error) => Err(Fault::new(
            format!("cannot listen at {}:{}: {error}", config.host, config.port),
            "gemini-proxy serve --host 127.0.0.1 --port 3000",
        )),
    }
}
