//! `gemini-proxy setup CLIENT`: a client's settings, ready to be pasted. The settings
//! go to stdout, so that they can be redirected; what else to know goes to stderr.
//! Nothing is written to any file, and no key is printed: its variable is named.

mod clients;

use std::io::Write;

use self::clients::{CLIENTS, Client};
use crate::cli::nearest::did_you_mean;
use crate::cli::{CliError, port};
use crate::config::Config;
use crate::server;

/// What stands in the files beside this one.
const BASE: &str = "http://127.0.0.1:3000";
const MODEL: &str = "gemini-3.5-flash";
const MODEL_NAME: &str = "Gemini 3.5 Flash";
const CONTEXT: &str = "1048576";
const OUTPUT: &str = "65535";

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) client: Option<String>,
    pub(super) model: Option<String>,
}

/// Of all clients.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    CLIENTS.iter().map(|client| client.name)
}

pub(super) fn run(config: &Config, options: &Options) -> Result<(), CliError> {
    let Some(name) = options.client.as_deref() else {
        return list();
    };
    let Some(client) = CLIENTS.iter().find(|client| client.name == name) else {
        return Err(CliError::UnknownClient {
            name: name.to_owned(),
            meant: did_you_mean(name, names()),
        });
    };
    let has_key = !config.api_keys.is_empty();
    let base = port::base_url(config);
    let model = options.model.as_deref().unwrap_or(MODEL);
    write!(
        std::io::stdout(),
        "{}",
        client.settings(&base, model, has_key)
    )?;
    let mut err = std::io::stderr();
    writeln!(err, "{}", client.where_to)?;
    if config.port == 0 {
        let note = "PROXY_PORT is 0: the port is chosen at each start. Name one with --port.";
        writeln!(err, "{note}")?;
    }
    if has_key {
        writeln!(err, "{}", client.about_key)?;
    }
    Ok(())
}

fn list() -> Result<(), CliError> {
    let mut out = std::io::stdout();
    for client in CLIENTS {
        writeln!(out, "{:<11} {}", client.name, client.what)?;
    }
    writeln!(
        std::io::stderr(),
        "\n`gemini-proxy setup CLIENT` prints the settings of one of them."
    )?;
    Ok(())
}

impl Client {
    fn settings(&self, base: &str, model: &str, has_key: bool) -> String {
        let mut text = self.text.to_owned();
        if has_key {
            for (without, with) in self.with_key {
                text = text.replace(without, with);
            }
        }
        if model != MODEL {
            let known = server::models::described(model);
            for (ours, theirs) in [
                (MODEL, model),
                (MODEL_NAME, &known.name),
                (CONTEXT, &known.context_length.to_string()),
                (OUTPUT, &known.max_output_tokens.to_string()),
            ] {
                text = text.replace(ours, theirs);
            }
        }
        text.replace(BASE, base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_model_and_key_stand_in_the_settings_of_every_client() {
        for client in CLIENTS {
            let name = client.name;
            let settings = client.settings("http://[::1]:8080", "gemini-2.0-flash", true);
            assert!(settings.contains("http://[::1]:8080/v1"), "{name}");
            for ours in [BASE, MODEL, MODEL_NAME, CONTEXT.trim_start_matches('1')] {
                let is_shared = ours == "048576" && settings.contains(CONTEXT);
                assert!(is_shared || !settings.contains(ours), "{name}: {ours}");
            }
            let names_model = client.text.contains(MODEL);
            assert_eq!(settings.contains("gemini-2.0-flash"), names_model, "{name}");
            assert!(!settings.contains("65535"), "{name}");
            for (without, _) in client.with_key {
                assert!(client.text.contains(without), "{name}: {without}");
            }
            let told = format!("{settings}{}", client.about_key);
            assert!(told.contains("PROXY_API_KEY"), "{name}");
            assert!(
                !settings.contains("\"any\"") && !settings.contains(" any\n"),
                "{name}"
            );
        }
    }
}
