//! `GET /status`: how the proxy is doing, for the page at `/`, which asks again and
//! again while it is open. It says whose account it is, so whoever asks needs the key,
//! if there is one, at this machine, too.

use std::sync::Arc;

use serde::Serialize;

use super::auth;
use super::metrics::activity::{self, Failure, Running};
use super::{Service, json, models};
use crate::config::UpstreamKind;
use crate::server::transport::exchange::Request;
use crate::server::transport::writer::Reply;
use crate::wire::openai::Model;

/// Names and times are those of the JavaScript world, as in `/auth/status`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    /// RFC 3339, in whole seconds.
    pub(super) at: String,
    pub(super) account: AccountStatus,
    /// Requests for an answer; the latest model in the alphabet last.
    pub(super) running: Vec<Running>,
    /// The latest first.
    pub(super) failures: Vec<Failure>,
    pub(super) models: Vec<ModelStatus>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountStatus {
    /// Who is signed in, in a sentence.
    pub(super) summary: String,
    /// What stands in the way, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
    pub(super) upstream: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tier: Option<String>,
    /// To sign in, as this client, would be the next step, or one of them.
    pub(super) may_sign_in: bool,
    /// The same, but it can be done at the machine of the proxy only.
    pub(super) must_go_there: bool,
    pub(super) may_sign_out: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct ModelStatus {
    pub(super) id: String,
    /// What it can do.
    pub(super) about: String,
}

pub(super) fn show(service: &Arc<Service>, request: &Request) -> Reply {
    let mut reply = json(200, &of(service, request));
    reply.add_header("cache-control", "no-store".to_owned());
    reply
}

/// Never waits for Google.
pub(super) fn of(service: &Arc<Service>, request: &Request) -> Status {
    let activity = &service.metrics.activity;
    let account = account(service, request);
    let has_use = service.kind == UpstreamKind::GeminiApi || account.may_sign_out;
    let may_ask = has_use && account.problem.is_none();
    let models = models::known(service, may_ask);
    Status {
        at: activity::now(),
        account,
        running: activity.running(),
        failures: activity.failures(),
        models: models.into_iter().map(ModelStatus::of).collect(),
    }
}

fn account(service: &Service, request: &Request) -> AccountStatus {
    if service.kind == UpstreamKind::GeminiApi {
        return AccountStatus {
            summary: "The official Gemini API is asked, with its own key. Nobody needs to sign in."
                .to_owned(),
            problem: None,
            upstream: "Gemini API",
            project: None,
            tier: None,
            may_sign_in: false,
            must_go_there: false,
            may_sign_out: false,
        };
    }
    let status = service.account.status();
    let email = status.email.as_deref().unwrap_or("a Google account");
    let summary = match status.signed_in {
        true => format!("Signed in as {email}."),
        false => "Nobody is signed in to Google yet.".to_owned(),
    };
    let is_wanted = !status.signed_in || status.problem.is_some();
    let is_here = auth::can_begin_here(service, request);
    AccountStatus {
        summary,
        problem: status.problem.map(|it| auth::sentence(&it.to_string())),
        upstream: "Code Assist",
        project: status.project,
        tier: status.tier,
        may_sign_in: is_wanted && is_here,
        must_go_there: is_wanted && !is_here,
        may_sign_out: status.signed_in,
    }
}

impl ModelStatus {
    fn of(model: Model) -> Self {
        let supports = |word| model.supported_parameters.contains(&word);
        let abilities: Vec<_> = [
            (supports("reasoning"), "thinks"),
            (supports("tools"), "calls functions"),
            (supports("structured_outputs"), "writes JSON by a schema"),
        ]
        .into_iter()
        .filter_map(|(has, ability)| has.then_some(ability))
        .collect();
        let mut about = vec![
            abilities.join(", "),
            format!(
                "{} → {}",
                model.architecture.input_modalities.join(", "),
                model.architecture.output_modalities.join(", ")
            ),
            format!(
                "{} tokens in, {} out",
                grouped(model.context_length),
                grouped(model.max_output_tokens)
            ),
        ];
        if let Some(successor) = model.successor {
            about.push(format!("retired or soon to be: use {successor}"));
        }
        about.retain(|part| !part.is_empty());
        Self {
            id: model.id,
            about: about.join(" · "),
        }
    }
}

/// `1,048,576`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_grouped() {
        for (number, words) in [
            (0, "0"),
            (999, "999"),
            (65_535, "65,535"),
            (1_048_576, "1,048,576"),
        ] {
            assert_eq!(grouped(number), words);
        }
    }

    #[test]
    fn a_model_says_what_it_can_do_in_words() {
        let about = ModelStatus::of(models::described("gemini-3.5-flash")).about;
        assert_eq!(
            about,
            "thinks, calls functions, writes JSON by a schema · text, image, audio, video, file \
             → text · 1,048,576 tokens in, 65,535 out"
        );
        let about = ModelStatus::of(models::described("gemini-1.5-pro")).about;
        assert!(
            about.contains("retired or soon to be: use gemini-"),
            "{about}"
        );
    }
}
