//! What Google says: of the account or the key, and to three small requests, which go
//! the whole way that a client's go: by HTTP to a server of our own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use serde_json::{Value, json};

use super::report::Fault;
use crate::cli::{CliError, key, serve};
use crate::config::{Config, Origins, UpstreamKind};
use crate::http::{Http, Request, Response};
use crate::secret::Secret;
use crate::server::{self, base_url};
use crate::upstream::account::{Account, AccountError};
use crate::upstream::refusal::AccountRefusal;

/// The answers are short; so are errors.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

const LOGIN: &str = "gemini-proxy login";
const AGAIN: &str = "gemini-proxy doctor";
const SET_PROJECT: &str = "export GOOGLE_CLOUD_PROJECT=the-id-of-the-project";
const SET_KEY: &str = "export GEMINI_API_KEY=… (from https://aistudio.google.com/apikey)";

/// The account, or the key, as Google sees it today.
pub(super) fn account(config: &Config, account: &Account) -> Result<String, Fault> {
    if config.upstream == UpstreamKind::GeminiApi {
        return gemini_api_key(config);
    }
    let seen = account.examine().map_err(|error| Fault {
        cause: error.to_string(),
        mend: mend(&error),
    })?;
    let who = seen.email.as_deref().unwrap_or("a Google account");
    let tier = seen.tier.as_deref().unwrap_or("no tier named");
    let mut found = format!("{who}, project {}, {tier}", seen.project);
    if let Some(wanted) = config.project.as_ref().filter(|one| **one != seen.project) {
        found.push_str(&format!(
            " (Google's choice, not GOOGLE_CLOUD_PROJECT={wanted})"
        ));
    }
    Ok(found)
}

fn gemini_api_key(config: &Config) -> Result<String, Fault> {
    let failed = |error: CliError| Fault::new(error.to_string(), AGAIN);
    let account = serve::account(config).map_err(failed)?;
    let upstream = serve::upstream(config, account).map_err(failed)?;
    match upstream.models() {
        Ok(models) => Ok(format!(
            "Google accepts the key, for {} models",
            models.len()
        )),
        Err(error) => {
            let (code, message) = server::told(error, "", String::new());
            Err(fault(&code, message))
        }
    }
}

/// The command that mends it, where one does; its words say the rest.
fn mend(error: &AccountError) -> Option<String> {
    use AccountRefusal as Refusal;
    let command = match error {
        error if error.needs_sign_in() => LOGIN.to_owned(),
        AccountError::Refused(Refusal::MissingScope { .. }) => LOGIN.to_owned(),
        AccountError::Refused(
            Refusal::ProjectRequired
            | Refusal::CloudShellProject
            | Refusal::UnknownProject { .. }
            | Refusal::DoubtfulProject { .. },
        ) => SET_PROJECT.to_owned(),
        AccountError::Refused(Refusal::UnsupportedClient { .. } | Refusal::Ineligible { .. }) => {
            SET_KEY.to_owned()
        }
        AccountError::Refused(Refusal::ServiceDisabled {
            service, project, ..
        }) => {
            let project = project.as_deref().unwrap_or("THE_PROJECT");
            format!("gcloud services enable {service} --project {project}")
        }
        AccountError::Unreachable(_) | AccountError::Unavailable(_) => AGAIN.to_owned(),
        AccountError::Auth(_) => AGAIN.to_owned(),
        _ => return None,
    };
    Some(command)
}

/// By the code that a client would be told.
fn fault(code: &str, cause: String) -> Fault {
    let mend = match code {
        "not_signed_in" if cause.contains("API key") => SET_KEY,
        "not_signed_in" => LOGIN,
        "model_not_found" => "gemini-proxy models",
        "insufficient_quota" | "rate_limit_exceeded" => "gemini-proxy quota",
        "google_account_action_required" => return Fault { cause, mend: None },
        _ => AGAIN,
    };
    Fault::new(cause, mend)
}

/// `serve`, on a port of its own and with a key that nobody else knows, for as long as
/// the value lives.
pub(super) struct Server {
    base: String,
    key: Secret,
    http: Http,
    model: String,
    asked_to_stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(
        config: &Config,
        account: Arc<Account>,
        model: &str,
    ) -> Result<Self, CliError> {
        let key = key::fresh()?;
        let own = Config {
            host: "127.0.0.1".to_owned(),
            port: 0,
            api_keys: vec![key.clone()],
            cors_origins: Origins::Listed(Vec::new()),
            ..config.clone()
        };
        let listener = serve::bind(&own)?;
        let address = listener.local_addr();
        // A person signs in at the port where clients come.
        let known_at = match config.port {
            0 => address,
            port => (address.ip(), port).into(),
        };
        let service = serve::service(&own, account, known_at)?;
        let asked_to_stop = Arc::new(AtomicBool::new(false));
        let asked = asked_to_stop.clone();
        let thread = thread::spawn(move || {
            if let Err(error) = serve::serve(listener, &own, service, asked) {
                log::error!("{error}");
            }
        });
        Ok(Self {
            base: base_url(address),
            key,
            http: Http::new(&config.outbound)?,
            model: model.to_owned(),
            asked_to_stop,
            thread: Some(thread),
        })
    }

