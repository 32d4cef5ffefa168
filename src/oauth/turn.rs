//! A turn: one does what all need, and those who wait for it stay awake. A lock
//! would let them sleep, and their clients hear nothing and leave unnoticed.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::http::{GaveUp, Pulse};

/// How often the one who waits is asked whether to go on.
const SLICE: Duration = Duration::from_secs(1);

/// Only one has it at a time.
#[derive(Debug, Default)]
pub struct Turn {
    is_taken: Mutex<bool>,
    freed: Condvar,
}

/// Given back on drop.
#[derive(Debug)]
pub struct Taken<'a>(&'a Turn);

/// Why the turn was not had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTurn {
    GaveUp(GaveUp),
    /// Whoever has it keeps it for longer than should be possible.
    Busy {
        limit: Duration,
    },
}

impl Turn {
    /// Waits for it, beating `pulse` meanwhile.
    pub fn take(&self, limit: Duration, pulse: &Pulse) -> Result<Taken<'_>, NoTurn> {
        let asked_at = Instant::now();
        let mut is_taken = self.is_taken();
        while *is_taken {
            let left = limit.saturating_sub(asked_at.elapsed());
            if left.is_zero() {
                return Err(NoTurn::Busy { limit });
            }
            let waited = self.freed.wait_timeout(is_taken, left.min(SLICE));
            is_taken = waited.unwrap_or_else(PoisonError::into_inner).0;
            if *is_taken {
                // A beat may write to a client who is slow to read.
                drop(is_taken);
                pulse.beat().map_err(NoTurn::GaveUp)?;
                is_taken = self.is_taken();
            }
        }
        *is_taken = true;
        Ok(Taken(self))
    }

    /// If nobody has it.
    pub fn try_take(&self) -> Option<Taken<'_>> {
        let mut is_taken = self.is_taken();
        let is_free = !std::mem::replace(&mut *is_taken, true);
        is_free.then(|| Taken(self))
    }

    fn is_taken(&self) -> MutexGuard<'_, bool> {
        self.is_taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.0.is_taken() = false;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn many_have_it_one_after_the_other() {
        let turn = Turn::default();
        let inside = AtomicU32::new(0);
        let served = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    let _taken = turn.take(LONG, &Pulse::none()).unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    served.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(served.into_inner(), 100);
        assert!(turn.try_take().is_some());
    }

    #[test]
    fn who_waits_beats_and_may_give_up_without_taking_anything_along() {
        let turn = Turn::default();
        let taken = turn.take(LONG, &Pulse::none()).unwrap();
        assert!(turn.try_take().is_none());
        let left = turn.take(LONG, &Pulse::new(|| Err(GaveUp::Left)));
        assert_eq!(left.unwrap_err(), NoTurn::GaveUp(GaveUp::Left));
        thread::scope(|scope| {
            let (beats, beaten) = channel();
            let waiting = scope.spawn(|| {
                let beat = Pulse::new(move || {
                    beats.send(()).unwrap();
                    Ok(())
                });
                turn.take(LONG, &beat).map(drop)
            });
            beaten.recv().unwrap();
            drop(taken);
            assert_eq!(waiting.join().unwrap(), Ok(()));
        });
        assert!(turn.try_take().is_some());
    }

    #[test]
    fn it_is_not_waited_for_for_ever_and_a_panic_gives_it_back() {
        let turn = Turn::default();
        let taken = turn.try_take().unwrap();
        let limit = Duration::from_millis(1);
        let busy = turn.take(limit, &Pulse::none()).unwrap_err();
        assert_eq!(busy, NoTurn::Busy { limit });
        drop(taken);
        let panicked = thread::scope(|scope| {
            let panicking = scope.spawn(|| {
                let _taken = turn.take(LONG, &Pulse::none()).unwrap();
                panic!("amid the turn");
            });
            panicking.join().is_err()
        });
        assert!(panicked);
        assert!(turn.try_take().is_some());
    }
}
