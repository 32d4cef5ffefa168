//! Whether a client is still there while nothing is sent to it.
//!
//! tiny_http keeps the socket to itself, so nobody can look for its end. The kernel's
//! table of connections can be looked at (Linux, `Documentation/networking/proc_net_tcp`):
//! our side of a connection is ESTABLISHED while the client is there, CLOSE_WAIT once it
//! has closed, and gone from the table once it has reset.
//!
//! One look serves everyone who waits. Where there is no such table, or none that can be
//! believed, everyone is taken to be there; then only a failing write tells.
//!
//! A client who closes its sending half alone cannot be told from one who closed, and
//! counts as gone; so it does with Go's `net/http`.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::http::{GaveUp, Pulse};

/// How long a look is good for. A little less than a second, so that one who asks every
/// second is never told the same twice.
const FRESH: Duration = Duration::from_millis(900);

/// It is good for longer where it takes long: all looks together may take this part of a
/// core. Linux walks an empty table in 3 ms (262,144 buckets), and takes 1.6 µs more for
/// each line: 5000 streams to an upstream on the same machine are 20,000 lines, so 35 ms,
/// and several times that while all cores are busy.
const LOOKS_PART: u32 = 20;

/// But never for longer than this, so that leaving still shows.
const STALE: Duration = Duration::from_secs(2);

/// States of a connection (`include/net/tcp_states.h`).
const ESTABLISHED: &[u8] = b"01";
const LISTEN: &[u8] = b"0A";

/// Who is connected to our port.
#[derive(Debug)]
pub(super) struct Presence {
    /// Where it is believed.
    table: Option<PathBuf>,
    port: u16,
    looks: Mutex<Looks>,
    /// Held by the one who looks; the others need not wait.
    looking: Mutex<()>,
    /// Nobody is served any more, though they may be there.
    is_broken_off: AtomicBool,
}

#[derive(Debug, Default)]
struct Looks {
    last: Option<Look>,
    /// The table is not read in one go, and a line may be missed while others go.
    /// Only who is missing twice has left.
    before: Option<Look>,
}

/// The inode of a connection's socket; `None` if the connection has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(Option<u64>);

/// The table, at a moment.
#[derive(Debug)]
struct Look {
    begun: Instant,
    took: Duration,
    /// `None` if the table cannot be believed.
    clients: Option<HashMap<SocketAddr, Entry>>,
}

/// A connection, as the table has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// From both sides.
    is_open: bool,
    inode: u64,
}

/// One connection of a client's, as far as a request on it knows.
#[derive(Debug, Clone)]
pub(super) struct Client {
    presence: Arc<Presence>,
    peer: Option<SocketAddr>,
    /// The connection was there; whoever looked before may not have seen it.
    since: Instant,
    /// Once found to have left; nothing is sent any more.
    has_left: Arc<AtomicBool>,
}

impl Presence {
    /// For a listener at this address, which listens already. A table in which it does
    /// not stand is not that of the kernel that we run on, or in another form.
    ///
    /// That is not asked again: when serving is to end the listener is shut, its line
    /// goes, and those of our clients stay. Another process may then listen at our
    /// address. Its clients stand beside ours, but have addresses of their own as long
    /// as ours are there, so nobody of ours is taken for gone.
    pub(super) fn at(address: SocketAddr) -> Arc<Self> {
        // Connections to an IPv6 listener stand in its table, those from IPv4, too.
        let table = match address {
            SocketAddr::V4(_) => "/proc/self/net/tcp",
            SocketAddr::V6(_) => "/proc/self/net/tcp6",
        };
        let port = address.port();
        let lists_us = File::open(table).and_then(|table| lists_listener(table, port));
        if !lists_us.as_ref().is_ok_and(|lists_us| *lists_us) {
            log::debug!("{table} does not tell who is there: {lists_us:?}");
        }
        Arc::new(Self {
            table: matches!(lists_us, Ok(true)).then(|| table.into()),
            port,
            looks: Mutex::default(),
            looking: Mutex::default(),
            is_broken_off: AtomicBool::default(),
        })
    }

    /// From now on every beat fails.
    pub(super) fn break_off(&self) {
        self.is_broken_off.store(true, Ordering::Relaxed);
    }

    /// Streams that flow ask with each event, so nobody waits here while another looks.
    fn has_left(&self, peer: SocketAddr, since: Instant) -> bool {
        let is_fresh = || self.looks().last.as_ref().is_some_and(Look::is_fresh);
        if !is_fresh()
            && let Ok(_turn) = self.looking.try_lock()
            && !is_fresh()
        {
            self.look_again();
        }
        let looks = self.looks();
        let peer = canonical(peer);
        let seen = |look: &Option<Look>| {
            let look = look.as_ref().filter(|look| look.begun >= since)?;
            let clients = look.clients.as_ref()?;
            Some(clients.get(&peer).copied())
        };
        match seen(&looks.last) {
            Some(Some(entry)) => !entry.is_open,
            Some(None) => seen(&looks.before) == Some(None),
            None => false,
        }
    }

