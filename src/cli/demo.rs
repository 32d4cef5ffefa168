//! `gemini-proxy demo`: serve, with the stand-in for Google.

use std::io::Write;
use std::net::SocketAddr;

use crate::cli::{CliError, serve};
use crate::config::{Config, Endpoints, UpstreamKind};
use crate::secret::Secret;
use crate::server::transport::listener::Limits;
use crate::simulator::Simulator;

/// What the stand-in takes for a Gemini API key.
const DEMO_KEY: &str = "demo-key";

pub(super) fn run(config: Config) -> Result<(), CliError> {
    let listener = serve::bind(&config)?;
    let address = listener.local_addr();
    let simulator = Simulator::start_for_demo().map_err(CliError::Simulator)?;
    // Gone with the process; the user's own tokens are not touched.
    let folder = tempfile::tempdir().map_err(CliError::DemoFolder)?;
    let token_store = folder.path().join("tokens.json");
    let mut credentials = simulator.sign_in();
    credentials["email"] = "demo@example.com".into();
    std::fs::write(&token_store, credentials.to_string()).map_err(CliError::DemoFolder)?;
    let config = Config {
        token_store,
        endpoints: Endpoints::at(simulator.address()),
        gemini_api_key: (config.upstream == UpstreamKind::GeminiApi).then(|| Secret::new(DEMO_KEY)),
        ..config
    };
    let account = serve::account(&config)?;
    let service = serve::service(&config, account, address)?;
    let mut out = std::io::stdout();
    writeln!(out, "http://{address}")?;
    write!(out, "{}", invitation(address, !config.api_keys.is_empty()))?;
    Err(CliError::Serving(listener.run(service, Limits::default())))
}

fn invitation(address: SocketAddr, needs_key: bool) -> String {
    let (key, header) = if needs_key {
        (
            "your PROXY_API_KEY",
            " -H \"Authorization: Bearer $PROXY_API_KEY\"",
        )
    } else {
        ("none needed; any will do", "")
    };
    format!(
        "
gemini-proxy is running with its built-in stand-in for Google.

  base URL   http://{address}/v1
  API key    {key}

Try it in another terminal:

  curl -N http://{address}/v1/chat/completions{header} \\
    -H 'Content-Type: application/json' \\
    -d '{{\"model\": \"gemini-3.5-flash\", \"stream\": true,
         \"messages\": [{{\"role\": \"user\", \"content\": \"Why is the sky blue?\"}}]}}'

Stop it with Ctrl-C.
"
    )
}
