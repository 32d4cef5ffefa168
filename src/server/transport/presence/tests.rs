//! Who is in the table, who is not any more, and how often it is looked at.
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

/// The one who looks holds everyone up who wants to know exactly, and nobody else.
#[test]
fn while_another_looks_what_was_seen_last_counts() {
    let presence = Presence::at(peer("127.0.0.1:0"));
    let turn = presence.looking.lock().unwrap();
    assert!(!presence.has_left(peer("[::1]:1"), Instant::now()));
    assert!(presence.looks().last.is_none());
    drop(turn);
    assert!(!presence.has_left(peer("[::1]:1"), Instant::now()));
    assert!(presence.looks().last.is_some());
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
        looking: Mutex::default(),
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
