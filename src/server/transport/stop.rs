//! How serving comes to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether to stop, and how long requests may go on then.
#[derive(Debug, Clone)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    patience: Duration,
}

impl Stop {
    /// When `asked` becomes true; requests may go on for `patience`.
    pub fn when(asked: Arc<AtomicBool>, patience: Duration) -> Self {
        Self { asked, patience }
    }

    /// Serves as long as the process lives.
    pub fn never() -> Self {
        Self::when(Arc::default(), Duration::ZERO)
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }
}
