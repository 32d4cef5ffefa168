//! `GET /v1/models` and `GET /v1/models/{id}`: what Google offers, joined with
//! what we know.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::error::ApiError;
use super::{Service, json};
use crate::models::{self, Abilities, MODELS, Modality, Thinking};
use crate::server::transport::writer::Reply;
use crate::upstream::{OfferedModel, UpstreamError};
use crate::wire::openai::{Architecture, Model, ModelList, Pricing, TopProvider};

/// How long Google's list is believed.
const FRESH: Duration = Duration::from_secs(600);

/// How long a failure is remembered: clients ask for the list at every start.
const RETRY_AFTER_FAILURE: Duration = Duration::from_secs(30);

/// How long a client is left without its list: some wait no more than 5 s.
const PATIENCE: Duration = Duration::from_secs(3);

/// When nothing better is known: the limits of every current Gemini model.
const USUAL_INPUT_LIMIT: u64 = 1_048_576;
const USUAL_OUTPUT_LIMIT: u64 = 65_535;

/// Google's list, as it last was.
#[derive(Debug, Default)]
pub(super) struct OfferedModels {
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    models: Vec<OfferedModel>,
    /// When to ask again; at once, if never asked.
    good_until: Option<Instant>,
}

impl OfferedModels {
    /// What Google offers. One request asks when the list is old, and waits so long for
    /// it; the others are given the old one meanwhile, and so is everyone while Google
    /// cannot say.
    fn get(service: &Arc<Service>, patience: Duration) -> Vec<OfferedModel> {
        if service.offered.is_old() {
            let (done, answered) = mpsc::channel();
            let asking = service.clone();
            let thread = thread::Builder::new().name("models".to_owned());
            // An account that is still to be set up may take much longer than a client
            // waits for a list.
            let spawned = thread.spawn(move || {
                asking.offered.renew(asking.upstream.models());
                // Nobody waits for it any more: then the next one is told.
                done.send(()).unwrap_or_default();
            });
            if spawned.is_ok() {
                answered.recv_timeout(patience).unwrap_or_default();
            }
        }
        service.offered.last().models.clone()
    }

    /// Whether to ask again. Whoever is told so asks; for the others it is fresh.
    fn is_old(&self) -> bool {
        let mut last = self.last();
        let is_old = last.good_until.is_none_or(|until| until <= Instant::now());
        if is_old {
            last.good_until = Some(Instant::now() + RETRY_AFTER_FAILURE);
        }
        is_old
    }

