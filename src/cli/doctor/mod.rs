//! `gemini-proxy doctor`: each thing that must hold, from near to far, and what mends
//! it if it does not. It asks with the program's own code, so that what it finds is
//! what a client would find, in the same words.

mod google;
mod here;
mod report;
mod way;

use std::sync::Arc;

use self::google::Server;
use self::report::{Fault, Privacy, Report};
use crate::cli::args::Flags;
use crate::cli::{CliError, logger, serve, settings};
use crate::config::{Config, UpstreamKind};
use crate::upstream::account::Account;

/// Asked if no other is named; both roads have it.
const MODEL: &str = "gemini-3.5-flash";

/// All that is checked after the settings, in order.
const CHECKS: [&str; 11] = [
    "upstream",
    "tokens",
    "port",
    "proxy",
    "name",
    "connection",
    "clock",
    "account",
    "call",
    "tools",
    "stream",
];

/// Of these, what Google is asked, first for the account and then for answers.
const ACCOUNT_AND_CALLS: usize = 7;
const CALLS: usize = 8;

#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Options {
    pub(in crate::cli) json: bool,
    pub(in crate::cli) model: Option<String>,
}

/// Exits with 0 if all is well.
pub(in crate::cli) fn run(flags: &Flags, options: &Options) -> Result<(), CliError> {
    let mut report = Report::new(options.json);
    let (config, found) = here::settings(flags);
    // What it finds is in its lines; the log would only repeat it.
    let is_set = |name: &str| std::env::var_os(name).or(Some("off".into()));
    logger::start(&settings::log_filter(is_set).unwrap_or("off".to_owned()));
    report.add("settings", found)?;
    match &config {
        Some(config) => check_all(&mut report, config, flags, options)?,
        None => {
            for name in CHECKS {
                report.skip(name, "the settings are wrong")?;
            }
        }
    }
    report.finish(&Privacy::of(config.as_ref()))?;
    if report.is_good() {
        Ok(())
    } else {
        Err(CliError::Silent)
    }
}

fn check_all(
    report: &mut Report,
    config: &Config,
    flags: &Flags,
    options: &Options,
) -> Result<(), CliError> {
    let account = serve::account(config)?;
    report.add("upstream", Ok(here::upstream(config, flags)))?;
    if config.upstream == UpstreamKind::GeminiApi {
        report.skip("tokens", "a key of the Gemini API needs no sign-in")?;
    } else {
        report.add("tokens", here::tokens(config, &account))?;
    }
    report.add("port", here::port(config))?;
    let obstacle = match check_way(report, config)? {
        Some(obstacle) => Some(obstacle),
        None if config.upstream == UpstreamKind::CodeAssist && !account.status().signed_in => {
            Some("nobody is signed in")
        }
        None => None,
    };
    if let Some(obstacle) = obstacle {
        for name in &CHECKS[ACCOUNT_AND_CALLS..] {
            report.skip(name, obstacle)?;
        }
        return Ok(());
    }
    if report.add("account", google::account(config, &account))? {
        check_calls(report, config, account, options)
    } else {
        let because = match config.upstream {
            UpstreamKind::CodeAssist => "Google does not serve the account",
            UpstreamKind::GeminiApi => "Google does not serve the key",
        };
        for name in &CHECKS[CALLS..] {
            report.skip(name, because)?;
        }
        Ok(())
    }
}

/// Returns what makes it needless to ask Google anything.
fn check_way(report: &mut Report, config: &Config) -> Result<Option<&'static str>, CliError> {
    let proxy = way::proxy(config);
    let found = match &proxy {
        Some(proxy) => format!("{proxy}, on the way to {}", way::base(config)),
        None => "none on the way".to_owned(),
    };
    report.add("proxy", Ok(found))?;
    if proxy.is_some() {
        report.skip("name", "the proxy looks it up")?;
    } else if !report.add("name", way::name(config))? {
        let because = "Google's name cannot be looked up";
        report.skip("connection", because)?;
        report.skip("clock", because)?;
        return Ok(Some(because));
    }
    match way::connection(config) {
        Ok((found, date)) => {
            report.add("connection", Ok(found))?;
            match way::clock(date.as_deref()) {
                Some(found) => drop(report.add("clock", found)?),
                None => report.skip("clock", "the answer does not say what time it is")?,
            }
            Ok(None)
        }
        Err(fault) => {
            report.add("connection", Err(fault))?;
            let because = "Google cannot be reached";
            report.skip("clock", because)?;
            Ok(Some(because))
        }
    }
}

fn check_calls(
    report: &mut Report,
    config: &Config,
    account: Arc<Account>,
    options: &Options,
) -> Result<(), CliError> {
    let model = options.model.as_deref().unwrap_or(MODEL);
    let server = match Server::start(config, account, model) {
        Ok(server) => server,
        Err(error) => {
            let fault = Fault::new(error.to_string(), "gemini-proxy doctor");
            report.add("call", Err(fault))?;
            report.skip("tools", "no server can be started")?;
            return Ok(report.skip("stream", "no server can be started")?);
        }
    };
    if report.add("call", server.call())? {
        report.add("tools", server.tools())?;
        report.add("stream", server.stream())?;
    } else {
        report.skip("tools", "the call failed")?;
        report.skip("stream", "the call failed")?;
    }
    Ok(())
}
