//! `gemini-proxy demo`: serve, with the stand-in for Google.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::{CliError, serve, signals};
use crate::config::{Config, Endpoints, UpstreamKind};
use crate::secret::Secret;
use crate::server::base_url;
use crate::simulator::Simulator;

/// What the stand-in takes for a Gemini API key.
const DEMO_KEY: &str = "demo-key";

pub(super) fn run(config: Config) -> Result<(), CliError> {
    let listener = serve::bind(&config)?;
    let address = listener.local_addr();
    let simulator = Simulator::start_for_demo().map_err(CliError::Simulator)?;
    let token_store = token_store(address.port());
    sign_in(&simulator, &token_store).map_err(|source| CliError::DemoTokens {
        path: token_store.clone(),
        source,
    })?;
    let config = Config {
        token_store,
        endpoints: Endpoints::at(simulator.address()),
        gemini_api_key: (config.upstream == UpstreamKind::GeminiApi).then(|| Secret::new(DEMO_KEY)),
        ..config
    };
    let account = serve::account(&config)?;
    let service = serve::service(&config, account, address)?;
    let asked = signals::asked_to_stop().map_err(CliError::Signals)?;
    let mut out = std::io::stdout();
    writeln!(out, "http://{address}")?;
    let invitation = invitation(&base_url(address), !config.api_keys.is_empty());
    write!(out, "{invitation}")?;
    serve::serve(listener, &config, service, asked)
}

/// Never the user's own tokens. A fixed place for each port: a demo that
/// is killed cannot clean up, but the next one can use the same file again.
fn token_store(port: u16) -> PathBuf {
    let home = std::env::home_dir().unwrap_or_else(std::env::temp_dir);
    home.join(".cache/gemini-proxy")
        .join(format!("demo-tokens-{port}.json"))
}

/// These tokens open nothing but the stand-in that gave them.
fn sign_in(simulator: &Simulator, token_store: &Path) -> std::io::Result<()> {
    let mut credentials = simulator.sign_in();
    credentials["email"] = "demo@example.com".into();
    if let Some(folder) = token_store.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(token_store, credentials.to_string())
}

fn invitation(base_url: &str, needs_key: bool) -> String {
    let (key, header) = if needs_key {
        (
            "your PROXY_API_KEY, in place of YOUR_KEY below",
            " -H 'Authorization: Bearer YOUR_KEY'",
        )
    } else {
        ("none needed; any will do", "")
    };
    format!(
        "
gemini-proxy is running with its built-in stand-in for Google.

  base URL   {base_url}/v1
  API key    {key}

Try it in another terminal:

  curl -N {base_url}/v1/chat/completions{header} \\
    -H 'Content-Type: application/json' \\
    -d '{{\"model\": \"gemini-3.5-flash\", \"stream\": true,
         \"messages\": [{{\"role\": \"user\", \"content\": \"Why is the sky blue?\"}}]}}'

Stop it with Ctrl-C.
"
    )
}
