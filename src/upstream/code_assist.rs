//! Cloud Code Assist, with the Google account that signed in.

use std::sync::Arc;

use super::account::{Account, Ready};
use super::event_stream::{Answer, EventStream, Wrapping};
use super::question::Question;
use super::{
    COUNT, GENERATE, LIST_PATIENCE, MAX_ANSWER_BYTES, OfferedModel, Quota, STREAM, UpstreamError,
    checked,
};
use crate::config::Config;
use crate::http::{Http, HttpError, Pulse, Request, Response};
use crate::models;
use crate::wire::code_assist::{Envelope, QuotaRequest, QuotaResponse};
use crate::wire::count_tokens::EnvelopedCount;
use crate::wire::hex;

/// The one version of this API.
pub(super) const VERSION: &str = "v1internal";

#[derive(Debug)]
pub struct CodeAssist {
    http: Http,
    account: Arc<Account>,
    base: String,
    user_agent: Option<String>,
}

impl CodeAssist {
    pub fn new(http: Http, config: &Config, account: Arc<Account>) -> Self {
        Self {
            http,
            account,
            base: config.endpoints.code_assist.clone(),
            user_agent: config.user_agent.clone(),
        }
    }

    /// `:generateContent`
    pub fn generate(&self, question: &Question, pulse: &Pulse) -> Result<Answer, UpstreamError> {
        let response = self.ask(GENERATE, question, pulse)?;
        let answer = Answer::new(
            response.bytes_while(MAX_ANSWER_BYTES, pulse)?,
            Wrapping::Enveloped,
        );
        answer.accepted()
    }

    /// `:streamGenerateContent`
    pub fn stream(&self, question: &Question, pulse: &Pulse) -> Result<EventStream, UpstreamError> {
        let response = self.ask(STREAM, question, pulse)?;
        EventStream::new(response.into_body(), Wrapping::Enveloped).begun(pulse)
    }

    /// `:countTokens`
    pub fn count_tokens(
        &self,
        question: &Question,
        pulse: &Pulse,
    ) -> Result<Response, UpstreamError> {
        let model = models::code_assist_id(&question.model);
        let call = Call {
            http: &self.http,
            method: COUNT,
            model,
            pulse,
        };
        self.post(call, |_| {
            let request = question.counted(model)?;
            serde_json::to_vec(&EnvelopedCount { request })
        })
    }

    /// The models that have a quota: the only list that this service gives.
    pub fn models(&self) -> Result<Vec<OfferedModel>, UpstreamError> {
        let ids = self.quotas()?.into_iter().map(|quota| quota.model);
        Ok(ids
            .map(|id| OfferedModel {
                id,
                ..OfferedModel::default()
            })
            .collect())
    }

    /// What is left for each model.
    pub fn quotas(&self) -> Result<Vec<Quota>, UpstreamError> {
        let http = self.http.with_patience(LIST_PATIENCE);
        let pulse = Pulse::none();
        let call = Call {
            http: &http,
            method: "retrieveUserQuota",
            model: "gemini",
            pulse: &pulse,
        };
        let response = self.post(call, |ready| {
            serde_json::to_vec(&QuotaRequest {
                project: &ready.project,
            })
        })?;
        let answer = response.bytes(MAX_ANSWER_BYTES)?;
        let quota: QuotaResponse =
            serde_json::from_slice(&answer).map_err(|error| UpstreamError::garbled(&error))?;
        let known = quota.buckets.into_iter().filter_map(|bucket| {
            Some(Quota {
                model: models::public_id(&bucket.model_id?).to_owned(),
                counts: bucket.token_type,
                fraction_left: bucket.remaining_fraction.unwrap_or_default(),
                amount_left: bucket.remaining_amount,
                resets_at: bucket.reset_time,
            })
        });
        Ok(known.collect())
    }

    fn ask(
        &self,
        method: &str,
        question: &Question,
        pulse: &Pulse,
    ) -> Result<Response, UpstreamError> {
        let model = models::code_assist_id(&question.model);
        let prompt_id = prompt_id();
        let call = Call {
            http: &self.http,
            method,
            model,
            pulse,
        };
        self.post(call, |ready| {
            let envelope = Envelope {
                model,
                project: &ready.project,
                user_prompt_id: &prompt_id,
            };
            envelope.around(&question.json)
        })
    }

    /// A 401 means that the token died early: one new token, one more try.
    fn post(
        &self,
        call: Call<'_>,
        body: impl Fn(&Ready) -> serde_json::Result<Vec<u8>>,
    ) -> Result<Response, UpstreamError> {
        let ready = self.account.ready(call.pulse)?;
        // A renewal is waited for even if the client leaves meanwhile.
        call.pulse.beat().map_err(HttpError::from)?;
        let response = self.send(call, &ready, &body)?;
        match response.status() {
            401 => {
                self.account.discard(&ready.token);
                let renewed = self.account.ready(call.pulse)?;
                call.pulse.beat().map_err(HttpError::from)?;
                checked(self.send(call, &renewed, &body)?, call.pulse)
            }
            // Its licence or its project may have changed: ask again next time.
            403 => {
                self.account.forget_project(&ready.project, call.pulse);
                checked(response, call.pulse)
            }
            _ => checked(response, call.pulse),
        }
    }

    fn send(
        &self,
        call: Call<'_>,
        ready: &Ready,
        body: impl Fn(&Ready) -> serde_json::Result<Vec<u8>>,
    ) -> Result<Response, UpstreamError> {
        let body = body(ready).map_err(UpstreamError::unwritable)?;
        let url = url(&self.base, call.method);
        let authorization = ready.token.bearer();
        let user_agent = match &self.user_agent {
            Some(user_agent) => user_agent.clone(),
            None => default_user_agent(call.model),
        };
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
            ("user-agent", user_agent.as_str()),
        ];
        let request = Request {
            url: &url,
            headers: &headers,
            body: Some(&body),
        };
        Ok(call.http.send_while(request, call.pulse)?)
    }
}

/// One call of a method of the service's.
#[derive(Clone, Copy)]
struct Call<'a> {
    http: &'a Http,
    method: &'a str,
    /// For the User-Agent.
    model: &'a str,
    pulse: &'a Pulse,
}

/// Where a method is.
pub(super) fn url(base: &str, method: &str) -> String {
    format!("{base}/{VERSION}:{method}")
}

/// The Gemini CLI's form for programs that embed it, with our own name in it.
pub(super) fn default_user_agent(model: &str) -> String {
    let platform = match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    // The client chose the model's name; a header takes no more than this of it.
    let model: String = model
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
        .take(64)
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    format!("GeminiCLI-gemini-proxy/{version}/{model} ({platform}; {arch}; terminal)")
}

/// Names this request in Google's own logs. Any text will do.
fn prompt_id() -> String {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        log::warn!("the system has no random numbers");
    }
    hex(&bytes)
}
