//! Keeps tiny_http accepting.
//!
//! tiny_http counts its idle threads wrongly, so that of many clients who connect at
//! once some are queued behind a thread that serves another client for as long as that
//! one stays. And its accept thread dies, mostly without a word, as soon as descriptors
//! or threads run short.
//!
//! Both are mended from outside, by *pokes*: connections to ourselves, closed at once.
//! A poke gets a thread, sees the end of its connection, and leaves the thread free for
//! whoever is queued. Each new client causes one, and a slow tick causes some for
//! clients who connect and stay silent. A poke that nobody closes tells that the accept
//! thread is dead; then a new tiny_http is put on the same socket, where the clients
//! wait. Handlers never see a poke, since it sends no request.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::server::transport::exchange;
use crate::server::transport::headroom::{self, Reserve};
use crate::server::transport::post::{Notices, Post};
use crate::server::transport::stop::Stop;
use crate::server::transport::workers::Pool;

/// Between pokes while clients come, and when none came for [`QUIET_AFTER`]. Must stay
/// far below the listener's receive timeout, which ends `accept`, too.
const TICK: Duration = Duration::from_millis(100);
const QUIET_TICK: Duration = Duration::from_millis(500);
const QUIET_AFTER: Duration = Duration::from_secs(10);

/// Where one client came, others may have come that still say nothing. So long, each
/// tick sends so many pokes; later, one.
const BUSY_FOR: Duration = Duration::from_secs(2);
const BUSY_POKES: usize = 4;

/// Pokes on their way at the same time, and twice as many with those of the tick: of
/// many that arrive at once all may be queued, and then only later ones get them out.
/// Where descriptors are few, no more than this part of them: a poke takes one here and
/// two of tiny_http's.
const MAX_POKES: usize = 64;
const POKES_PART: usize = 16;
const POKE_CONNECT: Duration = Duration::from_millis(500);
/// How long all pokes must stay unanswered before the accept thread is held for dead.
/// One alone may only be queued.
const DEAF_AFTER: Duration = Duration::from_secs(3);

/// Between attempts to start again: doubled until a poke is answered.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// What starting again takes: one who takes the requests, the accept thread, four that
/// tiny_http keeps.
const THREADS_TO_START: usize = 6;

/// For telling clients that their answers are broken off. Whoever waits for Google
/// notices within a second.
const LAST_WORDS: Duration = Duration::from_secs(3);

pub(super) struct Sentinel {
    pool: Arc<Pool>,
    notices: Arc<Notices>,
    /// Kept so that clients wait in its backlog while nobody accepts.
    listener: TcpListener,
    poke_address: SocketAddr,
    pokes: VecDeque<Poke>,
    max_pokes: usize,
    reserve: Reserve,
    last_client: Instant,
    /// Since when pokes are sent and none is answered.
    unanswered: Option<Instant>,
    pause: Duration,
    next_start: Instant,
}

struct Poke(TcpStream);

impl Sentinel {
    /// Starts to serve. The calling thread has to go on to [`Self::watch`].
    pub(super) fn start(
        listener: TcpListener,
        address: SocketAddr,
        pool: Arc<Pool>,
    ) -> io::Result<Self> {
        let mut sentinel = Self {
            pool,
            notices: Notices::to(thread::current()),
            listener,
            poke_address: reachable(address),
            pokes: VecDeque::new(),
            max_pokes: MAX_POKES,
            reserve: Reserve::default(),
            last_client: Instant::now(),
            unanswered: None,
            pause: FIRST_PAUSE,
            next_start: Instant::now(),
        };
        sentinel.open_post()?;
        Ok(sentinel)
    }

    /// Returns when it is asked to stop, and everyone is served; and with an error when
    /// abandoned connections hold half of the process's `descriptors`: a supervisor can
    /// start it anew, but nothing can take them back.
    pub(super) fn watch(mut self, descriptors: usize, stop: &Stop) -> io::Result<()> {
        self.max_pokes = MAX_POKES.min(descriptors / POKES_PART);
        while !stop.is_asked() {
            let quiet = self.last_client.elapsed() > QUIET_AFTER;
            thread::park_timeout(if quiet { QUIET_TICK } else { TICK });
            self.collect_answers();
            if self.is_accept_dead() {
                self.restart();
            } else {
                self.poke();
            }
            // Two descriptors each.
            if exchange::abandoned() > descriptors / 4 {
                return Err(io::Error::other(
                    "clients who announced absurdly large bodies hold half of all descriptors",
                ));
            }
        }
        self.finish(stop.patience());
        Ok(())
    }