    /// Tells a connection from others that the same address had before or has later, by
    /// a look that may be so old. `None` where nothing tells.
    pub(super) fn identity(&self, peer: SocketAddr, max_age: Duration) -> Option<Identity> {
        let oldest = Instant::now().checked_sub(max_age)?;
        let is_recent =
            |looks: &Looks| looks.last.as_ref().is_some_and(|look| look.begun >= oldest);
        if !is_recent(&self.looks()) {
            let _turn = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
            // One look serves all who waited for their turn.
            if !is_recent(&self.looks()) {
                self.look_again();
            }
        }
        let looks = self.looks();
        let clients = looks.last.as_ref()?.clients.as_ref()?;
        let found = clients.get(&canonical(peer));
        Some(Identity(found.map(|entry| entry.inode)))
    }

    /// The same, for a connection that is there unless it has just gone.
    pub(super) fn identity_now(&self, peer: SocketAddr, max_age: Duration) -> Option<Identity> {
        match self.identity(peer, max_age)? {
            Identity(None) => self.identity(peer, Duration::ZERO),
            found => Some(found),
        }
    }

    /// For the one who has the turn.
    fn look_again(&self) {
        let look = self.look();
        let mut looks = self.looks();
        looks.before = looks.last.replace(look);
    }

    fn looks(&self) -> MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> Look {
        let begun = Instant::now();
        let clients = self.table.as_ref().and_then(|table| {
            let clients = File::open(table).and_then(|table| clients_of(table, self.port));
            clients
                .inspect_err(|error| log::debug!("{} cannot be read: {error}", table.display()))
                .ok()
        });
        Look {
            begun,
            took: begun.elapsed(),
            clients,
        }
    }
}

impl Look {
    fn is_fresh(&self) -> bool {
        let good_for = (self.took * LOOKS_PART).clamp(FRESH, STALE);
        self.begun.elapsed() < good_for
    }
}

impl Identity {
    /// Whether this is certainly another connection than the one that was `before`.
    pub(super) fn succeeds(self, before: Self) -> bool {
        self.0.is_some() && self != before
    }
}

impl Client {
    /// Of a connection that is there now.
    pub(super) fn new(presence: &Arc<Presence>, peer: Option<SocketAddr>) -> Self {
        Self {
            presence: presence.clone(),
            peer,
            since: Instant::now(),
            has_left: Arc::default(),
        }
    }

    /// Looks at the system's table, once a second at most.
    pub(super) fn beat(&self) -> Result<(), GaveUp> {
        let peer = self.peer;
        if peer.is_some_and(|peer| self.presence.has_left(peer, self.since)) {
            self.has_left.store(true, Ordering::Relaxed);
        }
        if self.has_left() {
            Err(GaveUp::Left)
        } else if self.presence.is_broken_off.load(Ordering::Relaxed) {
            Err(GaveUp::Stopped)
        } else {
            Ok(())
        }
    }

    /// Of the connection, while it is there.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.presence.identity_now(self.peer?, self.since.elapsed())
    }

    /// Whether a beat has found it so.
    pub(super) fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Relaxed)
    }

    /// Beats until the client leaves, or is left.
    pub(super) fn pulse(&self) -> Pulse {
        let client = self.clone();
        Pulse::new(move || client.beat())
    }
}

/// Whether somebody listens at `port`. Listeners come first in the table, so that of it
/// little is read.
fn lists_listener(table: impl io::Read, port: u16) -> io::Result<bool> {
    let mut is_listed = false;
    each_entry(table, port, |_, state, _| {
        is_listed = state == LISTEN;
        !is_listed
    })?;
    Ok(is_listed)
}

/// Who is connected to `port`.
fn clients_of(table: impl io::Read, port: u16) -> io::Result<HashMap<SocketAddr, Entry>> {
    let mut clients = HashMap::new();
    each_entry(table, port, |peer, state, inode| {
        if let Some(peer) = address(peer).filter(|_| state != LISTEN) {
            let is_open = state == ESTABLISHED;
            // Another process may serve this port at another address of ours.
            let known = clients.entry(peer).or_insert(Entry { is_open, inode });
            known.is_open |= is_open;
        }
        true
    })?;
    Ok(clients)
}

/// Hands out peer, state and inode of what is of `port`, for as long as more is wanted.
fn each_entry(
    table: impl io::Read,
    port: u16,
    mut take: impl FnMut(&[u8], &[u8], u64) -> bool,
) -> io::Result<()> {
    let suffix = format!(":{port:04X}");
    let mut table = BufReader::new(table);
    let mut line = Vec::new();
    while table.read_until(b'\n', &mut line)? > 0 {
        let entry = entry(&line, suffix.as_bytes());
        if entry.is_some_and(|(peer, state, inode)| !take(peer, state, inode)) {
            break;
        }
        line.clear();
    }
    Ok(())
}

/// Peer, state and inode of a line of the table, if it is of our port:
/// `0: 0100007F:0BB8 0200007F:C350 01 …`
fn entry<'a>(line: &'a [u8], port: &[u8]) -> Option<(&'a [u8], &'a [u8], u64)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let mut fields = fields.by_ref().filter(|field| !field.is_empty());
    let local = fields.nth(1)?;
    if !local.ends_with(port) {
        return None;
    }
    let (peer, state) = (fields.next()?, fields.next()?);
    let inode = str::from_utf8(fields.nth(5)?).ok()?.parse().ok()?;
    Some((peer, state, inode))
}

/// An address as the kernel writes it: words of 32 bits in network order, each printed
/// as a number of this machine's, and the port.
fn address(text: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = str::from_utf8(text).ok()?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = ip.get(at..at + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(canonical(SocketAddr::new(ip, port)))
}

/// IPv4 as such, though it came to an IPv6 socket; and without a scope.
fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}
