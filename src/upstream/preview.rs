//! What would be sent to Google, without sending it: no account, no network.

use super::question::Question;
use super::{GENERATE, STREAM, code_assist, gemini_api};
use crate::config::{Config, UpstreamKind};
use crate::models;
use crate::wire::code_assist::Envelope;

/// What stands for the project, unless the settings name one.
const SOME_PROJECT: &str = "<the project that Google assigns>";

/// What stands for the name of the request in Google's logs.
const SOME_PROMPT_ID: &str = "<random>";

/// A request to Google. Not `Debug`: it holds a conversation.
pub struct Preview {
    pub url: String,
    /// JSON.
    pub body: Vec<u8>,
}

impl Preview {
    /// `streams`: whether the answer is asked for in events.
    pub fn new(config: &Config, question: &Question, streams: bool) -> serde_json::Result<Self> {
        let method = if streams { STREAM } else { GENERATE };
        match config.upstream {
            UpstreamKind::GeminiApi => Ok(Self {
                url: gemini_api::url(&config.endpoints.gemini_api, &question.model, method),
                body: question.json.clone(),
            }),
            UpstreamKind::CodeAssist => {
                let envelope = Envelope {
                    model: models::code_assist_id(&question.model),
                    project: config.project.as_deref().unwrap_or(SOME_PROJECT),
                    user_prompt_id: SOME_PROMPT_ID,
                };
                Ok(Self {
                    url: code_assist::url(&config.endpoints.code_assist, method),
                    body: envelope.around(&question.json)?,
                })
            }
        }
    }
}
