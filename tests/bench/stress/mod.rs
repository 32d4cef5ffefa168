//! What it withstands: crowds, faults of the upstream, clients who misbehave, nonsense,
//! and a long day. `scripts/stress` runs it on loopback and prints one table; whatever
//! is lost, dies, leaks or is answered otherwise than it should makes it fail. Linux.

mod bad_inputs;
mod clients;
mod crowds;
mod faults;
mod leaving;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{Process, Used};
use crate::wire::Line;

/// Longer than anything takes that is not lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// What may stay of threads and descriptors: some threads are kept for the next ones, as
/// are 64 connections to the upstream; pokes come and go, spare descriptors are held or
/// are not.
const SPARE_THREADS: u64 = 12;
const SPARE_DESCRIPTORS: u64 = 64 + 24;

type Part = fn(&mut Findings) -> io::Result<()>;

/// The parts that are named, or all.
pub(crate) fn run(named: &[&str]) -> io::Result<()> {
    let parts: [(&str, Part); 6] = [
        ("crowds", crowds::held),
        ("faults", faults::survived),
        ("clients", clients::endured),
        ("inputs", bad_inputs::refused),
        ("leaving", leaving::noticed),
        ("soak", crowds::soaked),
    ];
    let mut findings = Findings::default();
    for (name, part) in parts {
        if named.is_empty() || named.contains(&name) {
            part(&mut findings)?;
        }
    }
    print!("{findings}");
    match findings.0.iter().filter(|one| !one.holds).count() {
        0 => Ok(()),
        count => Err(io::Error::other(format!("{count} of these do not hold"))),
    }
}

/// What was found, line by line.
#[derive(Default)]
struct Findings(Vec<Finding>);

struct Finding {
    what: String,
    result: String,
    must: String,
    holds: bool,
}

impl Findings {
    /// Tells it at once: the whole takes minutes.
    fn add(
        &mut self,
        what: impl Into<String>,
        result: impl Into<String>,
        must: impl Into<String>,
        holds: bool,
    ) {
        let finding = Finding {
            what: what.into(),
            result: result.into(),
            must: must.into(),
            holds,
        };
        eprintln!("{}: {}{}", finding.what, finding.result, finding.verdict());
        self.0.push(finding);
    }

    /// Only told.
    fn tell(&mut self, what: impl Into<String>, result: impl Into<String>) {
        self.add(what, result, "", true);
    }

    /// So many of so many.
    fn all(&mut self, what: impl Into<String>, good: usize, of: usize) {
        self.add(what, format!("{good} of {of}"), "all", good == of);
    }
}

impl Finding {
    fn verdict(&self) -> &'static str {
        if self.holds { "" } else { " (missed)" }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | result | must be |")?;
        writeln!(f, "| --- | ---: | --- |")?;
        for one in &self.0 {
            let verdict = one.verdict();
            writeln!(
                f,
                "| {} | {} | {}{verdict} |",
                one.what, one.result, one.must
            )?;
        }
        Ok(())
    }
}

/// The proxy and its upstream.
struct Stage {
    upstream: Process,
    proxy: Process,
}

impl Stage {
    fn set() -> io::Result<Self> {
        let upstream = Process::role(&["upstream"], None)?;
        let proxy = Process::proxy(upstream.address, None)?;
        let stage = Self { upstream, proxy };
        // The first of all starts threads that stay.
        stage.is_well()?;
        Ok(stage)
    }

    /// An error says what is no longer so: it lives, and answers.
    fn is_well(&self) -> io::Result<()> {
        let answer = ask(self.proxy.address, &chat("gemini-bench-1-0", false))?;
        if answer.status == 200 {
            return Ok(());
        }
        Err(io::Error::other(format!("{answer:?}")))
    }

