//! What a fetch may cost, whatever a server does.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use gemini_proxy::config::Outbound;
use gemini_proxy::http::{FetchError, FetchLimits, Fetcher, GaveUp, Pulse, Reach};

use crate::web::{LIMITS, Site, Trap, ok, redirect};

/// Soon over, for servers that are slow on purpose.
const BRIEF: FetchLimits = FetchLimits {
    time: Duration::from_millis(300),
    ..LIMITS
};

/// Fetches from a server that must cost no more than its time.
#[track_caller]
fn assert_timed_out(site: &Site) {
    let begun = Instant::now();
    let outcome = site.fetch("/", BRIEF);
    assert_eq!(outcome, Err(FetchError::TimedOut(BRIEF.time)));
    assert!(begun.elapsed() < Duration::from_secs(5), "{begun:?}");
}

/// A byte now and then, for as long as anyone listens.
fn drip(connection: &mut TcpStream, byte: &[u8]) {
    while connection.write_all(byte).is_ok() {
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_a_server_sends_arrives() {
    let site = Site::saying(ok(b"bytes"));
    assert_eq!(site.fetch("/a?b=c#d", LIMITS).unwrap(), b"bytes");
    assert_eq!(site.asked(), ["GET /a?b=c HTTP/1.1"]);
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(Site::saying(chunked).fetch("/", LIMITS).unwrap(), b"abcde");
    let until_closed = "HTTP/1.1 200 OK\r\n\r\nto the end";
    let site = Site::saying(until_closed);
    assert_eq!(site.fetch("/", LIMITS).unwrap(), b"to the end");
}

#[test]
fn a_body_may_have_its_limit_and_not_a_byte_more() {
    let exact = vec![b'x'; LIMITS.bytes];
    let site = Site::saying(ok(&exact));
    assert_eq!(site.fetch("/", LIMITS).unwrap(), exact);

    let too_large = Err(FetchError::TooLarge(LIMITS.bytes));
    let site = Site::saying(ok(&[b'x'; 1001]));
    assert_eq!(site.fetch("/", LIMITS), too_large);
    // Nothing of the body is waited for: it never comes.
    let announced = Site::start(|_, connection| {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n";
        connection.write_all(head.as_bytes()).unwrap();
        let _ = connection.read(&mut [0]);
    });
    assert_eq!(announced.fetch("/", LIMITS), too_large);
    for head in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
    ] {
        let endless = Site::start(move |_, connection| {
            let _ = connection.write_all(head.as_bytes());
            while connection.write_all(b"4\r\nxxxx\r\n").is_ok() {}
        });
        assert_eq!(endless.fetch("/", LIMITS), too_large, "{head}");
    }
}

#[test]
fn a_lying_length_gains_nothing() {
    let low = Site::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabcdef");
    assert_eq!(low.fetch("/", LIMITS).unwrap(), b"ab");
    let high = Site::saying("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabcdef");
    assert_eq!(high.fetch("/", LIMITS), Err(FetchError::BrokenOff));
    let cut = Site::saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc");
    assert_eq!(cut.fetch("/", LIMITS), Err(FetchError::BrokenOff));
}

#[test]
fn a_slow_server_is_left_when_its_time_is_over() {
    assert_timed_out(&Site::start(|_, connection| {
        let _ = connection.read(&mut [0]); // says nothing
    }));
    assert_timed_out(&Site::start(|_, connection| {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        drip(connection, b"x"); // never ends its head
    }));
    assert_timed_out(&Site::start(|_, connection| {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        drip(connection, b"x"); // never ends its body
    }));
}

#[test]
fn redirects_share_one_time_limit() {
    assert_timed_out(&Site::start(|_, connection| {
        thread::sleep(BRIEF.time * 2 / 3);
        let _ = connection.write_all(&redirect("/next"));
    }));
}

#[test]
fn three_redirects_are_followed_and_no_more() {
    let site = Site::start(|line, connection| {
        let left: u32 = line[5..6].parse().unwrap();
        let answer = match left {
            0 => ok(b"here"),
            left => redirect(&format!("/{}", left - 1)),
        };
        let _ = connection.write_all(&answer);
    });
    assert_eq!(site.fetch("/3", LIMITS).unwrap(), b"here");
    assert_eq!(site.asked().len(), 4);
    assert_eq!(site.fetch("/4", LIMITS), Err(FetchError::TooManyRedirects));
    assert_eq!(site.asked().len(), 8);
    let circle = Site::saying(redirect("/"));
    assert_eq!(circle.fetch("/", LIMITS), Err(FetchError::TooManyRedirects));
}

#[test]
fn a_redirect_leads_nowhere_that_a_url_could_not() {
    let trap = Trap::set();
    let bad = |why| Err(FetchError::BadUrl(why));
    let no_web = bad("it leads to an address without https:// or http://");
    for (location, expected) in [
        (trap.url("127.0.0.1"), Err(FetchError::NotPublic)),
        (trap.url("localhost"), Err(FetchError::NotPublic)),
        (
            format!("//[::1]:{}/", trap.port),
            Err(FetchError::NotPublic),
        ),
        ("file:///etc/passwd".to_owned(), no_web.clone()),
        ("data:image/png;base64,AAAA".to_owned(), no_web),
        (
            trap.url("user@127.0.0.1"),
            bad("it holds a user name or a password"),
        ),
        (
            "http://127.0.0.1:22/".to_owned(),
            bad("its port belongs to another protocol than HTTP"),
        ),
        ("http://[".to_owned(), Err(FetchError::BadRedirect)),
    ] {
        let site = Site::saying(redirect(&location));
        assert_eq!(site.fetch("/", LIMITS), expected, "{location}");
    }
    let silent = Site::saying("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(silent.fetch("/", LIMITS), Err(FetchError::BadRedirect));
    trap.assert_untouched();
}

#[test]
fn only_a_success_is_one() {
    for status in [201, 204, 206, 304, 401, 404, 500] {
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        let outcome = Site::saying(answer).fetch("/", LIMITS);
        assert_eq!(outcome, Err(FetchError::Status(status)));
    }
    let garbage = Site::saying("220 mail.example.com ESMTP\r\n");
    assert_eq!(garbage.fetch("/", LIMITS), Err(FetchError::Unreachable));
}

/// The kernel accepts, nobody answers; and nobody waits for the answer.
#[test]
fn whoever_leaves_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let reach = Reach::public_only().and(address);
    let fetcher = Fetcher::new(&Outbound::default(), reach).unwrap();
    let left = Pulse::new(|| Err(GaveUp::Left));
    let outcome = fetcher.get(&format!("http://{address}/"), LIMITS, &left);
    assert_eq!(outcome, Err(FetchError::GaveUp(GaveUp::Left)));
}
