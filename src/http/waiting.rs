//! Waiting for Google without falling asleep: every wait is cut into slices, and
//! between them the one who waits is asked whether to go on. So a heartbeat can
//! be sent, or a client found to have left, on the very thread that waits.
//!
//! ureq offers no such thing; a transport of our own around its own does
//! (`ureq::unversioned`, which may change with a minor version).

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};
use std::{fmt, io, thread};

use ureq::Timeout;
use ureq::unversioned::transport::time::Duration as UreqDuration;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport,
};

/// How often the one who waits is asked.
const SLICE: Duration = Duration::from_secs(1);

/// The same, in a pause of our own.
const PAUSE_SLICE: Duration = Duration::from_millis(200);

/// Asked between the slices of a wait.
#[derive(Clone)]
pub struct Pulse(Option<Rc<dyn Fn() -> Result<(), GaveUp>>>);

/// Why the answer is not waited for any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GaveUp {
    #[error("nobody waits for the answer any more")]
    Left,
    /// The client still waits.
    #[error("the proxy is being stopped")]
    Stopped,
}

impl Pulse {
    pub fn new(beat: impl Fn() -> Result<(), GaveUp> + 'static) -> Self {
        Self(Some(Rc::new(beat)))
    }

    /// Waits as long as it takes.
    pub fn none() -> Self {
        Self(None)
    }

    pub fn beat(&self) -> Result<(), GaveUp> {
        self.0.as_ref().map_or(Ok(()), |beat| beat())
    }

    /// Beats as this one does, and waits whatever that finds: for what must be done
    /// once it is begun.
    pub fn persistent(&self) -> Self {
        let pulse = self.clone();
        Self::new(move || {
            // Whoever waits next finds out again.
            let _ = pulse.beat();
            Ok(())
        })
    }

    /// Does nothing for so long, but beat.
    pub fn pause(&self, wait: Duration) -> Result<(), GaveUp> {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(PAUSE_SLICE));
            self.beat()?;
        }
    }
}

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pulse").field(&self.0.is_some()).finish()
    }
}

/// What this thread waits for.
#[derive(Clone)]
struct Wait {
    pulse: Pulse,
    /// For one read.
    limit: Duration,
}

thread_local! {
    // ureq has no way to hand something through to the transport of a call.
    static WAIT: RefCell<Option<Wait>> = const { RefCell::new(None) };
    static IS_LIVE: Cell<bool> = const { Cell::new(false) };
}

/// Does `work`; what it reads meanwhile may take `limit` at a time.
pub(super) fn waiting<T>(pulse: &Pulse, limit: Duration, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Wait>);

    impl Drop for Restore {
        fn drop(&mut self) {
            WAIT.set(self.0.take());
        }
    }

    let wait = Wait {
        pulse: pulse.clone(),
        limit,
    };
    let _restore = Restore(WAIT.replace(Some(wait)));
    work()
}

/// Does `work`, and says whether its connection is certain to have been alive: it was
/// made for this, something came over it, or it took the request and was silent.
pub(super) fn connecting<T>(work: impl FnOnce() -> T) -> (T, bool) {
    IS_LIVE.set(false);
    let outcome = work();
    (outcome, IS_LIVE.take())
}

/// ureq's own connections, waited for in slices.
#[derive(Debug, Default)]
pub(super) struct SlicedConnector(DefaultConnector);

impl Connector for SlicedConnector {
    type Out = SlicedTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<()>,
    ) -> Result<Option<SlicedTransport>, ureq::Error> {
        IS_LIVE.set(true);
        Ok(self.0.connect(details, chained)?.map(SlicedTransport))
    }
}

#[derive(Debug)]
pub(super) struct SlicedTransport(pub(super) Box<dyn Transport>);

impl Transport for SlicedTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let Some(Wait { pulse, limit }) = WAIT.with_borrow(Clone::clone) else {
            return self.0.await_input(timeout);
        };
        // ureq would take a full buffer for the end of the connection.
        let buffers = self.0.buffers();
        if buffers.input_append_buf().is_empty() {
            let held = buffers.input().len();
            return Err(ureq::Error::LargeResponseHeader(held, held));
        }
        let begun = Instant::now();
        loop {
            let waited = begun.elapsed();
            let left = timeout.after.saturating_sub(waited);
            if left.is_zero() {
                return Err(ureq::Error::Timeout(timeout.reason));
            }
            if waited >= limit {
                return Err(ureq::Error::Timeout(Timeout::PerRead));
            }
            // Mostly the same length: a change costs a system call.
            let slice = SLICE.min(left).min(limit - waited);
            let slice = NextTimeout {
                after: UreqDuration::Exact(slice),
                ..timeout
            };
            match self.0.await_input(slice) {
                Err(ureq::Error::Timeout(_)) => {
                    // One that was closed while it lay idle would have said so by now.
                    // What breaks later may have cost an answer already.
                    IS_LIVE.set(true);
                    pulse.beat().map_err(given_up)?;
                }
                Ok(true) => {
                    IS_LIVE.set(true);
                    return Ok(true);
                }
                outcome => return outcome,
            }
        }
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}

/// Of a kind that ureq does not take for the other side having left.
fn given_up(gave_up: GaveUp) -> ureq::Error {
    ureq::Error::Io(io::Error::other(gave_up))
}

/// The [`GaveUp`] that an error of ureq's may be in disguise.
pub(super) fn gave_up(error: &io::Error) -> Option<GaveUp> {
    let inner = error.get_ref()?;
    if let Some(ureq::Error::Io(io)) = inner.downcast_ref() {
        return gave_up(io);
    }
    inner.downcast_ref().copied()
}