    /// Threads and descriptors as they were, or at last as they are.
    fn settled(&self, before: Used) -> io::Result<(Used, bool)> {
        let begun = Instant::now();
        loop {
            let now = self.proxy.used()?;
            let is_settled = now.threads <= before.threads + SPARE_THREADS
                && now.descriptors <= before.descriptors + SPARE_DESCRIPTORS;
            if is_settled || begun.elapsed() > PATIENCE {
                return Ok((now, is_settled));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Adds whether nothing of it is left.
    fn add_rest(&self, findings: &mut Findings, what: &str, before: Used) -> io::Result<()> {
        let (after, is_settled) = self.settled(before)?;
        let result = format!(
            "{} → {}, {} → {}",
            before.threads, after.threads, before.descriptors, after.descriptors
        );
        let what = format!("{what}: threads and descriptors, before → after");
        findings.add(what, result, "as before", is_settled);
        Ok(())
    }
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    /// Whether it is OpenAI's envelope, complete and nothing beside it.
    fn is_envelope(&self) -> bool {
        let Ok(json) = serde_json::from_slice::<serde_json::Value>(&self.body) else {
            return false;
        };
        let keys = |value: &serde_json::Value| -> Vec<String> {
            let object = value.as_object();
            object.map_or_else(Vec::new, |object| object.keys().cloned().collect())
        };
        keys(&json) == ["error"]
            && keys(&json["error"]) == ["message", "type", "param", "code"]
            && json["error"]["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
    }

    fn contains(&self, text: &str) -> bool {
        memchr::memmem::find(&self.body, text.as_bytes()).is_some()
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&address, PATIENCE)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Sends bytes on a connection of their own, and reads one answer.
fn ask(address: SocketAddr, request: &[u8]) -> io::Result<Answer> {
    let mut line = Line::new(connect(address)?)?;
    line.send(request)?;
    answer(&mut line)
}

fn answer(line: &mut Line) -> io::Result<Answer> {
    let head = line.head()?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let words = String::from_utf8_lossy(&head.bytes).into_owned();
    let status = words.split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut body = Vec::new();
    line.body(head.body, |piece| body.extend_from_slice(piece))?;
    Ok(Answer {
        status: status.unwrap_or(0),
        body,
    })
}

fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn chat(model: &str, streams: bool) -> Vec<u8> {
    let body = format!(
        r#"{{"model":"{model}","stream":{streams},"messages":[{{"role":"user","content":"Hello"}}]}}"#
    );
    post("/v1/chat/completions", body.as_bytes())
}

/// What one who asks again and again, each time on a new connection, meets meanwhile.
#[derive(Debug, Default)]
struct Probes {
    served: usize,
    failed: usize,
    slowest: Duration,
}

impl Probes {
    fn add(&self, findings: &mut Findings, what: &str) {
        let of = self.served + self.failed;
        let slowest = self.slowest.as_millis();
        findings.add(
            format!("{what}: another client is served meanwhile (slowest, ms)"),
            format!("{} of {of} ({slowest})", self.served),
            "all",
            self.failed == 0 && self.served > 0,
        );
    }
}

fn probed<T>(address: SocketAddr, work: impl FnOnce() -> io::Result<T>) -> io::Result<(T, Probes)> {
    let is_over = AtomicBool::new(false);
    let request = chat("gemini-bench-1-0", false);
    thread::scope(|scope| {
        let prober = scope.spawn(|| {
            let mut probes = Probes::default();
            while !is_over.load(Ordering::Relaxed) || probes.served == 0 {
                let begun = Instant::now();
                match ask(address, &request) {
                    Ok(Answer { status: 200, .. }) => probes.served += 1,
                    _ => probes.failed += 1,
                }
                probes.slowest = probes.slowest.max(begun.elapsed());
                if probes.failed > 0 && probes.served == 0 {
                    break;
                }
                thread::sleep(Duration::from_millis(5));
            }
            probes
        });
        let outcome = work();
        is_over.store(true, Ordering::Relaxed);
        let probes = prober.join().unwrap_or_default();
        Ok((outcome?, probes))
    })
}
