//! `gemini-proxy serve`

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::cli::settings::BadSetting;
use crate::cli::{CliError, port, signals};
use crate::config::{Config, Origins, UpstreamKind};
use crate::http::{Fetcher, Http, Reach};
use crate::server::transport::listener::{Limits, Listener};
use crate::server::transport::stop::Stop;
use crate::server::{Service, base_url};
use crate::upstream::account::Account;
use crate::upstream::{CodeAssist, GeminiApi, Upstream};

pub(super) fn run(config: &Config) -> Result<(), CliError> {
    let listener = bind(config)?;
    let address = listener.local_addr();
    let account = account(config)?;
    let service = service(config, account.clone(), address)?;
    let asked = signals::asked_to_stop().map_err(CliError::Signals)?;
    // The first line is for programs.
    writeln!(std::io::stdout(), "http://{address}")?;
    greet(config, &account, address);
    serve(listener, config, service, asked)?;
    account.wait_for_renewal();
    Ok(())
}

/// Serves until it is `asked` to stop.
pub(super) fn serve(
    listener: Listener,
    config: &Config,
    service: Arc<Service>,
    asked: Arc<AtomicBool>,
) -> Result<(), CliError> {
    let limits = Limits {
        max_in_flight: config.max_requests,
        max_body_bytes: config.max_body_bytes,
        ..Limits::default()
    };
    let stop = Stop::when(asked, config.shutdown_timeout);
    listener
        .run(service, limits, &stop)
        .map_err(CliError::Serving)
}

/// Judges the address that was bound: what a name stands for may change.
pub(super) fn bind(config: &Config) -> Result<Listener, CliError> {
    let listener =
        Listener::bind(&config.host, config.port).map_err(|source| CliError::Listen {
            address: format!("{}:{}", config.host, config.port),
            hint: (source.kind() == ErrorKind::AddrInUse).then(|| in_use(config)),
            source,
        })?;
    check_exposure(config, listener.local_addr())?;
    Ok(listener)
}

/// Whether it is certain who may come.
pub(super) fn check_exposure(config: &Config, address: SocketAddr) -> Result<(), BadSetting> {
    if config.api_keys.is_empty() && !address.ip().to_canonical().is_loopback() {
        return Err(BadSetting::needs_api_key(address));
    }
    Ok(())
}

fn in_use(config: &Config) -> String {
    match port::running_proxy(config) {
        Some(base) => format!(
            "gemini-proxy is already running there: point clients at {base}/v1. For a second one \
             choose another port with --port or PROXY_PORT."
        ),
        None => "Another program uses this port; choose one with --port or PROXY_PORT.".to_owned(),
    }
}

pub(super) fn account(config: &Config) -> Result<Arc<Account>, CliError> {
    Ok(Arc::new(Account::new(Http::new(&config.outbound)?, config)))
}

pub(super) fn service(
    config: &Config,
    account: Arc<Account>,
    address: SocketAddr,
) -> Result<Arc<Service>, CliError> {
    let upstream = upstream(config, account.clone())?;
    let fetcher = Fetcher::new(&config.outbound, Reach::public_only())?;
    Ok(Service::new(config, upstream, fetcher, account, address))
}

/// The road that is chosen.
pub(super) fn upstream(config: &Config, account: Arc<Account>) -> Result<Upstream, CliError> {
    let http = Http::new(&config.outbound)?;
    Ok(match (config.upstream, &config.gemini_api_key) {
        (UpstreamKind::GeminiApi, Some(key)) => {
            Upstream::GeminiApi(GeminiApi::new(http, config, key.clone()))
        }
        // The settings see to it that the Gemini API has its key.
        _ => Upstream::CodeAssist(CodeAssist::new(http, config, account)),
    })
}

/// What someone who starts it should know, in the log.
fn greet(config: &Config, account: &Account, address: SocketAddr) {
    let base_url = base_url(address);
    log::info!("point an OpenAI client at {base_url}/v1");
    if config.api_keys.is_empty() {
        let who = match config.cors_origins {
            Origins::Any => "program on this machine and every web page you open",
            Origins::Listed(_) => "program on this machine",
        };
        log::warn!("PROXY_API_KEY is not set: every {who} may use the proxy");
    }
    if config.upstream == UpstreamKind::GeminiApi {
        log::info!("using the official Gemini API with GEMINI_API_KEY");
        return;
    }
    let status = account.status();
    match (status.signed_in, status.email) {
        (true, Some(email)) => log::info!("signed in to Google as {email}"),
        (true, None) => log::info!("signed in to Google"),
        (false, _) => log::warn!(
            "not signed in to Google: open {base_url}/auth/login, or run `gemini-proxy login`, \
             or set GEMINI_API_KEY"
        ),
    }
}