    /// One token, whatever it is.
    pub(super) fn call(&self) -> Result<String, Fault> {
        let asked_at = Instant::now();
        let answer = self.ask(json!({
            "messages": [{"role": "user", "content": "Answer in one word: yes."}],
            "max_tokens": 1,
            "reasoning_effort": "minimal",
        }))?;
        let answer: Value = read(answer)?;
        let model = answer["model"].as_str().unwrap_or(&self.model);
        let elapsed = asked_at.elapsed().as_millis();
        Ok(format!("{model} answers in {elapsed} ms"))
    }

    pub(super) fn tools(&self) -> Result<String, Fault> {
        let function = json!({
            "name": "report_state",
            "description": "Reports the state of the program.",
            "parameters": {
                "type": "object",
                "properties": {"state": {"type": "string", "enum": ["good", "bad"]}},
                "required": ["state"],
            },
        });
        let answer = self.ask(json!({
            "messages": [{"role": "user", "content": "Report that the state is good."}],
            "tools": [{"type": "function", "function": function}],
            "tool_choice": {"type": "function", "function": {"name": "report_state"}},
            "reasoning_effort": "minimal",
        }))?;
        let answer: Value = read(answer)?;
        let call = &answer["choices"][0]["message"]["tool_calls"][0]["function"];
        match call["name"].as_str() {
            Some("report_state") => Ok("the model calls a function".to_owned()),
            _ => Err(Fault::new(
                "the model was told to call a function, and did not",
                "gemini-proxy models",
            )),
        }
    }

    pub(super) fn stream(&self) -> Result<String, Fault> {
        let answer = self.ask(json!({
            "messages": [{"role": "user", "content": "Count from one to five, in words."}],
            "stream": true,
            "reasoning_effort": "minimal",
        }))?;
        let bytes = whole(answer)?;
        let events = String::from_utf8_lossy(&bytes);
        let events: Vec<_> = events
            .split("\n\n")
            .filter_map(|event| event.strip_prefix("data: "))
            .collect();
        let mut errors = events.iter().filter_map(|event| error_in(event.as_bytes()));
        if let Some((code, message)) = errors.next() {
            return Err(fault(&code, message));
        }
        match events.last() {
            Some(&"[DONE]") => Ok(format!("complete, in {} events", events.len())),
            _ => Err(Fault::new("the stream ended before its end", AGAIN)),
        }
    }

    fn ask(&self, mut request: Value) -> Result<Response, Fault> {
        request["model"] = json!(self.model);
        let authorization = format!("Bearer {}", self.key.reveal());
        let response = self.http.send(Request {
            url: &format!("{}/v1/chat/completions", self.base),
            headers: &[
                ("authorization", &authorization),
                ("content-type", "application/json"),
            ],
            body: Some(request.to_string().as_bytes()),
        });
        let response = response.map_err(|error| Fault::new(error.to_string(), AGAIN))?;
        if response.status() == 200 {
            return Ok(response);
        }
        let status = response.status();
        let body = whole(response)?;
        let (code, message) =
            error_in(&body).unwrap_or_else(|| (String::new(), format!("HTTP {status}")));
        Err(fault(&code, message))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.asked_to_stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It panicked, if at all, with its own words.
            let _ = thread.join();
        }
    }
}

/// Code and message of an error in OpenAI's envelope.
fn error_in(body: &[u8]) -> Option<(String, String)> {
    let envelope: Value = serde_json::from_slice(body).ok()?;
    let error = envelope.get("error")?;
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    Some((text("code"), text("message")))
}

fn read(response: Response) -> Result<Value, Fault> {
    let bytes = whole(response)?;
    serde_json::from_slice(&bytes).map_err(|error| Fault::new(error.to_string(), AGAIN))
}

fn whole(response: Response) -> Result<Vec<u8>, Fault> {
    response
        .bytes(MAX_ANSWER_BYTES)
        .map_err(|error| Fault::new(error.to_string(), AGAIN))
}
