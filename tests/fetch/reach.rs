//! Where a fetch may not go, however the address is spelt, and whoever is asked
//! to resolve it.

use std::io::{Read, Write, copy};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use gemini_proxy::config::Outbound;
use gemini_proxy::http::{FetchError, Fetcher, Lookup, Pulse, Reach};
use gemini_proxy::secret::Secret;

use crate::web::{LIMITS, Site, Trap, fetcher, ok, redirect};

/// Ways to write this machine, or one beside it.
const INSIDE: [&str; 21] = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "0177.0.0.01",
    "%31%32%37.0.0.1",
    "１２７.0.0.1",
    "127。0。0。1",
    "0.0.0.0",
    "0",
    "localhost",
    "LOCALHOST",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
];

#[test]
fn no_spelling_of_an_address_inside_is_connected_to() {
    let trap = Trap::set();
    let fetcher = fetcher(Reach::public_only());
    for host in INSIDE {
        let outcome = fetcher.get(&trap.url(host), LIMITS, &Pulse::none());
        assert_eq!(outcome, Err(FetchError::NotPublic), "{host}");
        let outcome = fetcher.get(&format!("https://{host}/"), LIMITS, &Pulse::none());
        assert_eq!(outcome, Err(FetchError::NotPublic), "https, {host}");
    }
    trap.assert_untouched();
}

#[test]
fn a_url_that_hides_its_host_is_read_as_it_is_connected_to() {
    let trap = Trap::set();
    let fetcher = fetcher(Reach::public_only());
    let port = trap.port;
    for url in [
        format!("http:\\\\127.0.0.1:{port}\\"),
        format!("http:127.0.0.1:{port}"),
        format!("http:///127.0.0.1:{port}/@example.com"),
        format!("http://127.0.0.1:{port}#@example.com/"),
        format!("http://127.0.0.1:{port}?@example.com/"),
        format!("ht\ntp://127.0.\t0.1:{port}/"),
        format!("  http://127.0.0.1:{port}/"),
    ] {
        let outcome = fetcher.get(&url, LIMITS, &Pulse::none());
        assert_eq!(outcome, Err(FetchError::NotPublic), "{url:?}");
    }
    for url in [
        format!("http://example.com@127.0.0.1:{port}/"),
        format!("http://example.com:80@127.0.0.1:{port}/"),
        format!("http://:secret@127.0.0.1:{port}/"),
        format!("ftp://127.0.0.1:{port}/"),
        "http://127.0.0.1:25/".to_owned(),
        "http://127.0.0.1:0/".to_owned(),
        "http://".to_owned(),
        "/etc/passwd".to_owned(),
    ] {
        let outcome = fetcher.get(&url, LIMITS, &Pulse::none());
        assert!(matches!(outcome, Err(FetchError::BadUrl(_))), "{url}");
    }
    trap.assert_untouched();
}

#[test]
fn an_exception_is_for_one_port_of_one_address() {
    let trap = Trap::set();
    let site = Site::saying(ok(b"bytes"));
    let fetcher = fetcher(Reach::public_only().and(site.address));
    assert!(fetcher.get(&site.url("/"), LIMITS, &Pulse::none()).is_ok());
    let outcome = fetcher.get(&trap.url("127.0.0.1"), LIMITS, &Pulse::none());
    assert_eq!(outcome, Err(FetchError::NotPublic));
    trap.assert_untouched();
}

/// Gives these answers, one after the other, the last for ever; and counts.
fn answers(answers: Vec<SocketAddr>) -> (Arc<Lookup>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let lookup = move |host: &str, _: u16| {
        assert_eq!(host, "images.test");
        let nth = counted.fetch_add(1, Ordering::SeqCst);
        Ok(vec![answers[nth.min(answers.len() - 1)]])
    };
    (Arc::new(lookup), count)
}

#[test]
fn a_name_that_changes_between_check_and_use_is_resolved_only_once() {
    let site = Site::saying(ok(b"bytes"));
    let trap = Trap::set();
    let inside = SocketAddr::from(([127, 0, 0, 1], trap.port));
    let (lookup, count) = answers(vec![site.address, inside]);
    let reach = Reach::public_only().and(site.address).with_lookup(lookup);
    let url = format!("http://images.test:{}/", site.address.port());
    assert_eq!(
        fetcher(reach).get(&url, LIMITS, &Pulse::none()).unwrap(),
        b"bytes"
    );
    assert_eq!(count.load(Ordering::SeqCst), 1);
    trap.assert_untouched();
}

