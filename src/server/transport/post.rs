//! Where requests come in: one tiny_http, the threads that stand by it, and what it
//! tells the sentinel.

use std::collections::HashSet;
use std::io;
use std::mem;
use std::net::{SocketAddr, TcpListener};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use tiny_http::{Request, Server};

/// Connections remembered as seen before; twice as many at most.
const RECENT_PEERS: usize = 1024;

/// One tiny_http.
pub(super) struct Post {
    /// Never dropped: that would close the listening socket under its successor, and
    /// its connections would wait for ever.
    server: &'static Server,
    generation: usize,
    notices: Arc<Notices>,
    /// Workers who stand by, those being started included. The pool keeps count, under
    /// its lock.
    pub(super) waiting: AtomicUsize,
    /// Whether one of them listens. Were it several, they would see the requests of one
    /// connection in any order.
    is_attended: Mutex<bool>,
    unattended: Condvar,
    peers: Mutex<RecentPeers>,
}

/// What posts tell the sentinel.
pub(super) struct Notices {
    pub(super) sentinel: Thread,
    /// Clients who came since it was looked at last.
    pub(super) new_clients: AtomicUsize,
    /// The newest accept thread has reported its end.
    pub(super) accept_ended: AtomicBool,
    /// Counts the tiny_https started. A late report of an older one means nothing.
    generation: AtomicUsize,
}

impl Post {
    /// Puts a tiny_http on the socket.
    pub(super) fn open(listener: TcpListener, notices: &Arc<Notices>) -> io::Result<Arc<Self>> {
        let generation = notices.generation.fetch_add(1, Ordering::Relaxed) + 1;
        notices.accept_ended.store(false, Ordering::Relaxed);
        // It panics if no thread can be started.
        let server = match catch_unwind(|| Server::from_listener(listener, None)) {
            Ok(server) => server.map_err(io::Error::other)?,
            Err(_) => return Err(io::Error::other("no thread can be started")),
        };
        Ok(Arc::new(Self {
            server: Box::leak(Box::new(server)),
            generation,
            notices: notices.clone(),
            waiting: AtomicUsize::new(0),
            is_attended: Mutex::new(false),
            unattended: Condvar::new(),
            peers: Mutex::default(),
        }))
    }

    /// Becomes the one who listens. False if another one did all the time, for so long.
    pub(super) fn attend(&self, patience: Duration) -> bool {
        let is_attended = self.is_attended();
        let waited = self
            .unattended
            .wait_timeout_while(is_attended, patience, |is_attended| *is_attended);
        let (mut is_attended, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !mem::replace(&mut *is_attended, true)
    }

    /// Lets another one listen.
    pub(super) fn leave(&self) {
        *self.is_attended() = false;
        self.unattended.notify_one();
    }

    /// Waits for a request. For the one who attends, even when the accept thread has
    /// ended, since connections accepted before go on sending.
    pub(super) fn next(&self) -> Request {
        loop {
            match self.server.recv() {
                Ok(request) => {
                    let peer = request.remote_addr().copied();
                    if peer.is_some_and(|peer| self.is_new(peer)) {
                        self.notices.new_clients.fetch_add(1, Ordering::Relaxed);
                        self.notices.sentinel.unpark();
                    }
                    return request;
                }
                Err(error) => {
                    log::debug!("an accept thread has ended: {error}");
                    if self.generation == self.notices.generation.load(Ordering::Relaxed) {
                        self.notices.accept_ended.store(true, Ordering::Relaxed);
                        self.notices.sentinel.unpark();
                    }
                }
            }
        }
    }

    fn is_attended(&self) -> MutexGuard<'_, bool> {
        self.is_attended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn is_new(&self, peer: SocketAddr) -> bool {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.is_new(peer)
    }
}

impl Notices {
    pub(super) fn to(sentinel: Thread) -> Arc<Self> {
        Arc::new(Self {
            sentinel,
            new_clients: AtomicUsize::new(0),
            accept_ended: AtomicBool::new(false),
            generation: AtomicUsize::new(0),
        })
    }
}

/// Which connections are new, give or take: two sets, the older one forgotten when the
/// newer one is full.
#[derive(Default)]
struct RecentPeers {
    newer: HashSet<SocketAddr>,
    older: HashSet<SocketAddr>,
}

impl RecentPeers {
    fn is_new(&mut self, peer: SocketAddr) -> bool {
        if !self.newer.insert(peer) {
            return false;
        }
        let is_new = !self.older.contains(&peer);
        if self.newer.len() >= RECENT_PEERS {
            self.older = mem::take(&mut self.newer);
        }
        is_new
    }
}
