//! The threads that answer, and the order in which requests get one.
//!
//! Each worker takes its requests from tiny_http itself, so that nothing has to be
//! handed over. One always stands by: whoever takes a request when nobody else does
//! first starts another. When there may be no more, that last one passes requests to a
//! small reserve, which says no at once.
//!
//! Requests of one connection wait for one another: tiny_http hands out all that a
//! client pipelines, and would block a thread for each until its predecessor is answered.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tiny_http::Request;

use crate::server::transport::exchange;
use crate::server::transport::listener::{Handler, Limits, Refusal};
use crate::server::transport::post::Post;
use crate::server::transport::presence::{Identity, Presence};

/// How long a thread waits for work before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// Threads of the reserve. One would do, if no client were slow in sending the body of
/// a request that is refused.
const RESERVE_THREADS: usize = 16;

/// Half of what the standard library gives, because thousands of threads add up where
/// memory is not overcommitted. JSON of the greatest depth that serde_json takes (128)
/// needs almost half of it in a debug build.
const STACK_BYTES: usize = 1024 * 1024;

/// Pipelined requests that wait for their predecessor, for each connection.
const MAX_PARKED: usize = 64;

/// Connections remembered as out of step, and for how long: after that much silence
/// the listener's receive timeout has ended them.
const MAX_SHUNNED: usize = 1024;
const SHUNNED_FOR: Duration = Duration::from_secs(120);

pub(super) struct Pool {
    handler: Arc<dyn Handler>,
    limits: Limits,
    presence: Arc<Presence>,
    state: Mutex<State>,
    /// Wakes a thread of the reserve.
    wake: Condvar,
    /// Wakes whoever waits for the last request.
    done: Condvar,
}

struct Job {
    raw: Request,
    task: Task,
    /// When it came, if its address is shunned: it may be of a later connection from
    /// there. A worker finds out, since a look at the connections takes milliseconds
    /// where they are many, and a client can leave thousands of requests behind.
    suspect_since: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    Serve,
    Refuse(Refusal),
    /// Of a connection that is out of step or too far ahead.
    Discard,
}

struct State {
    /// Requests that workers are answering.
    serving: usize,
    reserve: Reserve,
    /// Whose request is being answered, and what they sent meanwhile.
    busy: HashMap<SocketAddr, VecDeque<Job>>,
    shunned: HashMap<SocketAddr, Shunned>,
    is_stopping: bool,
}

/// A connection that is out of step. tiny_http tells its address alone, which others
/// can have after it.
#[derive(Clone, Copy)]
struct Shunned {
    since: Instant,
    identity: Option<Identity>,
}

/// Threads that say no. All is changed together, under one lock; so whoever queues a
/// job knows whether a thread will come for it.
struct Reserve {
    queue: VecDeque<Job>,
    threads: usize,
    /// Threads that will look at the queue next, those being started included.
    idle: usize,
}

impl Pool {
    /// Fails if not even the first thread of the reserve can be started.
    pub(super) fn start(
        handler: Arc<dyn Handler>,
        limits: Limits,
        presence: Arc<Presence>,
    ) -> io::Result<Arc<Self>> {
        let reserve = Reserve {
            queue: VecDeque::new(),
            threads: 1,
            idle: 1,
        };
        let pool = Arc::new(Self {
            handler,
            limits,
            presence,
            state: Mutex::new(State {
                serving: 0,
                reserve,
                busy: HashMap::new(),
                shunned: HashMap::new(),
                is_stopping: false,
            }),
            wake: Condvar::new(),
            done: Condvar::new(),
        });
        pool.spawn_reserve()?;
        Ok(pool)
    }

    /// Opens a post on a thread of its own, which then stands by it: were it opened
    /// first, clients might be accepted whom nobody serves.
    pub(super) fn stand_by(
        self: &Arc<Self>,
        open: impl FnOnce() -> io::Result<Arc<Post>> + Send + 'static,
    ) -> io::Result<()> {
        let pool = Arc::clone(self);
        let (report, opened) = mpsc::sync_channel(1);
        spawn("worker", move || match open() {
            Ok(post) => {
                post.waiting.fetch_add(1, Ordering::Relaxed);
                let _ = report.send(Ok(()));
                pool.work(&post);
            }
            Err(error) => {
                let _ = report.send(Err(error));
            }
        })?;
        opened.recv().map_err(io::Error::other)?
    }

    /// Serves until there is nothing to do for long, and others stand by.
    fn work(self: Arc<Self>, post: &Arc<Post>) {
        loop {
            if post.attend(IDLE) {
                let job = self.listen(post);
                post.leave();
                self.serve(job);
                let _state = self.state();
                post.waiting.fetch_add(1, Ordering::Relaxed);
            } else if self.may_leave(post) {
                return;
            }
        }
    }

