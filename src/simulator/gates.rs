//! Gates: named places where an answer waits until a test lets it on, so that
//! nothing has to sleep in order to prove what came before what.

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest wait for anything: a gate, a request, a client who does not read.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How often a waiting answer looks whether its client is still there.
const GLANCE: Duration = Duration::from_millis(10);

/// Which gates are open. A gate stays open once released.
#[derive(Debug, Default)]
pub(super) struct Gates {
    released: Mutex<HashSet<String>>,
    changed: Condvar,
}

impl Gates {
    pub(super) fn release(&self, gate: &str) {
        self.released
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(gate.to_owned());
        self.changed.notify_all();
    }

    pub(super) fn close_all(&self) {
        self.released
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Waits until `gate` is open. Fails when the client leaves first, or when
    /// nobody opens it in time.
    pub(super) fn pass(&self, gate: &str, client_left: impl Fn() -> bool) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut released = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        while !released.contains(gate) {
            if client_left() {
                return Err(ErrorKind::BrokenPipe.into());
            }
            if Instant::now() >= deadline {
                log::warn!("nobody released the gate {gate:?}");
                return Err(ErrorKind::TimedOut.into());
            }
            released = self
                .changed
                .wait_timeout(released, GLANCE)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Ok(())
    }

    /// Waits `length`, or fails as soon as the client leaves.
    pub(super) fn pause(&self, length: Duration, client_left: impl Fn() -> bool) -> io::Result<()> {
        let deadline = Instant::now() + length;
        while let Some(rest) = deadline.checked_duration_since(Instant::now()) {
            if client_left() {
                return Err(ErrorKind::BrokenPipe.into());
            }
            std::thread::sleep(rest.min(GLANCE));
        }
        Ok(())
    }
}
