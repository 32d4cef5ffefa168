//! The threads that answer, and the order in which requests get one.
//!
//! As many workers as are needed, up to a limit; behind them a small reserve that says
//! no at once when the limit is reached. Requests of one connection wait for one
//! another: tiny_http hands out all that a client pipelines, and would block a thread
//! for each until its predecessor is answered.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tiny_http::Request;

use crate::server::transport::exchange;
use crate::server::transport::listener::{Handler, Limits, Refusal};
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
    /// Wakes a worker, or a thread of the reserve.
    wake: [Condvar; 2],
    /// Wakes whoever waits for the last request.
    done: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Crew {
    Workers = 0,
    Reserve = 1,
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
    crews: [Roster; 2],
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

/// All numbers are changed together with the queue, under one lock; so whoever queues a
/// job knows whether a thread will come for it.
struct Roster {
    queue: VecDeque<Job>,
    threads: usize,
    max_threads: usize,
    /// Threads that will look at the queue next, those being started included.
    idle: usize,
}

impl Pool {
    /// Fails if not even the first thread can be started.
    pub(super) fn start(
        handler: Arc<dyn Handler>,
        limits: Limits,
        presence: Arc<Presence>,
    ) -> io::Result<Arc<Self>> {
        let roster = |max_threads, threads| Roster {
            queue: VecDeque::new(),
            threads,
            max_threads,
            idle: threads,
        };
        let pool = Arc::new(Self {
            handler,
            limits,
            presence,
            state: Mutex::new(State {
                crews: [roster(limits.max_in_flight, 0), roster(RESERVE_THREADS, 1)],
                busy: HashMap::new(),
                shunned: HashMap::new(),
                is_stopping: false,
            }),
            wake: [Condvar::new(), Condvar::new()],
            done: Condvar::new(),
        });
        pool.spawn(Crew::Reserve)?;
        Ok(pool)
    }

    /// Takes a request on. Never blocks on a client, and so never writes to one.
    pub(super) fn submit(self: &Arc<Self>, raw: Request) {
        let Some(peer) = raw.remote_addr().copied() else {
            return; // only sockets that are not TCP have no address
        };
        let mut state = self.state();
        let suspect_since = state.is_shunned(peer).then(Instant::now);
        let mut job = Job {
            raw,
            task: Task::Serve,
            suspect_since,
        };
        match state.busy.entry(peer) {
            Entry::Vacant(free) => {
                free.insert(VecDeque::new());
                let short_of = self.admit(&mut state, job);
                drop(state);
                self.reinforce(short_of);
            }
            Entry::Occupied(mut busy) => {
                let parked = busy.get_mut();
                if parked.len() < MAX_PARKED {
                    parked.push_back(job);
                } else if suspect_since.is_none() {
                    job.task = Task::Refuse(Refusal::Overloaded);
                    parked.push_back(job);
                    drop(state);
                    let identity = self.presence.identity_now(peer, Duration::ZERO);
                    self.state().shun(peer, identity);
                    log::warn!(
                        "{peer} sent more than {MAX_PARKED} requests ahead; the rest is ignored"
                    );
                } else if exchange::holds_connection(&job.raw) {
                    job.task = Task::Discard;
                    parked.push_back(job);
                } else {
                    drop(state);
                    exchange::discard(job.raw);
                }
            }
        }
    }

    /// Queues a job, and returns the crew that needs one more thread for it.
    fn admit(&self, state: &mut State, mut job: Job) -> Option<Crew> {
        if state.is_stopping && job.task == Task::Serve {
            job.task = Task::Refuse(Refusal::Stopping);
        }
        let crew = if state.crews[Crew::Workers as usize].has_room() {
            Crew::Workers
        } else {
            if job.task == Task::Serve && !self.is_light(&job.raw) {
                job.task = Task::Refuse(Refusal::Overloaded);
            }
            Crew::Reserve
        };
        let roster = &mut state.crews[crew as usize];
        roster.queue.push_back(job);
        if roster.queue.len() <= roster.idle {
            self.wake[crew as usize].notify_one();
            None
        } else if roster.threads < roster.max_threads {
            roster.threads += 1;
            roster.idle += 1;
            Some(crew)
        } else {
            None
        }
    }

    /// Starts the thread that [`Self::admit`] has counted already.
    fn reinforce(self: &Arc<Self>, mut short_of: Option<Crew>) {
        while let Some(crew) = short_of.take() {
            let Err(error) = self.spawn(crew) else {
                return;
            };
            log::warn!("cannot start another thread: {error}");
            let mut state = self.state();
            let roster = &mut state.crews[crew as usize];
            roster.threads -= 1;
            roster.idle -= 1;
            // The reserve always has a thread that will come.
            if crew == Crew::Workers && roster.queue.len() > roster.idle {
                // No other worker is to be tried for it.
                let max_threads = mem::replace(&mut roster.max_threads, roster.threads);
                if let Some(job) = roster.queue.pop_back() {
                    short_of = self.admit(&mut state, job);
                }
                state.crews[crew as usize].max_threads = max_threads;
            }
        }
    }

    fn spawn(self: &Arc<Self>, crew: Crew) -> io::Result<()> {
        let pool = Arc::clone(self);
        let name = match crew {
            Crew::Workers => "worker",
            Crew::Reserve => "reserve",
        };
        thread::Builder::new()
            .name(name.to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || pool.work(crew))
            .map(drop)
    }

    fn work(self: Arc<Self>, crew: Crew) {
        while let Some(job) = self.next(crew) {
            let peer = job.raw.remote_addr().copied();
            let outcome = catch_unwind(AssertUnwindSafe(|| self.run(job)));
            if let (Err(_), Some(peer)) = (outcome, peer) {
                self.shun(peer, None);
            }
            self.finish(crew, peer);
        }
    }

    /// Waits for a job; without one for long, takes the thread off the roster.
    fn next(&self, crew: Crew) -> Option<Job> {
        let mut state = self.state();
        loop {
            let roster = &mut state.crews[crew as usize];
            if let Some(job) = roster.queue.pop_front() {
                roster.idle -= 1;
                return Some(job);
            }
            let (woken, waited) = self.wake[crew as usize]
                .wait_timeout(state, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            let roster = &mut state.crews[crew as usize];
            let is_last_reserve = crew == Crew::Reserve && roster.threads == 1;
            if waited.timed_out() && roster.queue.is_empty() && !is_last_reserve {
                roster.idle -= 1;
                roster.threads -= 1;
                return None;
            }
        }
    }

    fn run(&self, job: Job) {
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

    /// Counts the thread as idle again, and lets the connection's next request in.
    fn finish(self: &Arc<Self>, crew: Crew, peer: Option<SocketAddr>) {
        let mut state = self.state();
        state.crews[crew as usize].idle += 1;
        let Some(peer) = peer else { return };
        let parked = state.busy.get_mut(&peer).and_then(VecDeque::pop_front);
        let short_of = if let Some(job) = parked {
            self.admit(&mut state, job)
        } else {
            state.busy.remove(&peer);
            self.done.notify_all();
            None
        };
        drop(state);
        self.reinforce(short_of);
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

impl Roster {
    fn has_room(&self) -> bool {
        self.queue.len() < self.idle || self.threads < self.max_threads
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
