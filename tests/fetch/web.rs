//! Servers on loopback. A [`Site`] answers as the test says, a [`Trap`] must never
//! be connected to.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use gemini_proxy::config::Outbound;
use gemini_proxy::http::{FetchError, FetchLimits, Fetcher, Pulse, Reach};

/// Generous: only a failure comes near.
pub(crate) const LIMITS: FetchLimits = FetchLimits {
    time: Duration::from_secs(10),
    bytes: 1000,
};

/// One answer to each connection.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    /// First lines of what came in.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// `answer` gets the first line of each request, and the connection.
    pub(crate) fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(answer);
        let record = Arc::clone(&asked);
        thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let (answer, record) = (answer.clone(), record.clone());
                thread::spawn(move || {
                    let first_line = read_head(&connection);
                    record.lock().unwrap().push(first_line.clone());
                    answer(&first_line, &mut connection);
                });
            }
        });
        Self { address, asked }
    }

    /// The same answer to everything.
    pub(crate) fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |_, connection| {
            let _ = connection.write_all(&answer);
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// As if this site were on the internet.
    pub(crate) fn fetch(&self, path: &str, limits: FetchLimits) -> Result<Vec<u8>, FetchError> {
        fetcher(Reach::public_only().and(self.address)).get(&self.url(path), limits, &Pulse::none())
    }
}

pub(crate) fn fetcher(reach: Reach) -> Fetcher {
    Fetcher::new(&Outbound::default(), reach).unwrap()
}

/// The first line of a head, which is read to its end.
pub(crate) fn read_head(connection: &TcpStream) -> String {
    let lines = BufReader::new(connection).lines();
    let mut lines = lines.map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    // To the empty line.
    lines.find(String::is_empty);
    first
}

pub(crate) fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(crate) fn redirect(location: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

/// Listens on one port of both loopback addresses, where there are both. The
/// system completes connections by itself, so that none can go unnoticed.
pub(crate) struct Trap {
    listeners: Vec<TcpListener>,
    pub(crate) port: u16,
}

impl Trap {
    pub(crate) fn set() -> Self {
        // On all addresses: this is where `0.0.0.0` leads, too.
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let six = TcpListener::bind(("::1", port));
        let listeners: Vec<_> = [listener].into_iter().chain(six).collect();
        for listener in &listeners {
            listener.set_nonblocking(true).unwrap();
        }
        Self { listeners, port }
    }

    /// `http://host:port/`
    pub(crate) fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/", self.port)
    }

    #[track_caller]
    pub(crate) fn assert_untouched(&self) {
        for listener in &self.listeners {
            match listener.accept() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => panic!("somebody came: {outcome:?}"),
            }
        }
    }
}

#[test]
fn a_trap_notices_who_comes_and_goes() {
    let trap = Trap::set();
    trap.assert_untouched();
    drop(TcpStream::connect(("127.0.0.1", trap.port)).unwrap());
    let noticed = std::panic::catch_unwind(|| trap.assert_untouched());
    assert!(noticed.is_err());
}
