//! `/_simulator/…`: the stage manager's door, for tests in other languages.
//! Everything here is equally a method of [`super::Simulator`].
//!
//! | | |
//! |---|---|
//! | `POST script` | append a script (see `script.rs`) |
//! | `POST state` | set switches (see `state.rs`) |
//! | `POST release` | `{"gate": "name"}`: open a gate |
//! | `GET requests` | what was recorded; `?at_least=n` waits for n (30 s at most) |
//! | `POST reset` | forget script, recordings, gates, switches; tokens stay good |
//! | `POST sign_in` | a live credential |
//! | `POST expire_access_tokens` | |
//! | `POST revoke_refresh_tokens` | |

use serde_json::{Value, json};

use super::http::{Answer, Request};
use super::oauth;
use super::recorder::Recorded;
use super::world::World;

pub(super) const PREFIX: &str = "/_simulator/";

pub(super) fn answer(world: &World, request: &Request) -> Answer {
    let command = request.path.strip_prefix(PREFIX).unwrap_or_default();
    let outcome = match (request.method.as_str(), command) {
        ("GET", "requests") => Ok(recorded(world, request)),
        ("POST", "script") => body(request).and_then(|body| done(world.append_script(body))),
        ("POST", "state") => body(request).and_then(|body| done(world.patch_state(body))),
        ("POST", "release") => body(request).and_then(|body| release(world, &body)),
        ("POST", "reset") => {
            world.reset();
            Ok(json!({}))
        }
        ("POST", "sign_in") => Ok(oauth::sign_in(world)),
        ("POST", "expire_access_tokens") => {
            world.grants().expire_access_tokens();
            Ok(json!({}))
        }
        ("POST", "revoke_refresh_tokens") => {
            world.grants().revoke_refresh_tokens();
            Ok(json!({}))
        }
        _ => Err(format!("there is no {} {}", request.method, request.path)),
    };
    match outcome {
        Ok(body) => Answer::json(200, &body),
        Err(complaint) => Answer::json(400, &json!({"error": complaint})),
    }
}

fn recorded(world: &World, request: &Request) -> Value {
    let at_least = request
        .parameter("at_least")
        .and_then(|count| count.parse().ok())
        .unwrap_or(0);
    let all = world
        .recorder
        .wait_until(|requests| requests.len() >= at_least);
    all.iter().map(Recorded::to_json).collect()
}

fn release(world: &World, body: &Value) -> Result<Value, String> {
    let gate = body["gate"]
        .as_str()
        .ok_or("expected {\"gate\": \"name\"}")?;
    world.gates.release(gate);
    Ok(json!({}))
}

fn body(request: &Request) -> Result<Value, String> {
    serde_json::from_slice(&request.body).map_err(|error| format!("not JSON: {error}"))
}

fn done(outcome: Result<(), String>) -> Result<Value, String> {
    outcome.map(|()| json!({}))
}