#[test]
fn a_name_that_changes_before_a_redirect_is_checked_again() {
    // Stays open, so that the connection could be used again.
    let site = Site::start(|_, connection| {
        connection.write_all(&redirect("/again")).unwrap();
        let _ = connection.read(&mut [0]);
    });
    let trap = Trap::set();
    let inside = SocketAddr::from(([127, 0, 0, 1], trap.port));
    let (lookup, count) = answers(vec![site.address, inside]);
    let reach = Reach::public_only().and(site.address).with_lookup(lookup);
    let fetcher = fetcher(reach);
    let url = format!("http://images.test:{}/", site.address.port());
    assert_eq!(
        fetcher.get(&url, LIMITS, &Pulse::none()),
        Err(FetchError::NotPublic)
    );
    assert_eq!(count.load(Ordering::SeqCst), 2);
    assert_eq!(site.asked().len(), 1);
    assert_eq!(
        fetcher.get(&url, LIMITS, &Pulse::none()),
        Err(FetchError::NotPublic)
    );
    assert_eq!(site.asked().len(), 1);
    trap.assert_untouched();
}

#[test]
fn an_unknown_name_and_a_refused_one_look_the_same() {
    let unknown: Arc<Lookup> = Arc::new(|_, _| Err(std::io::Error::other("no such host")));
    let reach = Reach::public_only().with_lookup(unknown);
    let outcome = fetcher(reach).get("http://images.test/", LIMITS, &Pulse::none());
    assert_eq!(outcome, Err(FetchError::NotPublic));
}

fn through(proxy: &str, reach: Reach) -> Fetcher {
    let outbound = Outbound {
        proxy: Some(Secret::new(proxy)),
        ..Outbound::default()
    };
    Fetcher::new(&outbound, reach).unwrap()
}

/// Passes bytes on in both directions.
fn pass_on(client: &mut TcpStream, target: SocketAddr) {
    let mut server = TcpStream::connect(target).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || copy(&mut from, &mut to));
    let _ = copy(&mut server, client);
}

#[test]
fn a_proxy_is_asked_for_the_checked_address_and_never_for_a_name() {
    let site = Site::saying(ok(b"bytes"));
    let target = site.address;
    let proxy = Site::start(move |_, connection| {
        connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        pass_on(connection, target);
    });
    let (lookup, _) = answers(vec![target]);
    let reach = Reach::public_only().and(target).with_lookup(lookup);
    let fetcher = through(&format!("http://{}", proxy.address), reach);
    let url = format!("http://images.test:{}/cat.png", target.port());
    assert_eq!(fetcher.get(&url, LIMITS, &Pulse::none()).unwrap(), b"bytes");
    assert_eq!(proxy.asked(), [format!("CONNECT {target} HTTP/1.1")]);
    assert_eq!(site.asked(), ["GET /cat.png HTTP/1.1"]);
}

#[test]
fn a_socks_proxy_is_asked_for_the_checked_address_too() {
    for scheme in ["socks5", "socks5h", "socks4", "socks4a"] {
        let site = Site::saying(ok(b"bytes"));
        let (lookup, _) = answers(vec![site.address]);
        let reach = Reach::public_only().and(site.address).with_lookup(lookup);
        let proxy = socks(site.address);
        let fetcher = through(&format!("{scheme}://{proxy}"), reach);
        let url = format!("http://images.test:{}/", site.address.port());
        assert_eq!(
            fetcher.get(&url, LIMITS, &Pulse::none()).unwrap(),
            b"bytes",
            "{scheme}"
        );
    }
}

/// One connection by SOCKS 5 (RFC 1928) or 4, and only to this address.
fn socks(target: SocketAddr) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let port = target.port().to_be_bytes();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut read = |length| {
            let mut bytes = vec![0; length];
            client.read_exact(&mut bytes).unwrap();
            bytes
        };
        let greeting = read(2);
        if greeting[0] == 4 {
            assert_eq!(read(6), [port.as_slice(), &[127, 0, 0, 1]].concat());
            while read(1) != [0] {} // the user's name
            client.write_all(&[0, 90, 0, 0, 0, 0, 0, 0]).unwrap();
        } else {
            read(greeting[1].into());
            client.write_all(&[5, 0]).unwrap();
            let mut asked = vec![0; 10];
            client.read_exact(&mut asked).unwrap();
            assert_eq!(
                asked,
                [&[5, 1, 0, 1, 127, 0, 0, 1], port.as_slice()].concat()
            );
            client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        }
        pass_on(&mut client, target);
    });
    address
}

#[test]
fn a_proxy_is_not_asked_for_what_is_refused() {
    let proxy = Trap::set();
    for scheme in ["http", "https", "socks5", "socks5h"] {
        let address = format!("{scheme}://127.0.0.1:{}", proxy.port);
        let fetcher = through(&address, Reach::public_only());
        for host in INSIDE.into_iter().chain(["10.0.0.1", "169.254.169.254"]) {
            let outcome = fetcher.get(&format!("http://{host}/"), LIMITS, &Pulse::none());
            assert_eq!(outcome, Err(FetchError::NotPublic), "{scheme}, {host}");
        }
        // Nor is the proxy itself within reach, whose address is known to work.
        let outcome = fetcher.get(&proxy.url("127.0.0.1"), LIMITS, &Pulse::none());
        assert_eq!(outcome, Err(FetchError::NotPublic), "{scheme}");
    }
    proxy.assert_untouched();
}
