//! Everything the stand-in knows and remembers, shared by its connections.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::errors::GoogleError;
use super::gates::Gates;
use super::grants::{CLOUD_PLATFORM, Grants};
use super::http::{Answer, Request};
use super::onboarding::Progress;
use super::recorder::Recorder;
use super::script::{Kind, Line, Script};
use super::signatures::Signatures;
use super::state::State;

pub(super) struct World {
    initial: State,
    state: Mutex<State>,
    script: Mutex<Script>,
    grants: Mutex<Grants>,
    progress: Mutex<Progress>,
    signatures: Mutex<Signatures>,
    pub(super) recorder: Recorder,
    pub(super) gates: Gates,
}

impl World {
    pub(super) fn new(initial: State) -> Self {
        Self {
            state: Mutex::new(initial.clone()),
            initial,
            script: Mutex::default(),
            grants: Mutex::default(),
            progress: Mutex::default(),
            signatures: Mutex::default(),
            recorder: Recorder::default(),
            gates: Gates::default(),
        }
    }

    /// The switches as they stand now.
    pub(super) fn state(&self) -> State {
        lock(&self.state).clone()
    }

    pub(super) fn patch_state(&self, patch: Value) -> Result<(), String> {
        let mut state = lock(&self.state);
        let changes_tier = patch.get("tier").is_some();
        *state = state.patched(patch)?;
        if changes_tier {
            *self.progress() = Progress::default();
        }
        Ok(())
    }

    pub(super) fn append_script(&self, document: Value) -> Result<(), String> {
        lock(&self.script).append(document)
    }

    /// Forgets the script, the recordings, the gates, the switches and how far
    /// onboarding had come. What was given out stays good: tokens, signatures.
    pub(super) fn reset(&self) {
        *lock(&self.script) = Script::default();
        *lock(&self.state) = self.initial.clone();
        *self.progress() = Progress::default();
        self.gates.close_all();
        self.recorder.clear();
    }

    pub(super) fn grants(&self) -> MutexGuard<'_, Grants> {
        lock(&self.grants)
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        lock(&self.progress)
    }

    pub(super) fn signatures(&self) -> MutexGuard<'_, Signatures> {
        lock(&self.signatures)
    }

    pub(super) fn next_line(&self, kind: Kind, model: &str, request: &Request) -> Option<Line> {
        lock(&self.script).next(kind, model, &request.text())
    }

    /// What the script says, or what the stand-in says by itself.
    pub(super) fn scripted(
        &self,
        kind: Kind,
        request: &Request,
        own: impl FnOnce() -> Answer,
    ) -> Answer {
        match self.next_line(kind, "", request) {
            None => own(),
            Some(Line { says, delivery }) => delivery.apply(says.answer(own)),
        }
    }

    /// 401 unless a live access token came with the request, 403 unless it covers
    /// Google Cloud.
    pub(super) fn require_bearer(&self, request: &Request) -> Result<(), GoogleError> {
        let token = request
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        let grants = self.grants();
        let access = token.and_then(|token| grants.live(token));
        let access = access.ok_or_else(|| GoogleError::named("unauthenticated"))?;
        if access.scope.split(' ').any(|scope| scope == CLOUD_PLATFORM) {
            Ok(())
        } else {
            Err(GoogleError::named("scope_insufficient"))
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