    fn renew(&self, answer: Result<Vec<OfferedModel>, UpstreamError>) {
        match answer {
            Ok(models) => {
                *self.last() = Last {
                    models,
                    good_until: Some(Instant::now() + FRESH),
                };
            }
            Err(error) => log::info!("Google's list of models cannot be had: {error}"),
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another account has other models.
    pub(super) fn forget(&self) {
        *self.last() = Last::default();
    }
}

pub(super) fn list(service: &Arc<Service>) -> Reply {
    json(
        200,
        &ModelList {
            object: "list",
            data: joined(&OfferedModels::get(service, PATIENCE)),
        },
    )
}

/// What a page shows at once: what is known now. Google is asked where that is of use,
/// and may have answered when the page asks again.
pub(super) fn known(service: &Arc<Service>, may_ask: bool) -> Vec<Model> {
    if may_ask {
        joined(&OfferedModels::get(service, Duration::ZERO))
    } else {
        joined(&service.offered.last().models)
    }
}

pub(super) fn retrieve(service: &Arc<Service>, id: &str) -> Result<Reply, ApiError> {
    // The very name under which the model is listed, whatever it was asked for by.
    let id = models::public_id(models::without_prefix(id));
    let known = joined(&OfferedModels::get(service, PATIENCE));
    match known.into_iter().find(|model| model.id == id) {
        Some(model) => Ok(json(200, &model)),
        None => {
            let message = format!(
                "The model `{id}` does not exist or you do not have access to it. \
                 GET /v1/models lists what is known."
            );
            Err(ApiError::invalid(404, "model_not_found", message).param("model"))
        }
    }
}

/// What is known of a model, by whatever name it is asked for.
pub fn described(id: &str) -> Model {
    let id = models::public_id(models::without_prefix(id));
    let row = models::find(id);
    let name = row.map_or(id, |row| row.name);
    Model {
        successor: row.and_then(|row| row.successor),
        ..model(id, name, 0, None, None)
    }
}

/// Our own rows first, in their order, then whatever else Google offers.
pub fn joined(offered: &[OfferedModel]) -> Vec<Model> {
    let ours = MODELS.iter().map(|row| {
        let google = offered.iter().find(|model| model.id == row.id);
        let input_limit = google.and_then(|model| model.input_limit);
        Model {
            successor: row.successor,
            ..model(row.id, row.name, row.created, input_limit, None)
        }
    });
    let others = offered
        .iter()
        .filter(|model| models::find(&model.id).is_none())
        .map(|google| {
            let name = google.name.as_deref().unwrap_or(&google.id);
            model(&google.id, name, 0, google.input_limit, google.output_limit)
        });
    ours.chain(others).collect()
}

/// The limits are Google's own, where it told them.
fn model(
    id: &str,
    name: &str,
    created: u64,
    input_limit: Option<u64>,
    output_limit: Option<u64>,
) -> Model {
    let abilities = models::abilities(id);
    let input_limit = input_limit
        .or(abilities.input_limit)
        .unwrap_or(USUAL_INPUT_LIMIT);
    let output_limit = output_limit
        .or(abilities.output_limit.map(u64::from))
        .unwrap_or(USUAL_OUTPUT_LIMIT);
    Model {
        id: id.to_owned(),
        object: "model",
        created,
        owned_by: "google",
        name: name.to_owned(),
        context_length: input_limit,
        context_window: input_limit,
        max_model_len: input_limit,
        max_context_length: input_limit,
        max_input_tokens: input_limit,
        max_output_tokens: output_limit,
        max_completion_tokens: output_limit,
        architecture: architecture(&abilities),
        supported_parameters: supported_parameters(&abilities),
        top_provider: TopProvider {
            context_length: input_limit,
            max_completion_tokens: output_limit,
            is_moderated: false,
        },
        // What it costs depends on the account; nothing is charged here.
        pricing: Pricing {
            prompt: "0",
            completion: "0",
        },
        successor: None,
    }
}

fn architecture(abilities: &Abilities) -> Architecture {
    let names =
        |modalities: &[Modality]| modalities.iter().copied().map(name_of).collect::<Vec<_>>();
    let (inputs, outputs) = (names(abilities.inputs), names(abilities.outputs));
    Architecture {
        modality: format!("{}->{}", inputs.join("+"), outputs.join("+")),
        input_modalities: inputs,
        output_modalities: outputs,
    }
}

fn name_of(modality: Modality) -> &'static str {
    match modality {
        Modality::Text => "text",
        Modality::Image => "image",
        Modality::Audio => "audio",
        Modality::Video => "video",
        Modality::File => "file",
    }
}

/// OpenRouter's words; clients offer what they find here.
fn supported_parameters(abilities: &Abilities) -> Vec<&'static str> {
    let groups: [(bool, &[&str]); 5] = [
        (abilities.tools, &["tools", "tool_choice"]),
        (abilities.json, &["response_format", "structured_outputs"]),
        (
            abilities.thinking != Thinking::Unknown,
            &["reasoning", "include_reasoning"],
        ),
        (abilities.sampling, &["temperature", "top_p", "top_k"]),
        (true, &["max_tokens", "stop", "seed"]),
    ];
    let supported = groups.into_iter().filter(|(has, _)| *has);
    supported
        .flat_map(|(_, words)| words.iter().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn googles_list_and_ours_are_joined_without_doubles() {
        let offered = |id: &str| OfferedModel {
            id: id.into(),
            ..OfferedModel::default()
        };
        let joined = joined(&[offered("gemini-2.5-pro"), offered("gemini-9-pro")]);
        let count = |id: &str| joined.iter().filter(|model| model.id == id).count();
        assert_eq!((count("gemini-2.5-pro"), count("gemini-9-pro")), (1, 1));
        for id in [
            "gemini-2.5-flash",
            "gemini-2.0-flash",
            "gemini-2.0-flash-lite",
            "gemini-1.5-pro",
            "gemini-1.5-flash",
        ] {
            assert_eq!(count(id), 1, "{id}");
        }
    }
}