    /// Takes requests on, until there is one for this very thread.
    fn listen(self: &Arc<Self>, post: &Arc<Post>) -> Job {
        loop {
            let Some(job) = self.next_in_line(post.next()) else {
                continue;
            };
            if self.is_spared(post) {
                return job;
            }
            self.pass_to_reserve(job);
        }
    }

    fn may_leave(&self, post: &Post) -> bool {
        let _state = self.state();
        let is_another_there = post.waiting.load(Ordering::Relaxed) > 1;
        if is_another_there {
            post.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        is_another_there
    }

    /// Whether another worker stands by, after one was started if need be.
    fn is_spared(self: &Arc<Self>, post: &Arc<Post>) -> bool {
        let mut state = self.state();
        if state.serving >= self.limits.max_in_flight {
            return false;
        }
        state.serving += 1;
        if post.waiting.load(Ordering::Relaxed) > 1 {
            post.waiting.fetch_sub(1, Ordering::Relaxed);
            return true;
        }
        // The new one waits in this one's stead.
        drop(state);
        let (pool, beside) = (Arc::clone(self), Arc::clone(post));
        match spawn("worker", move || pool.work(&beside)) {
            Ok(()) => true,
            Err(error) => {
                log::warn!("cannot start another thread: {error}");
                self.state().serving -= 1;
                false
            }
        }
    }

    /// The request as a job, unless its connection has one that is not yet answered.
    /// Never blocks on a client, and so never writes to one.
    fn next_in_line(&self, raw: Request) -> Option<Job> {
        // Only sockets that are not TCP have no address.
        let peer = raw.remote_addr().copied()?;
        let mut state = self.state();
        let suspect_since = state.is_shunned(peer).then(Instant::now);
        let mut job = Job {
            raw,
            task: Task::Serve,
            suspect_since,
        };
        let parked = match state.busy.entry(peer) {
            Entry::Vacant(free) => {
                free.insert(VecDeque::new());
                return Some(job);
            }
            Entry::Occupied(busy) => busy.into_mut(),
        };
        if parked.len() < MAX_PARKED {
            parked.push_back(job);
        } else if suspect_since.is_none() {
            job.task = Task::Refuse(Refusal::Overloaded);
            parked.push_back(job);
            drop(state);
            let identity = self.presence.identity_now(peer, Duration::ZERO);
            self.state().shun(peer, identity);
            log::warn!("{peer} sent more than {MAX_PARKED} requests ahead; the rest is ignored");
        } else if exchange::holds_connection(&job.raw) {
            job.task = Task::Discard;
            parked.push_back(job);
        } else {
            drop(state);
            exchange::discard(job.raw);
        }
        None
    }

    /// On a worker, which was counted.
    fn serve(&self, mut job: Job) {
        loop {
            if self.state().is_stopping && job.task == Task::Serve {
                job.task = Task::Refuse(Refusal::Stopping);
            }
            let peer = job.raw.remote_addr().copied();
            self.run(job);
            let mut state = self.state();
            match self.next_of(&mut state, peer) {
                Some(next) => job = next,
                None => {
                    state.serving -= 1;
                    return;
                }
            }
        }
    }

    /// What the connection has sent meanwhile.
    fn next_of(&self, state: &mut State, peer: Option<SocketAddr>) -> Option<Job> {
        let peer = peer?;
        let next = state.busy.get_mut(&peer)?.pop_front();
        if next.is_none() {
            state.busy.remove(&peer);
            self.done.notify_all();
        }
        next
    }

    /// For a request that no worker can be spared for.
    fn pass_to_reserve(self: &Arc<Self>, mut job: Job) {
        let mut state = self.state();
        if job.task == Task::Serve {
            if state.is_stopping {
                job.task = Task::Refuse(Refusal::Stopping);
            } else if !self.is_light(&job.raw) {
                job.task = Task::Refuse(Refusal::Overloaded);
            }
        }
        let reserve = &mut state.reserve;
        reserve.queue.push_back(job);
        if reserve.queue.len() <= reserve.idle {
            return self.wake.notify_one();
        }
        if reserve.threads >= RESERVE_THREADS {
            return;
        }
        reserve.threads += 1;
        reserve.idle += 1;
        drop(state);
        // There always is one that will come.
        if let Err(error) = self.spawn_reserve() {
            log::warn!("cannot start another thread: {error}");
            let reserve = &mut self.state().reserve;
            reserve.threads -= 1;
            reserve.idle -= 1;
        }
    }

    fn spawn_reserve(self: &Arc<Self>) -> io::Result<()> {
        let pool = Arc::clone(self);
        spawn("reserve", move || {
            while let Some(job) = pool.next_for_reserve() {
                let peer = job.raw.remote_addr().copied();
                pool.run(job);
                let mut state = pool.state();
                state.reserve.idle += 1;
                let next = pool.next_of(&mut state, peer);
                drop(state);
                if let Some(job) = next {
                    pool.pass_to_reserve(job);
                }
            }
        })
    }

    /// Waits for a job; without one for long, takes the thread off the roster. One stays.
    fn next_for_reserve(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if let Some(job) = state.reserve.queue.pop_front() {
                state.reserve.idle -= 1;
                return Some(job);
            }
            let (woken, waited) = self
                .wake
                .wait_timeout(state, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            let reserve = &mut state.reserve;
            if waited.timed_out() && reserve.queue.is_empty() && reserve.threads > 1 {
                reserve.idle -= 1;
                reserve.threads -= 1;
                return None;
            }
        }
    }

    /// A panic costs this request, and what comes after it over its connection.
    fn run(&self, job: Job) {
        let peer = job.raw.remote_addr().copied();
        let outcome = catch_unwind(AssertUnwindSafe(|| self.run_unguarded(job)));
        if let (Err(_), Some(peer)) = (outcome, peer) {
            self.shun(peer, None);
        }
    }

    fn run_unguarded(&self, job: Job) {
        let handler = &*self.handler;
        let peer = job.raw.remote_addr().copied();
        let out_of_step = |identity| {
            if let Some(peer) = peer {
                self.shun(peer, identity);
            }
        };
        let (presence, limits) = (&self.presence, self.limits);
        if let (Some(since), Some(peer)) = (job.suspect_since, peer)
            && self.shuns(peer, since)
        {
            return exchange::discard(job.raw);
        }
        match job.task {
            Task::Serve => exchange::serve(job.raw, handler, limits, presence, &out_of_step),
            Task::Refuse(refusal) => {
                exchange::refuse_unread(job.raw, handler, refusal, presence, &out_of_step);
            }
            Task::Discard => exchange::discard(job.raw),
        }
    }

    /// What has come over this connection is not to be acted upon, nor what comes.
    fn shun(&self, peer: SocketAddr, identity: Option<Identity>) {
        let mut state = self.state();
        state.shun(peer, identity);
        for job in state.busy.get_mut(&peer).into_iter().flatten() {
            job.suspect_since = Some(Instant::now());
        }
    }

    /// Begins nothing new. Says how many are being answered.
    pub(super) fn stop(&self) -> usize {
        let mut state = self.state();
        state.is_stopping = true;
        state.busy.len()
    }

    /// Waits until nobody is being answered, but not longer than `patience`.
    pub(super) fn is_done_within(&self, patience: Duration) -> bool {
        let is_busy = |state: &mut State| !state.busy.is_empty();
        let waited = self
            .done
            .wait_timeout_while(self.state(), patience, is_busy);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.busy.is_empty()
    }

    /// Whoever waits for an answer gets no more of it.
    pub(super) fn break_off(&self) {
        self.presence.break_off();
    }

    /// Whether a request that came at that moment is of the shunned connection. Where
    /// nothing tells connections apart, whoever has the address is shunned.
    fn shuns(&self, peer: SocketAddr, came: Instant) -> bool {
        let Some(before) = self.state().shunned.get(&peer).copied() else {
            return false;
        };
        let now = before
            .identity
            .and_then(|_| self.presence.identity(peer, came.elapsed()));
        let is_another =
            matches!((now, before.identity), (Some(now), Some(before)) if now.succeeds(before));
        let mut state = self.state();
        if is_another {
            state.shunned.remove(&peer);
        } else if let Some(shunned) = state.shunned.get_mut(&peer) {
            shunned.since = Instant::now();
        }
        !is_another
    }

    fn is_light(&self, raw: &Request) -> bool {
        let (path, _) = exchange::split_target(raw.url());
        !exchange::holds_connection(raw) && self.handler.is_light(path)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_shunned(&self, peer: SocketAddr) -> bool {
        let shunned = self.shunned.get(&peer);
        shunned.is_some_and(|shunned| shunned.since.elapsed() < SHUNNED_FOR)
    }

    fn shun(&mut self, peer: SocketAddr, identity: Option<Identity>) {
        if self.shunned.len() >= MAX_SHUNNED {
            self.shunned
                .retain(|_, shunned| shunned.since.elapsed() < SHUNNED_FOR);
        }
        if self.shunned.len() >= MAX_SHUNNED {
            let oldest = self.shunned.iter().min_by_key(|(_, one)| one.since);
            if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
                self.shunned.remove(&oldest);
            }
        }
        let shunned = Shunned {
            since: Instant::now(),
            identity,
        };
        self.shunned.insert(peer, shunned);
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(work)
        .map(drop)
}
