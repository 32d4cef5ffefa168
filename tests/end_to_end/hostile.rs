//! Clients who mean harm, or have gone mad: others are served meanwhile, and afterwards
//! nothing of it is left.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gemini_proxy::simulator::Simulator;
use rustix::process::{Resource, getrlimit};

use crate::client::{Client, PATIENCE};
use crate::proxy::{Proxy, Road, question};

/// Requests, or what pretends to be some, that are refused, cut short or ignored.
const ODDITIES: &[&str] = &[
    "GET /health HTTP/1.0\r\n\r\n",
    "HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /h\u{e9} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /health HTTP/1.1\r\nHost: localhost\r\nX: \u{e9}\r\n\r\n",
    "\0\0\0\0",
    "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0",
    "POST /v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 3\r\n\r\nhello",
    "POST /v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
    "POST /v1/models HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\nhello",
    "POST /v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\nhello",
    "POST /v1/models HTTP/1.1\r\nHost: localhost\r\nX: a\nb\r\n\r\n",
    "POST /v1/models HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n",
    "POST /v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\nhello",
    "POST /v1/models HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9000\r\n\r\n",
];

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn connect(proxy: &Proxy) -> TcpStream {
    let client = TcpStream::connect(&proxy.host).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

/// What a client writes may be refused halfway: then it is gone.
fn say(client: &mut TcpStream, bytes: &str) {
    let _ = client.write_all(bytes.as_bytes());
}

fn reset(client: TcpStream) {
    let socket = socket2::SockRef::from(&client);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

fn storm(proxy: &Proxy) {
    for turn in 0..1000 {
        let mut client = connect(proxy);
        match turn % 3 {
            0 => {}
            1 => say(&mut client, "GET /he"),
            _ => say(&mut client, HEALTH),
        }
        reset(client);
    }
    say(&mut connect(proxy), &HEALTH.repeat(2000));
    for _ in 0..10 {
        for oddity in ODDITIES {
            let mut client = connect(proxy);
            say(&mut client, oddity);
            let _ = client.shutdown(Shutdown::Write);
            let _ = client.read_to_end(&mut Vec::new());
        }
    }
    let unfinished: Vec<_> = (0..200)
        .map(|turn| {
            let mut client = connect(proxy);
            if turn % 2 == 0 {
                say(&mut client, ODDITIES[12]);
            }
            client
        })
        .collect();
    let mut endless = connect(proxy);
    say(&mut endless, HEALTH.trim_end());
    for _ in 0..100 {
        say(
            &mut endless,
            &format!("\r\nX-Endless: {}", "x".repeat(50_000)),
        );
    }
    drop(unfinished);
}

/// Of the process: what it must not lose for good (proc(5)).
#[derive(Debug)]
struct Vitals {
    memory_kib: usize,
    threads: usize,
    descriptors: usize,
}

impl Vitals {
    fn of(proxy: &Proxy) -> Self {
        let folder = format!("/proc/{}", proxy.id());
        let status = std::fs::read_to_string(format!("{folder}/status")).unwrap();
        let number = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            let number = line.unwrap().split_whitespace().nth(1);
            number.unwrap().parse().unwrap()
        };
        Self {
            memory_kib: number("VmRSS:"),
            threads: number("Threads:"),
            descriptors: std::fs::read_dir(format!("{folder}/fd")).unwrap().count(),
        }
    }

    /// Looks until it is so: threads without work end after ten seconds.
    #[track_caller]
    fn wait_until(proxy: &Proxy, is_well: impl Fn(&Self) -> bool) -> Self {
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            let now = Self::of(proxy);
            if is_well(&now) {
                return now;
            }
            assert!(Instant::now() < deadline, "{now:?}");
            thread::park_timeout(Duration::from_millis(50));
        }
    }
}

/// Spare descriptors are held as a reserve, or are not; pokes come and go.
const RESERVE: usize = 20;
const IDLE_THREADS: usize = 12;