    /// Takes no new clients; those who are being answered may be for `patience`.
    fn finish(&self, patience: Duration) {
        // Linux turns new clients away from here on. Elsewhere this does nothing, and
        // they are told as are those who are connected already.
        if let Err(error) = SockRef::from(&self.listener).shutdown(Shutdown::Both) {
            log::debug!("the listener cannot be shut: {error}");
        }
        let pool = &self.pool;
        let unfinished = pool.stop();
        log::info!(
            "stopping: {unfinished} requests may go on for {} s at most",
            patience.as_secs_f32()
        );
        if !pool.is_done_within(patience) {
            pool.break_off();
            if !pool.is_done_within(LAST_WORDS) {
                log::warn!("stopped with requests that could not be ended");
            }
        }
        log::info!("stopped");
    }

    fn collect_answers(&mut self) {
        let before = self.pokes.len();
        self.pokes.retain_mut(|poke| !poke.is_answered());
        if self.pokes.len() < before {
            self.unanswered = None;
            self.pause = FIRST_PAUSE;
        }
    }

    fn is_accept_dead(&self) -> bool {
        let is_long_ago = |since: Instant| since.elapsed() > DEAF_AFTER;
        self.unanswered.is_some_and(is_long_ago)
            || self.notices.accept_ended.load(Ordering::Relaxed)
    }

    fn poke(&mut self) {
        let owed = self.notices.new_clients.swap(0, Ordering::Relaxed);
        if owed > 0 {
            self.last_client = Instant::now();
        }
        let is_busy = self.last_client.elapsed() < BUSY_FOR;
        let least = if is_busy { BUSY_POKES } else { 1 };
        let room = self.max_pokes.saturating_sub(self.pokes.len());
        for _ in 0..owed.min(room).max(least) {
            match Poke::send(self.poke_address) {
                Ok(poke) => self.await_answer(poke),
                Err(error) => {
                    log::debug!("cannot connect to {}: {error}", self.poke_address);
                    // The queue in front of the accept thread is full.
                    if error.kind() == ErrorKind::TimedOut {
                        self.unanswered.get_or_insert_with(Instant::now);
                    }
                    return self.reserve.release();
                }
            }
        }
        if !self.reserve.is_full() {
            self.reserve.refill(&self.listener);
        }
    }

    /// A poke whose connection is given up for want of room does its work all the same.
    fn await_answer(&mut self, poke: Poke) {
        if self.pokes.len() >= 2 * self.max_pokes {
            self.pokes.pop_front();
        }
        self.pokes.push_back(poke);
        self.unanswered.get_or_insert_with(Instant::now);
    }

    /// Puts a new tiny_http on the listener, once there is room for it. What it costs
    /// stays for ever: the old one cannot be dropped.
    fn restart(&mut self) {
        // Nobody answers these any more, and what they hold may be all that is missing.
        self.pokes.clear();
        self.unanswered = None;
        self.notices.accept_ended.store(true, Ordering::Relaxed);
        if Instant::now() < self.next_start || !self.reserve.refill(&self.listener) {
            return;
        }
        if !headroom::has_threads(THREADS_TO_START) {
            self.next_start = Instant::now() + FIRST_PAUSE;
            return;
        }
        self.next_start = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        match self.open_post() {
            Ok(()) => log::warn!("the accept thread had ended; accepting again"),
            Err(error) => log::warn!("cannot accept connections: {error}"),
        }
    }

    fn open_post(&mut self) -> io::Result<()> {
        let notices = self.notices.clone();
        let opened = self.listener.try_clone().and_then(|listener| {
            let open = move || Post::open(listener, &notices);
            self.pool.stand_by(open)
        });
        if opened.is_err() {
            self.notices.accept_ended.store(true, Ordering::Relaxed);
        }
        opened
    }
}

impl Poke {
    fn send(address: SocketAddr) -> io::Result<Self> {
        let connection = TcpStream::connect_timeout(&address, POKE_CONNECT)?;
        connection.shutdown(Shutdown::Write)?;
        connection.set_nonblocking(true)?;
        Ok(Self(connection))
    }

    /// Whether tiny_http has closed it, however.
    fn is_answered(&mut self) -> bool {
        !matches!(self.0.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

/// The address to reach a listener at that is bound to every one.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
