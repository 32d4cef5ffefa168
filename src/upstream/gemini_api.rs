//! The official Gemini API, with `GEMINI_API_KEY`
//! (<https://ai.google.dev/api/generate-content>).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::event_stream::{Answer, EventStream, Wrapping};
use super::question::Question;
use super::{
    COUNT, GENERATE, LIST_PATIENCE, MAX_ANSWER_BYTES, OfferedModel, STREAM, UpstreamError, Verdict,
    checked,
};
use crate::config::Config;
use crate::http::{Http, Pulse, Request, Response};
use crate::secret::Secret;
use crate::wire::count_tokens::CountTokensRequest;
use crate::wire::gemini::ListModelsResponse;

/// A model id is one segment of a path.
const NOT_IN_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Google pages its list; more pages than this are not asked for.
const MAX_PAGES: usize = 10;

#[derive(Debug)]
pub struct GeminiApi {
    http: Http,
    base: String,
    key: Secret,
}

impl GeminiApi {
    pub fn new(http: Http, config: &Config, key: Secret) -> Self {
        Self {
            http,
            base: config.endpoints.gemini_api.clone(),
            key,
        }
    }

    /// `:generateContent`
    pub fn generate(&self, question: &Question, pulse: &Pulse) -> Result<Answer, UpstreamError> {
        let response = self.post(GENERATE, &question.model, &question.json, pulse)?;
        let answer = Answer::new(
            response.bytes_while(MAX_ANSWER_BYTES, pulse)?,
            Wrapping::Plain,
        );
        answer.accepted().map_err(of_key)
    }

    /// `:streamGenerateContent`
    pub fn stream(&self, question: &Question, pulse: &Pulse) -> Result<EventStream, UpstreamError> {
        let response = self.post(STREAM, &question.model, &question.json, pulse)?;
        let events = EventStream::new(response.into_body(), Wrapping::Plain);
        events.begun(pulse).map_err(of_key)
    }

    /// `:countTokens`
    pub fn count_tokens(
        &self,
        question: &Question,
        pulse: &Pulse,
    ) -> Result<Response, UpstreamError> {
        let generate_content_request = question
            .counted(&question.model)
            .map_err(UpstreamError::unwritable)?;
        let request = CountTokensRequest {
            generate_content_request,
        };
        let body = serde_json::to_vec(&request).map_err(UpstreamError::unwritable)?;
        self.post(COUNT, &question.model, &body, pulse)
    }

    /// The models that this key may use to generate text.
    pub fn models(&self) -> Result<Vec<OfferedModel>, UpstreamError> {
        let http = self.http.with_patience(LIST_PATIENCE);
        let mut offered = Vec::new();
        let mut page = String::new();
        for _ in 0..MAX_PAGES {
            let url = format!("{}/v1beta/models?pageSize=1000{page}", self.base);
            let headers = [("x-goog-api-key", self.key.reveal())];
            let request = Request {
                url: &url,
                headers: &headers,
                body: None,
            };
            let response = checked(http.send(request)?, &Pulse::none()).map_err(of_key)?;
            let answer = response.bytes(MAX_ANSWER_BYTES)?;
            let list: ListModelsResponse =
                serde_json::from_slice(&answer).map_err(|error| UpstreamError::garbled(&error))?;
            let can_chat =
                |methods: &[String]| methods.iter().any(|method| method == "generateContent");
            let chatty = list
                .models
                .into_iter()
                .filter(|model| can_chat(&model.supported_generation_methods));
            offered.extend(chatty.map(|model| OfferedModel {
                id: model.name.trim_start_matches("models/").to_owned(),
                name: model.display_name,
                input_limit: model.input_token_limit,
                output_limit: model.output_token_limit,
            }));
            match list.next_page_token.filter(|token| !token.is_empty()) {
                Some(token) => {
                    page = format!("&pageToken={}", utf8_percent_encode(&token, NOT_IN_SEGMENT));
                }
                None => break,
            }
        }
        Ok(offered)
    }

    fn post(
        &self,
        method: &str,
        model: &str,
        body: &[u8],
        pulse: &Pulse,
    ) -> Result<Response, UpstreamError> {
        let url = url(&self.base, model, method);
        // Never in the address, where logs would keep it.
        let headers = [
            ("x-goog-api-key", self.key.reveal()),
            ("content-type", "application/json"),
        ];
        let request = Request {
            url: &url,
            headers: &headers,
            body: Some(body),
        };
        checked(self.http.send_while(request, pulse)?, pulse).map_err(of_key)
    }
}

/// There is no account here: what is refused is the key.
fn of_key(error: UpstreamError) -> UpstreamError {
    match error {
        UpstreamError::Google(refusal)
            if matches!(
                refusal.verdict(),
                Verdict::Unauthenticated | Verdict::Denied
            ) =>
        {
            UpstreamError::KeyRefused(refusal)
        }
        error => error,
    }
}

/// Where a method of a model is.
pub(super) fn url(base: &str, model: &str, method: &str) -> String {
    let model = utf8_percent_encode(model, NOT_IN_SEGMENT);
    format!("{base}/v1beta/models/{model}:{method}")
}
