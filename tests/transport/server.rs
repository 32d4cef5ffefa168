//! A server on a port of its own, whose handlers do what the test says.
//!
//! `/echo` tells what arrived, `/large` is long, `/panic` panics. `/wait` and `/stream`
//! show up at [`Server::next`] and take their steps from there; `/undecided` does so
//! before it is decided whether it becomes a stream.

use std::net::SocketAddr;
use std::panic;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, Once};
use std::thread;

use gemini_proxy::http::Pulse;
use gemini_proxy::server::transport::exchange::Request;
use gemini_proxy::server::transport::listener::{Handler, Head, Limits, Listener, Refusal};
use gemini_proxy::server::transport::stop::Stop;
use gemini_proxy::server::transport::writer::{Heartbeat, More, Refused, Reply, Source};

use crate::client::{Client, PATIENCE};

pub const LARGE: usize = 300_000;

pub struct Server {
    pub address: SocketAddr,
    begun: Receiver<Control>,
}

/// The test's hand on one request. Dropping it ends the reply.
pub struct Control {
    steps: Sender<Step>,
    /// Yields an error once the reply is over and its source dropped.
    over: Receiver<()>,
}

pub enum Step {
    Send(&'static str),
    Panic,
    /// Nothing has come yet.
    Beat,
    /// It becomes a stream; with `/undecided` only.
    Decide,
    /// It does not; with `/undecided` only.
    Refuse,
}

impl Server {
    pub fn start() -> Self {
        Self::with(Limits::default())
    }

    pub fn with(limits: Limits) -> Self {
        silence_expected_panics();
        let (begin, begun) = mpsc::channel();
        let listener = Listener::bind("127.0.0.1", 0).unwrap();
        let address = listener.local_addr();
        let handler = TestHandler {
            begin: Mutex::new(begin),
        };
        thread::spawn(move || panic!("{:?}", listener.run(handler, limits, &Stop::never())));
        Self { address, begun }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// The next `/wait` or `/stream` that a worker has begun.
    pub fn next(&self) -> Control {
        self.begun.recv_timeout(PATIENCE).expect("no such request")
    }

    pub fn nothing_begun(&self) -> bool {
        self.begun.try_recv().is_err()
    }
}

impl Control {
    pub fn step(&self, step: Step) {
        // The source may be gone; then the test looks at `is_over`.
        let _ = self.steps.send(step);
    }

    /// Waits a moment for the source to be dropped.
    pub fn is_over(&self, patience: std::time::Duration) -> bool {
        self.over.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Disconnected)
    }
}

struct TestHandler {
    begin: Mutex<Sender<Control>>,
}

impl TestHandler {
    fn begin(&self, undecided: bool) -> Steps {
        let (steps, taken) = mpsc::channel();
        let (alive, over) = mpsc::channel();
        let control = Control { steps, over };
        self.begin.lock().unwrap().send(control).unwrap();
        Steps {
            taken,
            undecided,
            _alive: alive,
        }
    }
}

impl Handler for TestHandler {
    fn answer(&self, request: &mut Request) -> Reply {
        match request.path.as_str() {
            "/wait" => {
                let _ = self.begin(false).taken.recv();
                whole(200, "waited")
            }
            "/stream" | "/undecided" => Reply::Stream {
                headers: vec![("Content-Type", "text/event-stream".to_owned())],
                source: Box::new(self.begin(request.path == "/undecided")),
            },
            "/large" => whole(200, &"x".repeat(LARGE)),
            "/nothing" => whole(204, ""),
            "/panic" => panic!("on purpose"),
            "/health" => whole(200, "well"),
            _ => whole(200, &echo(request)),
        }
    }

    fn refuse(&self, refusal: Refusal, _: Head<'_>) -> Reply {
        let status = match refusal {
            Refusal::MalformedFraming(_) | Refusal::BodyIncomplete => 400,
            Refusal::BodyTooLarge { .. } => 413,
            Refusal::Overloaded | Refusal::Stopping => 503,
            Refusal::Panicked => 500,
        };
        whole(status, &format!("{refusal:?}"))
    }

    fn is_light(&self, request_path: &str) -> bool {
        request_path == "/health"
    }
}

struct Steps {
    taken: Receiver<Step>,
    undecided: bool,
    _alive: Sender<()>,
}

impl Source for Steps {
    fn begin(&mut self, pulse: &Pulse) -> Result<(), Refused> {
        while self.undecided {
            match self.taken.recv() {
                Ok(Step::Beat) if pulse.beat().is_ok() => {}
                Ok(Step::Decide) => self.undecided = false,
                _ => return Err(refused("refused")),
            }
        }
        Ok(())
    }

    fn fill(&mut self, out: &mut Vec<u8>, pulse: &Pulse) -> More {
        match self.taken.recv() {
            Ok(Step::Send(text)) => {
                out.extend_from_slice(text.as_bytes());
                More::Yes
            }
            Ok(Step::Panic) => {
                out.extend_from_slice(b"half an ev");
                panic!("on purpose")
            }
            Ok(Step::Beat) if pulse.beat().is_ok() => More::Yes,
            _ => More::No,
        }
    }

    fn heartbeat(&self) -> Heartbeat {
        Box::new(|out| out.extend_from_slice(b"beat "))
    }

    fn broken(&mut self) -> Refused {
        refused("broken")
    }
}

fn refused(why: &'static str) -> Refused {
    Refused {
        reply: whole(502, why),
        event: why.as_bytes().to_vec(),
    }
}

fn whole(status: u16, body: &str) -> Reply {
    Reply::Whole {
        status,
        headers: vec![("Content-Type", "text/plain".to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

fn echo(request: &mut Request) -> String {
    let body = String::from_utf8(request.take_body()).unwrap();
    let query = request.query.as_deref().unwrap_or("-");
    format!("{} {} {query} {body}", request.method, request.path)
}

/// Panics are part of these tests: workers are told to, and tiny_http's unnamed threads
/// do it when a client resets. Those of the tests themselves are still reported.
fn silence_expected_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !matches!(thread::current().name(), None | Some("worker")) {
                report(panic);
            }
        }));
    });
}
