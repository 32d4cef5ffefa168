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

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::http::{GaveUp, Pulse};

/// How long a look is good for. A little less than a second, so that one who asks every
/// second is never told the same twice.
const FRESH: Duration = Duration::from_millis(900);

/// It is good for longer where it takes long: all looks together may take this part of a
/// core. Linux takes 3 ms to walk an empty table, and some 5 µs more for each line; 5000
/// streams to an upstream on the same machine are 20,000 lines, so 100 ms.
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
            is_broken_off: AtomicBool::default(),
        })
    }

    /// From now on every beat fails.
    pub(super) fn break_off(&self) {
        self.is_broken_off.store(true, Ordering::Relaxed);
    }

    fn has_left(&self, peer: SocketAddr, since: Instant) -> bool {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if !looks.last.as_ref().is_some_and(Look::is_fresh) {
            self.look_again(&mut looks);
        }
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
        // Counted before others' looks are waited for: one look serves all who wait.
        let oldest = Instant::now().checked_sub(max_age)?;
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |look: &Look| look.begun >= oldest;
        if !looks.last.as_ref().is_some_and(is_recent) {
            self.look_again(&mut looks);
        }
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

    fn look_again(&self, looks: &mut Looks) {
        looks.before = looks.last.take();
        looks.last = Some(self.look());
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    #[cfg(target_os = "linux")]
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// Cut from a real table; its last column is as long as that of the kernel.
    #[cfg(target_endian = "little")]
    const TABLE: &str = "  \
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:0BB8 0200007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 2 1
   2: 0100007F:0BB8 0200007F:C351 08 00000000:00000000 00:00000000 00000000     0        0 3 1
   3: 0200007F:C350 0100007F:0BB8 01 00000000:00000000 00:00000000 00000000     0        0 4 1
  10: 0100007F:0BB9 0200007F:C352 01 00000000:00000000 00:00000000 00000000     0        0 5 1
  11: 0200007F:0BB8 0200007F:C353 01 00000000:00000000 00:00000000 00000000     0        0 6 1
  12: 0100007F:0BB8 0200007F:C353 08 00000000:00000000 00:00000000 00000000     0        0 7 1
";

    fn peer(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn the_table_tells_who_is_there_and_who_has_closed() {
        let expected = [
            (peer("127.0.0.2:50000"), true, 2),
            (peer("127.0.0.2:50001"), false, 3),
            (peer("127.0.0.2:50003"), true, 6),
        ];
        let expected = expected.map(|(peer, is_open, inode)| (peer, Entry { is_open, inode }));
        let clients = clients_of(TABLE.as_bytes(), 3000).unwrap();
        assert_eq!(clients, expected.into());
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn a_table_without_our_listener_is_known() {
        let lists = |table: &str, port| lists_listener(table.as_bytes(), port).unwrap();
        for table in ["", "garbage\n\n  : :\n", &TABLE.replace(" 0A ", " 01 ")] {
            assert!(!lists(table, 3000), "{table}");
        }
        assert!(lists(TABLE, 3000) && !lists(TABLE, 3001));
    }

    /// The clients of a listener that is shut are still told apart from others.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_table_is_believed_when_our_listener_is_shut_and_not_without_one() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let presence = Presence::at(address);
        let clients = [(); 2].map(|()| TcpStream::connect(address).unwrap());
        let _accepted = [(); 2].map(|()| listener.accept().unwrap());
        drop(listener);
        let [stays, leaves] = clients;
        let [stayer, leaver] = [&stays, &leaves].map(|client| client.local_addr().unwrap());
        let since = Instant::now();
        drop(leaves);
        assert!(presence.has_left(leaver, since) && !presence.has_left(stayer, since));
        assert!(Presence::at(address).table.is_none());
    }

    #[test]
    fn a_look_that_takes_long_is_good_for_longer_but_not_for_long() {
        for (took, age, is_fresh) in [
            (1, 800, true),
            (1, 1000, false),
            (75, 1400, true),
            (75, 1600, false),
            (5000, 1900, true),
            (5000, 2100, false),
        ] {
            let [took, age] = [took, age].map(Duration::from_millis);
            let look = Look {
                begun: Instant::now().checked_sub(age).unwrap(),
                took,
                clients: None,
            };
            assert_eq!(look.is_fresh(), is_fresh, "{took:?} {age:?}");
        }
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn addresses_of_both_families_are_read_and_mapped_ones_are_the_same() {
        let read = |text: &str| address(text.as_bytes());
        for (text, expected) in [
            ("0100007F:C350", "127.0.0.1:50000"),
            ("0000000000000000FFFF00000100007F:C350", "127.0.0.1:50000"),
            ("00000000000000000000000001000000:0001", "[::1]:1"),
            (
                "B80D0120000000000000000001000000:FFFF",
                "[2001:db8::1]:65535",
            ),
        ] {
            assert_eq!(read(text), Some(peer(expected)), "{text}");
        }
        assert_eq!(canonical(peer("[::ffff:127.0.0.1]:1")), peer("127.0.0.1:1"));
        for text in ["", ":", "0100007F", "0100007F:X", "Ü100007F:C350", "01:1"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn another_connection_of_the_same_address_is_known_by_its_inode() {
        let [first, second, gone] = [Some(1), Some(2), None].map(Identity);
        assert!(second.succeeds(first) && second.succeeds(gone));
        assert!(!first.succeeds(first) && !gone.succeeds(first) && !gone.succeeds(gone));
    }

    #[test]
    fn only_who_is_missing_twice_has_left() {
        let before = Instant::now();
        let look = |clients: Option<&[(SocketAddr, bool)]>| {
            let entry = |&(peer, is_open)| (peer, Entry { is_open, inode: 1 });
            let clients = clients.map(|clients: &[_]| clients.iter().map(entry).collect());
            Some(Look {
                begun: Instant::now(),
                took: Duration::ZERO,
                clients,
            })
        };
        let (here, closed, missing) = (peer("[::1]:1"), peer("[::1]:2"), peer("[::1]:3"));
        let seen = [(here, true), (closed, false)];
        let with = |last, before| Presence {
            table: None,
            port: 0,
            looks: Mutex::new(Looks { last, before }),
            is_broken_off: AtomicBool::default(),
        };
        let once = with(look(Some(&seen)), look(Some(&[(missing, true)])));
        let twice = with(look(Some(&seen)), look(Some(&seen)));
        let unsure = with(look(Some(&seen)), look(None));
        let blind = with(look(None), look(Some(&seen)));
        let left = |presence: &Presence, since| {
            [here, closed, missing].map(|peer| presence.has_left(peer, since))
        };
        assert_eq!(left(&once, before), [false, true, false]);
        assert_eq!(left(&twice, before), [false, true, true]);
        assert_eq!(left(&unsure, before), [false, true, false]);
        assert_eq!(left(&blind, before), [false; 3]);
        // Whoever came after the look is not in it.
        assert_eq!(left(&twice, Instant::now()), [false; 3]);
    }
}