#[test]
fn others_are_served_through_a_storm_and_nothing_of_it_is_left() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    proxy.chat(&question("Hi")).success();
    let is_over = AtomicBool::new(false);
    let weather = |proxy: &Proxy| {
        is_over.store(false, Ordering::Relaxed);
        thread::scope(|scope| {
            let prober = scope.spawn(|| {
                let mut served = 0;
                while !is_over.load(Ordering::Relaxed) {
                    proxy.get("/health").success();
                    served += 1;
                }
                served
            });
            storm(proxy);
            is_over.store(true, Ordering::Relaxed);
            assert!(prober.join().unwrap() > 0);
        });
    };
    let before = Vitals::of(&proxy);
    weather(&proxy);
    let is_calm = |now: &Vitals| {
        now.threads <= before.threads + IDLE_THREADS
            && now.descriptors <= before.descriptors + RESERVE
    };
    let once = Vitals::wait_until(&proxy, is_calm);
    weather(&proxy);
    let twice = Vitals::wait_until(&proxy, is_calm);
    // What the allocator keeps of the first is there for the second.
    let grown = twice.memory_kib.saturating_sub(once.memory_kib);
    assert!(grown < 16 * 1024, "{once:?} {twice:?}");
    proxy.chat(&question("Hi")).success();
}

/// As many as this process may open beside those of other tests, and the proxy, whose
/// descriptors each costs two of.
fn many_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let [mine, its] = [limit.current, limit.maximum].map(|limit| {
        let limit = limit.unwrap_or(u64::MAX);
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    2000.min(mine / 4).min(its.saturating_sub(500) / 2)
}

#[test]
fn others_are_served_beside_thousands_of_idle_connections_and_nothing_of_them_is_left() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    proxy.chat(&question("Hi")).success();
    let before = Vitals::of(&proxy);
    let count = many_connections();
    let idle: Vec<Client> = (0..count)
        .map(|_| {
            let mut client = Client::connect(&proxy.host);
            client.send("GET", "/health", &[], b"");
            client.answer().success();
            client
        })
        .collect();
    let during = Vitals::of(&proxy);
    assert!(during.descriptors >= 2 * count, "{during:?}");
    for _ in 0..20 {
        proxy.get("/health").success();
        proxy.chat(&question("Hi")).success();
    }
    drop(idle);
    Vitals::wait_until(&proxy, |now| {
        now.threads <= before.threads + IDLE_THREADS
            && now.descriptors <= before.descriptors + RESERVE
    });
    proxy.chat(&question("Hi")).success();
}

#[test]
fn when_descriptors_have_run_out_it_comes_back_as_clients_leave() {
    thread::scope(|scope| {
        for limit in [64, 256, 512] {
            scope.spawn(move || {
                let simulator = Simulator::start().unwrap();
                let home = Road::CodeAssist.home(&simulator);
                let proxy = home.serve_with_descriptors(limit);
                proxy.chat(&question("Hi")).success();
                let address: SocketAddr = proxy.host.parse().unwrap();
                let patience = Duration::from_millis(200);
                let clients: Vec<_> = (0..limit)
                    .map_while(|_| TcpStream::connect_timeout(&address, patience).ok())
                    .collect();
                assert!(clients.len() >= limit as usize / 4, "{limit}");
                drop(clients);
                proxy.get("/health").success();
                proxy.chat(&question("Hi")).success();
            });
        }
    });
}

/// tiny_http offers no way to end these; README says so.
#[test]
fn what_cannot_be_ended_costs_two_descriptors_each_and_no_more() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    proxy.chat(&question("Hi")).success();
    let before = Vitals::of(&proxy);
    let bomb =
        "POST /v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: 35184372088832\r\n\r\n";
    for bytes in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bomb] {
        for _ in 0..10 {
            say(&mut connect(&proxy), bytes);
        }
    }
    let lost = 20;
    Vitals::wait_until(&proxy, |now| {
        (before.descriptors + lost..=before.descriptors + 2 * lost + RESERVE)
            .contains(&now.descriptors)
            && now.threads <= before.threads + lost + IDLE_THREADS
    });
    proxy.log().wait_for("its connection is lost, 10 so far");
    proxy.chat(&question("Hi")).success();
}
