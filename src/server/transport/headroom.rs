//! What the system has left: descriptors, a few of them kept back for bad times, and
//! threads.

use std::net::TcpListener;
use std::thread;

/// What requests may not use: the reserve, pokes, logs, the token file, idle clients.
const KEPT_FREE: usize = 200;
/// Two of tiny_http for the client, one for the connection to Google.
const PER_REQUEST: usize = 3;
/// How many the reserve holds.
const RESERVE: usize = 16;
/// How many more must be free before accepting is worth another try.
const HEADROOM: usize = 16;

/// Lifts the soft limit to the hard one, and returns how many descriptors this process
/// may have. Clients cost two each, and the usual soft limit is 1024.
#[cfg(unix)]
pub(super) fn raise_descriptor_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            log::debug!("the limit of open files stays as it is: {error}");
            limit.current
        }
    };
    current.map_or(usize::MAX, |current| {
        usize::try_from(current).unwrap_or(usize::MAX)
    })
}

/// Windows has no such limit that a server would meet first.
#[cfg(not(unix))]
pub(super) fn raise_descriptor_limit() -> usize {
    usize::MAX
}

/// How many requests in flight that many descriptors allow, at least 8.
pub(super) fn requests_within(descriptors: usize) -> usize {
    (descriptors.saturating_sub(KEPT_FREE) / PER_REQUEST).max(8)
}

/// Descriptors held only to be let go. When none are left, tiny_http's accept thread
/// dies; the reserve then lets everything else go on working until clients leave.
#[derive(Default)]
pub(super) struct Reserve {
    held: Vec<TcpListener>,
}

impl Reserve {
    pub(super) fn is_full(&self) -> bool {
        self.held.len() == RESERVE
    }

    pub(super) fn release(&mut self) {
        self.held.clear();
    }

    /// Fills the reserve if that still leaves headroom; else lets go what it held and
    /// says no.
    pub(super) fn refill(&mut self, listener: &TcpListener) -> bool {
        while self.held.len() < RESERVE + HEADROOM {
            let Ok(clone) = listener.try_clone() else {
                self.release();
                return false;
            };
            self.held.push(clone);
        }
        self.held.truncate(RESERVE);
        true
    }
}

/// Whether so many threads more can be started. The standard library's `thread::spawn`,
/// which tiny_http uses, panics where none can.
pub(super) fn has_threads(count: usize) -> bool {
    let threads: Vec<_> = (0..count)
        .map_while(|_| thread::Builder::new().spawn(thread::park).ok())
        .collect();
    let all = threads.len() == count;
    for thread in threads {
        thread.thread().unpark();
        // Cannot fail: `park` does not panic.
        let _ = thread.join();
    }
    all
}
